//! Sessions are looked at and ended.

use bayeux_tests::live::{Poller, Server};
use serde_json::json;

use crate::backend::{Backend, events, listener, settings};

#[test]
fn a_disconnected_session_is_told_and_gone() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let (mut socket, session) = listener(&server, &["/a"]);
    let polling = Poller::connected(server.address());
    let held = polling.hold();

    for session in [&session, &polling.session] {
        let body = json!({"clientId": session});
        assert_eq!(backend.post("disconnect", &body), json!({}));
        for path in ["disconnect", "inspect", "subscriptions"] {
            let refused = backend.refused(path, &body);
            assert_eq!(refused, (404, "session_unknown".into()), "{path}");
        }
    }

    let told = json!({"channel": "/meta/disconnect", "successful": true});
    assert_eq!(events(&mut socket, 1)[..], *std::slice::from_ref(&told));
    let answer = held.answer().messages();
    assert_eq!(answer[0], told);
    assert_eq!(answer[1]["advice"]["reconnect"], "none", "{answer:?}");
}

#[test]
fn a_session_shows_what_it_is_doing() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let (_socket, session) = listener(&server, &["/a", "/b/*"]);
    let body = json!({"clientId": session});

    let mut seen = backend.post("inspect", &body);
    let expires = seen["expiresIn"].take();
    assert!(expires.as_u64().is_some_and(|expires| expires <= 10_000));
    assert_eq!(
        seen,
        json!({
            "clientId": session, "phase": "away", "connectionType": "websocket",
            "acknowledged": false, "subscriptions": ["/a", "/b/*"],
            "queued": {"events": 0, "bytes": 0}, "expiresIn": null
        })
    );
    let subscriptions = backend.post("subscriptions", &body);
    assert_eq!(subscriptions, json!({"subscriptions": ["/a", "/b/*"]}));

    let polling = Poller::handshake(server.address(), &[]);
    let body = json!({"clientId": polling.session});
    let deliver = json!({"clientId": polling.session, "channel": "/c", "data": 1});
    backend.post("deliver", &deliver);
    let seen = backend.post("inspect", &body);
    assert_eq!(seen["phase"], "fresh");
    assert_eq!(seen["connectionType"], json!(null));
    assert_eq!(seen["queued"]["events"], 1);
}
