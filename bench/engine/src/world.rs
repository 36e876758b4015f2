//! One engine with a store in memory, and clients that are nothing but names: whatever is sent counts as written.

use bayeux_core::{
    Config, ConnectionId, DecodeLimits, Engine, Input, Instant, MemoryOptions, MemoryStore,
    Messages, NodeId, Output, Peer, Seed, Transport,
};
use serde_json::{Value, json};

/// Everything that there is, on one thread.
pub(crate) struct World {
    engine: Engine,
    store: MemoryStore,
    node: NodeId,
    connections: u64,
    /// Frames sent so far.
    pub(crate) sent: u64,
    /// The connection and the bytes of the last of them.
    last: Option<(ConnectionId, Vec<u8>)>,
    /// Whether frames are kept to be read.
    reads: bool,
}

/// A client's session, and the connection that it has open.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) session: String,
    /// Its websocket.
    pub(crate) socket: ConnectionId,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.limits.max_subscriptions = 1_000_000;
        config.limits.max_channels = 10_000_000;
        config.limits.max_sessions = 10_000_000;
        config.limits.max_connections = 10_000_000;
        let mut store = MemoryStore::new(MemoryOptions::for_config(&config));
        let node = store.attach();
        Self {
            engine: Engine::new(config, Seed::new([7; 32])),
            store,
            node,
            connections: 0,
            sent: 0,
            last: None,
            reads: true,
        }
    }

    /// From here on frames are counted, and not kept.
    pub(crate) fn stop_reading(&mut self) {
        self.reads = false;
        self.last = None;
    }

    pub(crate) fn open(&mut self, transport: Transport) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId::new(self.connections);
        let peer = Peer::default();
        self.tell(Input::Opened {
            connection,
            transport,
            peer,
        });
        connection
    }

    pub(crate) fn receive(&mut self, connection: ConnectionId, messages: Messages) {
        self.tell(Input::Received {
            connection,
            messages,
        });
        self.settle();
    }

    /// Sends one message and reads the last frame that came of it.
    fn ask(&mut self, connection: ConnectionId, message: &Value) -> Value {
        self.receive(connection, decode(message.to_string()));
        let answer = self.last.take().filter(|(to, _)| *to == connection);
        answer
            .and_then(|(_, frame)| serde_json::from_slice(&frame).ok())
            .unwrap_or_default()
    }

    /// A client whose websocket carries a connect, subscribed to these.
    pub(crate) fn join(&mut self, subscriptions: &[String]) -> Client {
        self.join_with(subscriptions, json!({}))
    }

    /// The same, with acknowledgement.
    pub(crate) fn join_acknowledging(&mut self, subscriptions: &[String]) -> Client {
        self.join_with(subscriptions, json!({"ack": true}))
    }

    fn join_with(&mut self, subscriptions: &[String], ext: Value) -> Client {
        let socket = self.open(Transport::WebSocket);
        let handshake = json!({
            "channel": "/meta/handshake", "version": "1.0", "ext": ext,
            "supportedConnectionTypes": ["websocket", "long-polling"],
        });
        let reply = self.ask(socket, &handshake);
        let session = reply.pointer("/0/clientId").and_then(Value::as_str);
        let Some(session) = session.map(str::to_owned) else {
            panic!("refused: {reply}");
        };
        let client = Client { session, socket };
        self.ask(socket, &client.first_connect("websocket"));
        for names in subscriptions.chunks(500) {
            let subscribe = json!({
                "channel": "/meta/subscribe", "clientId": client.session, "subscription": names,
            });
            let reply = self.ask(socket, &subscribe);
            let successful = reply.pointer("/0/successful");
            assert_eq!(successful, Some(&Value::Bool(true)), "{reply}");
        }
        self.ask(socket, &client.connect("websocket"));
        client
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        self.engine.load().sessions
    }

    fn tell(&mut self, fact: Input) {
        self.engine.handle(Instant::EPOCH, fact);
    }

    /// Carries out everything that the engine wants.
    fn settle(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Store { ticket, request } => {
                        self.store
                            .submit(self.node, Instant::EPOCH, ticket, request);
                    }
                    Output::Send { connection, batch } => {
                        for frame in batch.frames() {
                            self.sent += 1;
                            if self.reads {
                                self.last = Some((connection, frame.to_vec()));
                            }
                        }
                        self.tell(Input::Written { connection });
                    }
                    Output::Receive { .. }
                    | Output::Close { .. }
                    | Output::Decide { .. }
                    | Output::Return { .. }
                    | Output::Report(_) => {}
                }
            }
            match self.store.poll(self.node, Instant::EPOCH) {
                Some(fact) => self.tell(fact),
                None => return,
            }
        }
    }
}

impl Client {
    /// A connect over this transport, to be answered at once.
    fn first_connect(&self, transport: &str) -> Value {
        json!({
            "id": "7", "channel": "/meta/connect", "clientId": self.session,
            "connectionType": transport, "advice": {"timeout": 0},
        })
    }

    /// A connect over this transport, to be held: as clients send it, without advice of their own.
    pub(crate) fn connect(&self, transport: &str) -> Value {
        json!({
            "id": "7", "channel": "/meta/connect", "clientId": self.session,
            "connectionType": transport,
        })
    }

    /// A connect over the websocket that says how far its client has come.
    pub(crate) fn acknowledge(&self, number: u64) -> Value {
        json!({
            "id": "7", "channel": "/meta/connect", "clientId": self.session,
            "connectionType": "websocket", "ext": {"ack": number},
        })
    }

    /// A publish with 200 bytes of data.
    pub(crate) fn publish(&self, channel: &str) -> Value {
        json!({
            "id": "8", "channel": channel, "clientId": self.session, "data": "x".repeat(198),
        })
    }
}

/// Reads a frame that is known to be good.
pub(crate) fn decode(frame: String) -> Messages {
    match Messages::decode(frame, &DecodeLimits::default()) {
        Ok(messages) => messages,
        Err(error) => panic!("{error}"),
    }
}
