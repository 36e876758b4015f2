//! Where in the workspace markers are looked for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Language, Markers};

/// The directories of Rust sources, besides those of the servers.
const RUST: [&str; 3] = ["bayeux-core/src", "bayeux-core/tests", "tests"];

/// The directories of scripts.
const SCRIPTS: [&str; 1] = ["tests/clients"];

/// What is built or fetched, not written.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// The workspace.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The workspace that this crate was built in.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        }
    }

    /// The text of one file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.root.join(path))
            .map_err(|error| io::Error::other(format!("{path}: {error}")))
    }

    /// The markers of all sources.
    ///
    /// # Errors
    ///
    /// When a source or a directory cannot be read.
    pub fn markers(&self) -> io::Result<Markers> {
        let mut markers = Markers::default();
        for path in self.sources()? {
            let extension = Path::new(&path)
                .extension()
                .and_then(|extension| extension.to_str());
            if let Some(language) = extension.and_then(Language::of_extension) {
                markers.scan(&path, &self.read(&path)?, language);
            }
        }
        Ok(markers)
    }

    /// The paths of all sources that may hold markers, in order.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub fn sources(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let servers = self
            .entries("")?
            .into_iter()
            .filter(|name| name.starts_with("server"));
        for directory in RUST.into_iter().map(str::to_owned).chain(servers) {
            self.walk(&directory, &mut found)?;
        }
        let is_source = |path: &String| {
            path.ends_with(".rs") || SCRIPTS.iter().any(|directory| path.starts_with(directory))
        };
        found.retain(is_source);
        found.sort();
        Ok(found)
    }

    fn walk(&self, directory: &str, found: &mut Vec<String>) -> io::Result<()> {
        if !self.root.join(directory).is_dir() {
            return Ok(());
        }
        for name in self.entries(directory)? {
            let path = format!("{directory}/{name}");
            if self.root.join(&path).is_file() {
                found.push(path);
            } else if !SKIPPED.contains(&name.as_str()) && !name.starts_with('.') {
                self.walk(&path, found)?;
            }
        }
        Ok(())
    }

    fn entries(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.root.join(directory))?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}
