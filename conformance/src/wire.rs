//! A TCP connection read byte by byte, with a patience that ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::check::{Checked, Stop};
use crate::options::Target;
use crate::tls::{Secured, Trust};
use crate::transcript::{Direction, Transcript};

/// A connection below any protocol; all that passes it is noted.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    /// Received and not yet read.
    buffer: Vec<u8>,
    /// How long to wait for what is to come.
    pub patience: Duration,
    transcript: Transcript,
    number: u32,
}

/// What bytes pass through.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Secured(Secured),
}

/// Why what was waited for is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The connection ended before.
    Ended,
    /// It did not come in time.
    Late,
}

/// Where the bytes of a peer are taken from.
pub trait Source {
    /// The bytes up to and including that end.
    ///
    /// # Errors
    ///
    /// If the connection ends before, or they do not come in time.
    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Lack>;

    /// Exactly that many bytes.
    ///
    /// # Errors
    ///
    /// As for [`until`](Self::until).
    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Lack>;

    /// All bytes until the peer closes.
    ///
    /// # Errors
    ///
    /// If it does not close in time.
    fn rest(&mut self) -> Result<Vec<u8>, Lack>;
}

impl From<Lack> for Stop {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Ended => Self::failed("the server closed the connection instead of answering"),
            Lack::Late => Self::failed("the server did not answer in time"),
        }
    }
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If the server does not accept.
    pub fn open(
        target: &Target,
        trust: Option<&Trust>,
        patience: Duration,
        transcript: &Transcript,
    ) -> Checked<Self> {
        let address = target.address;
        let socket = TcpStream::connect_timeout(&address, patience)
            .map_err(|error| Stop::failed(format!("{address} does not accept: {error}")))?;
        socket.set_nodelay(true).ok();
        socket.set_write_timeout(Some(patience)).ok();
        socket.set_read_timeout(Some(patience)).ok();
        let stream = match trust {
            Some(trust) => Stream::Secured(trust.secured(socket, target.name())?),
            None => Stream::Plain(socket),
        };
        Ok(Self {
            stream,
            buffer: Vec::new(),
            patience,
            transcript: transcript.clone(),
            number: transcript.connection(),
        })
    }

    /// Sends bytes as they are. A peer that does not take them is no failure yet: what it said last can still be read.
    pub fn send(&mut self, bytes: &[u8]) {
        self.transcript.note(self.number, Direction::Sent, bytes);
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Secured(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        sent.ok();
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        if let Stream::Secured(stream) = &mut self.stream {
            stream.finish();
        }
        self.stream.socket().shutdown(Shutdown::Write).ok();
    }

    /// Whether nothing comes for so long: no byte and no end.
    pub fn is_quiet(&mut self, period: Duration) -> bool {
        self.buffer.is_empty() && self.fill(Instant::now() + period) == Err(Lack::Late)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Reads once.
    fn fill(&mut self, deadline: Instant) -> Result<(), Lack> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lack::Late);
            }
            self.stream.socket().set_read_timeout(Some(left)).ok();
            match self.stream.read(&mut chunk) {
                Ok(length @ 1..) => {
                    let bytes = chunk.get(..length).unwrap_or_default();
                    self.transcript
                        .note(self.number, Direction::Received, bytes);
                    self.buffer.extend_from_slice(bytes);
                    return Ok(());
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                    ) => {}
                Ok(0) | Err(_) => {
                    self.transcript.note(self.number, Direction::Ended, b"");
                    return Err(Lack::Ended);
                }
            }
        }
    }
}

impl Source for Wire {
    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Lack> {
        let deadline = Instant::now() + self.patience;
        loop {
            let mut windows = self.buffer.windows(end.len());
            if let Some(place) = windows.position(|window| window == end) {
                return Ok(self.take(place + end.len()));
            }
            self.fill(deadline)?;
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Lack> {
        let deadline = Instant::now() + self.patience;
        while self.buffer.len() < length {
            self.fill(deadline)?;
        }
        Ok(self.take(length))
    }

    fn rest(&mut self) -> Result<Vec<u8>, Lack> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(Lack::Ended) => return Ok(std::mem::take(&mut self.buffer)),
                Err(Lack::Late) => return Err(Lack::Late),
            }
        }
    }
}

impl Stream {
    const fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secured(stream) => stream.socket(),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Secured(stream) => stream.read(bytes),
        }
    }
}
