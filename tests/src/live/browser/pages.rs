//! The pages of the clients, on a port of the test's own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

/// Serves `tests/clients`, the unmodified libraries among it, below `/clients/`.
#[derive(Debug)]
pub struct Pages {
    address: SocketAddr,
}

impl Pages {
    /// Whose paths begin like this.
    pub(super) const PATH: &str = "/clients/";

    /// They are served once for all tests of a process.
    pub fn served() -> &'static Self {
        static PAGES: OnceLock<Pages> = OnceLock::new();
        PAGES.get_or_init(Self::serve)
    }

    /// An origin of theirs, neither that of a server nor on its site: another name for this machine, another port.
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// A second origin of theirs, on the servers' site.
    pub fn other_origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        Self { address }
    }
}

/// Answers one request; a browser that has gone away wants no answer.
fn answer(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}

    let path = request.strip_prefix("GET ")?.split([' ', '?']).next()?;
    let file = path
        .strip_prefix(Pages::PATH)
        .filter(|path| !path.contains(".."))
        .map(|path| Path::new(super::super::CLIENTS).join(path));
    let content = file.as_deref().and_then(|file| fs::read(file).ok());
    let status = if content.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let content = content.unwrap_or_default();
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html",
        _ => "text/javascript",
    };
    let length = content.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind};charset=UTF-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    stream.write_all(&content).ok()
}
