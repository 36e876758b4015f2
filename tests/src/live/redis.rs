//! A Redis of the test's own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Deadline, Identity, Process};

/// A `redis-server` on a port of its own, which keeps nothing on disk unless it is told to; dropping it kills it.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    /// What it says that its port is.
    port_is: &'static str,
    /// Where its master is, if it has one.
    master: Option<SocketAddr>,
}

impl Redis {
    /// Starts it, and waits until it can be connected to.
    ///
    /// # Panics
    ///
    /// If it is not installed.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with an append-only file, so that what it was told outlives it.
    pub fn on_disk() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// The same as a copy of that one, which has all that it has by now.
    pub fn replica_of(master: &Self) -> Self {
        let mut replica = Self::start();
        replica.follow(master);
        replica
    }

    /// The same over TLS, for nobody but a user of that name with that password, who may use these commands on keys that
    /// begin so.
    pub fn guarded(identity: &Identity, user: &str, password: &str, rules: &[&str]) -> Self {
        let path = |path: &Path| path.display().to_string();
        let (certificate, key) = (path(&identity.certificate), path(&identity.key));
        let password = format!(">{password}");
        let mut arguments = vec!["--port", "0", "--tls-auth-clients", "no"];
        arguments.extend(["--tls-cert-file", &certificate, "--tls-key-file", &key]);
        arguments.extend(["--tls-ca-cert-file", &certificate]);
        arguments.extend(["--user", "default", "off", "--user", user, "on", &password]);
        arguments.extend(rules);
        let mut redis = Self::new(&arguments);
        redis.port_is = "--tls-port";
        Self::begun(redis)
    }

    fn with(arguments: &[&str]) -> Self {
        Self::begun(Self::new(arguments))
    }

    fn new(arguments: &[&str]) -> Self {
        Self {
            process: None,
            port: 0,
            folder: tempfile::tempdir().expect("a folder for Redis"),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            port_is: "--port",
            master: None,
        }
    }

    fn begun(mut redis: Self) -> Self {
        // Somebody else may take the port in between.
        let is_up = (0..10).any(|_| {
            redis.port = free_port();
            redis.begin()
        });
        assert!(is_up, "redis-server finds no port");
        redis
    }

    fn begin(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--repl-diskless-sync-delay", "0", self.port_is])
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments);
        if let Some(master) = self.master {
            let (host, port) = (master.ip().to_string(), master.port().to_string());
            command.args(["--replicaof", &host, &port]);
        }
        let mut process = Process::start("redis-server", &mut command);
        while let Some(line) = process.next_line("accept connections", Deadline::usual()) {
            if line.contains("Ready to accept connections") {
                self.process = Some(process);
                return true;
            }
        }
        false
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again at the same place, with what it has on disk.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.begin(), "redis-server does not come back");
    }

    /// Starts it again as a copy of that one, and waits until it has all that the other has.
    pub fn follow(&mut self, master: &Self) {
        self.master = Some(master.address());
        self.restart();
        let deadline = Deadline::usual();
        while !self
            .say(&["INFO", "replication"])
            .contains("master_link_status:up")
        {
            assert!(deadline.left().is_some(), "no copy of {master:?}");
            std::thread::yield_now();
        }
    }

    /// Sends it that signal.
    pub fn signal(&mut self, name: &str) {
        if let Some(process) = &mut self.process {
            process.signal(name);
        }
    }

    /// What it says to that command, as it stands on the wire: one line, and what belongs to it.
    pub fn say(&self, words: &[&str]) -> String {
        say(self.address(), words)
    }

    /// How often that command was called since it began, or since its statistics were reset.
    pub fn calls(&self, command: &str) -> u64 {
        let statistics = self.say(&["INFO", "commandstats"]);
        let line = statistics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        let number = line.and_then(|line| line.split(',').next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The keys there are.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.say(&["KEYS", "*"]);
        keys.lines().skip(1).map(str::to_owned).collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What Redis or a Sentinel there says to that command.
pub(super) fn say(address: SocketAddr, words: &[&str]) -> String {
    let mut socket = TcpStream::connect(address).expect("Redis is there");
    socket.set_read_timeout(Some(Deadline::USUAL)).ok();
    write!(socket, "*{}\r\n", words.len()).expect("Redis reads");
    for word in words {
        write!(socket, "${}\r\n{word}\r\n", word.len()).expect("Redis reads");
    }
    answer(&mut BufReader::new(socket))
}

fn answer(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("Redis answers");
    let line = line.trim_end().to_owned();
    let length = line
        .get(1..)
        .and_then(|length| length.parse::<usize>().ok());
    match (line.chars().next(), length) {
        (Some('$'), Some(length)) => {
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text).expect("Redis answers");
            text.truncate(length);
            String::from_utf8_lossy(&text).into_owned()
        }
        (Some('*'), Some(count)) => {
            let parts = (0..count).map(|_| format!("\n{}", answer(reader)));
            line + &parts.collect::<String>()
        }
        _ => line,
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a port is free").port()
}
