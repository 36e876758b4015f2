//! Reports, and counters: each moves when it should, and by as much.

use core::time::Duration;
use std::collections::BTreeMap;

use bayeux_core::testing::{Client, Script};
use bayeux_core::{
    Call, Config, Counters, Decider, DeciderId, Limits, Notice, Peer, Position, Removal,
    ReportKind, Reports, Role, Scope, StoreReply, StoreRequest, Transport, Verdict,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

// Proves: PL-10
#[test]
fn the_life_of_a_session_is_reported() {
    let mut script = Script::new(Config::default());
    let alice = script.handshaken();
    let id = session(&alice);
    assert_eq!(script.reports(), [ReportKind::SessionCreated(id)]);

    script.first_connect(&alice);
    assert_eq!(script.reports(), [ReportKind::SessionConnected(id)]);
    script.connect_with(&alice, json!({"advice": {"timeout": 0}}));
    assert_eq!(script.reports(), [], "connected once");

    let a: bayeux_core::ChannelPattern = "/a".parse().unwrap();
    script.subscribe(&alice, "/a").subscribe(&alice, "/a");
    assert_eq!(
        script.reports(),
        [
            ReportKind::ChannelCreated(a.clone()),
            ReportKind::Subscribed(id, a.clone()),
        ]
    );
    ask(&mut script, &alice, unsubscribe(&alice, json!("/a")));
    assert_eq!(script.reports(), [ReportKind::Unsubscribed(id, a.clone())]);
    script.after(3_000);
    assert_eq!(script.reports(), [ReportKind::ChannelRemoved(a)]);

    script.after(10_000);
    assert_eq!(
        script.reports(),
        [ReportKind::SessionRemoved(id, Removal::Expired)]
    );
    script.expect_no_trace();
}

#[test]
fn messages_are_reported_if_that_is_wanted() {
    for messages in [true, false] {
        let mut script = Script::new(Config {
            reports: Reports { messages },
            ..Config::default()
        });
        let (alice, bob) = (script.connected(), script.connected());
        script.subscribe(&bob, "/a").subscribe(&alice, "/b");
        script.reports();

        ask(&mut script, &alice, publish(&alice, "/a", json!(1)));
        script.publish("/a", json!(2));
        events(&mut script, &bob);

        let (from, to) = (session(&alice), session(&bob));
        let (first, second) = (Position::new(1), Position::new(2));
        let expected = [
            ReportKind::Published(Some(from), first),
            ReportKind::Published(None, second),
            ReportKind::Delivered(to, first),
            ReportKind::Delivered(to, second),
        ];
        let reports = script.reports().into_iter();
        let reports = Vec::from_iter(
            reports.filter(|report| !matches!(report, ReportKind::ChannelCreated(_))),
        );
        assert_eq!(reports, expected[..if messages { 4 } else { 0 }]);
        script.expect_no_trace();
    }
}

// Proves: DC-5
#[test]
fn what_the_last_connect_takes_is_reported_as_delivered() {
    let mut script = Script::new(Config {
        reports: Reports { messages: true },
        ..Config::default()
    });
    let alice = script.connected();
    script.subscribe(&alice, "/a").publish("/a", json!(1));
    script.call(Call::Disconnect {
        session: session(&alice),
    });
    script.reports();

    let last = script.connect(&alice);

    assert_eq!(
        messages(&mut script, last)[0],
        bayeux_core::testing::event("/a", json!(1))
    );
    let delivered = ReportKind::Delivered(session(&alice), Position::new(1));
    assert!(script.reports().contains(&delivered));
    script.expect_no_trace();
}

#[test]
fn an_event_is_reported_as_delivered_once_it_is_written() {
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut script = Script::new(Config {
            reports: Reports { messages: true },
            ..Config::default()
        });
        let alice = script.connected_over(transport, Value::Null);
        let held = script.connect(&alice);
        let is_delivered = |script: &mut Script| {
            let mut reports = script.reports().into_iter();
            reports.any(|report| matches!(report, ReportKind::Delivered(..)))
        };
        script.write_by_hand();
        deliver(
            &mut script,
            &alice,
            "/a",
            json!(1),
            bayeux_core::Laziness::Prompt,
        );

        assert!(!is_delivered(&mut script));
        script.written(held);

        assert!(is_delivered(&mut script), "{transport:?}");
        script.expect_no_trace();
    }
}

/// By how much each counter moves while `act` acts; what moves with every fact left out.
fn moves(script: &mut Script, act: impl FnOnce(&mut Script)) -> BTreeMap<&'static str, u64> {
    let before = *script.engine().counters();
    act(script);
    moved(&before, script.engine().counters())
}

