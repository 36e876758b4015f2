//! Peers that read nothing cost a bounded amount, and nobody else notices them.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bayeux_tests::live::{Deadline, Opcode, Poller, Server, Settings, WebSocket};
use serde_json::json;

const SILENT: usize = 1_000;
const SERVED: usize = 100;
/// How many events are published, and how far their publisher may run ahead of the slowest of the served.
const EVENTS: u64 = 400;
const AHEAD: u64 = 8;
/// So long that no two share a frame.
const PADDING: usize = 60_000;
/// What a silent peer may cost: about two frames, one of them being written. It is sent a hundred times as much.
const EACH: u64 = 192 << 10;
/// What the second half of the events may add: the log of them, which all share.
const LATER: u64 = 32 << 20;

// Proves: QU-5, TM-4, WS-13, WS-19
#[test]
fn a_thousand_silent_readers_are_not_noticed() {
    let mut server = Server::start(&Settings::default().shards(2));
    let mut silent: Vec<_> = (0..SILENT).map(|_| subscribed(&server)).collect();
    let (report, progress) = channel();
    let served: Vec<_> = (0..SERVED)
        .map(|number| {
            let (mut socket, report) = (subscribed(&server), report.clone());
            thread::spawn(move || receive_all(&mut socket, number, &report))
        })
        .collect();
    drop(report);
    let mut publisher = Poller::connected(server.address());
    let before = server.resident();

    let mut slowest = Progress::of(progress);
    let mut most = before + SILENT as u64 * EACH;
    let mut peak = before;
    for number in 1..=EVENTS {
        slowest.reach(number.saturating_sub(AHEAD));
        let data = json!({"number": number, "padding": "x".repeat(PADDING)});
        let replies = publisher.post(json!([publisher.publish("/flood", data)]));
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        peak = peak.max(server.resident());
        assert!(
            peak <= most,
            "at event {number}: {peak} bytes, at most {most}"
        );
        if number == EVENTS / 2 {
            most = most.min(peak + LATER);
        }
    }
    slowest.reach(EVENTS);
    for reader in served {
        reader
            .join()
            .expect("a served reader got everything in order");
    }

    // They got a part, and then they were cut off.
    for socket in silent.iter_mut().step_by(SILENT / 20) {
        let got = count_until_the_end(socket);
        assert!(
            got < EVENTS,
            "a peer that reads nothing was sent all of {got} events"
        );
    }
    server.stop();
}

/// A socket with a session that is subscribed; what comes next on it is the first event.
fn subscribed(server: &Server) -> WebSocket {
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send(&json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]
    }]));
    let session = socket.messages()[0]["clientId"].clone();
    let connect = json!({
        "channel": "/meta/connect", "clientId": session, "connectionType": "websocket"
    });
    socket.send(&json!([connect]));
    assert_eq!(socket.messages()[0]["successful"], true);
    socket.send(&json!([
        {"channel": "/meta/subscribe", "clientId": session, "subscription": "/flood"}
    ]));
    assert_eq!(socket.messages()[0]["successful"], true);
    // Held from now on, and longer than this test takes or answered in between.
    socket.send(&json!([connect]));
    socket
}

/// Reads all events, in order, and tells how far it is.
fn receive_all(socket: &mut WebSocket, reader: usize, report: &Sender<(usize, u64)>) {
    let mut expected = 1;
    while expected <= EVENTS {
        let Some(number) = next_event(socket) else {
            panic!("reader {reader} was cut off before event {expected}");
        };
        assert_eq!(number, expected, "the next event of reader {reader}");
        report.send((reader, number)).ok();
        expected += 1;
    }
}

fn count_until_the_end(socket: &mut WebSocket) -> u64 {
    let mut count = 0;
    while next_event(socket).is_some() {
        count += 1;
    }
    count
}

/// The number in the next event; `None` at the end of the connection.
fn next_event(socket: &mut WebSocket) -> Option<u64> {
    loop {
        let frame = socket.frame()?;
        if frame.opcode == Opcode::Text && frame.payload.len() >= PADDING {
            return Some(number_in(&frame.payload));
        }
    }
}

/// Looks around the padding only: reading the whole as JSON would make this test a slow reader too.
fn number_in(payload: &[u8]) -> u64 {
    let head = &payload[..200];
    let tail = &payload[payload.len() - 200..];
    let around = String::from_utf8_lossy(&[head, tail].concat()).into_owned();
    let digits = around.split_once("\"number\":").expect("a number").1;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().expect("digits")
}

/// How far each of the served has come.
struct Progress {
    reports: Receiver<(usize, u64)>,
    reached: Vec<u64>,
}

impl Progress {
    fn of(reports: Receiver<(usize, u64)>) -> Self {
        Self {
            reports,
            reached: vec![0; SERVED],
        }
    }

    /// Waits until all of them have that event.
    fn reach(&mut self, event: u64) {
        let deadline = Deadline::usual();
        while self.reached.iter().any(|reached| *reached < event) {
            let left = deadline.left().unwrap_or_default();
            let report = self.reports.recv_timeout(left);
            let (reader, number) =
                report.unwrap_or_else(|error| panic!("event {event} did not reach all: {error}"));
            self.reached[reader] = number;
        }
    }
}
