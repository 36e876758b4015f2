//! Where a client sits, and how lines go to it and come from it.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use serde_json::Value;

use super::Extras;
use super::software::{Runtime, Software};
use crate::live::build::installed;
use crate::live::lines::Lines;
use crate::live::{CLIENTS, Deadline, Page, Pages, Process};

/// Dropping it ends the client.
#[derive(Debug)]
pub(super) enum Seat {
    /// A process of its own: clients that share one share their cookies too, and count as tabs of one browser.
    Process(Process),
    /// In a process with others.
    Shared(Shared),
    /// On a page.
    Page(Page),
}

/// A connection to a process that runs many clients.
#[derive(Debug)]
pub(super) struct Shared {
    stream: TcpStream,
    lines: Lines,
}

impl Seat {
    /// Starts a client there, with these options.
    pub(super) fn take(software: Software, name: String, options: &Value, extras: &Extras) -> Self {
        let runtime = software.runtime();
        let on_node = matches!(runtime, Runtime::Process("node", _));
        let on_java = runtime == Runtime::Java;
        assert!(on_node || extras.ext.is_null(), "{name} sends no ext");
        assert!(on_node || extras.cookie.is_none(), "{name} has no cookie");
        assert!(
            on_node || on_java || extras.trusted.is_none(),
            "{name} trusts nobody"
        );
        match runtime {
            Runtime::Process(program, script) => {
                let trusted = extras.trusted.as_deref();
                Self::Process(process(name, program, script, options, trusted))
            }
            Runtime::Java => Self::Shared(Shared::open(name, java(), options)),
            Runtime::Page(page) => Self::Page(Page::open_client(&url(software, page, options))),
        }
    }

    pub(super) fn write_line(&mut self, line: &str) {
        match self {
            Self::Process(process) => process.write_line(line),
            Self::Shared(shared) => shared.write_line(line),
            Self::Page(page) => {
                page.evaluate(&format!("steer({line})"));
            }
        }
    }

    /// The next line; `None` at the end of the client.
    pub(super) fn next_line(&mut self, what: &str, deadline: Deadline) -> Option<String> {
        match self {
            Self::Process(process) => process.next_line(what, deadline),
            Self::Shared(shared) => shared.lines.next(what, deadline),
            Self::Page(page) => {
                assert!(deadline.left().is_some(), "a page is too late to {what}");
                Some(page.told())
            }
        }
    }

    pub(super) fn fail(&mut self, what: &str) -> ! {
        match self {
            Self::Process(process) => process.fail(what),
            Self::Shared(shared) => shared.lines.fail(what),
            Self::Page(_) => panic!("a page {what}"),
        }
    }
}

impl Shared {
    fn open(name: String, address: SocketAddr, options: &Value) -> Self {
        let stream = TcpStream::connect(address).expect("the process takes clients");
        stream.set_nodelay(true).ok();
        let reader = stream.try_clone().expect("a second handle");
        let mut shared = Self {
            stream,
            lines: Lines::of(name, [Box::new(reader) as _]),
        };
        shared.write_line(&options.to_string());
        shared
    }

    fn write_line(&mut self, line: &str) {
        let written = self.stream.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written {
            self.lines.fail(&format!("does not take {line:?}: {error}"));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok();
    }
}

fn process(
    name: String,
    program: &str,
    script: &str,
    options: &Value,
    trusted: Option<&Path>,
) -> Process {
    installed(CLIENTS, "node_modules/faye", "npm ci");
    if program.contains('/') {
        installed(
            CLIENTS,
            program,
            "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
        );
    }
    let mut command = Command::new(program);
    command
        .current_dir(CLIENTS)
        .arg(script)
        .arg(options.to_string())
        .envs(trusted.map(|path| ("NODE_EXTRA_CA_CERTS", path)));
    Process::start(name, &mut command)
}

/// The page's address: on the server's origin or on another, with the options as its fragment.
fn url(software: Software, page: &str, options: &Value) -> String {
    installed(CLIENTS, "node_modules/faye", "npm ci");
    let server = options["url"].as_str().unwrap_or_default();
    let origin = match server.rsplit_once('/') {
        Some((origin, _)) if !software.is_foreign() => origin.to_owned(),
        _ => Pages::served().origin(),
    };
    format!("{origin}/clients/page/{page}#{options}")
}

/// Where the process that runs the Java clients takes them; it ends with this one.
fn java() -> SocketAddr {
    static JAVA: OnceLock<(SocketAddr, Mutex<Process>)> = OnceLock::new();
    let start = || {
        installed(
            CLIENTS,
            "java/target/lib",
            "mvn -f java/pom.xml process-classes",
        );
        let mut command = Command::new("java");
        command
            .current_dir(Path::new(CLIENTS).join("java/target"))
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"])
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
            .args(["-cp", "classes:lib/*", "Main"]);
        let mut process = Process::start("Java", &mut command);
        let port = process.wait_for("say where it takes clients", |line| {
            line.strip_prefix("steering on port ")?.parse().ok()
        });
        (
            SocketAddr::from(([127, 0, 0, 1], port)),
            Mutex::new(process),
        )
    };
    JAVA.get_or_init(start).0
}
