//! Servers that are broken: one of ours behind a proxy with a fault.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::spawn;

use serde_json::value::RawValue;

/// What a broken server does otherwise than ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It says this for that; both are of one length.
    Says(&'static str, &'static str),
    /// It hears this for that, over HTTP; both are of one length.
    Hears(&'static str, &'static str),
    /// It drops what it says with that in it.
    Drops(&'static str),
    /// It says twice what it says with that in it.
    Repeats(&'static str),
    /// It says what has that in it behind the next that has.
    Swaps(&'static str),
    /// It says the messages of a response the other way round.
    Reverses,
    /// It hangs up instead of saying what has that in it.
    HangsUp(&'static str),
    /// It does not notice that a client has gone.
    Clings,
}

/// Where a server listens that is that one, but for the fault.
pub(crate) fn broken(server: SocketAddr, fault: Option<Fault>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port");
    spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(server) else {
                return;
            };
            let (client_too, upstream_too) = (client.try_clone(), upstream.try_clone());
            let (Ok(client_too), Ok(upstream_too)) = (client_too, upstream_too) else {
                return;
            };
            spawn(move || {
                pass(&client, &upstream, |bytes| Some(heard(bytes, fault)));
                if !matches!(fault, Some(Fault::Clings)) {
                    end(&client, &upstream);
                }
            });
            spawn(move || {
                let mut held = None;
                pass(&upstream_too, &client_too, |bytes| {
                    said(bytes, fault, &mut held)
                });
                end(&upstream_too, &client_too);
            });
        }
    });
    address
}

/// Passes on all bytes, until one side has no more, takes no more, or `change` gives none.
fn pass(
    mut from: &TcpStream,
    mut to: &TcpStream,
    mut change: impl FnMut(Vec<u8>) -> Option<Vec<u8>>,
) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let piece = chunk.get(..length).unwrap_or_default();
        let passed = change(piece.to_vec()).map(|bytes| to.write_all(&bytes));
        if !matches!(passed, Some(Ok(()))) {
            return;
        }
    }
}

fn end(from: &TcpStream, to: &TcpStream) {
    to.shutdown(Shutdown::Write).ok();
    from.shutdown(Shutdown::Read).ok();
}

fn heard(bytes: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::Hears(right, wrong)) => replaced(bytes, right, wrong),
        _ => bytes,
    }
}

fn said(bytes: Vec<u8>, fault: Option<Fault>, held: &mut Option<Vec<u8>>) -> Option<Vec<u8>> {
    let has = |text: &str| places(&bytes, text).next().is_some();
    Some(match fault {
        Some(Fault::Says(right, wrong)) => replaced(bytes, right, wrong),
        Some(Fault::Drops(text)) if has(text) => Vec::new(),
        Some(Fault::Repeats(text)) if has(text) => bytes.repeat(2),
        Some(Fault::Swaps(text)) if has(text) => match held.take() {
            Some(before) => [bytes, before].concat(),
            None => {
                *held = Some(bytes);
                Vec::new()
            }
        },
        Some(Fault::Reverses) => reversed(bytes),
        Some(Fault::HangsUp(text)) if has(text) => return None,
        _ => bytes,
    })
}

/// The response with its messages the other way round, if it is one.
fn reversed(bytes: Vec<u8>) -> Vec<u8> {
    let body = places(&bytes, "\r\n\r\n").next().map(|end| end + 4);
    let Some((head, body)) = body.and_then(|place| bytes.split_at_checked(place)) else {
        return bytes;
    };
    let Ok(mut messages) = serde_json::from_slice::<Vec<&RawValue>>(body) else {
        return bytes;
    };
    messages.reverse();
    let messages = Vec::from_iter(messages.into_iter().map(RawValue::get)).join(",");
    [head, b"[", messages.as_bytes(), b"]"].concat()
}

fn places<'a>(bytes: &'a [u8], text: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter_map(move |(place, window)| (window == text.as_bytes()).then_some(place))
}

fn replaced(mut bytes: Vec<u8>, right: &str, wrong: &str) -> Vec<u8> {
    assert_eq!(right.len(), wrong.len(), "{right} and {wrong}");
    for place in places(&bytes.clone(), right) {
        bytes.splice(place..place + wrong.len(), wrong.bytes());
    }
    bytes
}
