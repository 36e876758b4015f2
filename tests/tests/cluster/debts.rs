//! What the store has still to be told, having been out of reach or having failed.

use std::collections::BTreeSet;

use super::rig::*;
use super::*;

fn goodbye(client: &Client) -> Value {
    json!({"channel": "/meta/disconnect", "clientId": client.session})
}

fn end(client: &Client) -> impl Fn(&StoreRequest) -> bool + use<> {
    let name = name(client);
    move |request| matches!(request, StoreRequest::End { session, .. } if *session == name)
}

/// The store is asked for something like this, and nothing else.
fn asked(script: &mut Script, wanted: impl Fn(&StoreRequest) -> bool) -> StoreTicket {
    let (ticket, request) = script.take_store();
    assert!(wanted(&request), "{request:?}");
    assert!(!script.has_store_requests());
    ticket
}

#[test]
fn a_session_that_ended_while_the_store_was_away_is_ended_once_it_is_back() {
    let mut script = engine(120);
    let [leaves, expires] = [(); 2].map(|()| own(&mut script, HTTP, json!({})));
    script.notify(Notice::Down);
    let exchange = script.request(&leaves, goodbye(&leaves));
    assert_eq!(script.take(exchange)[0]["successful"], true);
    assert!(!script.has_store_requests());

    script.notify(Notice::Up { position: at(120) });

    let ticket = asked(&mut script, end(&leaves));
    script.stored(ticket, StoreReply::Done).after(10_000);
    asked(&mut script, end(&expires));
    nothing_leaks(&mut script);
}

#[test]
fn an_end_that_fails_is_tried_again_until_it_is_done() {
    for late in [false, true] {
        let mut script = engine(120);
        let client = own(&mut script, HTTP, json!({}));
        script.request(&client, goodbye(&client));
        for _ in 0..3 {
            let ticket = asked(&mut script, end(&client));
            if late {
                script.after(5_000);
            } else {
                script.stored(ticket, StoreReply::Failed);
            }
            assert!(!script.has_store_requests());
            script.after(5_000);
        }

        let ticket = asked(&mut script, end(&client));
        script.stored(ticket, StoreReply::Done).after(60_000);

        assert!(!script.has_store_requests());
        assert_eq!(script.engine().load(), Load::default());
    }
}

#[test]
fn whoever_asks_for_a_session_that_has_ended_here_finds_it_ended() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    script.request(&client, goodbye(&client));
    let ticket = asked(&mut script, end(&client));
    script.stored(ticket, StoreReply::Failed);

    let connection = script.connect(&client);

    let (ended, request) = script.take_store();
    assert!(end(&client)(&request), "{request:?}");
    let claimed = asked(&mut script, |request| {
        matches!(request, StoreRequest::Claim { .. })
    });
    script.stored(ended, StoreReply::Done);
    script.stored(claimed, StoreReply::Unknown);
    is_told_to_handshake(&script.take(connection));
    nothing_leaks(&mut script);
}

#[test]
fn a_session_that_has_come_back_is_not_ended() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    script.request(&client, goodbye(&client));
    let ticket = asked(&mut script, end(&client));
    script.stored(ticket, StoreReply::Failed);
    script.connect(&client);
    let (ended, _) = script.take_store();
    let claimed = asked(&mut script, |request| {
        matches!(request, StoreRequest::Claim { .. })
    });

    // The end was not done, says the store, but the claim was.
    let record = SessionRecord {
        session: name(&client),
        ..record(false, 100, 105)
    };
    script.stored(claimed, StoreReply::Claimed(Box::new(record)));
    while script.has_store_requests() {
        script.take_store();
    }
    script.stored(ended, StoreReply::Failed).after(9_000);

    assert_eq!(script.engine().load().sessions, 1);
    assert!(!script.has_store_requests());
    nothing_leaks(&mut script);
}

// Proves: MO-5
#[test]
fn a_session_that_ended_unheard_gets_nothing_twice_when_it_is_claimed_back() {
    let mut script = engine(110);
    let before = released_at(108, record(false, 100, 105));
    let (client, connection) = claim(&mut script, before.clone(), json!({}));
    let ticket = is_read(&mut script, 108, 110);
    script.stored(ticket, StoreReply::Entries(entries([109, 110])));
    assert_eq!(read(&script.take(connection)), (vec![109, 110], None));
    script.request(&client, goodbye(&client));
    let ticket = asked(&mut script, end(&client));
    script.stored(ticket, StoreReply::Failed);

    let connection = script.connect(&client);
    for _ in 0..2 {
        let (ticket, request) = script.take_store();
        let is_claim = matches!(request, StoreRequest::Claim { .. });
        let record = SessionRecord {
            end: at(110),
            ..before.clone()
        };
        script.stored(
            ticket,
            if is_claim {
                StoreReply::Claimed(Box::new(record))
            } else {
                StoreReply::Failed
            },
        );
    }

    script.expect_nothing(connection);
    assert!(!script.has_store_requests());
    log(&mut script, [111]);
    assert_eq!(read(&script.take(connection)), (vec![111], None));
    nothing_leaks(&mut script);
}

fn withdrawal(request: &StoreRequest) -> bool {
    matches!(request, StoreRequest::Unsubscribe { patterns, .. } if patterns[0].as_str() == "/late")
}

/// A client whose subscription the store was asked for, and has failed to confirm.
fn refused(script: &mut Script) -> Client {
    let client = own(script, HTTP, json!({}));
    let connection = script.request(&client, subscribe(&client, "/late"));
    let ticket = asked(script, |request| {
        matches!(request, StoreRequest::Subscribe { .. })
    });
    script.stored(ticket, StoreReply::Failed);
    assert_eq!(script.take(connection)[0]["error"], "503::unavailable");
    client
}

