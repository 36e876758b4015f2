//! TLS inside of an application: what is counted, and another certificate while it runs.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use futures_executor::block_on;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::server::tls::TlsFiles;
use crate::server::{Running, Server, Settings};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that is removed with it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    fn fill(&self) {
        let params = CertificateParams::new(["localhost".into()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(self.certificate(), certificate.pem()).unwrap();
        fs::write(self.key(), key.serialize_pem()).unwrap();
    }

    fn server(&self, set: impl FnOnce(&mut Settings)) -> Running {
        self.fill();
        let builder = Server::builder()
            .shards(NonZeroU32::MIN)
            .listen("127.0.0.1:0".parse().unwrap());
        let mut builder = builder.tls(TlsFiles {
            certificate: self.certificate(),
            key: self.key(),
        });
        builder.settings().shutdown_window = Duration::from_millis(100);
        set(builder.settings());
        block_on(builder.start()).unwrap()
    }
}

/// How many handshakes were late, and how many failed, by the end of the server: a peer may hear of it before it is
/// counted.
fn counted(running: Running) -> (u64, u64) {
    let handle = running.handle();
    block_on(running.shutdown());
    let tally = handle.tally();
    (
        tally.tls_handshakes_late.get(),
        tally.tls_handshakes_failed.get(),
    )
}

/// Sends that, and waits until the server closes the connection.
fn exchange(running: &Running, sent: &[u8]) {
    let mut socket = TcpStream::connect(running.addresses()[0]).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be closed already.
    let _ = socket.write_all(sent);
    // A reset is an end as well.
    if let Err(error) = socket.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the end comes");
    }
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_counted() {
    let folder = Folder::new();
    let running = folder.server(|settings| settings.deadlines.tls = Duration::from_millis(100));

    exchange(&running, b"");
    exchange(&running, &[22, 3, 1, 2, 0, 1, 0]);

    assert_eq!(counted(running), (2, 0));
}

#[test]
fn a_handshake_that_fails_is_counted() {
    let folder = Folder::new();
    let running = folder.server(|settings| settings.deadlines.tls = PATIENCE);

    exchange(&running, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");

    assert_eq!(counted(running), (0, 1));
}

#[test]
fn handshakes_count_against_the_limit_on_sockets() {
    let folder = Folder::new();
    let running = folder.server(|settings| {
        settings.deadlines.tls = Duration::from_secs(3_600);
        settings.sockets.total = 2;
    });
    let stalled = [(); 2].map(|()| TcpStream::connect(running.addresses()[0]).unwrap());

    exchange(&running, b"");

    assert_eq!(running.handle().tally().sockets_refused.get(), 1);
    drop(stalled);
    block_on(running.shutdown());
}

#[test]
fn files_are_taken_if_they_are_right_and_what_is_wrong_with_them_is_told() {
    let folder = Folder::new();
    let mut asked = None;
    let running = folder.server(|settings| asked = Some(settings.clone()));
    let settings = asked.unwrap();

    folder.fill();
    running.reload(&settings).unwrap();

    fs::write(folder.key(), "nonsense").unwrap();
    let error = running.reload(&settings).unwrap_err().to_string();
    let complaint = format!("{}: holds no private key", folder.key().display());
    assert!(error.contains(&complaint), "{error}");
    block_on(running.shutdown());
}
