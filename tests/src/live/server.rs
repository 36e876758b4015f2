//! The server binary as an operator runs it.

use std::env::VarError;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::{Authority, Deadline, HttpConnection, Identity, Process, executable};

/// What a server is started with beyond its defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    arguments: Vec<String>,
    /// The text of its configuration file: what stands at its top, and its tables.
    file: String,
    tables: String,
    /// Where that is, if the test has written it.
    path: Option<PathBuf>,
    /// Whether it listens to backends.
    admin: bool,
    /// How many descriptors it may have, if not as many as the test.
    descriptors: Option<u32>,
    /// The file with the authorities that it trusts, if not those of the system.
    authorities: Option<PathBuf>,
}

impl Settings {
    /// The number of shards.
    #[must_use]
    pub fn shards(self, shards: u16) -> Self {
        self.with(&["--shards", &shards.to_string()])
    }

    /// An origin whose pages may use the server, besides its own.
    #[must_use]
    pub fn allow_origin(self, origin: &str) -> Self {
        self.with(&["--allow-origin", origin])
    }

    /// An option of its configuration file, such as `limits.maxBatch`.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        // Numbers, strings, booleans and arrays are the same in JSON and TOML.
        writeln!(self.file, "{name} = {}", value.into()).ok();
        self
    }

    /// Tables of its configuration file.
    #[must_use]
    pub fn tables(mut self, text: &str) -> Self {
        self.tables.push_str(text);
        self
    }

    /// What it logs.
    #[must_use]
    pub fn log(self, filter: &str) -> Self {
        self.with(&["--log", filter])
    }

    /// A configuration file that the test has written, and may write again.
    #[must_use]
    pub fn config(mut self, path: &Path) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Speaks TLS.
    #[must_use]
    pub fn tls(self, identity: &Identity) -> Self {
        let path = |path: &Path| path.display().to_string();
        let (certificate, key) = (path(&identity.certificate), path(&identity.key));
        self.with(&["--tls-cert", &certificate, "--tls-key", &key])
    }

    /// Channels with which a test can ask for the server's help.
    #[must_use]
    pub fn conformance(self) -> Self {
        self.with(&["--conformance"])
    }

    /// The file at the paths of Faye's client.
    #[must_use]
    pub fn client_file(self, path: &str) -> Self {
        self.with(&["--client-file", path])
    }

    /// How many descriptors it may have at a time.
    #[must_use]
    pub fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Keeps what it has there.
    #[must_use]
    pub fn store(self, url: &str) -> Self {
        self.with(&["--store", url])
    }

    /// Trusts that authority and no other.
    #[must_use]
    pub fn trust(mut self, authority: &Authority) -> Self {
        self.authorities = Some(authority.file());
        self
    }

    /// What the node is called.
    #[must_use]
    pub fn node_name(self, name: &str) -> Self {
        self.with(&["--node-name", name])
    }

    /// A listener for backends, with the HTTP API.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self.with(&["--admin-listen", "127.0.0.1:0"])
    }

    /// A key of the HTTP API.
    #[must_use]
    pub fn admin_key(self, key: &str) -> Self {
        self.option("server.admin-key", key)
    }

    fn command(&self) -> Command {
        let Some(most) = self.descriptors else {
            return Command::new(binary());
        };
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(binary());
        command
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }
}

/// A running server on a port of its own; dropping it kills it.
#[derive(Debug)]
pub struct Server {
    process: Process,
    scheme: String,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Server {
    /// The path it serves.
    pub const PATH: &str = "/bayeux";

    /// Starts it on a free port of the loopback interface and waits until it listens.
    pub fn start(settings: &Settings) -> Self {
        let mut command = settings.command();
        if let Some(file) = &settings.authorities {
            command.env("SSL_CERT_FILE", file);
        }
        command
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(settings.path.as_deref().unwrap_or(Path::new("/dev/stdin")))
            .args(&settings.arguments);
        let mut process = Process::start("the server", &mut command);
        process.write_last(&format!("{}{}", settings.file, settings.tables));
        let mut server = Self::listening(process);
        server.admin = settings.admin.then(|| server.admin_entrance());
        server
    }

    /// Starts an example, which takes its address as an argument: the program of that kind, `--bin` or `--example`, and of
    /// that name.
    pub fn example(kind: &str, name: &str) -> Self {
        let mut command = Command::new(executable(kind, name));
        Self::listening(Process::start("the example", command.arg("127.0.0.1:0")))
    }

    fn listening(mut process: Process) -> Self {
        let (scheme, address) = process.wait_for("say where it listens", |line| {
            let (scheme, rest) = line.split_once("://")?;
            let scheme = scheme.rsplit(' ').next()?.to_owned();
            Some((scheme, rest.strip_suffix(Self::PATH)?.parse().ok()?))
        });
        Self {
            process,
            scheme,
            address,
            admin: None,
        }
    }

    fn admin_entrance(&mut self) -> SocketAddr {
        let what = "say where it listens to backends";
        self.process.wait_for(what, |line| {
            let (_, url) = line.split_once("backends: ")?.1.split_once("://")?;
            url.split_once('/')?.0.parse().ok()
        })
    }

    /// Starts the binary with these arguments and that text as its standard input, whatever becomes of it.
    pub fn run(arguments: &[&str], input: &str) -> Process {
        let mut process = Process::start("the server", Command::new(binary()).args(arguments));
        process.write_last(input);
        process
    }

    /// The file of the binary, for who starts it in a way of their own.
    #[must_use]
    pub fn binary() -> &'static Path {
        binary()
    }

