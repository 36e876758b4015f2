//! A websocket over bytes in memory: tungstenite's codec, with what has come on one side and what is to go on the other.

use std::io::{self, ErrorKind, Read, Write};

use bayeux_core::{Batch, ConnectionId, Input, Messages};
use bytes::Bytes;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use crate::net::Net;

pub(crate) struct Duplex {
    pub(crate) connection: ConnectionId,
    socket: WebSocket<Pipe>,
    /// Whether the engine takes a frame.
    has_credit: bool,
    /// Whether a batch has not been taken yet.
    pub(crate) is_unwritten: bool,
}

impl Duplex {
    /// The first frame may come at once.
    pub(crate) fn new(connection: ConnectionId, net: &Net) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 << 10)
            .max_frame_size(Some(net.limits.max_size))
            .max_message_size(Some(net.limits.max_size));
        Self {
            connection,
            socket: WebSocket::from_raw_socket(Pipe::default(), Role::Server, Some(config)),
            has_credit: true,
            is_unwritten: false,
        }
    }

    pub(crate) fn receive(&mut self) {
        self.has_credit = true;
    }

    pub(crate) fn send(&mut self, batch: &Batch) {
        self.is_unwritten = true;
        for frame in batch.frames() {
            // Memory takes all there is, and what the engine writes is text.
            let Ok(text) = Utf8Bytes::try_from(frame.clone()) else {
                continue;
            };
            let _ = self.socket.write(Message::Text(text));
        }
        let _ = self.socket.flush();
    }

    /// Says goodbye, to whoever still listens.
    pub(crate) fn close(&mut self, code: u16) {
        let (code, reason) = (code.into(), Utf8Bytes::default());
        let _ = self.socket.close(Some(CloseFrame { code, reason }));
    }

    /// What has been written since the last time.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.socket.get_mut().outgoing)
    }

    /// Reads on, and tells of what is read; whether that was the end.
    pub(crate) fn read(&mut self, incoming: &mut Vec<u8>, net: &mut Net) -> bool {
        self.socket.get_mut().incoming.append(incoming);
        while self.has_credit {
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => Bytes::from(text),
                Ok(Message::Binary(_)) => return self.end(1003),
                Ok(_) => continue, // Pings and closes are answered by the codec.
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(Error::Capacity(_)) => return self.end(1009),
                Err(Error::Utf8(_)) => return self.end(1007),
                Err(_) => return self.end(1002), // Or it is closed already.
            };
            match Messages::decode(text.clone(), &net.limits) {
                Ok(messages) => {
                    self.has_credit = false;
                    let connection = self.connection;
                    let received = Input::Received {
                        connection,
                        messages,
                    };
                    net.tell(received, vec![text]);
                }
                // There is no code for the keep-alive of old Faye clients.
                Err(error) => match error.close_code() {
                    Some(code) => return self.end(code),
                    None => continue,
                },
            }
        }
        false
    }

    fn end(&mut self, code: u16) -> bool {
        self.close(code);
        true
    }
}

/// The two directions of a line, as the codec has them.
#[derive(Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let length = self.incoming.as_slice().read(buffer)?;
        self.incoming.drain(..length);
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
