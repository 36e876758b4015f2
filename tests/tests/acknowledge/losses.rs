//! A client that follows the protocol, and a network that loses what it likes.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Something is published: small or large, prompt or lazy, for this client or not.
    Publish {
        large: bool,
        lazy: bool,
        other: bool,
    },
    /// The client connects, over HTTP or its websocket; it gives up on what it waited for before.
    Connect { socket: bool },
    /// The client reads the answer to its connect, if there is one.
    Read,
    /// The answer, or what will be the answer, is lost; the server may believe that it was written.
    Lose { written: bool },
    /// Time passes.
    Pass(u64),
    /// The oldest open question about an event is answered; or the newest.
    Decide { newest: bool, drop: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flag = any::<bool>;
    let step = prop_oneof![
        4 => (prop::bool::weighted(0.3), prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(large, lazy, other)| Step::Publish { large, lazy, other }),
        4 => flag().prop_map(|socket| Step::Connect { socket }),
        4 => Just(Step::Read),
        2 => flag().prop_map(|written| Step::Lose { written }),
        1 => (1_u64..40_000).prop_map(Step::Pass),
        3 => (flag(), prop::bool::weighted(0.1))
            .prop_map(|(newest, drop)| Step::Decide { newest, drop }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the client is waiting for, and what it has.
struct Reader {
    client: Client,
    socket: Option<ConnectionId>,
    waits: Option<(ConnectionId, String)>,
    /// Answers that it does not wait for any more.
    abandoned: Vec<ConnectionId>,
    number: u64,
    got: Vec<u64>,
}

impl Reader {
    fn connect(&mut self, script: &mut Script, socket: bool) {
        if !socket || self.waits.is_some() {
            // Nobody sends a second connect on a websocket while the first is unanswered.
            self.drop_socket(script);
        }
        let id = script.id();
        let message = json!({
            "id": id, "channel": "/meta/connect", "clientId": self.client.session,
            "connectionType": if socket { "websocket" } else { "long-polling" },
            "ext": {"ack": self.number},
        });
        let connection = if socket {
            *self.socket.get_or_insert_with(|| script.open(SOCKET))
        } else {
            script.open(HTTP)
        };
        script.send(connection, message);
        let before = self.waits.replace((connection, id));
        self.abandoned
            .extend(before.map(|(connection, _)| connection));
    }

    fn drop_socket(&mut self, script: &mut Script) {
        if let Some(socket) = self.socket.take() {
            script.close(socket);
            if self.waits.as_ref().is_some_and(|(at, _)| *at == socket) {
                self.waits = None;
            }
        }
    }

    /// Whether there was an answer.
    fn read(&mut self, script: &mut Script) -> bool {
        let Some((connection, id)) = self.waits.clone() else {
            return false;
        };
        let Some(frame) = script.try_take(connection) else {
            return false;
        };
        script.written(connection);
        let replies = frame.as_array().unwrap();
        let reply = replies.last().unwrap();
        assert_eq!(
            (&reply["id"], &reply["successful"]),
            (&json!(id), &json!(true))
        );
        let (data, number) = brought(&frame);
        self.got.extend(numbers(&data));
        let number = number.unwrap();
        assert!(number >= self.number, "{number} is less than was presented");
        self.number = number;
        self.waits = None;
        true
    }

    fn lose(&mut self, script: &mut Script, written: bool) {
        let Some((connection, _)) = self.waits.take() else {
            return;
        };
        let sent = script.try_take(connection).is_some();
        if sent && written {
            script.written(connection);
        }
        let socket = self.socket == Some(connection);
        if socket {
            self.socket = None;
        }
        let gone = socket || !(sent && written);
        if gone && script.closed(connection).is_none() {
            script.close(connection);
        }
    }
}

fn run(steps: &[Step], mut script: Script, client: Client) {
    let mut reader = Reader {
        client,
        socket: None,
        waits: None,
        abandoned: Vec::new(),
        number: 0,
        got: Vec::new(),
    };
    script.write_by_hand();
    let mut wanted = Vec::new();
    let mut open = Vec::new();
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Publish {
                large: big,
                lazy,
                other,
            } => {
                let data = if *big { large(number) } else { json!(number) };
                let channel = if *other { "/other" } else { "/news" };
                let laziness = if *lazy {
                    Laziness::Lazy
                } else {
                    Laziness::Prompt
                };
                if !other {
                    wanted.push(number as u64);
                }
                script.call(Call::Publish {
                    channel: channel.parse().unwrap(),
                    data: Payload::from(data),
                    ext: None,
                    laziness,
                });
                if script.question().is_some() {
                    open.push((script.take_question().0, number as u64));
                }
            }
            Step::Connect { socket } => reader.connect(&mut script, *socket),
            Step::Read => {
                reader.read(&mut script);
            }
            Step::Lose { written } => reader.lose(&mut script, *written),
            Step::Pass(millis) => {
                script.after(*millis);
            }
            Step::Decide { newest, drop } => {
                if open.is_empty() {
                    continue;
                }
                let (ticket, of) = if *newest {
                    open.pop().unwrap()
                } else {
                    open.remove(0)
                };
                let verdict = if *drop { Verdict::Drop } else { Verdict::Allow };
                script.fact(Input::Decided { ticket, verdict });
                if *drop {
                    wanted.retain(|number| *number != of);
                }
            }
        }
    }
    for (ticket, _) in open {
        let verdict = Verdict::Allow;
        script.fact(Input::Decided { ticket, verdict });
    }
    // The network has no more mischief in it.
    reader.lose(&mut script, false);
    for _ in 0..100 {
        reader.connect(&mut script, false);
        while !reader.read(&mut script) {
            script.after(1_000);
        }
        if reader.got.len() >= wanted.len() && reader.waits.is_none() {
            break;
        }
    }
    assert_eq!(reader.got, wanted);
    let session = SessionId::parse(&reader.client.session).unwrap();
    script.call(Call::Disconnect { session });
    reader.drop_socket(&mut script);
    for connection in reader.abandoned {
        if script.closed(connection).is_none() {
            script.close(connection);
        }
    }
    script.after(8_000_000);
    assert_eq!(script.engine().load(), Load::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    // Proves: MO-5, AK-3, AK-6, AK-11, AK-13
    #[test]
    fn whatever_is_lost_each_event_arrives_once_and_in_order(steps in steps()) {
        let mut script = Script::new(Config {
            max_interval: Duration::from_secs(3_600),
            ..Config::default()
        });
        let client = reader(&mut script, HTTP);
        run(&steps, script, client);
    }

    // Proves: AK-4
    #[test]
    fn so_it_does_while_events_wait_for_decisions(steps in steps()) {
        let (script, client) = inspected();
        run(&steps, script, client);
    }
}
