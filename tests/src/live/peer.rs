//! Servers of others, as `tests/peers` starts them.

use std::process::Command;

use super::build::installed;
use super::{PEERS, Process};

/// A running server of another project.
#[derive(Debug)]
pub struct Peer {
    url: String,
    /// Dropping it ends the server.
    _process: Process,
}

impl Peer {
    /// CometD, with these options.
    ///
    /// # Panics
    ///
    /// If it is not installed, or does not start.
    pub fn cometd(options: &[&str]) -> Self {
        installed(
            PEERS,
            "cometd/target/lib",
            "mvn -f cometd/pom.xml process-classes",
        );
        let classes = ["-cp", "cometd/target/classes:cometd/target/lib/*", "Main"];
        Self::start("CometD", Command::new("java").args(classes).args(options))
    }

    /// Faye, with these options.
    ///
    /// # Panics
    ///
    /// If it is not installed, or does not start.
    pub fn faye(options: &[&str]) -> Self {
        installed(PEERS, "faye/node_modules/faye", "npm ci --prefix faye");
        let mut command = Command::new("node");
        Self::start("Faye", command.arg("faye/main.mjs").args(options))
    }

    fn start(name: &str, command: &mut Command) -> Self {
        let mut process = Process::start(name, command.current_dir(PEERS));
        let url = process.wait_for("listen", |line| {
            line.strip_prefix("listening on ").map(str::to_owned)
        });
        Self {
            url,
            _process: process,
        }
    }

    /// Where Bayeux is spoken.
    pub fn url(&self) -> &str {
        &self.url
    }
}
