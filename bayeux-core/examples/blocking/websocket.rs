//! Websockets: one thread reads, one writes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bayeux_core::{Batch, ConnectionId, Input, Messages, Peer, Transport};
use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use crate::http::Reader;
use crate::net::{Net, Order, SILENCE, Timed};

/// Serves a websocket, whose upgrade was found to be in order, to its end.
pub(crate) fn serve(
    net: &Net,
    reader: &Reader<'_>,
    key: &[u8],
    protocol: Option<&str>,
    peer: Peer,
) -> io::Result<()> {
    let stream = reader.get_ref().stream;
    upgrade(stream, key, protocol)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .max_frame_size(Some(net.limits.max_size))
        .max_message_size(Some(net.limits.max_size));
    let writing = &Mutex::new(());
    let (half, early) = (Half { stream, writing }, reader.buffer().to_vec());
    let mut incoming = WebSocket::from_partially_read(half, early, Role::Server, Some(config));
    let mut outgoing = WebSocket::from_raw_socket(half, Role::Server, Some(config));

    let (connection, orders) = net.open(Transport::WebSocket, peer);
    let (credit, credits) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let code = read(net, connection, &mut incoming, credits);
            close(&mut incoming, code);
            net.forget(connection); // which ends `orders`
        });
        // Ends the thread that reads, if it waits for the peer.
        let cut = || drop(stream.shutdown(Shutdown::Both));
        for order in orders {
            match order {
                Order::Receive => drop(credit.send(())),
                Order::Send(batch) => match write(&mut outgoing, &batch) {
                    Ok(()) => net.say(Input::Written { connection }),
                    Err(_) => {
                        cut();
                        break;
                    }
                },
                Order::Close(reason) => {
                    close(&mut outgoing, reason.close_code());
                    cut();
                    break;
                }
            }
        }
        drop(credit); // The same, if it waits for leave to read.
    });
    net.say(Input::Closed { connection });
    Ok(())
}

fn upgrade(mut stream: &TcpStream, key: &[u8], protocol: Option<&str>) -> io::Result<()> {
    let accept = derive_accept_key(key);
    let mut response = format!(
        "HTTP/1.1 101 \r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n"
    );
    if let Some(protocol) = protocol {
        response += &format!("sec-websocket-protocol: {protocol}\r\n");
    }
    response += "\r\n";
    stream.write_all(response.as_bytes())
}

/// Hands over the first frame, and one more for each credit; returns the code to close with.
fn read(
    net: &Net,
    connection: ConnectionId,
    socket: &mut WebSocket<Half<'_>>,
    credits: Receiver<()>,
) -> u16 {
    loop {
        let text = match socket.read() {
            Ok(Message::Text(text)) => Bytes::from(text),
            Ok(Message::Binary(_)) => return 1003,
            Ok(_) => continue, // Pings and closes are answered by the codec.
            Err(Error::Capacity(_)) => return 1009,
            Err(Error::Utf8(_)) => return 1007,
            Err(_) => return 1002, // Or it is closed already.
        };
        let messages = match Messages::decode(text, &net.limits) {
            Ok(messages) => messages,
            Err(error) => match error.close_code() {
                Some(code) => return code,
                None => continue, // The keep-alive of old Faye clients.
            },
        };
        net.say(Input::Received {
            connection,
            messages,
        });
        if credits.recv().is_err() {
            return 1000;
        }
    }
}

fn write(socket: &mut WebSocket<Half<'_>>, batch: &Batch) -> tungstenite::Result<()> {
    for frame in batch.frames() {
        socket.write(Message::Text(Utf8Bytes::try_from(frame.clone())?))?;
    }
    socket.flush()
}

/// Says goodbye, to whoever still listens.
fn close(socket: &mut WebSocket<Half<'_>>, code: u16) {
    let (code, reason) = (code.into(), Utf8Bytes::default());
    let _ = socket.close(Some(CloseFrame { code, reason }));
}

/// The socket as either thread has it. Both write, as the one that reads answers pings: whole frames,
/// one after the other.
#[derive(Clone, Copy)]
struct Half<'a> {
    stream: &'a TcpStream,
    writing: &'a Mutex<()>,
}

impl Read for Half<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Timed::new(self.stream, SILENCE).read(buffer)
    }
}

impl Write for Half<'_> {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.stream.write_all(frames)?;
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
