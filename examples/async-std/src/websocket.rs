//! Websockets: one task each, which waits for the peer and for the engine at once.

use std::net::Shutdown;
use std::sync::Arc;

use async_std::future::timeout;
use async_std::io;
use async_std::net::TcpStream;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{self, Error, Message, Utf8Bytes};
use bayeux_core::{Batch, Input, Messages, Peer, Transport};
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use smol_hyper::rt::FuturesIo;

use crate::net::{Connection, Net, Order, PATIENCE, SILENCE};

type Socket = WebSocketStream<TcpStream>;

/// Serves a websocket to its end.
pub(crate) async fn serve(net: Arc<Net>, upgraded: Upgraded, peer: Peer) {
    let Ok(parts) = upgraded.downcast::<FuturesIo<TcpStream>>() else {
        return;
    };
    let (stream, early) = (parts.io.into_inner(), parts.read_buf.to_vec());
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .max_frame_size(Some(net.limits.max_size))
        .max_message_size(Some(net.limits.max_size));
    let mut socket =
        Socket::from_partially_read(stream.clone(), early, Role::Server, Some(config)).await;

    let mut connection = Connection::open(&net, Transport::WebSocket, peer);
    let code = drive(&net, &mut connection, &mut socket).await;
    drop(connection);
    let _ = timeout(PATIENCE, close(&mut socket, code)).await;
    // A socket that is closed with bytes unread takes what was written last with it.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = timeout(PATIENCE, io::copy(&mut &stream, &mut io::sink())).await;
}

/// What a websocket waits for.
enum Event {
    Ordered(Option<Order>),
    Came(Option<tungstenite::Result<Message>>),
}

/// Does what each side asks for, until one is at its end; returns the code to close with.
async fn drive(net: &Net, connection: &mut Connection, socket: &mut Socket) -> u16 {
    let mut is_wanted = true; // The first frame may come unasked.
    loop {
        let event = match is_wanted {
            true => timeout(SILENCE, either(connection, socket)).await,
            false => Ok(Event::Ordered(connection.orders.next().await)),
        };
        match event {
            Ok(Event::Ordered(Some(Order::Receive))) => is_wanted = true,
            Ok(Event::Ordered(Some(Order::Send(batch)))) => {
                match timeout(PATIENCE, write(socket, &batch)).await {
                    Ok(Ok(())) => connection.written(),
                    Ok(Err(_)) | Err(_) => return 1001,
                }
            }
            Ok(Event::Ordered(Some(Order::Close(reason)))) => return reason.close_code(),
            Ok(Event::Ordered(None)) | Err(_) => return 1001,
            Ok(Event::Came(message)) => match take(net, message) {
                Ok(Some(messages)) => {
                    is_wanted = false;
                    net.say(Input::Received {
                        connection: connection.name,
                        messages,
                    });
                }
                Ok(None) => {}
                Err(code) => return code,
            },
        }
    }
}

async fn either(connection: &mut Connection, socket: &mut Socket) -> Event {
    match select(connection.orders.next(), socket.next()).await {
        Either::Left((order, _)) => Event::Ordered(order),
        Either::Right((message, _)) => Event::Came(message),
    }
}

/// The messages in what came, if there are any; or the code to close with.
fn take(net: &Net, message: Option<tungstenite::Result<Message>>) -> Result<Option<Messages>, u16> {
    let text = match message {
        Some(Ok(Message::Text(text))) => Bytes::from(text),
        Some(Ok(Message::Binary(_))) => return Err(1003),
        Some(Ok(_)) => return Ok(None), // Pings and closes are answered by the codec.
        Some(Err(Error::Capacity(_))) => return Err(1009),
        Some(Err(Error::Utf8(_))) => return Err(1007),
        Some(Err(_)) => return Err(1002),
        None => return Err(1000), // It is closed already.
    };
    match Messages::decode(text, &net.limits) {
        Ok(messages) => Ok(Some(messages)),
        Err(error) => match error.close_code() {
            Some(code) => Err(code),
            None => Ok(None), // The keep-alive of old Faye clients.
        },
    }
}

async fn write(socket: &mut Socket, batch: &Batch) -> tungstenite::Result<()> {
    for frame in batch.frames() {
        let text = Utf8Bytes::try_from(frame.clone())?;
        socket.feed(Message::Text(text)).await?;
    }
    SinkExt::flush(socket).await
}

/// Says goodbye, to whoever still listens.
async fn close(socket: &mut Socket, code: u16) {
    let (code, reason) = (code.into(), Utf8Bytes::default());
    let _ = socket.close(Some(CloseFrame { code, reason })).await;
}
