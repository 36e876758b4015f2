//! Who decides on a handshake, what it is shown, and what its refusal looks like.

use super::*;

// Proves: HS-8
#[test]
fn policy_sees_ext_headers_and_cookies() {
    let mut script = Script::new(asking());
    let details = PeerDetails {
        origin: Some("https://shop.example".into()),
        path: "/bayeux/handshake".into(),
        headers: [("authorization".into(), "Bearer x".into())].into(),
    };
    let browser = BrowserId::parse("0123456789abcdefghijklmn");
    let peer = Peer {
        browser,
        details: Some(Arc::new(details.clone())),
        ..Peer::default()
    };

    let credentials = json!({"authentication": {"token": "t"}});
    script.post_as(peer, handshake_with(json!({"ext": credentials})));

    let question = script.question().unwrap();
    assert_eq!(question.peer.details.as_deref(), Some(&details));
    assert_eq!(question.peer.browser, browser);
    let Subject::Handshake(message) = &question.subject else {
        panic!("{question:?}")
    };
    let seen = message.ext.as_ref().unwrap().get("authentication").unwrap();
    assert_eq!(seen.as_str(), r#"{"token":"t"}"#);
    script.expect_no_trace();
}

// Proves: HS-9, AD-5
#[test]
fn a_refused_handshake_says_so_in_the_words_of_the_policy() {
    let own = bayeux_core::Advice {
        reconnect: Some(Reconnect::Handshake),
        interval: Some(500),
        ..<_>::default()
    };
    let why = Extensions::new().with("why", Payload::string("no seat"));
    for (advice, expected) in [
        (None, json!({"reconnect": "none"})),
        (
            Some(own),
            json!({"reconnect": "handshake", "interval": 500}),
        ),
    ] {
        let mut script = Script::new(asking());
        let connection = shake(&mut script, POLLING, handshake());
        let ext = Some(why.clone());

        let denial = Denial {
            advice,
            ext,
            ..Denial::default()
        };
        script.decide(Verdict::Deny(Box::new(denial)));

        let reply = script.take(connection);
        assert_eq!(reply[0]["error"], json!("403::handshake_denied"));
        assert_eq!(reply[0]["successful"], json!(false));
        assert_eq!(reply[0]["advice"], expected);
        assert_eq!(reply[0]["ext"], json!({"why": "no seat"}));
        assert_eq!(reply[0].get("clientId"), None);
        assert_eq!(script.cookie(connection), None);
        assert_eq!(script.reports(), []);
        script.expect_no_trace();
    }
}

// Proves: AD-5
#[test]
fn an_outage_is_no_refusal() {
    for stalled in [false, true] {
        let mut script = Script::new(if stalled { Config::default() } else { asking() });
        if stalled {
            script.stall_store();
        }
        let connection = shake(&mut script, POLLING, handshake());

        script.after(10_000);

        let reply = script.take(connection);
        assert_eq!(reply[0]["error"], json!("503::unavailable"));
        assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
        assert!(reply[0]["advice"]["interval"].as_u64().unwrap() <= 5_000);
        assert_eq!(script.cookie(connection), None);
        script.expect_no_trace();
    }
}