fn moved(before: &Counters, after: &Counters) -> BTreeMap<&'static str, u64> {
    let both = before.iter().zip(after.iter());
    let moved = both.filter(|((name, before), (_, after))| {
        assert!(after >= before, "{name} went down");
        after > before && *name != "facts"
    });
    moved
        .map(|((name, before), (_, after))| (name, after - before))
        .collect()
}

fn these<const N: usize>(counters: [(&'static str, u64); N]) -> BTreeMap<&'static str, u64> {
    BTreeMap::from(counters)
}

#[test]
fn what_happens_to_sessions_is_counted() {
    let mut script = Script::new(Config::default());
    let mut alice = None;

    let moved = moves(&mut script, |script| alice = Some(script.connected()));
    let alice = alice.unwrap();
    assert_eq!(moved, these([("messages_received", 2), ("handshakes", 1)]));

    let moved = moves(&mut script, |script| _ = script.connect(&alice));
    assert_eq!(
        moved,
        these([("messages_received", 1), ("connects_held", 1)])
    );

    let moved = moves(&mut script, |script| _ = script.connect(&alice));
    assert_eq!(
        moved,
        these([
            ("messages_received", 1),
            ("connects_held", 1),
            ("connects_overtaken", 1)
        ])
    );

    let moved = moves(&mut script, |script| _ = script.after(40_000));
    assert_eq!(
        moved,
        these([("sessions_removed", 1), ("sessions_expired", 1)])
    );

    let moved = moves(&mut script, |script| _ = script.connect(&alice));
    assert_eq!(
        moved,
        these([("messages_received", 1), ("messages_refused", 1)])
    );
    script.expect_no_trace();
}

#[test]
fn the_load_says_what_is_held() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    script.subscribe(&alice, "/a");

    let load = script.engine().load();

    assert_eq!((load.sessions, load.timers), (1, 1));
    assert_eq!((load.channels, load.subscriptions), (1, 1));
    script.expect_no_trace();
}

#[test]
fn what_happens_to_events_is_counted() {
    let mut script = Script::new(Config::default());
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&alice, "/a").subscribe(&bob, "/a");

    let moved = moves(&mut script, |script| _ = script.publish("/a", json!(1)));
    assert_eq!(
        moved,
        these([("published", 1), ("entries_seen", 1), ("events_queued", 2)])
    );

    let moved = moves(&mut script, |script| _ = events(script, &bob));
    assert_eq!(
        moved,
        these([("messages_received", 1), ("events_written", 1)])
    );

    let moved = moves(&mut script, |script| {
        ask(script, &bob, publish(&bob, "/a", json!(2)));
    });
    assert_eq!(
        moved,
        these([
            ("messages_received", 1),
            ("published", 1),
            ("entries_seen", 1),
            ("events_queued", 2),
            ("events_written", 1),
        ])
    );

    let moved = moves(&mut script, |script| _ = script.after(20_000));
    assert_eq!(
        moved,
        these([
            ("sessions_removed", 2),
            ("sessions_expired", 2),
            ("events_discarded", 2)
        ])
    );
    script.expect_no_trace();
}

#[test]
fn what_was_queued_was_written_dropped_discarded_or_waits() {
    // However a session ends, nothing is lost without a count.
    for (case, transport) in ["expires", "client", "server", "held", "cut", "late"]
        .iter()
        .flat_map(|case| [Transport::LongPolling, Transport::WebSocket].map(|t| (*case, t)))
    {
        let mut script = Script::new(Config {
            meta_connect_deliver_only: case == "late",
            ..Config::default()
        });
        let alice = script.connected_over(transport, Value::Null);
        let id = session(&alice);
        for data in 0..3 {
            deliver(
                &mut script,
                &alice,
                "/a",
                json!(data),
                bayeux_core::Laziness::Lazy,
            );
        }
        if case == "held" {
            script.connect(&alice);
        }
        match case {
            "expires" => _ = script.after(20_000),
            "client" => _ = script.request(&alice, disconnect(&alice)),
            "cut" => {
                script.write_by_hand();
                let connection = script.request(&alice, disconnect(&alice));
                script.close(connection);
            }
            _ => {
                script.call(Call::Disconnect { session: id });
            }
        }
        script.expect_no_trace();

        let counters = *script.engine().counters();
        assert_eq!(counters.events_queued, 3);
        let ended = counters.events_written + counters.events_dropped + counters.events_discarded;
        assert_eq!(ended, 3, "{case} {transport:?}: {counters:?}");
    }
}

#[test]
fn what_deciders_do_is_counted() {
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: Role::Handler(Scope::Pattern("/service/*".parse().unwrap())),
        }],
        ..Config::default()
    });
    let alice = script.connected();

    let moved = moves(&mut script, |script| {
        script.request(&alice, publish(&alice, "/service/x", json!(1)));
        script.decide(Verdict::Allow);
    });
    assert_eq!(moved, these([("messages_received", 1), ("decisions", 1)]));

    let moved = moves(&mut script, |script| {
        script.request(&alice, publish(&alice, "/service/x", json!(1)));
        script.after(10_000);
    });
    assert_eq!(moved.get("decisions_late"), Some(&1));
    assert_eq!(moved.get("messages_refused"), Some(&1));
    script.expect_no_trace();
}

