//! Several engines and one store.

use super::*;

/// Engines over one store.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Script>,
    pub(super) config: Config,
}

impl Cluster {
    pub(super) fn new(count: usize) -> Self {
        Self::with(count, Config::default())
    }

    pub(super) fn with(count: usize, config: Config) -> Self {
        let first = Script::new(config.clone());
        let mut nodes = vec![first];
        while nodes.len() < count {
            let next = nodes[0].join(config.clone());
            nodes.push(next);
        }
        Self { nodes, config }
    }

    /// Does something on one node, and lets the others see what comes of it.
    pub(super) fn on<T>(&mut self, node: usize, act: impl FnOnce(&mut Script) -> T) -> T {
        let done = act(&mut self.nodes[node]);
        self.settle();
        done
    }

    pub(super) fn settle(&mut self) {
        while self.nodes.iter_mut().any(Script::catch_up) {}
    }

    pub(super) fn after(&mut self, millis: u64) {
        // In small steps, for what one node does to concern the others in time.
        let mut left = millis;
        while left > 0 {
            let step = left.min(500);
            left -= step;
            for node in &mut self.nodes {
                node.after(step);
            }
            self.settle();
        }
    }

    /// A node dies, and another is started in its place.
    pub(super) fn crash(&mut self, node: usize) {
        let fresh = self.nodes[(node + 1) % self.nodes.len()].join(self.config.clone());
        core::mem::replace(&mut self.nodes[node], fresh).crash();
        self.settle();
    }

    /// A node stops as it should.
    pub(super) fn stop(&mut self, node: usize) {
        let over = Duration::from_millis(2_000);
        self.on(node, |script| {
            script.fact(Input::Draining { over });
        });
        self.after(3_000);
        assert!(self.nodes[node].reports().contains(&ReportKind::Drained));
    }

    pub(super) fn nothing_leaks(&mut self) {
        for script in &mut self.nodes {
            nothing_leaks(script);
        }
    }
}

/// The same client, at another node.
pub(super) fn elsewhere(client: &Client) -> Client {
    Client {
        transport: HTTP,
        socket: None,
        ..client.clone()
    }
}

pub(super) fn reader(
    cluster: &mut Cluster,
    node: usize,
    transport: Transport,
    ext: Value,
) -> Client {
    cluster.on(node, |script| {
        let client = script.connected_over(transport, ext);
        script.subscribe(&client, "/news");
        client
    })
}

pub(super) fn publish(cluster: &mut Cluster, node: usize, data: u64) {
    cluster.on(node, |script| {
        script.publish("/news", json!(data));
    });
}

pub(super) fn connect(
    cluster: &mut Cluster,
    node: usize,
    client: &Client,
    number: u64,
) -> ConnectionId {
    let members = json!({"ext": {"ack": number}});
    cluster.on(node, |script| script.connect_with(client, members))
}

pub(super) fn take(
    cluster: &mut Cluster,
    node: usize,
    connection: ConnectionId,
) -> (Vec<u64>, Option<u64>) {
    read(&cluster.nodes[node].take(connection))
}

/// A session without acknowledgement moves for the first time, which is answered at once.
fn move_to(cluster: &mut Cluster, node: usize, client: &Client) {
    let connection = connect(cluster, node, client, 0);
    assert_eq!(take(cluster, node, connection), (vec![], None));
}

// Proves: CN-2, AD-3
#[test]
fn the_first_connect_is_answered_at_once_at_whichever_node() {
    for has_died in [false, true] {
        let mut cluster = Cluster::new(3);
        let client = cluster.on(0, |script| script.handshaken());
        if has_died {
            cluster.crash(0);
        }

        let first = connect(&mut cluster, 1, &client, 0);

        let reply = cluster.nodes[1].take(first);
        assert_eq!(reply[0]["advice"]["reconnect"], "retry");
        // From then on it is held, also when it moves.
        for node in [1, 2, 1] {
            let held = connect(&mut cluster, node, &client, 0);
            cluster.nodes[node].expect_nothing(held);
        }
    }
}

