//! What Faye and CometD do when they are denied something.

use super::*;

#[test]
fn clients_of_faye_and_cometd_outlive_their_token_if_they_have_the_next() {
    let settings = settings("requireToken = true\nleeway = 0");
    let server = Server::start(&settings.option("interval", 100));
    let known = |exp| {
        let token = token(ANN.unwrap_or_default(), exp);
        with(json!({"authentication": {"token": token}}))
    };
    for software in [Software::Faye, Software::CometD] {
        let before = known(in_seconds(5));
        let transport = Transport::WebSocket;
        let mut ann = Client::start_with(software, transport, &server.url(), &before);
        ann.handshake();
        ann.connects_over(transport);
        ann.subscribe("/chat/a");
        ann.renew(&known(FUTURE).ext);

        let session = ann.handshaken();

        assert!(!session.is_empty(), "{software:?}");
        ann.connects_over(transport);
        ann.subscribed("/chat/a");
        ann.publish("/chat/a", json!("still here"));
        ann.expect_event("/chat/a", "still here");
        assert_eq!(ann.sent("/meta/handshake"), 2, "{software:?}");
    }
    server.stop();
}

#[test]
fn denied_clients_of_faye_and_cometd_are_told_so_and_do_not_hammer() {
    let server = Server::start(&settings("requireToken = true").option("timeout", HOLD));
    for software in [Software::Faye, Software::CometD] {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let place = format!("{software:?} over {transport:?}");
            let proxy = Cutter::before(&server);
            let ext = json!({"authentication": {"token": token("{}", PAST)}});
            let mut denied = Client::start_with(software, transport, &proxy.url(), &with(ext));

            let reply = denied.handshake_refused();

            assert_eq!(reply["error"], "403::handshake_denied", "{place}");
            assert_eq!(reply["advice"]["reconnect"], "none", "{place}");
            let (sent, handshakes) = (proxy.sent(), denied.sent("/meta/handshake"));
            outlast(&server);
            assert_eq!(denied.sent("/meta/handshake"), handshakes, "{place}");
            assert_eq!(denied.sent("/meta/connect"), 0, "{place}");
            // A websocket may say that it closes.
            let more = proxy.sent() - sent;
            assert!(more <= GOODBYE, "{place} sent {more} bytes more");
        }
    }
    server.stop();
}

#[test]
fn clients_of_faye_and_cometd_are_known_by_the_cookie_of_their_site() {
    let server = Server::start(&settings("requireToken = true\ncookie = 'token'"));
    let cookie = format!("token={}", token(ANN.unwrap_or_default(), FUTURE));
    let extras = Extras {
        cookie: Some(cookie),
        ..Extras::default()
    };
    for (software, transport) in [
        (Software::Faye, Transport::LongPolling),
        // It shakes hands over HTTP in any case.
        (Software::Faye, Transport::WebSocket),
        (Software::CometD, Transport::LongPolling),
    ] {
        let mut ann = Client::start_with(software, transport, &server.url(), &extras);
        ann.handshake();
        ann.connects_over(transport);

        ann.subscribe("/users/ann/inbox");
        ann.publish("/users/ann/inbox", json!("mine"));
        ann.expect_event("/users/ann/inbox", "mine");
        let refused = ann.subscribe_refused("/users/bob/inbox");
        assert!(
            refused.contains("subscribe_denied"),
            "{software:?}: {refused}"
        );
    }
    server.stop();
}

#[test]
fn clients_of_faye_and_cometd_that_are_denied_a_channel_keep_their_session_and_do_not_hammer() {
    let server = Server::start(&settings("requireToken = true").option("timeout", HOLD));
    for software in [Software::Faye, Software::CometD] {
        for transport in [Transport::LongPolling, Transport::WebSocket] {
            let place = format!("{software:?} over {transport:?}");
            let ext = json!({"authentication": {"token": token(ANN.unwrap_or_default(), FUTURE)}});
            let mut ann = Client::start_with(software, transport, &server.url(), &with(ext));
            ann.handshake();
            ann.connects_over(transport);

            let subscribed = ann.subscribe_refused("/admin/a");
            let everything = ann.subscribe_refused("/**");
            let published = ann.publish_refused("/admin/a", json!(1));

            for error in [subscribed, everything] {
                assert!(error.contains("subscribe_denied"), "{place}: {error}");
            }
            assert!(published.contains("publish_denied"), "{place}: {published}");
            let before = ["/meta/subscribe", "/admin/a"].map(|channel| ann.sent(channel));
            outlast(&server);
            let after = ["/meta/subscribe", "/admin/a"].map(|channel| ann.sent(channel));
            assert_eq!(after, before, "{place}");
            assert_eq!(ann.sent("/meta/handshake"), 1, "{place}");
            // One connect at a time, each held for its time.
            let connects = ann.sent("/meta/connect");
            assert!(connects <= 4 * HOLDS, "{place}: {connects} connects");
            ann.subscribe("/chat/a");
            ann.publish("/chat/a", json!("still here"));
            ann.expect_event("/chat/a", "still here");
        }
    }
    server.stop();
}

/// For how many milliseconds a connect is held, and how many holds are long enough for a client to show
/// what it does after a refusal: both libraries try again after less than one.
const HOLD: u64 = 300;
const HOLDS: usize = 10;

/// How many bytes the end of a websocket takes; a handshake takes ten times as many.
const GOODBYE: usize = 32;

/// Goes on until the server has held so many connects.
fn outlast(server: &Server) {
    let mut wire = Wire::handshaken(server, Over::Polling, ANN);
    wire.ask(&json!([wire.connect_now()]));
    for _ in 0..HOLDS {
        let reply = wire.ask(&json!([wire.connect()])).remove(0);
        assert_eq!(reply["successful"], true, "{reply}");
    }
}
