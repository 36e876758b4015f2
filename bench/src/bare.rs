//! The limit of the machine: a peer that knows just enough to be measured.
//!
//! It frames each event once, and writes that frame to every subscriber with one system call each.
//! It answers only clients of this crate, and knows no patterns.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::websocket::{self, Frame};
use crate::{Failure, http};

const LISTENER: Token = Token(usize::MAX);

/// Serves until its time is over.
pub(crate) fn run(listen: SocketAddr, timeout: Duration) -> Result<(), Failure> {
    if !listen.ip().is_loopback() {
        return Err("must listen at an address of loopback".into());
    }
    let mut listener = TcpListener::bind(listen)?;
    let mut poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}/bayeux", listener.local_addr()?);

    let mut events = Events::with_capacity(1024);
    let mut peers = Peers::default();
    let end = Instant::now() + timeout;
    while Instant::now() < end {
        match poll.poll(&mut events, Some(Duration::from_millis(500))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    registry.register(&mut stream, Token(peers.all.len()), interest)?;
                    peers.all.push(Some(Peer::new(stream)));
                }
            } else if peers.serve(event.token().0).is_err() {
                peers.forget(event.token().0);
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Peers {
    all: Vec<Option<Peer>>,
    /// By channel.
    subscribers: BTreeMap<String, Vec<usize>>,
}

struct Peer {
    stream: TcpStream,
    is_open: bool,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Peers {
    fn serve(&mut self, index: usize) -> io::Result<()> {
        let Some(Some(peer)) = self.all.get_mut(index) else {
            return Ok(());
        };
        peer.write(&[])?;
        for message in peer.read()? {
            self.obey(index, &message)?;
        }
        Ok(())
    }

    fn obey(&mut self, index: usize, message: &[u8]) -> io::Result<()> {
        let has = |text: &str| memmem::find(message, text.as_bytes()).is_some();
        if !has("\"/meta/") {
            let messages: Vec<&RawValue> = serde_json::from_slice(message)?;
            for message in messages {
                self.publish(message.get());
            }
            return Ok(());
        }
        let channel = if has("/meta/handshake") {
            "handshake"
        } else if has("/meta/subscribe") {
            self.subscribe(index, message)?;
            "subscribe"
        } else if has("\"timeout\"") {
            "connect"
        } else {
            return Ok(()); // held for ever
        };
        let reply =
            format!(r#"[{{"channel":"/meta/{channel}","successful":true,"clientId":"bare"}}]"#);
        let Some(Some(peer)) = self.all.get_mut(index) else {
            return Ok(());
        };
        peer.write(&websocket::frame(websocket::TEXT, reply.as_bytes()))
    }

    fn subscribe(&mut self, index: usize, message: &[u8]) -> io::Result<()> {
        let messages: Value = serde_json::from_slice(message)?;
        let wanted = messages
            .pointer("/0/subscription")
            .and_then(Value::as_array);
        for channel in wanted.into_iter().flatten().filter_map(Value::as_str) {
            let subscribers = self.subscribers.entry(channel.to_owned()).or_default();
            subscribers.push(index);
        }
        Ok(())
    }

    fn publish(&mut self, message: &str) {
        let channel = message.strip_prefix(r#"{"channel":""#);
        let channel = channel.and_then(|rest| rest.split('"').next());
        let Some(subscribers) = channel.and_then(|channel| self.subscribers.get(channel)) else {
            return;
        };
        let frame = websocket::frame(websocket::TEXT, format!("[{message}]").as_bytes());
        for &index in subscribers {
            if let Some(Some(peer)) = self.all.get_mut(index) {
                // Who is gone is noticed when it is read.
                let _ = peer.write(&frame);
            }
        }
    }

    fn forget(&mut self, index: usize) {
        if let Some(peer) = self.all.get_mut(index) {
            *peer = None;
        }
        for subscribers in self.subscribers.values_mut() {
            subscribers.retain(|&subscriber| subscriber != index);
        }
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            is_open: false,
            unread: Vec::new(),
            unsent: Vec::new(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unsent.is_empty() {
            let rest = bytes.get(write(&mut self.stream, bytes)?..);
            self.unsent.extend_from_slice(rest.unwrap_or_default());
        } else {
            self.unsent.extend_from_slice(bytes);
            let count = write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..count);
        }
        Ok(())
    }

    /// Reads to the end, and says which messages are whole.
    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self
                    .unread
                    .extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if !self.is_open
            && let Some(size) = http::head(&self.unread).map(str::len)
        {
            self.unread.drain(..size);
            self.is_open = true;
            self.write(websocket::accept().as_bytes())?;
        }
        let mut messages = Vec::new();
        while self.is_open
            && let Some(frame) = Frame::first(&self.unread)
        {
            let size = frame.size;
            if frame.kind == websocket::TEXT {
                messages.push(frame.unmasked());
            }
            self.unread.drain(..size);
        }
        Ok(messages)
    }
}

/// Writes as much as the socket takes.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
