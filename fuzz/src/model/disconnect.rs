//! Disconnects (section 13).

use serde_json::{Value, json};

use super::Model;
use super::delivery::Event;
use super::frame::{Frame, none};
use super::reply::Reply;
use super::session::Carrier;
use crate::history::cast::Transport;

/// How long a socket stays after a disconnect (DC-6).
const GRACE: u64 = 5_000;

impl Model {
    /// DC-1: the session ends, its held connect is released (CN-12).
    pub(super) fn disconnect(&mut self, frame: &mut Frame, number: u32, reply: Reply) -> Reply {
        // DC-3: what waits goes with this response, if such responses carry events.
        if self.rides(frame, number) {
            let events = self.take(number).into_iter();
            frame.rest.extend(events.map(|event| event.body));
        }
        let hold = self.session(number).and_then(|session| session.hold.take());
        if let Some(hold) = hold {
            let reply = self.connect_reply(number, &hold.request, false);
            let reply = reply.with("advice", none());
            self.send(hold.connection, vec![Value::Object(reply.members)]);
        }
        let carrier = self.session(number).map(|session| session.carrier);
        self.end_session(number);
        self.idle(carrier);
        if frame.transport == Transport::Socket {
            self.idle(Some(Carrier::Socket(frame.connection)));
        }
        reply.success()
    }

    /// DC-6.
    fn idle(&mut self, carrier: Option<Carrier>) {
        let closes = self.now + GRACE;
        if let Some(Carrier::Socket(connection)) = carrier
            && let Some(open) = self.connections.get_mut(&connection)
        {
            open.closes = Some(closes);
        }
    }

    /// DC-5: the session is told, as by an event, and its held connect is released.
    pub(super) fn application_disconnects(&mut self, number: u32) {
        let Some(session) = self.session(number).filter(|session| !session.leaving) else {
            return;
        };
        session.leaving = true;
        session.subscriptions.clear();
        session.queue.push(Event {
            position: u64::MAX, // nobody acknowledges it
            body: json!({"channel": "/meta/disconnect", "successful": true}),
            lazy: None,
        });
        // It may still come for what it is to be told.
        if session.expires.is_some() {
            self.start_clock(number);
        }
        self.wake_all(None);
    }

    /// A session that was told to leave ends with that, whether or not it was heard.
    pub(super) fn leave(&mut self, number: u32) {
        let session = self.sessions.get(&number);
        let told = session.filter(|session| session.leaving);
        if let Some(carrier) = told.map(|session| session.carrier) {
            self.end_session(number);
            self.idle(Some(carrier));
        }
    }
}