    /// With its defaults.
    pub fn with_defaults() -> Self {
        Self::start(&Settings::default())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens to backends.
    ///
    /// # Panics
    ///
    /// If it was not asked to: see [`Settings::admin`].
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.expect("a server that listens to backends")
    }

    /// The URL that a client takes.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, Self::PATH)
    }

    /// Waits until it says that it is ready for clients: it reaches its store.
    pub fn until_ready(&self) {
        let deadline = Deadline::usual();
        let mut connection = HttpConnection::open(self.address);
        while connection.request("GET", "/ready", &[], "").status != 200 {
            assert!(deadline.left().is_some(), "the server is never ready");
            std::thread::yield_now();
        }
    }

    /// The memory that it occupies, in bytes.
    pub fn resident(&mut self) -> u64 {
        let status = self.process.told("status");
        let kilobytes = status.lines().find_map(|line| {
            let value = line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?;
            value.trim().parse::<u64>().ok()
        });
        match kilobytes {
            Some(kilobytes) => kilobytes * 1024,
            None => self.process.fail("tells no VmRSS"),
        }
    }

    /// How many descriptors it has open.
    pub fn open_descriptors(&mut self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        match std::fs::read_dir(&folder) {
            Ok(entries) => entries.count(),
            Err(error) => self.process.fail(&format!("has no {folder}: {error}")),
        }
    }

    /// The processor time that it has taken, in hundredths of a second.
    pub fn processor_time(&mut self) -> u64 {
        // In user mode and in the system; the name before them may hold anything.
        let stat = self.process.told("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut numbers = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(user)), Some(Ok(system))) => user + system,
            _ => self
                .process
                .fail(&format!("tells no processor time: {stat:?}")),
        }
    }

    /// Waits for a line of its log with all of that in it.
    pub fn says_all(&mut self, parts: &[&str]) {
        self.process.wait_for("say something", |line| {
            parts.iter().all(|part| line.contains(part)).then_some(())
        });
    }

    /// Ends it as an operator would, and gives the number of facts that crossed from one shard to another.
    pub fn stop(mut self) -> u64 {
        let last = self.process.terminate();
        let crossed = last.iter().find_map(|line| {
            let number = line.split_once("facts that crossed shards:")?.1;
            number.trim().parse().ok()
        });
        match crossed {
            Some(crossed) => crossed,
            None => self
                .process
                .fail("ended without a count of the facts that crossed shards"),
        }
    }

    /// Ends it as an operator would, and gives all that it has printed since it listened.
    pub fn stop_and_tell(mut self) -> Vec<String> {
        self.process.terminate()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&mut self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until it says something with that text, and gives the line.
    pub fn says(&mut self, text: &str) -> String {
        self.process.wait_for(&format!("say {text:?}"), |line| {
            line.contains(text).then(|| line.to_owned())
        })
    }

    /// Waits until it ends by itself, and gives its exit code.
    pub fn end(mut self) -> Option<i32> {
        self.process.end().0
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.process.kill();
    }
}

/// `BAYEUX_SERVER_BIN` names its file; otherwise it is built here, once a test process, so that it is never out of date.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("BAYEUX_SERVER_BIN") {
        Some(path) => path.into(),
        None => executable("--bin", package()),
    })
}
/// The package of the server on the runtime that `BAYEUX_SERVER` names: `tokio`, as by default, or `smol`.
fn package() -> &'static str {
    match std::env::var("BAYEUX_SERVER").as_deref() {
        Ok("tokio") | Err(VarError::NotPresent) => "bayeux-server-tokio",
        Ok("smol") => "bayeux-server-smol",
        other => panic!("BAYEUX_SERVER must be tokio or smol, not {other:?}"),
    }
}