// Proves: CN-9, AK-4, AK-13
#[test]
fn a_connect_moves_its_session_and_everything_goes_on_there() {
    let mut cluster = Cluster::new(2);
    publish(&mut cluster, 1, 0);
    let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
    let held = connect(&mut cluster, 0, &client, 0);
    publish(&mut cluster, 1, 1);
    assert_eq!(take(&mut cluster, 0, held), (vec![1], Some(1)));
    let held = connect(&mut cluster, 0, &client, 1);

    let moved = connect(&mut cluster, 1, &client, 1);

    cluster.nodes[0].expect_closed(held, CloseReason::Duplicate);
    cluster.nodes[1].expect_nothing(moved);
    publish(&mut cluster, 0, 2);
    assert_eq!(take(&mut cluster, 1, moved), (vec![2], Some(2)));
    // And back, with the reply lost.
    let back = connect(&mut cluster, 0, &client, 1);
    assert_eq!(take(&mut cluster, 0, back), (vec![2], Some(2)));
    assert_eq!(cluster.nodes[1].engine().load().sessions, 0);
    cluster.nothing_leaks();
}

#[test]
fn publish_and_subscribe_by_way_of_another_node_leave_the_hold_alone() {
    for transport in [HTTP, SOCKET] {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, transport, json!({}));
        let carrier = connect(&mut cluster, 0, &client, 0);
        let other = elsewhere(&client);

        let published = cluster.on(1, |script| script.publish_as(&other, "/other", json!(1)));
        let subscribed = cluster.on(1, |script| {
            script.request(
                &other,
                json!({
                    "id": "s", "channel": "/meta/subscribe", "clientId": other.session,
                    "subscription": "/more",
                }),
            )
        });

        assert_eq!(cluster.nodes[1].take(published)[0]["successful"], true);
        assert_eq!(cluster.nodes[1].take(subscribed)[0]["successful"], true);
        cluster.nodes[0].expect_nothing(carrier);
        assert_eq!(cluster.nodes[1].engine().load().sessions, 0);
        cluster.on(1, |script| {
            script.publish("/more", json!(7));
        });
        assert_eq!(take(&mut cluster, 0, carrier).0, [7]);
        cluster.nothing_leaks();
    }
}

// Proves: PB-7, QU-2
#[test]
fn what_a_client_publishes_by_way_of_another_node_reaches_itself() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({}));
    let held = connect(&mut cluster, 0, &client, 0);

    let published = cluster.on(1, |script| {
        script.publish_as(&elsewhere(&client), "/news", json!(1))
    });

    let reply = cluster.nodes[1].take(published);
    assert_eq!(reply.as_array().unwrap().len(), 1);
    assert_eq!(reply[0]["successful"], true);
    assert_eq!(take(&mut cluster, 0, held).0, [1]);
    cluster.nothing_leaks();
}

// Proves: WS-5
#[test]
fn a_socket_left_behind_serves_on() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, SOCKET, json!({}));
    let socket = connect(&mut cluster, 0, &client, 0);
    move_to(&mut cluster, 1, &elsewhere(&client));
    let held = connect(&mut cluster, 1, &elsewhere(&client), 0);

    // Its messages find their way; its events do not come here any more.
    let published = cluster.on(0, |script| script.publish_as(&client, "/news", json!(1)));

    assert_eq!(cluster.nodes[0].take(published)[0]["successful"], true);
    cluster.nodes[0].expect_nothing(socket);
    assert_eq!(take(&mut cluster, 1, held).0, [1]);
    // Its next connect takes the session back.
    let socket = connect(&mut cluster, 0, &client, 0);
    publish(&mut cluster, 1, 2);
    assert_eq!(take(&mut cluster, 0, socket).0, [2]);
    cluster.nothing_leaks();
}

