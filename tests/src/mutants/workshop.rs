//! A copy of the workspace in which mutants are tried, one at a time.
//!
//! Only the tests that need no socket run there, and what they do not need is left out: those of
//! `tests/tests` are made into one program, so that a mutant costs one link and not thirty.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Mutant;

/// What is not part of the sources.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// The program that is made of the tests.
const PURE: &str = "tests/tests/pure.rs";

/// Programs of this crate: those that need more than the engine are left out.
const BINARIES: &str = "tests/src/bin";

/// The modules of this crate that need more than the engine, and what the others depend on.
const IMPURE: [&str; 5] = ["crowd", "live", "drivers", "mutants", "rules"];
const LIGHT: [&str; 5] = ["base64", "bayeux-core", "bytes", "proptest", "serde_json"];
/// How else a test gives away that it needs more.
const FOREIGN: [&str; 4] = [
    "Command::new",
    "bayeux_backend_redis",
    "bayeux_fuzz",
    "redis_rig",
];

/// The longest that one program of tests may run, and the most memory that it may take: a mutant may
/// never come to an end.
const LIMITS: &str = "ulimit -v 8000000; exec timeout 200 \"$0\" \"$@\"";

/// How programs are built that run once: small, and fast where that costs nothing more.
const PROFILE: [&str; 3] = [
    "--config=profile.dev.debug=false",
    "--config=profile.dev.package.\"*\".opt-level=2",
    "--config=profile.dev.package.\"*\".debug=false",
];

/// What tries a mutant, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The scripted tests of `tests/tests`.
    Script,
    /// The tests within the engine.
    Engine,
    /// The comparison with the model.
    Model,
    /// The cluster, with so many seeds.
    Sim(u64),
}

/// What became of a mutant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Something failed: what, and how many others of its stage.
    Caught(Stage, String, usize),
    /// Nothing did.
    Survived,
    /// It does not apply, or cannot be built.
    NoProgram(String),
}

/// The copy.
#[derive(Debug)]
pub struct Workshop {
    root: PathBuf,
    copy: PathBuf,
    built: PathBuf,
}

impl Workshop {
    /// Brings the copy of the workspace at `root` up to date. What has not changed is not built again.
    ///
    /// # Errors
    ///
    /// When something cannot be read or written.
    pub fn open(root: &Path) -> io::Result<Self> {
        let place = root.join("target/mutants");
        let workshop = Self {
            root: root.to_owned(),
            copy: place.join("source"),
            built: place.join("target"),
        };
        let mut sources = Vec::new();
        list(root, Path::new(""), &mut sources)?;
        sources.retain(|path| {
            let text = fs::read_to_string(root.join(path));
            !path.starts_with(BINARIES) || text.is_ok_and(|text| !is_impure(&text))
        });
        let mut kept = Vec::new();
        list(&workshop.copy, Path::new(""), &mut kept)?;
        kept.retain(|path| path != Path::new(PURE));
        for gone in kept.iter().filter(|path| !sources.contains(path)) {
            fs::remove_file(workshop.copy.join(gone))?;
        }
        for path in &sources {
            let content = fs::read(root.join(path))?;
            match path.to_str() {
                Some("tests/Cargo.toml") => {
                    workshop.write(path, one_program(&content).as_bytes())?
                }
                Some("tests/src/lib.rs") => workshop.write(path, pure(&content).as_bytes())?,
                _ => workshop.write(path, &content)?,
            }
        }
        workshop.write(Path::new(PURE), workshop.pure_tests()?.as_bytes())?;
        Ok(workshop)
    }

    /// Tries what is there.
    ///
    /// # Errors
    ///
    /// When no program can be started.
    pub fn try_out(&self, stages: &[Stage]) -> io::Result<Fate> {
        for stage in stages {
            let programs = match self.build(*stage)? {
                Ok(programs) => programs,
                Err(why) => return Ok(Fate::NoProgram(why)),
            };
            for program in programs {
                if let Some((what, others)) = self.run(*stage, &program)? {
                    return Ok(Fate::Caught(*stage, what, others));
                }
            }
        }
        Ok(Fate::Survived)
    }

    /// Tries one mutant.
    ///
    /// # Errors
    ///
    /// When a source cannot be read or written, or no program can be started.
    pub fn try_mutant(&self, mutant: &Mutant, stages: &[Stage]) -> io::Result<Fate> {
        let source = fs::read_to_string(self.copy.join(&mutant.file))?;
        let broken = match mutant.apply(&source) {
            Ok(broken) => broken,
            Err(error) => return Ok(Fate::NoProgram(error.to_string())),
        };
        self.write(&mutant.file, broken.as_bytes())?;
        let fate = self.try_out(stages);
        self.write(&mutant.file, source.as_bytes())?;
        fate
    }

    /// Whether there is something to be tried by this stage.
    #[must_use]
    pub fn has(&self, stage: Stage) -> bool {
        stage != Stage::Model || self.copy.join("fuzz/Cargo.toml").exists()
    }

