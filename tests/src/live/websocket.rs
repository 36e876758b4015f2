//! Websocket frames as a test wants to send them, well-formed or not.

use std::net::SocketAddr;

use bayeux_conformance::{Ending, Frame, Opcode, WebSocket as Upgraded};
use serde_json::Value;

use super::http::sound;
use super::{HttpConnection, Response, Wire};

/// An open websocket of the test's own.
#[derive(Debug)]
pub struct WebSocket {
    wire: Wire,
}

impl WebSocket {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    /// Opens one; anything but a correct upgrade is a failure.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::upgrade(address, path, headers).0
    }

    /// Opens one and gives the answer to the upgrade too.
    #[track_caller]
    pub fn upgrade(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (Self, Response) {
        Self::over(HttpConnection::open(address), path, headers)
    }

    /// Opens one over a connection that is there already.
    #[track_caller]
    pub fn over(
        mut connection: HttpConnection,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (Self, Response) {
        let response = Self::ask(&mut connection, path, headers);
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(
            response.header("Sec-WebSocket-Accept"),
            Some(Upgraded::ACCEPT)
        );
        (Self::after_upgrade(connection), response)
    }

    /// Asks for one and gives the answer, which should be a refusal.
    #[track_caller]
    pub fn refused(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
        let response = Self::ask(&mut HttpConnection::open(address), path, headers);
        assert_ne!(
            response.status, 101,
            "the upgrade was granted: {response:?}"
        );
        response
    }

    #[track_caller]
    fn ask(connection: &mut HttpConnection, path: &str, headers: &[(&str, &str)]) -> Response {
        let all = [&Upgraded::UPGRADE, headers].concat();
        connection.request("GET", path, &all, "")
    }

    /// What a connection is once an upgrade was agreed on.
    pub fn after_upgrade(connection: HttpConnection) -> Self {
        let wire = connection.into_wire();
        Self { wire }
    }

    /// Sends an array of messages.
    pub fn send(&mut self, messages: &Value) {
        self.send_text(&messages.to_string());
    }

    /// Sends a text message in one frame.
    pub fn send_text(&mut self, text: &str) {
        self.send_frame(&Frame::whole(Opcode::Text, text));
    }

    /// Sends a frame, masked as a client must.
    pub fn send_frame(&mut self, frame: &Frame) {
        self.wire.send(&frame.to_bytes(Some(Self::MASK)));
    }

    /// Sends a frame without a mask, as a client must not.
    pub fn send_unmasked(&mut self, frame: &Frame) {
        self.wire.send(&frame.to_bytes(None));
    }

    /// Sends bytes that need not be a frame; false if the server does not take them.
    pub fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.wire.send(bytes)
    }

    /// The next frame; `None` when the connection has ended.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        sound(Frame::read(&mut self.wire)).ok()
    }

    /// The messages of the next text frame; pings on the way are answered.
    #[track_caller]
    pub fn messages(&mut self) -> Vec<Value> {
        loop {
            let Some(frame) = self.frame() else {
                panic!("the connection ended where messages were due");
            };
            match frame.opcode {
                Opcode::Text => {
                    assert!(frame.last, "messages in one frame");
                    return serde_json::from_slice(&frame.payload).expect("a JSON array");
                }
                Opcode::Ping => self.pong(frame),
                Opcode::Pong => {}
                Opcode::Continuation | Opcode::Binary | Opcode::Close => {
                    panic!("messages were due, this came: {frame:?}")
                }
            }
        }
    }

    /// Asserts that the next text frame is exactly this array.
    #[track_caller]
    pub fn expect(&mut self, messages: &Value) {
        assert_eq!(Value::from(self.messages()), *messages, "the next frame");
    }

    /// Waits for the end, whatever comes before it.
    pub fn close_code(&mut self) -> Ending {
        while let Some(frame) = self.frame() {
            if frame.opcode == Opcode::Close {
                return Ending::of(&frame);
            }
        }
        Ending::Missing
    }

    /// Says that nothing more will be sent, without a close frame.
    pub fn finish(&mut self) {
        self.wire.finish();
    }

    fn pong(&mut self, ping: Frame) {
        self.send_frame(&Frame {
            opcode: Opcode::Pong,
            ..ping
        });
    }
}
