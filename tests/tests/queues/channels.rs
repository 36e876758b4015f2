//! How many channels there may be, and how long each of them stays.

use super::bounds::{data, limited};
use bayeux_core::testing::Script;
use bayeux_core::{
    Call, CallResult, ChannelPattern, ChannelRule, Config, Limits, QueuePolicy, ReportKind,
    Transport,
};
use bayeux_tests::talk::*;
use serde_json::{Value, json};

#[test]
fn a_subscription_makes_no_channel_beyond_the_limit() {
    let limits = Limits {
        max_channels: 2,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::End);
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/there");

    let wanted = json!(["/there", "/new", "/new", "/more"]);
    let reply = ask(&mut script, &alice, subscribe(&alice, wanted));

    assert_eq!(reply[0]["error"], "403:too_many_channels:create_denied");
    assert_eq!(subscriptions(&mut script, &alice), ["/there", "/new"]);
    assert_eq!(script.engine().load().channels, 2);
    assert_eq!(script.engine().counters().channels_limited, 1);
    script.expect_no_trace();
}

#[test]
fn a_publish_needs_no_channel_beyond_the_limit() {
    let limits = Limits {
        max_channels: 1,
        ..Limits::default()
    };
    let mut script = limited(limits, QueuePolicy::End);
    let (alice, bob) = (script.connected(), script.connected());
    script.subscribe(&bob, "/**");

    let reply = ask(&mut script, &alice, publish(&alice, "/new", json!(1)));

    assert_eq!(reply, json!([ok("/new")]));
    assert_eq!(data(&mut script, &bob), [1]);
    assert_eq!(script.engine().load().channels, 1);
    assert_eq!(script.engine().counters().channels_limited, 1);
    script.expect_no_trace();
}

fn channel_reports(script: &mut Script) -> Vec<(char, String)> {
    let mut channels = Vec::new();
    for report in script.reports() {
        if let ReportKind::ChannelCreated(channel) = &report {
            channels.push(('+', channel.as_str().to_owned()));
        }
        if let ReportKind::ChannelRemoved(channel) = &report {
            channels.push(('-', channel.as_str().to_owned()));
        }
    }
    channels
}

fn created(channel: &str) -> Vec<(char, String)> {
    vec![('+', channel.to_owned())]
}

fn removed(channel: &str) -> Vec<(char, String)> {
    vec![('-', channel.to_owned())]
}

// Proves: CH-13
#[test]
fn a_channel_that_is_published_to_stays_for_three_sweeps() {
    for by_call in [true, false] {
        let mut script = Script::new(Config::default());
        let socket = script.connected_over(Transport::WebSocket, Value::Null);
        script.connect(&socket);
        let publish_again = |script: &mut Script| {
            if by_call {
                script.publish("/a", json!(1));
            } else {
                script.request(&socket, publish(&socket, "/a", json!(1)));
            }
        };

        publish_again(&mut script);
        assert_eq!(channel_reports(&mut script), created("/a"), "{by_call}");
        script.after(2_000);
        publish_again(&mut script);
        script.after(2_990);
        assert_eq!(channel_reports(&mut script), [], "used again");
        script.after(1);

        assert_eq!(channel_reports(&mut script), removed("/a"));
        assert_eq!(script.engine().load().channels, 0);
        publish_again(&mut script);
        assert_eq!(channel_reports(&mut script), created("/a"));
        script.expect_no_trace();
    }
}

// Proves: CH-13
#[test]
fn a_channel_stays_while_somebody_is_subscribed() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.connect(&alice);
    script.subscribe(&alice, "/a/*");
    assert_eq!(channel_reports(&mut script), created("/a/*"));

    script.after(20_000);
    assert_eq!(channel_reports(&mut script), []);
    script.request(&alice, unsubscribe(&alice, json!("/a/*")));
    script.after(2_990);
    assert_eq!(channel_reports(&mut script), []);
    script.after(1);

    assert_eq!(channel_reports(&mut script), removed("/a/*"));
    script.expect_no_trace();
}

// Proves: CH-13
#[test]
fn a_channel_is_used_again_when_somebody_subscribes_in_time() {
    let mut script = Script::new(Config::default());
    let alice = script.connected_over(Transport::WebSocket, Value::Null);
    script.connect(&alice);
    script
        .publish("/a", json!(1))
        .after(2_990)
        .subscribe(&alice, "/a");

    script.after(20_000);

    assert_eq!(channel_reports(&mut script), created("/a"));
    script.expect_no_trace();
}

// Proves: CH-13
#[test]
fn a_persistent_channel_stays() {
    let mut script = Script::new(Config {
        channels: vec![ChannelRule {
            pattern: "/a/*".parse().unwrap(),
            lazy: None,
            broadcast_to_publisher: None,
            persistent: true,
        }],
        ..Config::default()
    });

    script
        .publish("/a/b", json!(1))
        .publish("/b", json!(1))
        .after(10_000);

    let CallResult::Channels(channels, None) =
        script.call(Call::ListChannels { from: 0, limit: 10 })
    else {
        panic!("channels are listed")
    };
    let stays: ChannelPattern = "/a/b".parse().unwrap();
    assert_eq!(channels, [(stays, 0)]);
}
