//! HTTP/1.1 by hand: one request after another on each TCP connection, and the way to a websocket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bayeux_core::http::{
    Callback, Cors, Refusal, RequestHead, ResponseHead, Route, Scheme, body_texts, route,
};
use bayeux_core::{Batch, BrowserId, Input, Messages, Peer, Transport};
use bytes::Bytes;

use crate::net::{Net, Order, PATIENCE, SILENCE, Timed};
use crate::websocket;

/// The longest head of a request.
const MAX_HEAD: u64 = 16 << 10;

/// How soon it is noticed that the client of a held connect has gone.
const GLANCE: Duration = Duration::from_millis(250);

/// The status for a connect that a newer one replaced.
const DUPLICATE: u16 = 500;

/// What comes in.
pub(crate) type Reader<'a> = BufReader<Timed<'a>>;

/// Serves one TCP connection to its end.
pub(crate) fn serve(net: &Net, stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(Timed::new(stream, SILENCE));
    while !reader.fill_buf()?.is_empty() {
        *reader.get_mut() = Timed::new(stream, PATIENCE);
        if !serve_request(net, &mut reader)? {
            break;
        }
        *reader.get_mut() = Timed::new(stream, SILENCE);
    }
    // A socket that is closed with bytes unread takes the last response with it.
    stream.shutdown(Shutdown::Write)?;
    *reader.get_mut() = Timed::new(stream, Duration::from_secs(1));
    io::copy(&mut reader, &mut io::sink()).map(drop)
}

/// Serves one request; whether another may follow. One that was refused is the last.
fn serve_request(net: &Net, reader: &mut Reader<'_>) -> io::Result<bool> {
    let stream = reader.get_ref().stream;
    let head = read_head(reader)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(&head), Ok(httparse::Status::Complete(_))) {
        return refuse(stream, &Refusal::bad_request("not HTTP", &Cors::default()));
    }
    // The own origin is told by the host.
    if values(&request, "host").count() != 1 {
        let refusal = Refusal::bad_request("not one Host header", &Cors::default());
        return refuse(stream, &refusal);
    }
    let (method, target) = (request.method, request.path);
    let headers = request.headers.iter().map(|it| (it.name, it.value));
    let head = RequestHead::new(
        method.unwrap_or_default(),
        target.unwrap_or_default(),
        headers,
    );
    let peer = Peer {
        address: Some(stream.peer_addr()?.ip()).filter(|address| !address.is_loopback()),
        browser: net.cookie.find(&head).and_then(BrowserId::parse),
        ..Peer::default()
    };
    let keep = request.version == Some(1) && !has_element(&request, "connection", "close");
    let (texts, callback, cors) = match route(&head, &net.options) {
        Route::NotOurs => return refuse(stream, &Refusal::not_found()),
        Route::Refuse(refusal) => return refuse(stream, &refusal),
        Route::Preflight(head) => {
            let keep = keep && body_length(&request) == Some(Length::Known(0));
            return respond(stream, &head, b"", keep);
        }
        Route::WebSocket { protocol } => {
            let key = values(&request, "sec-websocket-key").next();
            let key = key.unwrap_or_default();
            return websocket::serve(net, reader, key, protocol.as_deref(), peer).map(|()| false);
        }
        Route::Callback {
            callback,
            texts,
            cors,
        } => (texts, Some(callback), cors),
        Route::Poll { cors } => match read_texts(net, &request, &head, reader, &cors)? {
            Ok(texts) => (texts, None, cors),
            Err(refusal) => return refuse(stream, &refusal),
        },
    };
    let messages = match Messages::decode_all(texts, &net.limits) {
        Ok(messages) => messages,
        Err(error) => return refuse(stream, &Refusal::undecodable(error, &cors)),
    };
    let exchange = Exchange {
        stream,
        callback,
        cors,
        keep,
    };
    exchange.serve(net, peer, messages)
}

/// A request with messages in it, and the one response to it.
struct Exchange<'a> {
    stream: &'a TcpStream,
    callback: Option<Callback>,
    cors: Cors,
    keep: bool,
}

impl Exchange<'_> {
    /// Says what has come, and does what it is told to.
    fn serve(self, net: &Net, peer: Peer, messages: Messages) -> io::Result<bool> {
        let transport = match self.callback {
            Some(_) => Transport::CallbackPolling,
            None => Transport::LongPolling,
        };
        let (connection, orders) = net.open(transport, peer);
        net.say(Input::Received {
            connection,
            messages,
        });
        let order = loop {
            match orders.recv_timeout(GLANCE) {
                Err(RecvTimeoutError::Timeout) if !has_hung_up(self.stream) => {}
                order => break order,
            }
        };
        let (written, fact) = match order {
            Ok(Order::Send(batch)) => match self.respond(net, &batch) {
                Ok(keep) => (Ok(keep), Input::Written { connection }),
                Err(error) => (Err(error), Input::Closed { connection }),
            },
            Ok(Order::Close(reason)) => {
                let refusal = Refusal::closed(reason, DUPLICATE, &self.cors);
                (refuse(self.stream, &refusal), Input::Closed { connection })
            }
            Ok(Order::Receive) | Err(_) => (Ok(false), Input::Closed { connection }),
        };
        net.forget(connection);
        net.say(fact);
        written
    }

    fn respond(&self, net: &Net, batch: &Batch) -> io::Result<bool> {
        let array = batch.frames().next().cloned().unwrap_or_default();
        let (mut head, body) = match &self.callback {
            Some(callback) => (ResponseHead::script(&self.cors), callback.wrap(&array)),
            None => (ResponseHead::json(&self.cors), array),
        };
        let cookie = batch.cookie();
        let cookie = cookie.map(|browser| net.cookie.set(&browser.text(), Scheme::Http));
        head.headers.extend(cookie);
        respond(self.stream, &head, &body, self.keep && !batch.is_last())
    }
}

