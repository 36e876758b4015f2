//! The task of a websocket: hands its frames to the shard that they belong to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_tungstenite::WebSocketStream;
use bayeux_core::{Messages, Peer, Transport};
use bytes::Bytes;
use hyper::rt::{Read, Write};

use super::duplex::{Event, Shared};
use super::stream::Stream;
use super::upgrade::Handover;
use crate::carrier::Carrier;
use crate::inbox::Opening;
use crate::line::{Asking, Line};
use crate::router::{Engagement, Gateway};
use crate::socket::Socket;

/// Runs a websocket to its end.
pub(super) struct Drive<T> {
    shared: Arc<Shared<T>>,
    gateway: Gateway,
    peer: Peer,
    /// The shard that knows of it.
    engagement: Option<Engagement>,
    _asking: Option<Asking>,
}

impl<T: Read + Write + Unpin + Send + 'static> Drive<T> {
    pub(super) fn new(
        stream: WebSocketStream<Stream<Socket<T>>>,
        line: Arc<Line>,
        handover: Handover,
    ) -> Self {
        let Handover {
            gateway,
            peer,
            asking,
        } = handover;
        let shared = Shared::new(stream, line, gateway.clone());
        Self {
            shared,
            gateway,
            peer,
            engagement: None,
            _asking: asking,
        }
    }

    fn received(&mut self, text: Bytes) {
        match Messages::decode(text, &self.gateway.router.site.decode) {
            Ok(messages) => self.hand_over(messages),
            Err(error) => {
                self.gateway.router.site.tally.unusable(error);
                match error.close_code() {
                    Some(code) => self.shared.fail(code),
                    None => self.shared.read_on(),
                }
            }
        }
    }

    /// Tells the shard that the frame belongs to. A handshake may bind the socket to a session of
    /// another shard: then the one before loses it. What else comes is for the shard that has it, which
    /// hands it on if it has nothing to do with it any more (WS-5).
    fn hand_over(&mut self, messages: Messages) {
        let home = self.gateway.home(&messages, &self.peer);
        match &self.engagement {
            Some(engagement) if engagement.shard() == home || !messages.is_handshake() => {
                engagement.received(messages);
            }
            _ => self.open(home, messages),
        }
    }

    fn open(&mut self, home: u32, messages: Messages) {
        let connection = self.gateway.router.name(self.gateway.place.shard());
        self.shared.engage(connection);
        let shared = Arc::clone(&self.shared);
        let opening = Opening {
            connection,
            transport: Transport::WebSocket,
            peer: self.peer.clone(),
            carrier: Carrier::Duplex(shared),
            messages,
        };
        self.engagement = Some(self.gateway.open(home, opening));
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Future for Drive<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.shared.poll(cx)) {
                Event::Text(text) => self.received(text),
                Event::Written => {
                    if let Some(engagement) = &self.engagement {
                        engagement.written();
                    }
                }
                Event::HandedOn(shard, messages) => {
                    if let Some(engagement) = self.engagement.take() {
                        engagement.release();
                    }
                    self.open(shard, messages);
                }
                Event::Closing => self.engagement = None,
                Event::Over => {
                    // The shard lets go of its half once it has heard.
                    self.engagement = None;
                    return Poll::Ready(());
                }
            }
        }
    }
}
