//! A client's end of a connection of TCP: what it hears is read the same way, whoever is at the other end.

use std::net::SocketAddr;

use super::told::answer;
use crate::live::{HttpConnection, Opcode, WebSocket};

/// HTTP at first; after an upgrade frames.
pub(super) enum Line {
    Http(HttpConnection),
    WebSocket(WebSocket),
}

impl Line {
    pub(super) fn open(address: SocketAddr) -> Self {
        Self::Http(HttpConnection::open(address))
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        match self {
            Self::Http(connection) => connection.send_raw(bytes),
            Self::WebSocket(socket) => socket.send_raw(bytes),
        };
    }

    /// The next answer, and the cookie that it sets. What the line is from then on comes with it.
    pub(super) fn hear(self) -> (Self, String, Option<String>) {
        match self {
            Self::Http(connection) => Self::response(connection),
            Self::WebSocket(mut socket) => {
                let shown = socket.frame().map_or("the end".to_owned(), |frame| {
                    if frame.opcode == Opcode::Text {
                        return String::from_utf8_lossy(&frame.payload).into_owned();
                    }
                    format!("{:?} {:?}", frame.opcode, frame.payload)
                });
                (Self::WebSocket(socket), shown, None)
            }
        }
    }

    fn response(mut connection: HttpConnection) -> (Self, String, Option<String>) {
        let response = connection.response("GET");
        let cookie = response.header("Set-Cookie").map(str::to_owned);
        let shown = answer(response.status, response.headers(), &response.body);
        let next = match response.status {
            101 => Self::WebSocket(WebSocket::after_upgrade(connection)),
            _ => Self::Http(connection),
        };
        (next, shown, cookie)
    }
}
