//! What every client must be able to do, whichever library, transport and number of shards, and behind a load balancer.

mod acknowledged;
mod foreign;
mod rooms;
mod site;

use std::iter;

use bayeux_tests::live::{Client, Cutter, Pages, Settings, Software, Transport};
use serde_json::{Value, json};

pub(crate) use acknowledged::gets_each_event_once;
pub(crate) use foreign::sees_nothing_unless_allowed;
pub(crate) use rooms::share_rooms;
pub(crate) use site::Setup;
use site::Site;

/// One way to run a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) software: Software,
    pub(crate) transport: Transport,
    pub(crate) setup: Setup,
}

impl Case {
    fn site(self) -> Site {
        let mut settings = Settings::default();
        if self.transport != Transport::CallbackPolling {
            // Faye may poll until its trial websocket is open, and changes over with the next connect.
            settings = settings.option("timeout", 10_000);
        }
        if self.software.is_foreign() {
            settings = settings.allow_origin(&Pages::served().origin());
        }
        self.site_with(settings)
    }

    fn site_with(self, settings: Settings) -> Site {
        // What is advised in a shutdown is the same, for a shorter time.
        let window = if self.software == Software::AioCometD {
            // It waits as many seconds as it is advised milliseconds; without a window that is none.
            0
        } else {
            200
        };
        Site::start(self.setup, settings.option("shutdownWindow", window))
    }

    fn client(self, url: &str) -> Client {
        Client::connected(self.software, self.transport, url)
    }

    /// A publisher on the other transport: the two meet in the server only.
    fn publisher(self, url: &str) -> Client {
        let other = match self.transport {
            Transport::WebSocket | Transport::CallbackPolling => Transport::LongPolling,
            Transport::LongPolling => Transport::WebSocket,
        };
        Client::connected(self.software, other, url)
    }

    /// Ends it, and checks that shards or servers worked together where there are several.
    ///
    /// A polling client has two connections. A server spreads connections over its shards, and a balancer spreads
    /// requests over its servers, so that what belongs to one session arrives where the session is not. With HTTP/2 it
    /// has one connection, in a browser any number.
    fn stop(self, site: Site) {
        let must_cross = self.software.polls_by_two_connections();
        let works_together = match site {
            Site::Server(server) => server.stop() > 0,
            Site::Cluster(cluster) => {
                let moves = cluster.moves();
                cluster.stop();
                moves > 0
            }
        };
        if self.setup.wanted() == Setup::Shards(1) {
            assert!(!works_together, "one shard has no other to talk to");
        } else {
            assert!(
                works_together || !must_cross,
                "{:?}, and nothing crossed",
                self.setup
            );
        }
    }
}

/// Handshake, subscribe, publish, receive, unsubscribe, disconnect.
pub(crate) fn converses(case: Case) {
    let site = case.site();
    let mut plain = case.client(&site.url());
    let mut wildcard = case.client(&site.url());
    let mut deep = case.client(&site.url());
    let mut publisher = case.publisher(&site.url());

    // Not in the order in which they came: their second connections, where they have any, meet other shards.
    deep.subscribe("/news/**");
    wildcard.subscribe("/news/*");
    plain.subscribe("/news/sport");
    publisher.publish(
        "/news/sport",
        json!({"score": "3:1", "name": "Zoë 😀 \u{2028}"}),
    );
    publisher.publish("/news/sport/tennis", json!("6:4"));
    publisher.publish("/weather", json!("for nobody"));
    publisher.publish("/news/sport", json!("end"));

    let score = json!({"score": "3:1", "name": "Zoë 😀 \u{2028}"});
    for client in [&mut plain, &mut wildcard] {
        client.expect_event("/news/sport", score.clone());
        client.expect_event("/news/sport", "end");
    }
    deep.expect_event("/news/sport", score);
    deep.expect_event("/news/sport/tennis", "6:4");
    deep.expect_event("/news/sport", "end");

    wildcard.unsubscribe("/news/*");
    wildcard.subscribe("/mark");
    publisher.publish("/news/sport", json!("not for those who left"));
    publisher.publish("/mark", json!(1));
    wildcard.expect_event("/mark", 1);
    plain.expect_event("/news/sport", "not for those who left");

    plain.disconnect();
    publisher.publish("/news/sport", json!("still served"));
    deep.expect_event("/news/sport", "not for those who left");
    deep.expect_event("/news/sport", "still served");
    for client in [&plain, &wildcard, &deep, &publisher] {
        assert_eq!(client.handshakes_unasked(), 0, "all in one session");
    }
    case.stop(site);
}

