//! HTTP/1.1 that is slow, ambiguous or too much (RFC 9112, sections 2, 5, 6, 7 and 11.2).

use std::time::Duration;

use bayeux_tests::live::{Deadline, HttpConnection, Kept, Settings, Siege};
use serde_json::json;

/// How many peers do the same at a time.
const PEERS: usize = 300;

/// 32 KiB for each of them at the first time, and 4 KiB for each of them later: the system's allocator needs some times until
/// it finds room for the same again.
const KEPT: Kept = Kept {
    once: 32 * 1024 * PEERS as u64,
    again: 3 * 4 * 1024 * PEERS as u64,
};

/// Short for a peer that stands still, long for one that does not.
const PATIENCE: u32 = 1_500;

/// A request that would be noticed if it were served.
fn forbidden() -> String {
    let body = json!([{"channel": Siege::FORBIDDEN, "data": "smuggled"}]).to_string();
    let length = body.len();
    format!("POST /bayeux HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// One that anybody may publish to without a session.
fn open_to_all() -> Settings {
    Settings::default().option("allowConnectionlessPublish", true)
}

/// Peers that have all sent this.
fn peers(siege: &Siege, sent: &[u8]) -> Vec<HttpConnection> {
    let begin = |_| {
        let mut peer = siege.connection();
        peer.send_raw(sent);
        peer
    };
    (0..PEERS).map(begin).collect()
}

#[test]
fn the_request_that_would_be_noticed_is_noticed() {
    let siege = Siege::begin(open_to_all());
    let mut siege = std::panic::AssertUnwindSafe(siege);
    siege.connection().send_raw(forbidden().as_bytes());
    let mut connection = siege.connection();
    connection.send_raw(forbidden().as_bytes());
    assert_eq!(connection.response("POST").status, 200);

    let noticed = std::panic::catch_unwind(move || {
        siege.nobody_notices();
    });

    assert!(noticed.is_err());
}

// Proves: DE-19, HT-8
#[test]
fn heads_that_trickle_are_cut() {
    let siege = Siege::begin(Settings::default().option("limits.headerTimeout", PATIENCE));

    siege.endures(KEPT, |siege| {
        let mut peers = peers(siege, b"POST /bayeux HTTP/1.1\r\nHost: a\r\nX-Slow: ");
        // One byte at a time, until it is too late.
        let patience = Deadline::usual();
        while siege.server().open_descriptors() > PEERS {
            assert!(patience.left().is_some(), "they are waited for");
            for peer in &mut peers {
                peer.send_raw(b"x");
            }
            siege.nobody_notices();
        }
        for peer in &mut peers {
            peer.expect_end();
        }
    });
}

// Proves: DE-19, HT-8
#[test]
fn bodies_that_trickle_are_answered_with_408() {
    let siege = Siege::begin(Settings::default().option("limits.bodyTimeout", PATIENCE));
    let head = "POST /bayeux HTTP/1.1\r\nHost: a\r\n";
    let counted = format!("{head}Content-Length: 1000000\r\n\r\n[");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n");

    siege.endures(KEPT, |siege| {
        for (begun, more) in [(&counted, " "), (&chunked, "1\r\n \r\n")] {
            let over = Deadline::after(Duration::from_millis(PATIENCE.into()));
            let mut peers = peers(siege, begun.as_bytes());
            while over.left().is_some() {
                for peer in &mut peers {
                    peer.send_raw(more.as_bytes());
                }
                siege.nobody_notices();
            }
            for peer in &mut peers {
                assert_eq!(peer.response("POST").status, 408);
            }
        }
    });
}

// Proves: CB-7
#[test]
fn heads_without_end_are_refused() {
    let siege = Siege::of_defaults();
    let name = |number: usize| format!("X-{number}: {}\r\n", "x".repeat(50));
    let many: String = (0..1_000).map(name).collect();
    let long = "x".repeat(1_000_000);
    let get = "GET /bayeux HTTP/1.1\r\nHost: a\r\n";
    let bombs = [
        ("many headers", format!("{get}{many}"), 431),
        ("a long header", format!("{get}X: {long}"), 431),
        ("a long cookie", format!("{get}Cookie: a={long}"), 431),
        (
            "many cookies",
            format!("{get}Cookie: {}", "a=b; ".repeat(200_000)),
            431,
        ),
        ("a long name", format!("{get}{long}"), 431),
        ("a long path", format!("GET /bayeux/{long}"), 431),
        ("a long method", long.clone(), 431),
    ];

    siege.endures(KEPT, |siege| {
        for (name, sent, status) in &bombs {
            for _ in 0..10 {
                let mut peer = siege.connection();
                peer.send_raw(sent.as_bytes());
                // One that has sent more than is read may be reset, its answer lost.
                if let Some(response) = peer.response_or_end("GET") {
                    assert_eq!(response.status, *status, "{name}");
                }
            }
            siege.nobody_notices();
        }
    });
}

// Proves: CB-7
#[test]
fn a_head_may_be_as_long_as_browsers_make_it() {
    let mut siege = Siege::of_defaults();
    let mut peer = siege.connection();
    let long = "x".repeat(16_000);

    let path = format!("/bayeux?{long}");
    let cookie = format!("a={long}");
    let response = peer.request("OPTIONS", &path, &[("Cookie", &cookie)], "");

    assert_eq!(response.status, 200);
    siege.nobody_notices();
}

// Proves: HT-6
#[test]
fn heads_that_stand_still_cost_little_each() {
    const EACH: u64 = 32 << 10;
    let siege = Siege::of_defaults();

    siege.endures(KEPT, |siege| {
        let before = siege.growth();
        let peers = peers(siege, b"POST /bayeux HTTP/1.1\r\nHost: a\r\n");
        siege.nobody_notices();
        // Meanwhile what was there before may have gone.
        let growth = siege.growth().saturating_sub(before);
        assert!(growth < PEERS as u64 * EACH, "{growth} bytes");
        drop(peers);
    });
}

// Proves: HT-6, WS-11
#[test]
fn peers_that_come_and_go_in_their_thousands_leave_nothing_behind() {
    const MANY: usize = 3_000;
    const KEPT: Kept = Kept {
        once: 8 << 20,
        again: 3 * 100 * MANY as u64,
    };
    let siege = Siege::of_defaults();

    siege.endures(KEPT, |siege| {
        for number in 0..MANY {
            siege.connection().request("GET", "/", &[], "");
            drop(siege.websocket());
            if number % 500 == 0 {
                siege.nobody_notices();
            }
        }
    });
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// This status, and the connection is over: whatever follows is nobody's request.
    Last(u16),
    /// This status, and the connection goes on.
    First(u16),
}
use Fate::{First, Last};

// Proves: HT-6
#[test]
fn nobody_smuggles_a_request_within_another() {
    let hidden = forbidden();
    let length = hidden.len();
    let head = "POST /bayeux HTTP/1.1\r\nHost: a\r\n";
    let both = format!("0\r\n\r\n{hidden}");
    let table = [
        // Two lengths: chunks win, and what follows is not looked at.
        (
            "length, then chunks",
            format!(
                "{head}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{both}",
                both.len()
            ),
            Last(400),
        ),
        (
            "chunks, then length",
            format!(
                "{head}Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n{both}",
                both.len()
            ),
            Last(400),
        ),
        (
            "chunks, then a short length",
            format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "two lengths",
            format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "two lengths, the longer first",
            format!("{head}Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a list of lengths",
            format!("{head}Content-Length: 0, {length}\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a length with a sign",
            format!("{head}Content-Length: +0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a length below zero",
            format!("{head}Content-Length: -1\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a length in hexadecimal",
            format!("{head}Content-Length: 0x0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a length beyond 64 bits",
            format!("{head}Content-Length: 18446744073709551616\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "an empty length",
            format!("{head}Content-Length: \r\n\r\n{hidden}"),
            Last(400),
        ),
        // Codings that another server may read otherwise.
        (
            "a coding that is none",
            format!("{head}Transfer-Encoding: xchunked\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "chunked, and then something else",
            format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "chunked, and a line with something else",
            format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "a coding behind a control character",
            format!("{head}Transfer-Encoding: \x0bchunked\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "a coding over HTTP/1.0",
            format!("POST /bayeux HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{both}"),
            Last(400),
        ),
        // Header names that are none.
        (
            "a space before the colon",
            format!("{head}Content-Length : 0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a tab before the colon",
            format!("{head}Transfer-Encoding\t: chunked\r\n\r\n{both}"),
            Last(400),
        ),
        (
            "a line that goes on",
            format!("{head}X: a\r\n Content-Length: 0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a first line that goes on",
            format!("POST /bayeux HTTP/1.1\r\n Host: a\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a line without a colon",
            format!("{head}Content-Length\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "an empty name",
            format!("{head}: 0\r\n\r\n{hidden}"),
            Last(400),
        ),
        // Ends of lines that are none.
        (
            "CR without LF in a value",
            format!("{head}X: a\rContent-Length: 0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "CR without LF at the end of a line",
            format!("{head}X: a\r\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "NUL in a value",
            format!("{head}X: a\0b\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "NUL in the path",
            format!("POST /bayeux\0 HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
            Last(400),
        ),
        // Request lines.
        (
            "two spaces",
            format!("POST  /bayeux HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a version that is none",
            format!("POST /bayeux HTTP/1.9\r\nHost: a\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "version 0.9",
            format!("GET /bayeux\r\n\r\n{hidden}"),
            Last(400),
        ),
        // Chunks.
        (
            "a chunk with a sign",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a chunk in 0x",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a chunk of more than 64 bits",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{hidden}"),
            Last(400),
        ),
        (
            "a chunk of 2^64 - 1",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n{hidden}"),
            Last(408),
        ),
        (
            "a chunk without a size",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a chunk that is longer than it says",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n[]\r\n0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a chunk that ends with LF only",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\n0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "a size that ends with LF only",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\n[]\r\n0\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "an extension with LF in it",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n{hidden}"),
            Last(400),
        ),
        (
            "an endless extension",
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n2;{}\r\n[]\r\n0\r\n\r\n{hidden}",
                "a".repeat(100_000)
            ),
            Last(400),
        ),
        (
            "many trailers",
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n{}\r\n{hidden}",
                "A: b\r\n".repeat(20_000)
            ),
            Last(400),
        ),
        // Whose request it is must be clear too (RFC 9112, section 3.2).
        (
            "no host",
            "POST /bayeux HTTP/1.1\r\nContent-Length: 0\r\n\r\n".into(),
            First(400),
        ),
        (
            "two hosts",
            "POST /bayeux HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n".into(),
            First(400),
        ),
        // Nothing else is said twice when it is said once: the next request is one.
        (
            "no length",
            "POST /bayeux HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            First(400),
        ),
        (
            "the same length twice",
            format!("{head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]"),
            First(400),
        ),
        (
            "an extension",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\n[]\r\n0\r\n\r\n"),
            First(400),
        ),
    ];
    let siege = Siege::begin(open_to_all().option("limits.bodyTimeout", PATIENCE));

    siege.endures(KEPT, |siege| {
        for (name, sent, fate) in &table {
            let mut peer = siege.connection();
            peer.send_raw(sent.as_bytes());
            let status = peer
                .response_or_end("POST")
                .map_or(400, |response| response.status);
            let (Last(expected) | First(expected)) = *fate;
            assert_eq!(status, expected, "{name}");
            match fate {
                Last(_) => peer.expect_end(),
                First(_) => {
                    let body = r#"[{"channel":"/a","data":1}]"#;
                    let next = peer.request("POST", "/bayeux", &[], body);
                    assert_eq!(next.status, 200, "{name}: the next");
                }
            }
            siege.nobody_notices();
        }
    });
}
