//! A TCP connection read byte by byte, with deadlines.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bayeux_conformance::{Lack, Source};
use rustls::{ClientConnection, StreamOwned};

use super::Deadline;

/// A connection of the test's own, below any protocol.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    /// Received and not yet read.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("{address} does not accept: {error}"));
        stream.set_nodelay(true).ok();
        stream.set_write_timeout(Some(Deadline::USUAL)).ok();
        Self {
            stream: Stream::Plain(stream),
            buffer: Vec::new(),
        }
    }

    /// Over a connection whose handshake is through.
    pub(super) fn over_tls(stream: StreamOwned<ClientConnection, TcpStream>) -> Self {
        stream.sock.set_nodelay(true).ok();
        Self {
            stream: Stream::Tls(Box::new(stream)),
            buffer: Vec::new(),
        }
    }

    /// The TLS of it, if any.
    pub(super) fn tls(&self) -> Option<&ClientConnection> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(&stream.conn),
        }
    }

    /// What both ends have agreed to speak over TLS.
    pub fn protocol(&self) -> Option<&str> {
        str::from_utf8(self.tls()?.alpn_protocol()?).ok()
    }

    /// Sends bytes as they are; false if the peer does not take them. One that has closed is no failure yet: what it said
    /// last can still be read.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).is_ok(),
            Stream::Tls(stream) => stream
                .write_all(bytes)
                .and_then(|()| stream.flush())
                .is_ok(),
        }
    }

    /// Waits until the peer, on this machine, has read all that was sent.
    #[track_caller]
    pub fn until_taken(&self) {
        let ends = self
            .socket()
            .local_addr()
            .ok()
            .zip(self.socket().peer_addr().ok());
        let (here, there) = ends.expect("a connected socket");
        let deadline = Deadline::usual();
        while Queues::of(here, there).sent > 0 || Queues::of(there, here).received > 0 {
            assert!(deadline.left().is_some(), "the server does not read");
            std::thread::yield_now();
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.socket().shutdown(Shutdown::Write).ok();
    }

    /// The bytes up to and including that end; `None` if the connection ends before.
    pub fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let deadline = Deadline::usual();
        loop {
            let place = self
                .buffer
                .windows(end.len())
                .position(|window| window == end);
            if let Some(place) = place {
                return Some(self.take(place + end.len()));
            }
            if !self.fill(deadline) {
                return None;
            }
        }
    }

    /// Exactly that many bytes; `None` if the connection ends before.
    pub fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let deadline = Deadline::usual();
        while self.buffer.len() < length {
            if !self.fill(deadline) {
                return None;
            }
        }
        Some(self.take(length))
    }

    /// All bytes until the peer closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let deadline = Deadline::usual();
        while self.fill(deadline) {}
        std::mem::take(&mut self.buffer)
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Reads once; false at the end of the connection, a reset included.
    fn fill(&mut self, deadline: Deadline) -> bool {
        let mut chunk = [0; 64 * 1024];
        loop {
            let Some(left) = deadline.left() else {
                let received = String::from_utf8_lossy(&self.buffer);
                panic!("the server did not answer in time; received so far: {received:?}");
            };
            let left = left.max(Duration::from_millis(1));
            self.socket()
                .set_read_timeout(Some(left))
                .expect("a timeout above zero");
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut chunk),
                Stream::Tls(stream) => stream.read(&mut chunk),
            };
            match read {
                Ok(0) => return false,
                Ok(length) => {
                    self.buffer
                        .extend_from_slice(chunk.get(..length).unwrap_or_default());
                    return true;
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(_) => return false,
            }
        }
    }
}

/// What does not come in time has ended the test.
impl Source for Wire {
    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Lack> {
        self.until(end).ok_or(Lack::Ended)
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Lack> {
        self.exactly(length).ok_or(Lack::Ended)
    }

    fn rest(&mut self) -> Result<Vec<u8>, Lack> {
        Ok(self.rest())
    }
}

/// How many bytes the system keeps for one end of a connection; none for an end that is gone.
#[derive(Debug, Default)]
struct Queues {
    /// Sent and not yet acknowledged.
    sent: u32,
    /// Received and not yet read.
    received: u32,
}

impl Queues {
    fn of(here: SocketAddr, there: SocketAddr) -> Self {
        let table =
            std::fs::read_to_string("/proc/net/tcp").expect("Linux tells of its connections");
        let ends = [kernels(here), kernels(there)];
        let queues = table.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let is_it = ends.iter().all(|end| words.next() == Some(end));
            let (sent, received) = words.nth(1).filter(|_| is_it)?.split_once(':')?;
            Some(Self {
                sent: u32::from_str_radix(sent, 16).ok()?,
                received: u32::from_str_radix(received, 16).ok()?,
            })
        });
        queues.unwrap_or_default()
    }
}

/// An address as the kernel prints it.
fn kernels(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else {
        panic!("{address} is no address of IPv4");
    };
    format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(ip.octets()),
        address.port()
    )
}
