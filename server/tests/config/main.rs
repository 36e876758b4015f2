//! What flags, variables and files set, and how they are refused.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

/// A file with a secret that tokens can be checked with.
macro_rules! secret_file {
    () => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/secret.txt")
    };
}

mod access;
mod backends;
mod command_line;
mod each_key;
mod file;
mod flags;
mod printed;
mod reference;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bayeux_core::http::{CallbackForm, Origins, SameSite};
use bayeux_core::{ActivityMode, BrowserBinding, Characters, Echo, QueuePolicy, Transport};
use bayeux_server::StartError;
use bayeux_server::command_line::{Stop, greeting, parse_with};
use bayeux_server::config::{Conformance, LogFormat, Settings, Store, reference};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

/// A start of the server: flags, variables, and a file.
#[derive(Default)]
struct Start {
    flags: Vec<OsString>,
    variables: BTreeMap<&'static str, OsString>,
}

impl Start {
    fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(OsString::from));
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    fn file(self, text: &str) -> Self {
        let path = file(text.as_bytes());
        self.flags(&["--config", path.to_str().unwrap()])
    }

    fn run(self) -> Result<Settings, Stop> {
        let args = [OsString::from("server")].into_iter().chain(self.flags);
        parse_with("server", "Serves.", args, |name| {
            self.variables.get(name).cloned()
        })
    }

    fn settings(self) -> Settings {
        self.run().unwrap_or_else(|stop| panic!("{stop}"))
    }

    /// The one line of a mistake, the file being called `F`.
    fn mistake(self) -> String {
        let stop = self.run().expect_err("a mistake");
        assert_eq!(stop.code, 2, "{stop}");
        assert!(
            !stop.text.is_empty() && !stop.text.contains('\n'),
            "one line: {stop}"
        );
        hide_file(&stop.text)
    }
}

fn file(text: &[u8]) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}.toml", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

/// `text` with `F` for the file's name.
fn hide_file(text: &str) -> String {
    let Some(start) = text.find(env!("CARGO_TARGET_TMPDIR")) else {
        return text.into();
    };
    let end = start + text[start..].find(".toml").unwrap() + ".toml".len();
    format!("{}F{}", &text[..start], &text[end..])
}

fn flags(flags: &[&str]) -> Start {
    Start::default().flags(flags)
}

fn toml(text: &str) -> Start {
    Start::default().file(text)
}

/// A file that sets one key.
fn with(table: &str, key: &str, value: &str) -> String {
    match table {
        "" => format!("{key} = {value}\n"),
        table => format!("[{table}]\n{key} = {value}\n"),
    }
}

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}
