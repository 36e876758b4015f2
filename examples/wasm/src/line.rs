//! A line: what a client would have a TCP connection for. Bytes come in; bytes wait until the client takes them.

use bayeux_core::{Batch, CloseReason, ConnectionId, Input, Transport};

use crate::http::{self, Exchange, Request, Response};
use crate::net::Net;
use crate::websocket::Duplex;

pub(crate) struct Line {
    number: u32,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    state: State,
}

enum State {
    /// A request is to come.
    Reading,
    /// The engine has a request.
    Asked(ConnectionId, Exchange),
    /// Its response waits to be taken; whether another request may follow.
    Answered(ConnectionId, bool),
    WebSocket(Box<Duplex>),
    /// The server has ended it; what it wrote can still be taken.
    Ended,
}

impl Line {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            state: State::Reading,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// How many bytes wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.outgoing.len()
    }

    /// The client has sent this.
    pub(crate) fn send(&mut self, bytes: &[u8], net: &mut Net) {
        self.incoming.extend_from_slice(bytes);
        self.read(net);
    }

    /// The client takes what waits. With that it is written.
    pub(crate) fn take(&mut self, net: &mut Net) -> Vec<u8> {
        let taken = std::mem::take(&mut self.outgoing);
        match &mut self.state {
            State::Answered(connection, keep) => {
                let (connection, keep) = (*connection, *keep);
                net.say(Input::Written { connection });
                self.go_on(keep, net);
            }
            State::WebSocket(duplex) if duplex.is_unwritten => {
                duplex.is_unwritten = false;
                let connection = duplex.connection;
                net.say(Input::Written { connection });
            }
            State::Reading | State::Asked(..) | State::WebSocket(_) | State::Ended => {}
        }
        taken
    }

    /// The client has gone.
    pub(crate) fn hang_up(&mut self, net: &mut Net) {
        self.outgoing.clear();
        self.end(net);
    }

    pub(crate) fn receive(&mut self, net: &mut Net) {
        if let State::WebSocket(duplex) = &mut self.state {
            duplex.receive();
        }
        self.read(net);
    }

    pub(crate) fn deliver(&mut self, batch: &Batch, net: &Net) {
        match &mut self.state {
            State::WebSocket(duplex) => {
                duplex.send(batch);
                self.outgoing.append(&mut duplex.written());
            }
            State::Asked(connection, exchange) => {
                let response = exchange.respond(net, batch);
                self.outgoing.extend(response.bytes);
                self.state = State::Answered(*connection, response.keep);
            }
            State::Reading | State::Answered(..) | State::Ended => {}
        }
    }

    pub(crate) fn close(&mut self, reason: CloseReason, net: &mut Net) {
        match &mut self.state {
            State::WebSocket(duplex) => {
                duplex.close(reason.close_code());
                self.outgoing.append(&mut duplex.written());
            }
            State::Asked(_, exchange) => self.outgoing.extend(exchange.close(reason).bytes),
            State::Reading | State::Answered(..) | State::Ended => {}
        }
        self.end(net);
    }

    fn read(&mut self, net: &mut Net) {
        match &mut self.state {
            State::WebSocket(duplex) => {
                let is_end = duplex.read(&mut self.incoming, net);
                self.outgoing.append(&mut duplex.written());
                if is_end {
                    self.end(net);
                }
            }
            State::Reading => {
                if let Some(request) = http::take(&mut self.incoming, net) {
                    self.serve(request, net);
                }
            }
            State::Asked(..) | State::Answered(..) | State::Ended => {}
        }
    }

    fn serve(&mut self, request: Request, net: &mut Net) {
        match request {
            Request::Answered(Response { bytes, keep }) => {
                self.outgoing.extend(bytes);
                self.go_on(keep, net);
            }
            Request::Asked {
                peer,
                texts,
                messages,
                exchange,
            } => {
                let transport = match exchange.callback {
                    Some(_) => Transport::CallbackPolling,
                    None => Transport::LongPolling,
                };
                let connection = net.open(self.number, transport, peer);
                let received = Input::Received {
                    connection,
                    messages,
                };
                net.tell(received, texts);
                self.state = State::Asked(connection, exchange);
            }
            Request::Upgraded { peer, response } => {
                self.outgoing.extend(response);
                let connection = net.open(self.number, Transport::WebSocket, peer);
                self.state = State::WebSocket(Box::new(Duplex::new(connection, net)));
                self.read(net);
            }
        }
    }

    /// A response is out.
    fn go_on(&mut self, keep: bool, net: &mut Net) {
        if !keep {
            self.state = State::Ended;
            return;
        }
        self.state = State::Reading;
        self.read(net);
    }

    /// No more bytes come in. The connection that is open here, if any, is over.
    fn end(&mut self, net: &mut Net) {
        let connection = match &self.state {
            State::Asked(connection, _) | State::Answered(connection, _) => Some(*connection),
            State::WebSocket(duplex) => Some(duplex.connection),
            State::Reading | State::Ended => None,
        };
        self.state = State::Ended;
        if let Some(connection) = connection {
            net.say(Input::Closed { connection });
        }
    }
}
