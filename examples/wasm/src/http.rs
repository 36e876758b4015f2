//! HTTP/1.1 from bytes and to bytes: `bayeux_core::http` says what a request is, httparse reads its head.

use bayeux_core::http::{
    Callback, Cors, Refusal, RequestHead, ResponseHead, Route, Scheme, body_texts, route,
};
use bayeux_core::{Batch, BrowserId, Messages, Peer};
use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;

use crate::net::Net;

/// The longest head of a request.
const MAX_HEAD: usize = 16 << 10;

/// The status for a connect that a newer one replaced.
const DUPLICATE: u16 = 500;

/// What is to be done about a request that is there from its first byte to its last.
pub(crate) enum Request {
    /// Write this.
    Answered(Response),
    /// Tell the engine.
    Asked {
        peer: Peer,
        texts: Vec<Bytes>,
        messages: Messages,
        exchange: Exchange,
    },
    /// Write this; then it is a websocket.
    Upgraded { peer: Peer, response: Vec<u8> },
}

pub(crate) struct Response {
    pub(crate) bytes: Vec<u8>,
    /// Whether another request may follow.
    pub(crate) keep: bool,
}

/// How the answer of the engine is to be written.
pub(crate) struct Exchange {
    pub(crate) callback: Option<Callback>,
    cors: Cors,
    keep: bool,
}

/// Takes the first request out of what has come; `None` if there is more to come of it.
///
/// A body has to say its length: one that comes in chunks is refused, as no client here sends any.
pub(crate) fn take(incoming: &mut Vec<u8>, net: &Net) -> Option<Request> {
    if incoming.is_empty() {
        return None;
    }
    let (request, length) = read(incoming, net)?;
    incoming.drain(..length.min(incoming.len()));
    Some(request)
}

/// The first request, and where it ends.
fn read(incoming: &[u8], net: &Net) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let after = match request.parse(incoming) {
        Ok(httparse::Status::Complete(after)) => after,
        Ok(httparse::Status::Partial) if incoming.len() <= MAX_HEAD => return None,
        _ => return Some(refused(Refusal::bad_request("not HTTP", &Cors::default()))),
    };
    // The own origin is told by the host; HTTP/1.0 may have none.
    let hosts = values(&request, "host").count();
    if hosts > 1 || (hosts == 0 && request.version == Some(1)) {
        let refusal = Refusal::bad_request("not one Host header", &Cors::default());
        return Some(refused(refusal));
    }
    let headers = request.headers.iter().map(|it| (it.name, it.value));
    let (method, target) = (request.method, request.path);
    let head = RequestHead::new(
        method.unwrap_or_default(),
        target.unwrap_or_default(),
        headers,
    );
    let peer = Peer {
        browser: net.cookie.find(&head).and_then(BrowserId::parse),
        ..Peer::default()
    };
    let keep = request.version == Some(1) && !closes(&request);
    let (texts, callback, cors, end) = match route(&head, &net.options) {
        Route::NotOurs => return Some(refused(Refusal::not_found())),
        Route::Refuse(refusal) => return Some(refused(refusal)),
        Route::Preflight(head) => {
            let keep = keep && body_length(&request) == Some(0);
            let response = respond(&head, b"", keep);
            return Some((Request::Answered(response), after));
        }
        Route::WebSocket { protocol } => {
            let key = values(&request, "sec-websocket-key").next();
            let response = upgrade(key.unwrap_or_default(), protocol.as_deref());
            return Some((Request::Upgraded { peer, response }, after));
        }
        Route::Callback {
            callback,
            texts,
            cors,
        } => (texts, Some(callback), cors, after),
        Route::Poll { cors } => {
            let Some(length) = body_length(&request) else {
                return Some(refused(Refusal::bad_request("no body", &cors)));
            };
            if length > net.limits.max_size {
                return Some(refused(Refusal::too_large(&cors)));
            }
            let end = after + length;
            let body = Bytes::copy_from_slice(incoming.get(after..end)?);
            match body_texts(head.content_type(), &body) {
                Ok(texts) => (texts, None, cors, end),
                Err(error) => {
                    return Some(refused(Refusal::bad_request(error.as_str(), &cors)));
                }
            }
        }
    };
    let messages = match Messages::decode_all(texts.clone(), &net.limits) {
        Ok(messages) => messages,
        Err(error) => return Some(refused(Refusal::undecodable(error, &cors))),
    };
    let exchange = Exchange {
        callback,
        cors,
        keep,
    };
    let asked = Request::Asked {
        peer,
        texts,
        messages,
        exchange,
    };
    Some((asked, end))
}

impl Exchange {
    pub(crate) fn respond(&self, net: &Net, batch: &Batch) -> Response {
        let array = batch.frames().next().cloned().unwrap_or_default();
        let (mut head, body) = match &self.callback {
            Some(callback) => (ResponseHead::script(&self.cors), callback.wrap(&array)),
            None => (ResponseHead::json(&self.cors), array),
        };
        let cookie = batch.cookie();
        let cookie = cookie.map(|browser| net.cookie.set(&browser.text(), Scheme::Http));
        head.headers.extend(cookie);
        respond(&head, &body, self.keep && !batch.is_last())
    }

    pub(crate) fn close(&self, reason: bayeux_core::CloseReason) -> Response {
        refuse(&Refusal::closed(reason, DUPLICATE, &self.cors))
    }
}

/// An answer to what is not read any further.
fn refused(refusal: Refusal) -> (Request, usize) {
    (Request::Answered(refuse(&refusal)), usize::MAX)
}

fn refuse(refusal: &Refusal) -> Response {
    respond(&refusal.head, refusal.text.as_bytes(), false)
}

fn respond(head: &ResponseHead, body: &[u8], keep: bool) -> Response {
    let mut text = format!("HTTP/1.1 {} \r\n", head.status);
    for header in &head.headers {
        text += &format!("{}: {}\r\n", header.name, header.value);
    }
    if !keep {
        text += "connection: close\r\n";
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    let bytes = [text.as_bytes(), body].concat();
    Response { bytes, keep }
}

fn upgrade(key: &[u8], protocol: Option<&str>) -> Vec<u8> {
    let accept = derive_accept_key(key);
    let mut response = format!(
        "HTTP/1.1 101 \r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n"
    );
    if let Some(protocol) = protocol {
        response += &format!("sec-websocket-protocol: {protocol}\r\n");
    }
    response += "\r\n";
    response.into()
}

/// The values of the headers of this name.
fn values<'a>(request: &httparse::Request<'_, 'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let headers = request.headers.iter();
    headers
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// Whether this request is to be the last one.
fn closes(request: &httparse::Request<'_, '_>) -> bool {
    let elements =
        values(request, "connection").flat_map(|value| value.split(|&byte| byte == b','));
    elements
        .map(<[u8]>::trim_ascii)
        .any(|element| element.eq_ignore_ascii_case(b"close"))
}

/// `None` if that is not clear.
fn body_length(request: &httparse::Request<'_, '_>) -> Option<usize> {
    if values(request, "transfer-encoding").next().is_some() {
        return None;
    }
    let mut lengths = values(request, "content-length");
    let Some(length) = lengths.next() else {
        return Some(0);
    };
    let is_number = length.iter().all(u8::is_ascii_digit) && lengths.next().is_none();
    let length = str::from_utf8(length).ok().filter(|_| is_number)?;
    Some(length.parse().unwrap_or(usize::MAX))
}