/// What a program may take for "nothing" arrives, and one's own events too.
pub(crate) fn keeps_to_the_letter(case: Case) {
    let site = case.site();
    let mut client = case.client(&site.url());
    let mut publisher = case.publisher(&site.url());
    let values = [
        json!(0),
        json!(false),
        json!(""),
        json!([]),
        json!({}),
        json!(-1.5e-7),
        Value::Null,
    ];

    client.subscribe("/values");
    for value in &values {
        publisher.publish("/values", value.clone());
    }
    for value in &values {
        client.expect_event("/values", value.clone());
    }
    client.publish("/values", json!("mine"));
    client.expect_event("/values", "mine");
    case.stop(site);
}

/// Refusals reach the program, and nothing else comes of them.
pub(crate) fn is_told_refusals(case: Case) {
    let site = case.site();
    let mut client = case.client(&site.url());

    assert_eq!(
        client.publish_refused("/values/*", json!(1)),
        "405::channel_invalid"
    );
    let error = client.subscribe_refused("/meta/*");
    assert_eq!(error, "403:denied_by_security_policy:create_denied");
    client.subscribe("/values");
    client.publish("/values", json!("still served"));
    // CometD shows the replies to connects to whoever has asked for them, refused or not.
    let mut events = iter::repeat_with(|| client.event());
    let event = events.find(|event| event.channel != "/meta/connect");
    let told = event.map(|event| (event.channel, event.data));
    assert_eq!(told, Some(("/values".into(), "still served".into())));
    site.stop();
}

/// Many publishes without waiting: none is lost, and one websocket keeps their order.
pub(crate) fn publishes_a_burst(case: Case) {
    const COUNT: u64 = 1_000;
    let site = case.site();
    let mut client = case.publisher(&site.url());
    let mut publisher = case.client(&site.url());

    client.subscribe("/burst");
    publisher.publish_burst("/burst", COUNT);

    let mut numbers: Vec<_> = (0..COUNT)
        .filter_map(|_| client.event().data.as_u64())
        .collect();
    if case.transport != Transport::WebSocket || case.software == Software::AioCometD {
        // A polling client sends parts of a batch side by side, and aiocometd promises no order.
        numbers.sort_unstable();
    }
    assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>());
    publisher.publish("/burst", json!("end"));
    client.expect_event("/burst", "end");
    case.stop(site);
}

/// The server goes away in good order and comes back, then crashes and comes back.
pub(crate) fn survives_restarts(case: Case) {
    let mut site = case.site();
    let cutter = Cutter::to(site.address());
    let mut client = case.client(&cutter.url());
    let mut publisher = case.publisher(&cutter.url());
    client.subscribe("/news/*");
    publisher.publish("/news/a", json!("before"));
    client.expect_event("/news/a", "before");

    for round in ["after it was stopped", "after it crashed"] {
        if round == "after it was stopped" {
            case.stop(site);
        } else {
            site.kill();
        }
        client.loses_the_server();
        site = case.site();
        cutter.lead_to(Some(site.address()));

        client.handshaken();
        client.subscribed("/news/*");
        publisher.handshaken();
        publisher.publish("/news/b", json!(round));
        client.expect_event("/news/b", round);
    }
}

/// Connections break, the session does not.
pub(crate) fn survives_cut_connections(case: Case) {
    let site = case.site();
    let cutter = Cutter::to(site.address());
    let mut client = case.client(&cutter.url());
    let mut publisher = case.publisher(&site.url());
    client.subscribe("/news");

    for round in 1..=5 {
        cutter.cut_all();
        publisher.publish("/news", json!(round));
        client.expect_event("/news", round);
    }

    assert_eq!(client.handshakes_unasked(), 0, "the session lives on");
    case.stop(site);
}

/// The network stands still for a while: what was published meanwhile arrives, in order.
pub(crate) fn outlasts_a_stall(case: Case) {
    // A client gives the server up after 1.2 times its timeout.
    const COUNT: u64 = 50;
    let site = case.site();
    let cutter = Cutter::to(site.address());
    let mut client = case.client(&cutter.url());
    let mut publisher = case.publisher(&site.url());
    client.subscribe("/numbers");

    cutter.stall();
    for number in 1..=COUNT {
        publisher.publish("/numbers", json!(number));
    }
    cutter.flow();

    for number in 1..=COUNT {
        client.expect_event("/numbers", number);
    }
    assert_eq!(client.handshakes_unasked(), 0, "the session lives on");
    case.stop(site);
}
