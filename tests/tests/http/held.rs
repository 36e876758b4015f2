//! Connects that are held, and what ends a hold.

use super::*;

// Proves: AD-2, CN-2, CN-4, CN-7, CN-8, CN-17, DE-10
#[test]
fn the_first_connect_is_answered_at_once_and_the_next_is_held() {
    let server = Server::start(&Settings::default().option("timeout", 400));
    let mut poller = Poller::handshake(server.address(), &[]);
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 400});

    let mut first = ok("/meta/connect", "c");
    first["advice"] = advice.clone();
    assert_eq!(poller.post(json!([poller.connect()])), [first.clone()]);
    // It comes without advice: this one ran into the timeout.
    assert_eq!(
        poller.post(json!([poller.connect()])),
        [ok("/meta/connect", "c")]
    );
    assert_eq!(poller.post(json!([poller.connect_now()])), [first]);
}

// Proves: CN-10, ER-4, ER-6
#[test]
fn an_unknown_session_is_told_to_handshake() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    poller.session = "gone".into();

    let replies = poller.post(json!([poller.connect()]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0]["advice"]["reconnect"], "handshake");
    assert_eq!(replies[0]["advice"]["interval"], 0);
    let replies = poller.post(json!([poller.publish("/t", 1)]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0].get("advice"), None);
}

// Proves: CN-6, RC-1, RC-2, PB-11, FI-5
#[test]
fn an_event_ends_a_hold_and_stands_before_the_reply() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/news/*")]));
    let held = poller.hold();

    publisher.post(json!([publisher.publish("/news/a", "hi")]));

    let event = json!({"channel": "/news/a", "data": "hi"});
    assert_eq!(held.answer().messages(), [event, ok("/meta/connect", "c")]);
}

// Proves: QU-2, RC-3, SU-11
#[test]
fn ones_own_events_ride_on_the_answer_and_leave_the_hold_alone() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    let held = poller.hold();

    let replies = poller.post(json!([
        poller.subscribe("/room"),
        poller.publish("/room", 1)
    ]));
    publisher.post(json!([publisher.publish("/room", 2)]));

    let mut subscribed = ok("/meta/subscribe", "s");
    subscribed["subscription"] = "/room".into();
    let event = |data: u8| json!({"channel": "/room", "data": data});
    assert_eq!(replies, [event(1), subscribed, ok("/room", "p")]);
    assert_eq!(
        held.answer().messages(),
        [event(2), ok("/meta/connect", "c")]
    );
}

// Proves: CN-1, CN-9
#[test]
fn a_newer_connect_ends_the_older_one_with_an_error() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));

    let older = poller.hold();
    let newer = poller.hold();
    let failed = older.answer();
    publisher.post(json!([publisher.publish("/t", 1)]));

    assert_eq!((failed.status, failed.text()), (500, ""));
    let event = json!({"channel": "/t", "data": 1});
    assert_eq!(newer.answer().messages(), [event, ok("/meta/connect", "c")]);
}

// Proves: CN-9
#[test]
fn the_status_of_an_overtaken_connect_is_an_option() {
    let settings = Settings::default().shards(1);
    let server = Server::start(&settings.option("duplicateMetaConnectHttpResponseCode", 409));
    let poller = Poller::connected(server.address());

    let older = poller.hold();
    let _newer = poller.hold();

    assert_eq!(older.answer().status, 409);
}

// Proves: CN-12, DC-1, DC-2
#[test]
fn a_disconnect_releases_the_hold() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let held = poller.hold();

    assert_eq!(
        poller.post(json!([poller.disconnect()])),
        [ok("/meta/disconnect", "d")]
    );

    let mut released = ok("/meta/connect", "c");
    released["advice"] = json!({"reconnect": "none"});
    assert_eq!(held.answer().messages(), [released]);
    let replies = poller.post(json!([poller.disconnect()]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
}

// Proves: CN-14, HT-11, QU-9
#[test]
fn an_aborted_hold_loses_nothing() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));

    poller.hold().abort();
    publisher.post(json!([publisher.publish("/t", 1)]));

    let event = json!({"channel": "/t", "data": 1});
    assert_eq!(
        poller.post(json!([poller.connect()])),
        [event, ok("/meta/connect", "c")]
    );
}

// Proves: TM-11, DE-7
#[test]
fn at_shutdown_held_connects_are_told_when_to_come_back() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let held = poller.hold();
    // Answered after the connect was read, on the one shard there is.
    poller.post(json!([poller.publish("/other", 1)]));

    server.stop();

    let response = held.answer();
    let reply = &response.messages()[0];
    assert_eq!(
        (&reply["successful"], &reply["advice"]["reconnect"]),
        (&json!(true), &json!("retry"))
    );
    assert!(
        reply["advice"]["interval"].is_u64() && reply["advice"]["timeout"].is_u64(),
        "{reply}"
    );
    assert_eq!(response.header("Connection"), Some("close"));
}

// Proves: HT-10, CN-7
#[test]
fn a_hold_outlives_the_deadlines_of_its_connection() {
    let deadlines = ["headerTimeout", "bodyTimeout", "writeTimeout"];
    let settings = deadlines.iter().fold(
        Settings::default().shards(1).option("timeout", 2_500),
        |settings, name| settings.option(&format!("limits.{name}"), 1_000),
    );
    let server = Server::start(&settings);
    let poller = Poller::connected(server.address());

    let answer = poller.hold().answer();

    let reply = &answer.messages()[0];
    assert_eq!(reply["channel"], "/meta/connect");
    assert_eq!(reply["successful"], true, "{answer:?}");
    assert!(reply["advice"].is_null(), "it simply timed out: {reply}");
}