// Proves: MO-5, AK-4
#[test]
fn with_acknowledgement_a_dead_node_costs_nothing() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
    for data in 1..=3 {
        publish(&mut cluster, 1, data);
    }
    let connection = connect(&mut cluster, 0, &client, 1);
    assert_eq!(take(&mut cluster, 0, connection), (vec![2, 3], Some(3)));

    cluster.crash(0);
    publish(&mut cluster, 1, 4);

    let connection = connect(&mut cluster, 0, &client, 1);
    assert_eq!(take(&mut cluster, 0, connection), (vec![2, 3, 4], Some(4)));
    cluster.nothing_leaks();
}

// Proves: AK-4
#[test]
fn a_dead_node_costs_nothing_if_a_publish_is_the_first_to_notice() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({"ack": true}));
    publish(&mut cluster, 1, 1);
    publish(&mut cluster, 1, 2);
    cluster.crash(0);

    let published = cluster.on(1, |script| script.publish_as(&client, "/news", json!(3)));
    assert_eq!(cluster.nodes[1].take(published)[0]["successful"], true);

    let connection = connect(&mut cluster, 1, &client, 1);
    assert_eq!(take(&mut cluster, 1, connection), (vec![2, 3], Some(3)));
    cluster.nothing_leaks();
}

// Proves: MO-5
#[test]
fn without_acknowledgement_a_dead_node_costs_what_it_had_in_hand() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({}));
    publish(&mut cluster, 1, 1);
    cluster.crash(0);
    publish(&mut cluster, 1, 2);

    move_to(&mut cluster, 1, &client);
    let held = connect(&mut cluster, 1, &client, 0);
    cluster.nodes[1].expect_nothing(held);
    publish(&mut cluster, 0, 3);

    assert_eq!(take(&mut cluster, 1, held).0, [3]);
    cluster.nothing_leaks();
}

// Proves: TM-11
#[test]
fn a_node_that_stops_as_it_should_costs_nothing_at_all() {
    for ext in [json!({}), json!({"ack": true})] {
        let mut cluster = Cluster::new(2);
        let client = reader(&mut cluster, 0, HTTP, ext.clone());
        publish(&mut cluster, 1, 1);
        let connection = connect(&mut cluster, 0, &client, 0);
        assert_eq!(take(&mut cluster, 0, connection).0, [1]);
        let held = connect(&mut cluster, 0, &client, 1);

        cluster.on(0, |script| {
            script.fact(Input::Draining {
                over: Duration::from_secs(2),
            });
        });
        cluster.after(2_000);
        let reply = cluster.nodes[0].take(held);
        assert_eq!(reply[0]["advice"]["reconnect"], "retry");
        assert!(cluster.nodes[0].is_last(held));
        publish(&mut cluster, 1, 2);
        publish(&mut cluster, 1, 3);

        let connection = connect(&mut cluster, 1, &client, 1);
        assert_eq!(take(&mut cluster, 1, connection).0, [2, 3]);
        cluster.crash(0);
        cluster.nothing_leaks();
    }
}

// Proves: TM-11
#[test]
fn what_waited_at_the_node_that_stopped_is_read_by_the_next() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({}));
    publish(&mut cluster, 1, 1);
    publish(&mut cluster, 1, 2);
    cluster.stop(0);
    publish(&mut cluster, 1, 3);

    let connection = connect(&mut cluster, 1, &client, 0);

    assert_eq!(take(&mut cluster, 1, connection).0, [1, 2, 3]);
    cluster.crash(0);
    cluster.nothing_leaks();
}

#[test]
fn a_session_ends_everywhere() {
    let mut cluster = Cluster::new(2);
    let client = reader(&mut cluster, 0, HTTP, json!({}));
    let held = connect(&mut cluster, 0, &client, 0);

    let bye = json!({"id": "d", "channel": "/meta/disconnect", "clientId": client.session});
    let exchange = cluster.on(1, |script| script.request(&client, bye));

    assert_eq!(cluster.nodes[1].take(exchange)[0]["successful"], true);
    let reply = cluster.nodes[0].take(held);
    assert_eq!(reply[0]["advice"]["reconnect"], "none");
    for node in 0..2 {
        let connection = connect(&mut cluster, node, &client, 0);
        is_told_to_handshake(&cluster.nodes[node].take(connection));
    }
    cluster.nothing_leaks();
}
