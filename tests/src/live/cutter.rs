//! A TCP proxy that breaks connections when a test says so.
//!
//! A server behind it can go away and come back on another port, and its clients still find it at the same address.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
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
    /// Where connections go; while that is nowhere, or nobody listens there, they are closed at accept.
    upstream: Option<SocketAddr>,
    /// The text in the middle of which the next connection from the server breaks.
    needle: Option<Vec<u8>>,
    stalled: bool,
    hold: Hold,
    ended: bool,
    /// How many bytes clients have sent.
    sent: usize,
    links: Vec<Link>,
    report: Sender<()>,
}

/// Whether a connection from a client is held up.
#[derive(Debug)]
enum Hold {
    Nothing,
    /// The next one on which this text comes will be.
    At(Vec<u8>),
    /// One is.
    Now,
}

/// A connection that goes through, as the proxy's two ends of it.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// Disconnected once the server has closed its end.
    closed: Receiver<()>,
}

impl Cutter {
    /// A proxy in front of that server.
    pub fn before(server: &Server) -> Self {
        Self::to(server.address())
    }

    /// A proxy in front of whatever listens there.
    pub fn to(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (report, cuts) = channel();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                upstream: Some(upstream),
                needle: None,
                stalled: false,
                hold: Hold::Nothing,
                ended: false,
                sent: 0,
                links: Vec::new(),
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
        self.wait_for_text();
    }

    /// From now on the first connection on which a client sends this text, in one piece, passes on nothing more from the
    /// client, until [`Cutter::release`]. All others go on.
    pub fn hold_at(&self, text: &str) {
        self.shared.lock().hold = Hold::At(text.into());
    }

    /// Waits until one is held.
    pub fn wait_for_hold(&self) {
        self.wait_for_text();
    }

    /// What was held goes on to where it was to go.
    pub fn release(&self) {
        self.shared.lock().hold = Hold::Nothing;
        self.shared.changed.notify_all();
    }

    fn wait_for_text(&self) {
        match self.cuts.recv_timeout(Deadline::USUAL) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => {
                let state = self.shared.lock();
                let needle = state.needle.as_deref().map(String::from_utf8_lossy);
                panic!("not sent in time: {needle:?}, {:?}", state.hold);
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the proxy has ended"),
        }
    }

    /// Breaks all connections there are, and waits until the server knows.
    pub fn cut_all(&self) {
        let links = cut(&mut self.shared.lock());
        for link in links {
            let closed = link.closed.recv_timeout(Deadline::USUAL);
            assert_eq!(
                closed,
                Err(RecvTimeoutError::Disconnected),
                "the server closes what its client closed"
            );
        }
    }

    /// How many bytes clients have sent through it so far.
    pub fn sent(&self) -> usize {
        self.shared.lock().sent
    }

    /// New connections go there, or nowhere.
    pub fn lead_to(&self, upstream: Option<SocketAddr>) {
        self.shared.lock().upstream = upstream;
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

    /// Waits with these bytes of a client if they have the text in them that is to be held.
    fn hold(&self, mut state: MutexGuard<'_, State>, bytes: &[u8]) {
        let is_it = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        if !matches!(&state.hold, Hold::At(text) if is_it(text)) {
            return;
        }
        state.hold = Hold::Now;
        state.report.send(()).ok();
        let held = |state: &mut State| matches!(state.hold, Hold::Now) && !state.ended;
        drop(self.changed.wait_while(state, held));
    }
}

fn cut(state: &mut State) -> Vec<Link> {
    let links = std::mem::take(&mut state.links);
    for link in &links {
        link.client.shutdown(Shutdown::Both).ok();
        // The other direction stays open to see when the server has closed.
        link.server.shutdown(Shutdown::Write).ok();
    }
    links
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        // Without a server the client's connection is closed here.
        let server = state.upstream.map(TcpStream::connect);
        let Some(Ok(server)) = server else {
            continue;
        };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        link(client, server, &mut state, shared).ok();
    }
}

fn link(
    client: TcpStream,
    server: TcpStream,
    state: &mut State,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    let (open, closed) = channel();
    let mut up = Pipe::new(&client, &server, shared)?;
    up.is_up = true;
    let down = Pipe::new(&server, &client, shared)?;
    thread::spawn(move || up.run(Watch::Nothing));
    thread::spawn(move || {
        down.run(Watch::ForTheNeedle(Vec::new()));
        drop(open);
    });
    let ended = |link: &Link| link.closed.try_recv() == Err(TryRecvError::Disconnected);
    state.links.retain(|link| !ended(link));
    state.links.push(Link {
        client,
        server,
        closed,
    });
    Ok(())
}

/// One direction of one connection.
struct Pipe {
    /// From the client.
    is_up: bool,
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
            is_up: false,
            from: from.try_clone()?,
            to: to.try_clone()?,
            shared: Arc::clone(shared),
        })
    }

    /// Passes on until the sender closes; what the receiver no longer takes is dropped.
    fn run(mut self, mut watch: Watch) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = self.from.read(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            let mut state = self.shared.while_flowing();
            let end = match &watch {
                Watch::ForTheNeedle(passed) => {
                    let needle = state.needle.as_deref();
                    needle.and_then(|needle| break_at(passed, bytes, needle))
                }
                Watch::Nothing => None,
            };
            if self.is_up {
                state.sent += length;
            }
            if end.is_some() {
                state.needle = None;
            }
            let report = state.report.clone();
            if self.is_up {
                self.shared.hold(state, bytes);
            } else {
                drop(state);
            }
            if let Watch::ForTheNeedle(passed) = &mut watch {
                remember(passed, bytes);
            }
            let end = end.inspect(|_| watch = Watch::Nothing);
            self.to
                .write_all(bytes.get(..end.unwrap_or(length)).unwrap_or_default())
                .ok();
            if end.is_some() {
                self.to.shutdown(Shutdown::Both).ok();
                self.from.shutdown(Shutdown::Write).ok();
                report.send(()).ok();
            }
        }
        self.to.shutdown(Shutdown::Write).ok();
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
