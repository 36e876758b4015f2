//! A client that goes from node to node, nodes that die and stop, a network that loses answers.

use proptest::prelude::*;

use super::several::*;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish { node: usize, own: bool },
    Connect { node: usize, socket: bool },
    Read,
    Lose,
    Crash(usize),
    Stop(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..3_usize;
    let step = prop_oneof![
        5 => (node(), any::<bool>()).prop_map(|(node, own)| Step::Publish { node, own }),
        5 => (node(), any::<bool>()).prop_map(|(node, socket)| Step::Connect { node, socket }),
        4 => Just(Step::Read),
        2 => Just(Step::Lose),
        1 => node().prop_map(Step::Crash),
        1 => node().prop_map(Step::Stop),
        1 => (1..3_000_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..50)
}

/// The client: one connect at a time, on one carrier.
struct Traveller {
    session: String,
    carrier: Option<(usize, ConnectionId)>,
    waits: Option<String>,
    number: u64,
    got: Vec<u64>,
}

impl Traveller {
    fn connect(&mut self, cluster: &mut Cluster, node: usize, socket: bool) {
        let stays = socket && self.waits.is_none();
        let usable = |(at, connection): &(usize, ConnectionId)| {
            stays && *at == node && cluster.nodes[node].is_asked(*connection)
        };
        let carrier = self.carrier.filter(usable);
        if carrier.is_none() {
            self.lose(cluster);
        }
        let connection = carrier.map_or_else(
            || cluster.nodes[node].open(if socket { SOCKET } else { HTTP }),
            |(_, connection)| connection,
        );
        let id = cluster.nodes[node].id();
        let message = json!({
            "id": id, "channel": "/meta/connect", "clientId": self.session,
            "ext": {"ack": self.number},
        });
        cluster.on(node, |script| {
            script.send(connection, message);
        });
        self.carrier = Some((node, connection));
        self.waits = Some(id);
    }

    /// Reads everything that has come.
    fn read(&mut self, cluster: &mut Cluster) {
        let Some((node, connection)) = self.carrier else {
            return;
        };
        while let Some(frame) = cluster.nodes[node].try_take(connection) {
            for message in frame.as_array().unwrap() {
                if let Some(data) = message.get("data") {
                    self.got.push(data.as_u64().unwrap());
                }
                if self.waits.is_some() && message["id"].as_str() == self.waits.as_deref() {
                    assert_eq!(message["successful"], true, "{message}");
                    self.waits = None;
                }
                if let Some(number) = message.pointer("/ext/ack") {
                    self.number = number.as_u64().unwrap();
                }
            }
        }
        if cluster.nodes[node].closed(connection).is_some() {
            self.carrier = None;
            self.waits = None;
        }
    }

    fn lose(&mut self, cluster: &mut Cluster) {
        self.waits = None;
        if let Some((node, connection)) = self.carrier.take() {
            cluster.on(node, |script| {
                script.hang_up(connection);
            });
        }
    }
}

/// What the client got of what was published.
fn travel(steps: &[Step], ext: Value) -> (Vec<u64>, Vec<u64>) {
    let mut cluster = Cluster::with(
        3,
        Config {
            max_interval: Duration::from_secs(3_600),
            ..Config::default()
        },
    );
    let client = reader(&mut cluster, 0, HTTP, ext.clone());
    let mut traveller = Traveller {
        session: client.session.clone(),
        carrier: None,
        waits: None,
        number: 0,
        got: Vec::new(),
    };
    let mut wanted = Vec::new();
    for (data, step) in (1..).zip(steps) {
        match step {
            Step::Publish { node, own } => {
                wanted.push(data);
                if *own {
                    let other = elsewhere(&client);
                    let exchange = cluster.on(*node, |script| {
                        script.publish_as(&other, "/news", json!(data))
                    });
                    // Without acknowledgement the events of a session ride on any reply.
                    let reply = cluster.nodes[*node].take(exchange);
                    let replies = reply.as_array().unwrap();
                    assert_eq!(replies.last().unwrap()["successful"], true, "{reply}");
                    traveller.got.extend(read(&reply).0);
                } else {
                    publish(&mut cluster, *node, data);
                }
            }
            Step::Connect { node, socket } => {
                traveller.read(&mut cluster);
                traveller.connect(&mut cluster, *node, *socket);
            }
            Step::Read => traveller.read(&mut cluster),
            Step::Lose => traveller.lose(&mut cluster),
            Step::Crash(node) => {
                if traveller.carrier.is_some_and(|(at, _)| at == *node) {
                    traveller.carrier = None;
                    traveller.waits = None;
                }
                cluster.crash(*node);
            }
            Step::Stop(node) => {
                cluster.stop(*node);
                traveller.read(&mut cluster);
                if traveller.carrier.is_some_and(|(at, _)| at == *node) {
                    traveller.carrier = None;
                    traveller.waits = None;
                }
                cluster.crash(*node);
            }
            Step::Pass(millis) => cluster.after(*millis),
        }
    }
    traveller.read(&mut cluster);
    for node in [0, 1, 2, 2] {
        traveller.connect(&mut cluster, node, false);
        cluster.after(31_000);
        traveller.read(&mut cluster);
        assert_eq!(traveller.waits, None);
    }
    for script in &mut cluster.nodes {
        script.after(8_000_000);
        assert_eq!(script.engine().load(), Load::default());
    }
    (traveller.got, wanted)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100, failure_persistence: None, ..ProptestConfig::default()
    })]

    // Proves: MO-5, AK-4, AK-7
    #[test]
    fn with_acknowledgement_everything_arrives_once_whatever_dies(steps in steps()) {
        let (got, wanted) = travel(&steps, json!({"ack": true}));
        assert_eq!(got, wanted);
    }

    // Proves: MO-5
    #[test]
    fn without_it_nothing_arrives_twice(steps in steps()) {
        let (got, wanted) = travel(&steps, json!({}));
        let mut once = got.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), got.len(), "{got:?}");
        assert!(once.iter().all(|data| wanted.contains(data)));
    }
}