#[test]
fn what_the_store_does_is_counted() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);

    let moved = moves(&mut script, |script| {
        script.request(&alice, publish(&alice, "/a", json!(1)));
        let (ticket, _) = script.take_store();
        script.stored(ticket, StoreReply::Failed);
    });
    assert_eq!(
        moved,
        these([
            ("messages_received", 1),
            ("messages_refused", 1),
            ("store_failed", 1)
        ])
    );

    let moved = moves(&mut script, |script| {
        script.request(&alice, publish(&alice, "/a", json!(1)));
        script.after(5_000);
    });
    assert_eq!(moved.get("store_late"), Some(&1));
    script.expect_no_trace();
}

#[test]
fn what_moves_between_engines_is_counted() {
    let mut script = Script::with_scripted_store(Config::default());
    let alice = connected_by_hand(&mut script);

    let moved = moves(&mut script, |script| {
        script.notify(Notice::Taken {
            session: session(&alice),
            fence: bayeux_core::Fence(2),
        });
        let (ticket, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Part { .. }));
        script.stored(ticket, StoreReply::Done);
    });
    assert_eq!(
        moved,
        these([("sessions_removed", 1), ("sessions_taken", 1)])
    );

    let moved = moves(&mut script, |script| {
        script.request(&alice, publish(&alice, "/a", json!(1)));
        let (ticket, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Forward { .. }));
        script.stored(ticket, StoreReply::Answered(Vec::new()));
    });
    assert_eq!(moved, these([("messages_received", 1), ("forwarded", 1)]));

    let moved = moves(&mut script, |script| {
        script.connect(&alice);
        let (ticket, request) = script.take_store();
        assert!(matches!(request, StoreRequest::Claim { .. }));
        let record = bayeux_core::SessionRecord {
            fence: bayeux_core::Fence(3),
            ..bayeux_core::SessionRecord::new(session(&alice))
        };
        script.stored(ticket, StoreReply::Claimed(Box::new(record)));
    });
    assert_eq!(moved.get("sessions_claimed"), Some(&1));
    script.expect_no_trace();
}

#[test]
fn what_a_limit_refuses_is_counted() {
    let mut script = Script::new(Config {
        limits: Limits {
            max_sessions: 3,
            ..Limits::default()
        },
        ..Config::default()
    });
    let cookie = bayeux_core::BrowserId::parse(&"b".repeat(24)).unwrap();
    let browser = Peer {
        browser: Some(cookie),
        ..Peer::default()
    };
    let tabs = [0, 1].map(|_| {
        let tab = script.handshaken_as(browser.clone(), Transport::LongPolling, Value::Null);
        script.first_connect(&tab);
        tab
    });
    script.connect(&tabs[0]);
    let moved = moves(&mut script, |script| _ = script.connect(&tabs[1]));
    assert_eq!(
        moved,
        these([("messages_received", 1), ("connects_multiple", 1)])
    );

    script.connected();
    let moved = moves(&mut script, |script| _ = shake_hands(script));
    assert_eq!(
        moved,
        these([
            ("messages_received", 1),
            ("messages_refused", 1),
            ("handshakes_refused", 1),
            ("handshakes_limited", 1),
        ])
    );
    script.expect_no_trace();
}

#[test]
fn a_refused_handshake_is_counted() {
    let policy = Role::Policy(bayeux_core::Operations::ALL);
    let mut script = Script::new(Config {
        deciders: vec![Decider {
            id: DeciderId(1),
            role: policy,
        }],
        ..Config::default()
    });

    let moved = moves(&mut script, |script| {
        shake_hands(script);
        script.decide(Verdict::Deny(Box::default()));
    });

    assert_eq!(
        moved,
        these([
            ("messages_received", 1),
            ("messages_refused", 1),
            ("handshakes_refused", 1),
            ("decisions", 1),
        ])
    );
    script.expect_no_trace();
}

// Proves: TM-6
#[test]
fn many_sessions_expire_at_once() {
    let mut script = Script::new(Config {
        max_interval: Duration::from_secs(1),
        ..Config::default()
    });
    let clients: Vec<Client> = (0..200).map(|_| script.connected()).collect();
    for client in &clients {
        script
            .subscribe(client, "/a")
            .subscribe(client, &format!("/{}", client.session));
    }

    script.after(1_000);

    assert_eq!(script.engine().counters().sessions_expired, 200);
    script.expect_no_trace();
}
