//! A load balancer without affinity: each request goes to the next server; each websocket as a whole, and each
//! connection that speaks HTTP/2.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Server;

/// The balancer; dropping it ends it.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where servers are.
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    /// By seat; none where one is away.
    servers: Vec<Option<SocketAddr>>,
    next: usize,
    ended: bool,
}

impl Balancer {
    /// A balancer with that many seats, which are free.
    pub fn before(seats: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        shared.lock().servers = vec![None; seats];
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a client takes.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, Server::PATH)
    }

    /// At that seat there is another server from now on, or none.
    pub fn seat(&self, at: usize, server: Option<&Server>) {
        if let Some(seat) = self.shared.lock().servers.get_mut(at) {
            *seat = server.map(Server::address);
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        // The accepting thread looks up when a connection arrives.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to the next server that takes one.
    fn connect(&self) -> Option<TcpStream> {
        let candidates: Vec<SocketAddr> = {
            let mut seats = self.lock();
            seats.next += 1;
            let count = seats.servers.len();
            let in_turn = (0..count).map(|step| (seats.next + step) % count);
            in_turn.filter_map(|at| *seats.servers.get(at)?).collect()
        };
        candidates
            .into_iter()
            .find_map(|server| TcpStream::connect(server).ok())
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.lock().ended {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(client, &shared));
    }
}

/// One request, or one websocket; `None` once either end has gone.
fn serve(mut client: TcpStream, shared: &Shared) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let head = head(&mut client)?;
    let mut server = shared.connect()?;
    server.set_nodelay(true).ok()?;
    server.write_all(&once(&head)).ok()?;

    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let upwards = thread::spawn(move || {
        std::io::copy(&mut from_client, &mut to_server).ok();
        // What the client has closed is open until the server knows.
        to_server.shutdown(Shutdown::Write).ok();
    });
    std::io::copy(&mut server, &mut client).ok();
    client.shutdown(Shutdown::Both).ok();
    upwards.join().ok()
}

/// What comes first, up to the end of the head and perhaps beyond.
fn head(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = client.read(&mut chunk).ok().filter(|length| *length > 0)?;
        head.extend_from_slice(chunk.get(..length)?);
    }
    Some(head)
}

/// The same request, after which the server closes: the next one of the client may go elsewhere. What begins a websocket
/// or HTTP/2 stays as it is.
fn once(head: &[u8]) -> Vec<u8> {
    let end = head.windows(4).position(|window| window == b"\r\n\r\n");
    let (lines, body) = head.split_at(end.unwrap_or(head.len()));
    let lines = String::from_utf8_lossy(lines);
    let is_upgrade = lines.to_ascii_lowercase().contains("\r\nupgrade:");
    if is_upgrade || lines.starts_with("PRI ") {
        return head.to_vec();
    }
    let kept = lines.split("\r\n").filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("keep-alive:")
    });
    let mut lines: Vec<&str> = kept.collect();
    lines.push("Connection: close");
    [lines.join("\r\n").as_bytes(), body].concat()
}