/// Whether the client of a held connect has gone.
fn has_hung_up(stream: &TcpStream) -> bool {
    let peek = || {
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        peeked
    };
    match peek() {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn refuse(stream: &TcpStream, refusal: &Refusal) -> io::Result<bool> {
    respond(stream, &refusal.head, refusal.text.as_bytes(), false)
}

/// Writes a response; whether another request may follow.
fn respond(
    mut stream: &TcpStream,
    head: &ResponseHead,
    body: &[u8],
    keep: bool,
) -> io::Result<bool> {
    let mut response = Vec::new();
    write!(response, "HTTP/1.1 {} \r\n", head.status)?;
    for header in &head.headers {
        write!(response, "{}: {}\r\n", header.name, header.value)?;
    }
    if !keep {
        write!(response, "connection: close\r\n")?;
    }
    write!(response, "content-length: {}\r\n\r\n", body.len())?;
    response.extend_from_slice(body);
    stream.write_all(&response)?;
    Ok(keep)
}

/// The values of the headers of this name.
fn values<'a>(request: &httparse::Request<'_, 'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let headers = request.headers.iter();
    headers
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// Whether a header that holds a list has this in it.
fn has_element(request: &httparse::Request<'_, '_>, name: &str, element: &str) -> bool {
    let mut elements = values(request, name).flat_map(|value| value.split(|&byte| byte == b','));
    elements.any(|it| it.trim_ascii().eq_ignore_ascii_case(element.as_bytes()))
}

fn read_head(reader: &mut Reader<'_>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut rest = reader.take(MAX_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        if rest.read_until(b'\n', &mut head)? == 0 {
            break; // Cut off, or too long: what there is of it will not parse.
        }
    }
    Ok(head)
}

/// The texts in the body of a request, or why there are none.
fn read_texts(
    net: &Net,
    request: &httparse::Request<'_, '_>,
    head: &RequestHead<'_>,
    reader: &mut Reader<'_>,
    cors: &Cors,
) -> io::Result<Result<Vec<Bytes>, Refusal>> {
    let Some(length) = body_length(request) else {
        return Ok(Err(Refusal::bad_request("no body", cors)));
    };
    let Some(body) = read_body(length, reader, net.limits.max_size)? else {
        return Ok(Err(Refusal::too_large(cors)));
    };
    let texts = body_texts(head.content_type(), &body);
    Ok(texts.map_err(|error| Refusal::bad_request(error.as_str(), cors)))
}

/// Where a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(u64),
    Chunked,
}

/// `None` if that is not clear: whoever is in between might see it elsewhere.
fn body_length(request: &httparse::Request<'_, '_>) -> Option<Length> {
    let mut codings = values(request, "transfer-encoding");
    let mut lengths = values(request, "content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Some(Length::Known(0)),
        (Some(coding), None) => {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
            is_chunked.then_some(Length::Chunked)
        }
        (None, Some(length)) if lengths.next().is_none() => {
            let is_number = length.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(length).ok().filter(|_| is_number)?;
            Some(Length::Known(length.parse().ok()?))
        }
        (_, Some(_)) => None,
    }
}

/// The body of a request; `None` if it is too large.
fn read_body(
    length: Length,
    reader: &mut Reader<'_>,
    max_size: usize,
) -> io::Result<Option<Bytes>> {
    let mut body = Vec::new();
    loop {
        let size = match length {
            Length::Known(size) => size,
            Length::Chunked => chunk_size(&read_line(reader)?)?,
        };
        if size > (max_size - body.len()) as u64 {
            return Ok(None);
        }
        if reader.take(size).read_to_end(&mut body)? as u64 != size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if length == Length::Chunked {
            // The end of the chunk's line; after the last chunk there may be trailers before it.
            while !read_line(reader)?.is_empty() {}
        }
        if length != Length::Chunked || size == 0 {
            return Ok(Some(body.into()));
        }
    }
}

fn read_line(reader: &mut Reader<'_>) -> io::Result<String> {
    let mut line = String::new();
    reader.take(MAX_HEAD).read_line(&mut line)?;
    Ok(line.trim_end().into())
}

fn chunk_size(line: &str) -> io::Result<u64> {
    let size = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData.into())
}
