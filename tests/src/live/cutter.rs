//! A TCP proxy that breaks connections when a test says so.
//!
//! A server behind it can go away and come back on another port, and its clients still find it at the same address.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Deadline, Server};

/// The proxy; dropping it breaks all that goes through it.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    shared: Arc<Shared>,
    cuts: Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Where connections go; without it they are closed at accept.
    upstream: Option<SocketAddr>,
    /// The text in the middle of which the next connection from the server breaks.
    needle: Option<Vec<u8>>,
    stalled: bool,
    ended: bool,
    /// Both ends of every connection that may still be open.
    ends: Vec<TcpStream>,
    report: Sender<()>,
}

impl Cutter {
    /// A proxy in front of that server.
    pub fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (report, cuts) = channel();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                upstream: Some(server.address()),
                needle: None,
                stalled: false,
                ended: false,
                ends: Vec::new(),
                report,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self {
            address,
            shared,
            cuts,
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a client takes.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, Server::PATH)
    }

    /// From now on the first connection on which the server sends this text breaks in the middle of it.
    pub fn cut_inside(&self, text: &str) {
        assert!(text.len() >= 2, "a text with a middle");
        self.shared.lock().needle = Some(text.into());
    }

    /// Waits until that has happened.
    pub fn wait_for_cut(&self) {
        let left = Deadline::USUAL;
        match self.cuts.recv_timeout(left) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => {
                let state = self.shared.lock();
                let needle = state.needle.as_deref().map(String::from_utf8_lossy);
                panic!("the server did not send this in time: {needle:?}");
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the proxy has ended"),
        }
    }

    /// Breaks all connections there are.
    pub fn cut_all(&self) {
        cut(&mut self.shared.lock());
    }

    /// Breaks all connections there are, and every new one, until [`Cutter::forward_to`].
    pub fn down(&self) {
        let mut state = self.shared.lock();
        state.upstream = None;
        cut(&mut state);
    }

    /// New connections go to that server.
    pub fn forward_to(&self, server: &Server) {
        self.shared.lock().upstream = Some(server.address());
    }

    /// Passes nothing on in either direction, and breaks nothing, until [`Cutter::flow`].
    pub fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    /// Ends [`Cutter::stall`].
    pub fn flow(&self) {
        self.shared.lock().stalled = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        cut(&mut state);
        drop(state);
        self.shared.changed.notify_all();
        // The accepting thread looks up when a connection arrives.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn while_flowing(&self) -> MutexGuard<'_, State> {
        self.changed
            .wait_while(self.lock(), |state| state.stalled && !state.ended)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(state: &mut State) {
    for end in state.ends.drain(..) {
        end.shutdown(Shutdown::Both).ok();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        let server = state
            .upstream
            .and_then(|server| TcpStream::connect(server).ok());
        // Without a server the client's connection is closed here.
        let Some(server) = server else { continue };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        link(&client, &server, &mut state, shared).ok();
    }
}

fn link(
    client: &TcpStream,
    server: &TcpStream,
    state: &mut State,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    state.ends.retain(|end| end.peer_addr().is_ok());
    state.ends.push(client.try_clone()?);
    state.ends.push(server.try_clone()?);
    let up = Pipe::new(client, server, shared)?;
    let down = Pipe::new(server, client, shared)?;
    thread::spawn(move || up.run(Watch::Nothing));
    thread::spawn(move || down.run(Watch::ForTheNeedle(Vec::new())));
    Ok(())
}

/// One direction of one connection.
struct Pipe {
    from: TcpStream,
    to: TcpStream,
    shared: Arc<Shared>,
}

enum Watch {
    Nothing,
    /// With the last bytes passed on: a needle may have begun in them.
    ForTheNeedle(Vec<u8>),
}

impl Pipe {
    fn new(from: &TcpStream, to: &TcpStream, shared: &Arc<Shared>) -> std::io::Result<Self> {
        Ok(Self {
            from: from.try_clone()?,
            to: to.try_clone()?,
            shared: Arc::clone(shared),
        })
    }

    fn run(mut self, mut watch: Watch) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = self.from.read(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            let mut state = self.shared.while_flowing();
            if let Watch::ForTheNeedle(passed) = &mut watch
                && let Some(needle) = &state.needle
                && let Some(end) = break_at(passed, bytes, needle)
            {
                state.needle = None;
                state.report.send(()).ok();
                drop(state);
                self.to.write_all(bytes.get(..end).unwrap_or_default()).ok();
                break;
            }
            drop(state);
            if let Watch::ForTheNeedle(passed) = &mut watch {
                remember(passed, bytes);
            }
            if self.to.write_all(bytes).is_err() {
                break;
            }
        }
        self.to.shutdown(Shutdown::Both).ok();
        self.from.shutdown(Shutdown::Both).ok();
    }
}

/// How many of these bytes still pass if the needle is in them, perhaps begun in those passed before.
fn break_at(passed: &[u8], bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let joined = [passed, bytes].concat();
    // A needle that ended in what has passed cannot be cut any more.
    let first = (passed.len() + 1).saturating_sub(needle.len());
    let start = joined
        .windows(needle.len())
        .skip(first)
        .position(|window| window == needle)?;
    Some((first + start + needle.len() / 2).saturating_sub(passed.len()))
}

fn remember(passed: &mut Vec<u8>, bytes: &[u8]) {
    const LONGEST_NEEDLE: usize = 256;
    passed.extend_from_slice(bytes);
    let surplus = passed.len().saturating_sub(LONGEST_NEEDLE);
    passed.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::break_at;

    #[test]
    fn a_cut_falls_into_the_middle_of_the_text() {
        for (passed, bytes, end) in [
            ("", "[\"hello\"]", Some(4)),
            ("[\"hel", "lo\"]", Some(0)),
            ("[\"h", "ello\"]", Some(1)),
            ("hello", " and hello", Some(7)),
            ("hello", " again", None),
            ("", "hell", None),
        ] {
            let found = break_at(passed.as_bytes(), bytes.as_bytes(), b"hello");
            assert_eq!(found, end, "{passed:?} then {bytes:?}");
        }
    }
}