#[test]
fn a_subscription_that_was_refused_is_withdrawn_and_may_be_made_again_at_once() {
    let mut script = engine(120);
    let client = refused(&mut script);
    let withdrawn = asked(&mut script, withdrawal);

    let connection = script.request(&client, subscribe(&client, "/late"));

    let ticket = asked(&mut script, |request| {
        matches!(request, StoreRequest::Subscribe { .. })
    });
    assert_eq!(script.engine().load().unconfirmed, 1);
    script.stored(withdrawn, StoreReply::Done);
    script.stored(ticket, StoreReply::Done);
    assert_eq!(script.take(connection)[0]["successful"], true);
    assert_eq!(script.engine().load().subscriptions, 2);
    nothing_leaks(&mut script);
}

#[test]
fn a_withdrawal_that_fails_is_tried_again_unless_the_client_subscribes() {
    for subscribes in [false, true] {
        let mut script = engine(120);
        let client = refused(&mut script);
        let ticket = asked(&mut script, withdrawal);
        script.stored(ticket, StoreReply::Failed);
        assert_eq!(script.engine().load().debts, 1);
        if subscribes {
            script.request(&client, subscribe(&client, "/late"));
            done(&mut script);
        }

        script.after(5_000);

        assert_eq!(script.has_store_requests(), !subscribes);
        if !subscribes {
            asked(&mut script, withdrawal);
        }
        nothing_leaks(&mut script);
    }
}

#[test]
fn what_is_to_be_withdrawn_is_bounded_as_subscriptions_are() {
    let mut config = Config::default();
    config.limits.max_subscriptions = 2;
    let mut script = Script::with_scripted_store(config);
    let client = own(&mut script, HTTP, json!({}));
    for pattern in ["/1", "/2", "/3"] {
        script.request(&client, subscribe(&client, pattern));
        for _ in 0..2 {
            let (ticket, _) = script.take_store();
            script.stored(ticket, StoreReply::Failed);
        }
    }

    assert_eq!(script.engine().load().debts, 2);
    nothing_leaks(&mut script);
}

// Those that begin are more than may be there when all of them fail at once.
#[test]
fn each_session_that_could_not_begin_is_ended_though_there_may_be_only_one() {
    let mut config = Config::default();
    config.limits.max_sessions = 1;
    let mut script = Script::with_scripted_store(config);
    let handshake = json!({
        "channel": "/meta/handshake",
        "version": "1.0",
        "supportedConnectionTypes": ["long-polling"],
    });
    for _ in 0..3 {
        script.post(handshake.clone());
    }
    script.notify(Notice::Down);
    let opened = [(); 3].map(|()| {
        let (_, request) = script.take_store();
        let StoreRequest::Open(record) = request else {
            panic!("{request:?}");
        };
        record.session
    });
    script.notify(Notice::Reset { position: at(0) });

    script.notify(Notice::Up { position: at(0) });

    let ended = [(); 3].map(|()| {
        let (ticket, request) = script.take_store();
        script.stored(ticket, StoreReply::Done);
        let StoreRequest::End { session, .. } = request else {
            panic!("{request:?}");
        };
        session
    });
    assert_eq!(BTreeSet::from(ended), BTreeSet::from(opened));
    nothing_leaks(&mut script);
}

#[test]
fn what_was_asked_before_the_log_was_lost_fails_and_is_not_believed_afterwards() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let publish = json!({"channel": "/x", "clientId": client.session, "data": 1});
    let published = script.request(&client, publish);
    let (appended, _) = script.take_store();
    let handshake = json!({"channel": "/meta/handshake", "version": "1.0"});
    let shaken = script.post(handshake);
    let (opened, _) = script.take_store();

    script.notify(Notice::Reset { position: at(3) });

    assert_eq!(script.take(published)[0]["error"], "503::unavailable");
    assert_eq!(script.take(shaken)[0]["error"], "503::unavailable");
    let ignored = script.engine().counters().facts_ignored;
    script.stored(appended, StoreReply::Appended(at(121)));
    script.stored(opened, StoreReply::Done);
    assert_eq!(script.engine().counters().facts_ignored, ignored + 2);
    assert_eq!(script.engine().load().sessions, 0);
    assert_eq!(script.engine().seen(), at(3));
    nothing_leaks(&mut script);
}

// Proves: TM-2, TM-5
#[test]
fn a_session_does_not_expire_while_a_message_of_it_is_worked_on() {
    let config = Config {
        store_timeout: Duration::from_secs(15),
        ..Config::default()
    };
    let mut script = Script::with_scripted_store(config);
    let client = own(&mut script, SOCKET, json!({}));
    script.request(&client, subscribe(&client, "/slow"));
    let (ticket, _) = script.take_store();

    script.after(14_000).stored(ticket, StoreReply::Done);
    script.after(9_999);

    assert_eq!(script.engine().load().sessions, 1);
    script.after(2);
    assert_eq!(script.engine().load().sessions, 0);
    nothing_leaks(&mut script);
}

#[test]
fn what_was_to_be_withdrawn_from_a_session_is_void_with_its_end() {
    let mut script = engine(120);
    let client = own(&mut script, HTTP, json!({}));
    let exchange = script.request(&client, subscribe(&client, "/more"));
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Failed);
    assert_eq!(script.take(exchange)[0]["successful"], false);
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Unsubscribe { .. }));
    script.stored(ticket, StoreReply::Failed);
    assert_eq!(script.engine().load().debts, 1);

    script.request(&client, goodbye(&client));

    assert_eq!(script.engine().load().debts, 0);
    nothing_leaks(&mut script);
}
