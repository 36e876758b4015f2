//! Holes that servers of this protocol, and of its transports, have had: each by its name, closed here.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{HttpConnection, Poller, Response, Server, Settings, WebSocket, percent};
use serde_json::{Value, json};

fn one_shard() -> Settings {
    Settings::default().shards(1)
}

fn handshake() -> Value {
    json!({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket", "long-polling"]})
}

fn post(server: &Server, headers: &[(&str, &str)], messages: &Value) -> Response {
    HttpConnection::open(server.address()).request(
        "POST",
        Server::PATH,
        headers,
        &messages.to_string(),
    )
}

/// Somebody who is told of everything that clients may be told of.
fn listener(server: &Server) -> Poller {
    let mut listener = Poller::connected(server.address());
    let replies = listener.post(json!([listener.subscribe("/**")]));
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
    listener
}

/// What it has been told since the last time.
fn heard(listener: &mut Poller) -> Vec<Value> {
    let mut messages = listener.post(json!([listener.connect_now()]));
    let reply = messages.pop().expect("a reply to the connect");
    assert_eq!(reply["successful"], true, "{reply}");
    messages
}

// Proves: CH-12, ER-2, PL-7, DE-12
#[test]
fn cve_2020_11020_no_other_name_for_a_meta_channel_passes_by_its_deciders() {
    // Faye took any channel that begins with `/meta/subscribe/` for a subscribe, past extensions that compare the name.
    let server = Server::start(&one_shard().conformance());
    let mut listener = listener(&server);
    let mut attacker = Poller::connected(server.address());
    let variants = |name: &str| {
        let upper = name.to_uppercase();
        [
            format!("{name}/x"),
            format!("{name}/"),
            format!("{name}//"),
            format!("/{name}"),
            format!("{name}\0"),
            format!("{name}\0/x"),
            format!("{name} "),
            format!(" {name}"),
            format!("{name}\t"),
            format!("{name}\n"),
            format!("{name}?"),
            format!("{name}#"),
            format!("{name}%00"),
            format!("{name};x"),
            format!("{name}/*"),
            format!("{name}/**"),
            format!("{name}/../x"),
            upper,
            name.replace("/meta/", "/Meta/"),
            name.replace("/meta/", "/meta//"),
            name.replace("/meta/", "/meta/./"),
            name.replace("/meta/", "\\meta\\"),
            name.replace("/meta/", "meta/"),
            name.replace('e', "\u{435}"),
            name.replace('/', "\u{2215}"),
            name.replace("/meta/", "/meta%2f"),
            name.replace("/meta", "/%6deta"),
        ]
    };

    for name in variants("/meta/handshake") {
        let mut message = handshake();
        message["channel"] = name.as_str().into();
        message["ext"] = json!({"conformance": {"deny": true}});
        let replies = post(&server, &[], &json!([message])).messages();
        assert_eq!(replies.len(), 1, "{name:?}");
        assert_eq!(replies[0]["successful"], false, "{name:?}: {replies:?}");
        assert_eq!(replies[0]["clientId"], Value::Null, "{name:?}: {replies:?}");
    }
    for operation in [
        "/meta/subscribe",
        "/meta/unsubscribe",
        "/meta/connect",
        "/meta/disconnect",
    ] {
        for name in variants(operation) {
            let message = json!({
                "channel": name, "clientId": attacker.session, "subscription": "/secret", "connectionType": "long-polling",
                "advice": {"timeout": 0}, "data": 1
            });
            let mut replies = attacker.post(json!([message]));
            // Of those that are ordinary channels, `/Meta/subscribe` say, it is a publish and no more.
            replies.retain(|reply| reply.get("data").is_none());
            let is_ordinary = ["/META/", "/Meta/"]
                .iter()
                .any(|begin| name.starts_with(begin));
            assert_eq!(
                replies[0]["successful"], is_ordinary,
                "{name:?}: {replies:?}"
            );
        }
    }
    let published = heard(&mut listener);
    assert!(
        published.iter().all(|event| event["channel"]
            .as_str()
            .is_some_and(|name| name.starts_with("/META/") || name.starts_with("/Meta/"))),
        "{published:?}"
    );
    listener.post(json!([listener.publish("/secret", 1)]));
    assert_eq!(heard(&mut attacker), [Value::Null; 0], "it has subscribed");
    let alive = attacker.post(json!([attacker.publish("/alive", 1)]));
    assert_eq!(alive[0]["successful"], true, "it has disconnected");
}

// Proves: CH-3, SV-1, DE-23
#[test]
fn cve_2020_11020_no_other_name_for_a_service_passes_by_its_handler() {
    let server = Server::start(&one_shard().conformance());
    let mut listener = listener(&server);
    let mut attacker = Poller::connected(server.address());

    for name in [
        "/service/conformance/deliver",
        "/service/conformance/deliver/",
        " /service/conformance/deliver",
        "/service/conformance/deliver\t",
        "/service/conformance/DELIVER",
        "/service/conformance/deliver/x",
        "/service//conformance/deliver",
        "/service/conformance/*",
        "/service/**",
        "/service",
        "/service/",
    ] {
        let delivery = json!({"channel": "/private", "data": "for the attacker alone"});
        let replies = attacker.post(json!([attacker.publish(name, delivery)]));
        let delivered = replies
            .iter()
            .filter(|reply| reply["channel"] == "/private")
            .count();
        let is_the_service = name.trim().trim_end_matches('/') == "/service/conformance/deliver";
        assert_eq!(
            delivered,
            usize::from(is_the_service),
            "{name:?}: {replies:?}"
        );
    }
    assert_eq!(heard(&mut listener), [Value::Null; 0]);
}

// Proves: BR-3, BR-4, DE-5, PL-3, RC-4
#[test]
fn a_client_id_is_of_no_use_to_another_browser() {
    let server = Server::start(&one_shard());
    let cookie = ("Cookie", "BAYEUX_BROWSER=000000000000000000000000");
    let thief = ("Cookie", "BAYEUX_BROWSER=111111111111111111111111");
    let mut victim = Poller::connected_with(server.address(), &[cookie]);
    victim.post(json!([victim.subscribe("/mine")]));
    let mut publisher = Poller::connected(server.address());
    publisher.post(json!([publisher.publish("/mine", "for the victim")]));

    for headers in [&[thief][..], &[]] {
        let actions = [
            victim.connect_now(),
            victim.subscribe("/more"),
            victim.publish("/mine", "forged"),
            victim.disconnect(),
        ];
        for action in actions {
            let response = post(&server, headers, &json!([action]));
            let replies = response.messages();
            assert_eq!(replies.len(), 1, "events of the victim: {replies:?}");
            assert_eq!(replies[0]["error"], "402::session_unknown", "{replies:?}");
        }
    }
    let (mut socket, _) = WebSocket::upgrade(server.address(), Server::PATH, &[thief]);
    socket.send(&json!([victim.connect_now()]));
    assert_eq!(socket.messages()[0]["error"], "402::session_unknown");

    let event = json!({"channel": "/mine", "data": "for the victim"});
    assert_eq!(
        heard(&mut victim),
        [event],
        "nothing was taken, and nothing forged"
    );
}

// Proves: WS-5, PL-3, RC-4
#[test]
fn a_client_id_is_of_no_use_on_a_socket_or_in_a_request_of_another_session() {
    let server = Server::start(&one_shard());
    let mut victim = Poller::connected(server.address());
    victim.post(json!([victim.subscribe("/mine")]));
    let mut thief = Poller::connected(server.address());
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send(&json!([handshake()]));
    assert_eq!(socket.messages()[0]["successful"], true);
    let actions = [
        victim.connect_now(),
        victim.subscribe("/more"),
        victim.publish("/mine", "forged"),
        victim.disconnect(),
    ];

    for action in actions {
        socket.send(&json!([action]));
        assert_eq!(
            socket.messages()[0]["error"],
            "402::session_unknown",
            "{action}"
        );
        // Behind a message of its own.
        let replies = thief.post(json!([thief.publish("/other", 1), action]));
        assert_eq!(replies.len(), 2, "{replies:?}");
        assert_eq!(replies[1]["error"], "402::session_unknown", "{replies:?}");
    }

    assert_eq!(heard(&mut victim), [Value::Null; 0]);
    let of_another = post(&server, &[], &json!([victim.publish("/mine", 1)])).messages();
    let unknown = post(
        &server,
        &[],
        &json!([{"channel": "/mine", "id": "p", "clientId": "gone", "data": 1}]),
    )
    .messages();
    assert_eq!(
        of_another.last().map(|reply| &reply["successful"]),
        Some(&json!(true)),
        "without a cookie it is found"
    );
    assert_eq!(unknown[0]["error"], "402::session_unknown");
}

// Proves: FI-3, HS-1, PL-3
#[test]
fn a_client_id_of_a_wrong_type_is_no_session_and_no_failure() {
    // CometD answered a number with 500.
    let server = Server::start(&one_shard());
    for id in [
        json!(1),
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("__proto__"),
        json!("*"),
        json!("x".repeat(100_000)),
    ] {
        for channel in ["/meta/connect", "/meta/subscribe", "/meta/disconnect", "/a"] {
            let message =
                json!({"channel": channel, "clientId": id, "subscription": "/a", "data": 1});
            let replies = post(&server, &[], &json!([message])).messages();
            assert_eq!(replies[0]["error"], "402::session_unknown", "{channel}");
        }
        let mut message = handshake();
        message["clientId"] = id.clone();
        let replies = post(&server, &[], &json!([message])).messages();
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        assert_ne!(replies[0]["clientId"], id);
    }
}

// Proves: HS-1, HS-2, BR-1
#[test]
fn session_fixation_neither_session_nor_cookie_is_chosen_by_the_client() {
    let server = Server::start(&one_shard());
    let existing = Poller::connected(server.address());
    for cookie in [
        "evil",
        "",
        "000000000000000000000000; x",
        "00000000000000000000000",
        "0000000000000000000000000",
        "00000000000000000000000A",
    ] {
        let mut message = handshake();
        message["clientId"] = existing.session.as_str().into();
        let value = format!("BAYEUX_BROWSER=\"{cookie}\"");
        let response = post(&server, &[("Cookie", &value)], &json!([message]));

        let reply = &response.messages()[0];
        assert_eq!(reply["successful"], true);
        assert_ne!(reply["clientId"], existing.session.as_str());
        let set = response.header("Set-Cookie").expect("a cookie of its own");
        assert!(
            set.contains("HttpOnly") && !set.contains(&format!("={cookie};")),
            "{set}"
        );
    }
}

/// Origins that are not the server's own, however much they look like it.
fn foreign_origins(server: &Server) -> Vec<String> {
    let own = server.address();
    let other = own.port() ^ 1;
    vec![
        "http://evil.example".into(),
        "null".into(),
        "http://127.0.0.1".into(),
        format!("http://127.0.0.1:{other}"),
        format!("http://{own}.evil.example"),
        format!("http://evil.example/{own}"),
        format!("http://{own}@evil.example"),
        format!("http://evil.example#{own}"),
        format!("http://evil{own}"),
        format!("http://localhost:{}", own.port()),
        format!("http://{own}0"),
        format!("file://{own}/"),
        "*".into(),
        format!("http://evil.example http://{own}"),
    ]
}

// Proves: WS-3, XO-4, XO-2, DE-20
#[test]
fn cross_site_websocket_hijacking_no_foreign_origin_opens_a_socket_or_posts() {
    let server = Server::start(&one_shard().option("allowConnectionlessPublish", true));
    let mut listener = listener(&server);
    let publish = json!([{"channel": "/forged", "data": 1}]);

    for origin in foreign_origins(&server) {
        let headers = [("Origin", origin.as_str())];
        let upgrade = WebSocket::refused(server.address(), Server::PATH, &headers);
        let posted = post(&server, &headers, &publish);
        for response in [upgrade, posted] {
            assert_eq!(response.status, 403, "{origin}");
            assert_eq!(
                response.header("Access-Control-Allow-Origin"),
                None,
                "{origin}"
            );
            assert_eq!(
                response.header("Access-Control-Allow-Credentials"),
                None,
                "{origin}"
            );
        }
    }
    assert_eq!(heard(&mut listener), [Value::Null; 0]);
    let own = format!("http://{}", server.address());
    WebSocket::open(server.address(), Server::PATH, &[("Origin", &own)]);
    post(&server, &[("Origin", &own)], &publish).messages();
    assert_eq!(heard(&mut listener).len(), 1);
}

// Proves: WS-3, XO-4
#[test]
fn host_header_attacks_what_a_stranger_claims_of_the_host_does_not_make_an_origin_our_own() {
    let server = Server::start(&one_shard());
    let body = json!([handshake()]);
    let evil = ("Origin", "http://evil.example");
    for claim in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
        ("X-Forwarded-Server", "evil.example"),
        ("X-Original-URL", "http://evil.example/bayeux"),
        ("X-Real-IP", "127.0.0.1"),
    ] {
        assert_eq!(
            post(&server, &[evil, claim], &body).status,
            403,
            "{claim:?}"
        );
        assert_eq!(
            WebSocket::refused(server.address(), Server::PATH, &[evil, claim]).status,
            403,
            "{claim:?}"
        );
    }
    // The host in the target wins over the header (RFC 9112, section 3.2.2): it is that which a proxy looks at.
    let target = format!("http://{}/bayeux", server.address());
    let host = ("Host", "evil.example");
    let mut connection = HttpConnection::open(server.address());
    assert_eq!(
        connection
            .request("POST", &target, &[host, evil], &body.to_string())
            .status,
        403
    );
}

// Proves: CB-2, CB-3, CB-8, CB-9, DE-20
#[test]
fn jsonp_neither_the_callback_nor_the_data_can_pass_as_something_else() {
    let server = Server::start(&one_shard());
    let message = "%5B%7B%22channel%22%3A%22%2Fa%22%7D%5D";
    let get = |query: &str, headers: &[(&str, &str)]| {
        HttpConnection::open(server.address()).request(
            "GET",
            &format!("/bayeux?{query}&message={message}"),
            headers,
            "",
        )
    };

    let response = get("jsonp=f", &[]);
    assert!(response.text().starts_with("/**/f(["), "{response:?}");
    assert_eq!(
        response.header("Content-Type"),
        Some("text/javascript;charset=UTF-8")
    );
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(response.header("Cache-Control"), Some("no-cache, no-store"));
    for callback in [
        "%3Cscript%3E",
        "alert(1)",
        "alert%281%29",
        "f%3Balert",
        "a%20b",
        "a%0Ab",
        "a%0D%0ASet-Cookie:x=y",
        "%E2%80%A8",
        "f%00",
        "f%2F%2A",
        "%22",
        "%27",
        "a%5B0%5D",
        "CWS%07%0E000x%9C",
        "%FF%FE",
        "f=1",
        "`",
        "",
    ] {
        let response = get(&format!("jsonp={callback}"), &[]);
        assert_eq!(response.status, 400, "{callback}");
        assert_eq!(response.header("Set-Cookie"), None, "{callback}");
        assert_ne!(
            response.header("Content-Type"),
            Some("text/html"),
            "{callback}"
        );
        assert!(
            !response.text().contains('<') && !response.text().contains("alert"),
            "{callback}: it is not repeated"
        );
    }
    assert_eq!(get(&format!("jsonp={}", "f".repeat(65)), &[]).status, 400);
    assert_eq!(get("jsonp=f&jsonp=g", &[]).status, 400);
    for headers in [
        &[("Referer", "http://evil.example/page")][..],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
    ] {
        assert_eq!(get("jsonp=f", headers).status, 403, "{headers:?}");
    }
}

// Proves: CB-4
#[test]
fn jsonp_data_cannot_end_the_script_that_carries_it() {
    let server = Server::start(&one_shard());
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let data = "</script><script>alert(1)</script><!--\u{2028}\u{2029}]]>";
    poller.answer(json!([{"channel": "/meta/disconnect", "clientId": "x"}]));
    let mut publisher = Poller::connected(server.address());
    publisher.post(json!([publisher.publish("/t", data)]));

    let connect = percent(&json!([poller.connect_now()]).to_string());
    let response = HttpConnection::open(server.address()).request(
        "GET",
        &format!("/bayeux?jsonp=f&message={connect}"),
        &[],
        "",
    );

    let text = response.text();
    assert!(
        !text.contains("</") && !text.contains('\u{2028}') && !text.contains('\u{2029}'),
        "{text}"
    );
    let array = text
        .strip_prefix("/**/f(")
        .and_then(|text| text.strip_suffix(");"))
        .expect("the prefix and the callback");
    let messages: Vec<Value> = serde_json::from_str(array).expect("an array");
    assert_eq!(messages[0]["data"], data);
}

// Proves: XO-3
#[test]
fn response_splitting_nothing_that_is_sent_comes_back_as_a_header() {
    let server = Server::start(&one_shard());
    let own = format!("http://{}", server.address());
    let preflight = |asked: &str| {
        let headers = [
            ("Origin", own.as_str()),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", asked),
        ];
        HttpConnection::open(server.address()).request("OPTIONS", Server::PATH, &headers, "")
    };
    for asked in [
        "a b",
        "a:b",
        "x\u{7f}",
        "a\tb",
        "<script>",
        &"a,".repeat(10_000),
    ] {
        let Some(allowed) = preflight(asked)
            .header("Access-Control-Allow-Headers")
            .map(str::to_owned)
        else {
            continue;
        };
        assert!(!allowed.contains(asked), "{allowed}");
    }
    for protocol in ["a b", "a\u{7f}b", "a(b", "é"] {
        let mut connection = HttpConnection::open(server.address());
        let request = format!(
            "GET /bayeux HTTP/1.1\r\nHost: {}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
            server.address()
        );
        connection.send_raw(request.as_bytes());
        if let Some(response) = connection.response_or_end("GET") {
            assert_ne!(
                response.header("Sec-WebSocket-Protocol"),
                Some(protocol),
                "{response:?}"
            );
        }
    }
}

// Proves: FI-5, FI-6, DE-13
#[test]
fn events_carry_nothing_that_is_the_publishers_own() {
    // Whoever knows a clientId may act as that session; Faye passed the id on too.
    let server = Server::start(&one_shard());
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send(&json!([handshake()]));
    let session = socket.messages()[0]["clientId"].clone();
    let subscribe =
        json!([{"channel": "/meta/subscribe", "clientId": session, "subscription": "/**"}]);
    socket.send(&subscribe);
    assert_eq!(socket.messages()[0]["successful"], true);
    let mut listener = listener(&server);
    let mut publisher = Poller::connected(server.address());

    let mut publish = publisher.publish("/a", 1);
    for member in [
        "advice",
        "successful",
        "error",
        "subscription",
        "connectionType",
        "version",
        "minimumVersion",
        "supportedConnectionTypes",
        "lazy",
        "x-messages",
    ] {
        publish[member] = json!("forged");
    }
    let replies = publisher.post(json!([publish]));
    assert_eq!(replies.len(), 1);

    let event = json!({"channel": "/a", "data": 1});
    assert_eq!(heard(&mut listener), std::slice::from_ref(&event));
    assert_eq!(socket.messages(), [event]);
    assert_eq!(replies[0].get("clientId"), None);
}

// Proves: CH-9, CH-4, SU-7
#[test]
fn cve_2022_24721_no_channel_is_the_servers_own() {
    // CometD's nodes speak with each other over channels that any client could publish and subscribe to. Ours do not.
    let server = Server::start(&Settings::default().shards(2).conformance());
    let mut listener = listener(&server);
    for pattern in [
        "/oort/**",
        "/seti/**",
        "/service/**",
        "/service/oort",
        "/service/seti",
        "/meta/**",
        "/*",
        "/conformance/**",
    ] {
        listener.post(json!([listener.subscribe(pattern)]));
    }
    let mut others: Vec<_> = (0..6)
        .map(|_| Poller::connected(server.address()))
        .collect();
    for other in &mut others {
        let forged = json!({"oortURL": "http://evil.example", "oortSecret": "x", "userId": "a", "alive": true});
        for channel in [
            "/oort/cluster",
            "/oort/cloud",
            "/seti/all",
            "/service/oort",
            "/service/seti",
        ] {
            let replies = other.post(json!([other.publish(channel, forged.clone())]));
            assert_eq!(
                replies,
                [json!({"channel": channel, "id": "p", "successful": true})],
                "as on any other channel"
            );
        }
        // Sessions come, connect, move from shard to shard, and go, and nobody hears of it.
        other.hold().abort();
        other.post(json!([other.publish("/service/conformance/echo", 1)]));
        other.post(json!([other.disconnect()]));
    }
    let mut mesh = handshake();
    mesh["ext"] = json!({"org.cometd.oort": {"oortURL": "http://evil.example", "oortSecret": "x"}});
    let reply = &post(&server, &[], &json!([mesh])).messages()[0];
    assert_eq!(reply.get("ext"), None, "{reply}");

    let mut heard_of: Vec<_> = heard(&mut listener)
        .into_iter()
        .map(|event| event["channel"].clone())
        .collect();
    heard_of.sort_by_key(Value::to_string);
    heard_of.dedup();
    assert_eq!(
        heard_of,
        ["/oort/cloud", "/oort/cluster", "/seti/all"],
        "what clients published, and nothing else"
    );
}

// Proves: CH-2, FI-2
#[test]
fn prototype_pollution_names_of_objects_are_names_like_others() {
    let server = Server::start(&one_shard());
    let mut poller = Poller::connected(server.address());
    let names = [
        "__proto__",
        "constructor",
        "prototype",
        "hasOwnProperty",
        "toString",
        "valueOf",
    ];
    for name in names {
        let channel = format!("/{name}/{name}");
        let mut publish = poller.publish(&channel, json!({name: {name: 1}}));
        publish["id"] = name.into();
        publish["ext"] = json!({name: {"polluted": true}});
        publish[name] = json!({"polluted": true});
        let replies = poller.post(json!([poller.subscribe(&channel), publish]));

        assert_eq!(replies.len(), 3, "{replies:?}");
        assert_eq!(
            replies[0],
            json!({
                "channel": channel, "data": {name: {name: 1}}, "ext": {name: {"polluted": true}}, name: {"polluted": true}
            })
        );
        assert_eq!(
            replies[2],
            json!({"channel": channel, "id": name, "successful": true})
        );
        let bare = poller.post(json!([poller.subscribe(name)]));
        assert_eq!(bare[0]["error"], "403::subscription_invalid");
        let mut stranger = handshake();
        stranger["ext"] = json!({name: {"ack": true}, "ack": {name: true}});
        let reply = &post(&server, &[], &json!([stranger])).messages()[0];
        assert_eq!(
            (&reply["successful"], reply.get("ext")),
            (&json!(true), None),
            "{reply}"
        );
    }
}

// Proves: AK-7, DE-3
#[test]
fn forged_acknowledgements_drop_nothing() {
    // CometD drops what was never sent.
    let server = Server::start(&one_shard().option("limits.maxLogWait", 100));
    for forged in [
        json!(1_000_000),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(-5),
        json!("9"),
        json!(true),
        json!(null),
        json!([9]),
    ] {
        let mut greeting = handshake();
        greeting["ext"] = json!({"ack": true});
        let mut client = Poller::handshake(server.address(), &[]);
        let replies = client.post(json!([greeting]));
        replies[0]["clientId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut client.session);
        let with_ack = |client: &Poller, ack: &Value| {
            let mut connect = client.connect_now();
            connect["ext"] = json!({"ack": ack});
            json!([connect])
        };
        client.post(with_ack(&client, &json!(0)));
        client.post(json!([client.subscribe("/t")]));
        let mut publisher = Poller::connected(server.address());
        publisher.post(json!([publisher.publish("/t", "kept")]));

        let mut got = client.post(with_ack(&client, &forged));
        got.extend(client.post(with_ack(&client, &json!(0))));

        let event = json!({"channel": "/t", "data": "kept"});
        assert!(got.contains(&event), "{forged}: {got:?}");
    }
}

// Proves: HS-7
#[test]
fn nothing_is_grafted_on_a_session_that_is_being_made() {
    let server = Server::start(&one_shard());
    let mut listener = listener(&server);
    let grafted = json!([
        handshake(), {"channel": "/meta/subscribe", "subscription": "/a"}, {"channel": "/a", "data": 1},
        {"channel": "/meta/connect", "connectionType": "long-polling"}, handshake()
    ]);
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send(&grafted);
    let mut by_socket = Vec::new();
    while by_socket.len() < 5 {
        by_socket.extend(socket.messages());
    }

    for replies in [post(&server, &[], &grafted).messages(), by_socket] {
        assert_eq!(replies[0]["successful"], true);
        for reply in &replies[1..4] {
            assert_eq!(reply["error"], "402::session_unknown", "{reply}");
        }
        assert_eq!(replies[4]["error"], "400::handshake_must_be_first");
    }
    assert_eq!(heard(&mut listener), [Value::Null; 0]);
}
