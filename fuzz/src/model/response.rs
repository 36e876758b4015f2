//! What a frame is answered with (section 16).

use serde_json::Value;

use super::Model;
use super::frame::Frame;
use super::session::Carrier;
use crate::history::cast::Transport;

impl Model {
    pub(super) fn respond(&mut self, mut frame: Frame) {
        // A refused handshake leaves a socket to the session that it had.
        let open = self.connections.get(&frame.connection);
        let bound = open
            .and_then(|open| open.session)
            .filter(|_| frame.created.is_none());
        let session = frame.session.or(bound);
        let session = session.filter(|session| self.sessions.contains_key(session));
        let mut connects = std::mem::take(&mut frame.connects);
        for connect in &connects {
            // A session that has ended since has nothing to acknowledge.
            if !self.sessions.contains_key(&connect.session)
                && let Some(reply) = frame.replies.get_mut(connect.place)
            {
                reply.members.remove("ext");
            }
        }
        connects.retain(|connect| self.sessions.contains_key(&connect.session));
        if let [connect] = connects.as_slice()
            && self.hold(frame.connection, connect)
        {
            return;
        }
        for connect in &connects {
            let Some(mut place) = frame.replies.get(connect.place).cloned() else {
                continue;
            };
            if frame.messages == 1 {
                place = self.connect_reply(connect.session, &connect.request, connect.is_first);
            } else {
                self.renumber(connect.session, &mut place);
            }
            if let Some(reply) = frame.replies.get_mut(connect.place) {
                *reply = place;
            }
        }
        let connected = connects.first().map(|connect| connect.session);
        // RC-4.
        let known = frame.replies.iter().any(|reply| !reply.is_unknown);
        let socket = frame.transport == Transport::Socket;
        let rides = |number: &u32| {
            connected.is_some() || ((known || socket) && self.rides(&frame, *number))
        };
        let events = match session.filter(rides) {
            Some(number) => self.take(number),
            None => Vec::new(),
        };
        let mut replies: Vec<_> = frame
            .replies
            .into_iter()
            .map(|reply| Value::Object(reply.members))
            .collect();
        // RC-2.
        let handshake = if frame.is_handshake {
            replies.drain(..1).collect()
        } else {
            Vec::new()
        };
        let mut bodies: Vec<Value> = handshake;
        bodies.append(&mut frame.rest);
        bodies.extend(events.iter().map(|event| event.body.clone()));
        bodies.extend(replies);
        let came = self.send(frame.connection, bodies);
        if let Some(number) = session.filter(|_| !came) {
            self.give_back(number, events);
        }
        // TM-3.
        if let Some(number) = frame.created.or(connected) {
            self.start_clock(number);
        }
        if let Some(number) = connected {
            self.leave(number);
        }
    }

    /// RC-3: a response to something else than a connect carries events, unless they go with connects only;
    /// on a socket, if it is the one that events are pushed to.
    pub(super) fn rides(&self, frame: &Frame, number: u32) -> bool {
        let Some(session) = self.sessions.get(&number).filter(|it| !it.leaving) else {
            return false;
        };
        match frame.transport {
            Transport::Poll => !session.ack && !self.rules.deliver_only,
            Transport::Callback => false,
            Transport::Socket => {
                session.carrier == Carrier::Socket(frame.connection) && self.pushes(number)
            }
        }
    }
}
