//! Programs of this workspace, built when they are wanted, so that they are never out of date.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Builds the program of that kind, `--bin` or `--example`, and of that name, and says where it is.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn executable(kind: &str, name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        // Another choice of packages, or none of what only tests and examples depend on, would be another choice of features,
        // with which nearly everything that `cargo test --workspace --all-features` has built would be built again.
        .args([
            "build",
            "--workspace",
            "--all-features",
            "--example=blocking",
        ])
        .args([kind, name])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo can be started");
    assert!(output.status.success(), "{name} cannot be built");

    let executable = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.expect("cargo names the executable that it built")
}

/// Wants what that command, in that folder, installs at that path.
///
/// # Panics
///
/// If it is not there.
#[track_caller]
pub(super) fn installed(folder: &str, path: &str, command: &str) {
    assert!(
        Path::new(folder).join(path).exists(),
        "{path} is not there: run ./check once, or in {folder}: {command}"
    );
}

/// Builds the page of `examples/wasm`, once for all tests of a process, and gives its URL: it is one file.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn page_with_an_engine() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    let build = || {
        let program = executable("--bin", "bayeux-example-wasm");
        let output = Command::new(program)
            .stderr(Stdio::inherit())
            .output()
            .expect("what was built can be started");
        assert!(output.status.success(), "the page cannot be built");
        let file = String::from_utf8_lossy(&output.stdout);
        format!("file://{}", file.trim_end())
    };
    URL.get_or_init(build).clone()
}
