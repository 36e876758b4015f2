//! Mutants: the engine broken in known ways, so that the tests can be tested.
//!
//! Each file in `tests/mutants` says in its first paragraph what is broken, then where and how:
//!
//! ```text
//! What was in flight when its connection closed is forgotten (QU-9).
//!
//! file: bayeux-core/src/carrier.rs
//! <<<<
//! let count = session.queue.requeue() as u64;
//! ====
//! let count = 0;
//! >>>>
//! ```
//!
//! The old text has to be found exactly once, so that a list which the code has left behind is noticed. A
//! line `origin: unseen` says that whoever wrote it had not seen the tests.

mod workshop;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use self::workshop::{Fate, Stage, Workshop};

/// One way in which the engine is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mutant {
    /// The name of its file, without the extension.
    pub name: String,
    /// What is broken.
    pub what: String,
    /// Whether whoever wrote it had not seen the tests.
    pub unseen: bool,
    /// The source that is changed, from the root of the workspace.
    pub file: PathBuf,
    old: String,
    new: String,
}

/// Why something is no mutant, or not one of this source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MutantError {
    /// Its file does not have what the module's documentation shows.
    Malformed(&'static str),
    /// The text to replace is there so many times.
    Found(usize),
    /// What it puts in its place is the same.
    Same,
}

impl fmt::Display for MutantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Found(times) => write!(f, "its old text is there {times} times, not once"),
            Self::Same => f.write_str("it changes nothing"),
        }
    }
}

impl std::error::Error for MutantError {}

impl Mutant {
    /// All there are, by name.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or is malformed.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut mutants = Vec::new();
        for entry in fs::read_dir(root.join("tests/mutants"))? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let mutant = Self::parse(&name, &fs::read_to_string(&path)?)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            mutants.push(mutant);
        }
        mutants.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(mutants)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the text does not have what the module's documentation shows.
    pub fn parse(name: &str, text: &str) -> Result<Self, MutantError> {
        let (head, change) = text
            .split_once("\n<<<<\n")
            .ok_or(MutantError::Malformed("no line <<<<"))?;
        let (old, new) = change
            .split_once("\n====\n")
            .ok_or(MutantError::Malformed("no line ===="))?;
        // Nothing may take the place of the old text.
        let new = new
            .strip_suffix("\n>>>>\n")
            .or_else(|| (new == ">>>>\n").then_some(""))
            .ok_or(MutantError::Malformed("no line >>>> at its end"))?;
        let (what, fields) = head
            .split_once("\n\n")
            .ok_or(MutantError::Malformed("nothing that says what is broken"))?;
        let field = |name: &str| {
            let mut lines = fields.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        Ok(Self {
            name: name.to_owned(),
            what: what.lines().collect::<Vec<_>>().join(" "),
            unseen: field("origin") == Some("unseen"),
            file: field("file")
                .ok_or(MutantError::Malformed("no file"))?
                .into(),
            old: old.to_owned(),
            new: new.to_owned(),
        })
    }

    /// What a source becomes with it.
    ///
    /// # Errors
    ///
    /// When its old text is not there exactly once, or when nothing changes.
    pub fn apply(&self, source: &str) -> Result<String, MutantError> {
        match source.matches(&self.old).count() {
            1 if self.old == self.new => Err(MutantError::Same),
            1 => Ok(source.replacen(&self.old, &self.new, 1)),
            times => Err(MutantError::Found(times)),
        }
    }
}
