//! What the rules let through, whatever a channel is called and whoever asks.

use super::*;

/// Who does what where, and what comes of it.
const TABLE: [(Option<&str>, &str, &str, &str); 50] = [
    (STRANGER, "subscribe", "/public/a", OK),
    (STRANGER, "subscribe", "/public/**", OK),
    (STRANGER, "subscribe", "/public", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/**", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/*", NO_SUBSCRIBE),
    (STRANGER, "publish", "/public/a", NO_PUBLISH),
    (STRANGER, "subscribe", "/lobby", OK),
    (STRANGER, "publish", "/lobby", OK),
    (STRANGER, "subscribe", "/lobby/", OK),
    (STRANGER, "subscribe", "/Lobby", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/chat/a", NO_SUBSCRIBE),
    (STRANGER, "publish", "/chat/a", NO_PUBLISH),
    (STRANGER, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/users/{sub}/inbox", NO_SUBSCRIBE),
    (STRANGER, "subscribe", "/admin/a", NO_SUBSCRIBE),
    (STRANGER, "publish", "/service/echo", NO_PUBLISH),
    (STRANGER, "publish", "/service/other", NO_PUBLISH),
    (STRANGER, "subscribe", "/elsewhere", NO_SUBSCRIBE),
    (ANN, "subscribe", "/public/a", OK),
    (ANN, "publish", "/public/a", NO_PUBLISH),
    (ANN, "subscribe", "/chat/a", OK),
    (ANN, "subscribe", "/chat/*", OK),
    (ANN, "subscribe", "/chat/**", NO_SUBSCRIBE),
    (ANN, "subscribe", "/chat/a/b", NO_SUBSCRIBE),
    (ANN, "publish", "/chat/a", OK),
    (ANN, "subscribe", "/users/ann/**", OK),
    (ANN, "publish", "/users/ann/inbox", OK),
    (ANN, "subscribe", "/users/ann", NO_SUBSCRIBE),
    (ANN, "subscribe", "/users/bob/inbox", NO_SUBSCRIBE),
    (ANN, "publish", "/users/bob/inbox", NO_PUBLISH),
    (ANN, "subscribe", "/users/*", NO_SUBSCRIBE),
    (ANN, "subscribe", "/users/**", NO_SUBSCRIBE),
    (ANN, "subscribe", "/rooms/7", OK),
    (ANN, "publish", "/rooms/8", OK),
    (ANN, "subscribe", "/rooms/9", NO_SUBSCRIBE),
    (ANN, "subscribe", "/rooms/*", NO_SUBSCRIBE),
    (ANN, "subscribe", "/admin/a", NO_SUBSCRIBE),
    (ANN, "publish", "/service/echo", OK),
    (ANN, "publish", "/service/other", NO_PUBLISH),
    (ANN, "subscribe", "/**", NO_SUBSCRIBE),
    (ROOT, "subscribe", "/admin/**", OK),
    (ROOT, "publish", "/admin/a/b", OK),
    (ROOT, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (ROOT, "subscribe", "/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/users/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/users/ann/inbox", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/*", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/**", NO_SUBSCRIBE),
    (STAR, "subscribe", "/rooms/7", NO_SUBSCRIBE),
    (STAR, "publish", "/rooms/7", NO_PUBLISH),
];

// Proves: PL-7, PL-9, CH-9, SU-3
#[test]
fn the_rules_decide_what_each_client_may_do_whatever_it_talks_over() {
    let server = Server::start(&settings("").shards(2));
    for over in OVER {
        for who in [STRANGER, ANN, ROOT, STAR] {
            let mut wire = Wire::handshaken(&server, over, who);
            for (_, operation, channel, error) in TABLE.iter().filter(|row| row.0 == who) {
                let reply = wire.does(operation, channel);

                let place = format!("{over:?} {who:?} {operation} {channel}: {reply}");
                let found = reply["error"].as_str().unwrap_or_default();
                assert_eq!(found, *error, "{place}");
                assert_eq!(reply["successful"], *error == OK, "{place}");
                // The session goes on: nothing tells the client to come back, or not to.
                assert_eq!(reply.get("advice"), None, "{place}");
            }
        }
    }
    server.stop();
}

// Proves: SU-3, PL-7
#[test]
fn one_denied_name_or_message_does_not_spoil_its_neighbours() {
    for (all_or_nothing, hears) in [(false, true), (true, false)] {
        let settings = settings("").shards(1);
        let settings = settings.option("subscribeAllOrNothing", all_or_nothing);
        let server = Server::start(&settings);
        let mut root = Wire::handshaken(&server, Over::Polling, ROOT);
        let mut stranger = Wire::handshaken(&server, Over::Polling, STRANGER);
        let session = stranger.session.clone();
        let names = json!(["/lobby", "/admin/a", "/public/b"]);

        let replies = stranger.ask(&json!([
            {"channel": "/meta/subscribe", "id": "1", "clientId": session, "subscription": names},
            {"channel": "/admin/a", "id": "2", "clientId": session, "data": "forged"},
            {"channel": "/meta/subscribe", "id": "3", "clientId": session, "subscription": "/public/c"},
        ]));

        let outcomes: Vec<_> = replies
            .iter()
            .map(|reply| reply["error"].as_str())
            .collect();
        assert_eq!(outcomes, [Some(NO_SUBSCRIBE), Some(NO_PUBLISH), None]);
        root.does("publish", "/admin/a");
        root.does("publish", "/lobby");
        let channels: Vec<_> = stranger
            .events()
            .into_iter()
            .map(|event| event["channel"].clone())
            .collect();
        let heard = if hears {
            vec![json!("/lobby")]
        } else {
            Vec::new()
        };
        assert_eq!(channels, heard);
        server.stop();
    }
}

/// CVE-2020-11020: extensions of Faye saw `/meta/subscribe` only in these very letters, its server took more
/// for a subscription.
// Proves: CH-4, ER-2
#[test]
fn no_spelling_of_a_channel_gets_past_the_rules() {
    let server = guarded("");
    let mut root = Wire::handshaken(&server, Over::Polling, ROOT);
    for over in OVER {
        let mut stranger = Wire::handshaken(&server, over, STRANGER);
        let session = stranger.session.clone();
        let tricks = [
            "/meta/subscribe/x",
            "/meta/subscribe/",
            "/meta/subscribe/*",
            "/meta/subscribe/**",
            " /meta/subscribe",
            "/meta/subscribe ",
            "\t/meta/subscribe",
            "/meta//subscribe",
            "//meta/subscribe",
            "/META/subscribe",
            "/meta/Subscribe",
            "/meta/subscribe\u{0}",
            "/meta/*",
            "/meta/**",
            "/service/../meta/subscribe",
        ];
        for channel in tricks {
            let replies = stranger.ask(&json!([{
                "channel": channel, "id": "1", "clientId": session, "subscription": "/admin/a",
                "data": {},
            }]));
            assert_eq!(replies[0]["successful"], false, "{channel:?}: {replies:?}");
        }
        for name in [
            "/admin/a",
            "/admin/a/",
            " /admin/a",
            "/admin/a\t",
            "//admin/a",
            "/admin//a",
            "/public/../admin/a",
            "/admin/*",
            "/admin/**",
            "/%61dmin/a",
            "/lobby,/admin/a",
        ] {
            let reply = stranger.does("subscribe", name);
            // A name that says something else is another channel; what counts is what arrives.
            let is_other = reply["successful"] == true && name == "/public/../admin/a";
            assert!(
                is_other || reply["successful"] == false,
                "{name:?}: {reply}"
            );
        }
        assert_eq!(stranger.does("subscribe", "/lobby")["successful"], true);

        root.does("publish", "/admin/a");
        root.does("publish", "/lobby");

        let channels: Vec<_> = stranger
            .events()
            .into_iter()
            .map(|event| event["channel"].clone())
            .collect();
        assert_eq!(channels, ["/lobby"], "{over:?}");
    }
    server.stop();
}