    /// A file is written only if it changes, so that what depends on it is not built again.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let path = self.copy.join(path);
        if fs::read(&path).is_ok_and(|before| before == content) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(&self.copy))?;
        fs::write(path, content)
    }

    /// The one program of all tests that need the engine alone.
    fn pure_tests(&self) -> io::Result<String> {
        let folder = self.root.join("tests/tests");
        let mut modules = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !path.is_dir() && path.extension() != Some(OsStr::new("rs")) {
                continue;
            }
            let main = if path.is_dir() {
                path.join("main.rs")
            } else {
                path.clone()
            };
            let mut sources = Vec::new();
            if path.is_dir() {
                list(&path, Path::new(""), &mut sources)?;
            } else {
                sources.push(PathBuf::new());
            }
            let texts = sources.iter().map(|source| {
                let source = if path.is_dir() {
                    path.join(source)
                } else {
                    path.clone()
                };
                fs::read_to_string(source)
            });
            let texts = texts.collect::<io::Result<Vec<_>>>()?;
            let is_pure = !texts.iter().any(|text| is_impure(text));
            if is_pure && main.exists() {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let main = main.strip_prefix(&folder).unwrap_or(&main).display();
                modules.push(format!("#[path = \"{main}\"]\nmod {name};\n"));
            }
        }
        modules.sort();
        Ok(modules.concat())
    }

    /// Builds what a stage runs; an error of the compiler's, if it does not.
    fn build(&self, stage: Stage) -> io::Result<Result<Vec<PathBuf>, String>> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &self.built)
            .args(match stage {
                Stage::Engine => &[
                    "test",
                    "--no-run",
                    "-p",
                    "bayeux-core",
                    "--lib",
                    "--all-features",
                ][..],
                Stage::Script => &["test", "--no-run", "-p", "bayeux-tests", "--test", "pure"],
                Stage::Model => &["test", "--no-run", "-p", "bayeux-fuzz"],
                Stage::Sim(_) => &["build", "-p", "bayeux-tests", "--bin", "sim"],
            })
            .args(PROFILE)
            .arg("--quiet")
            .arg("--message-format=json-render-diagnostics");
        let output = cargo.stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let error = text.lines().find(|line| line.starts_with("error"));
            return Ok(Err(error.unwrap_or("it cannot be built").to_owned()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // Programs that tests might start are named too.
        let wanted = Value::Bool(!matches!(stage, Stage::Sim(_)));
        let programs = messages
            .filter(|message| message.pointer("/profile/test") == Some(&wanted))
            .filter_map(|message| Some(message.get("executable")?.as_str()?.into()));
        Ok(Ok(programs.collect()))
    }

    /// Runs one program of tests: what failed first, and how much else did.
    fn run(&self, stage: Stage, program: &Path) -> io::Result<Option<(String, usize)>> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(LIMITS).arg(program);
        // Mutants are caught early or not at all.
        command.env("PROPTEST_CASES", "64");
        // Where cargo would run them.
        command.current_dir(self.copy.join(match stage {
            Stage::Engine => "bayeux-core",
            Stage::Script | Stage::Sim(_) => "tests",
            Stage::Model => "fuzz",
        }));
        match stage {
            Stage::Engine | Stage::Model => {}
            // Sim has a stage of its own.
            Stage::Script => drop(command.arg("--skip=sim::")),
            Stage::Sim(seeds) => drop(command.args(["--jobs", "2", "--seeds", &seeds.to_string()])),
        }
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut failed = text.lines().filter_map(|line| match stage {
            Stage::Sim(_) => line.contains(": BROKEN: ").then(|| line.to_owned()),
            Stage::Engine | Stage::Script | Stage::Model => {
                let test = line.strip_prefix("test ")?;
                test.strip_suffix(" ... FAILED").map(ToOwned::to_owned)
            }
        });
        let first = failed.next();
        let first = first.unwrap_or_else(|| format!("no end to it: {}", output.status));
        Ok(Some((first, failed.count())))
    }
}

/// The files below `root`, as paths from it; what is hidden, built or fetched is none of them.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let hidden = name.to_string_lossy().starts_with('.');
        if hidden || SKIPPED.iter().any(|skipped| name == OsStr::new(skipped)) {
            continue;
        }
        let path = folder.join(name);
        if kind.is_dir() {
            list(root, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a test needs more than the engine.
fn is_impure(text: &str) -> bool {
    let mut impure = IMPURE.iter();
    FOREIGN.iter().any(|word| text.contains(word))
        || impure.any(|module| text.contains(&format!("bayeux_tests::{module}")))
}

/// The crate of the tests without what needs more than the engine.
fn pure(source: &[u8]) -> String {
    let text = String::from_utf8_lossy(source);
    let is_kept = |line: &&str| {
        !IMPURE
            .iter()
            .any(|module| *line == format!("pub mod {module};"))
    };
    text.lines().filter(is_kept).collect::<Vec<_>>().join("\n")
}

/// Its manifest, with one program instead of one for each file, and without what that does not need.
fn one_program(manifest: &[u8]) -> String {
    let text = String::from_utf8_lossy(manifest);
    let text = text.replacen("[package]\n", "[package]\nautotests = false\n", 1);
    let mut is_dependency = false;
    let is_kept = |line: &&str| {
        if line.starts_with('[') {
            is_dependency = line.contains("dependencies");
        }
        let name = line.split(['.', ' ']).next().unwrap_or_default();
        !is_dependency || line.starts_with('[') || LIGHT.contains(&name)
    };
    let text = text.lines().filter(is_kept).collect::<Vec<_>>().join("\n");
    format!("{text}\n\n[[test]]\nname = \"pure\"\npath = \"tests/pure.rs\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_program_is_made_of_sources_alone() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workshop = Workshop {
            copy: root.join("target/mutants/source"),
            built: root.join("target/mutants/target"),
            root,
        };

        let program = workshop.pure_tests().unwrap();

        let mut paths = program.lines().filter(|line| line.starts_with("#[path"));
        assert!(paths.clone().count() >= 10, "{program}");
        assert_eq!(paths.find(|path| !path.ends_with(".rs\"]")), None);
    }
}
