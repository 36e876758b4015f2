//! HTTP in common and long-polling (HT, LP).

use serde_json::{Value, json};

use super::{only, was_held};
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::{accepted, escaped};
use crate::http::Response;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const LONG: Over = Over::Only(Transport::LongPolling);

pub(super) const GROUP: Group = Group {
    name: "http",
    checks: &[
        Check::new(
            &["HT-1", "HT-2", "LP-1"],
            "any path below the base serves as the base does",
            LONG,
            any_path_below,
        ),
        Check::new(
            &["HT-1"],
            "a slash behind the base means nothing",
            LONG,
            slash_behind,
        ),
        Check::new(
            &["HT-2", "ER-6"],
            "a GET that is no callback and no upgrade is refused with 400",
            LONG,
            mere_get,
        ),
        Check::new(
            &["HT-2"],
            "methods that mean nothing are refused with 405, and Allow says which do",
            LONG,
            other_methods,
        )
        .differs(&[(COMETD, "it answers 400"), (FAYE, "it answers 400")]),
        Check::new(
            &["HT-3", "XO-1"],
            "JSON is taken whatever the type that it is said to have",
            LONG,
            any_type,
        )
        .differs(&[(FAYE, "it goes by the type")]),
        Check::new(&["HT-3"], "a form with messages is taken", LONG, form)
            .differs(&[(COMETD, "its default transport takes JSON only")]),
        Check::new(
            &["HT-3", "CB-1"],
            "the messages of all parameters of a form are joined, in order",
            LONG,
            joined_form,
        )
        .differs(&[
            (COMETD, "its default transport takes JSON only"),
            (FAYE, "it takes one"),
        ]),
        Check::new(
            &["HT-4"],
            "the request's charset counts, and the answer is in UTF-8",
            LONG,
            charset,
        )
        .differs(&[(FAYE, "it takes UTF-8 only")]),
        Check::new(
            &["HT-5", "LP-1"],
            "an answer has status 200 and is JSON",
            LONG,
            status_and_type,
        ),
        Check::new(
            &["HT-5"],
            "an answer is not to be cached, nor its type guessed",
            LONG,
            headers,
        )
        .differs(&[(COMETD, "it leaves that to filters")]),
        Check::new(
            &["HT-6"],
            "a connection serves several requests, also when they are sent without waiting",
            LONG,
            keep_alive,
        ),
        Check::new(
            &["HT-6"],
            "a connection ends after the answer if the client asks for that",
            LONG,
            close,
        ),
        Check::new(&["HT-6"], "HTTP/1.0 is understood", LONG, http_1_0),
        Check::new(
            &["HT-6", "FR-8"],
            "a body in chunks is understood",
            LONG,
            chunked,
        ),
        Check::new(
            &["HT-9", "PL-3"],
            "a request has the session of its first message",
            LONG,
            session_of_the_first,
        )
        .differs(&[(FAYE, "it does not bind a request to a session")]),
        Check::new(
            &["HT-10", "CN-4"],
            "a connect is held to its end over a connection that has served others before",
            LONG,
            held_on_a_used_connection,
        ),
        Check::new(
            &["LP-2", "MO-7", "K-13"],
            "many requests of one session at a time are all answered",
            LONG,
            many_at_a_time,
        ),
        Check::new(
            &["FR-3", "ER-6", "HT-7"],
            "a request that is refused neither ends the connection's service nor redirects",
            LONG,
            refused_and_on,
        ),
    ],
};

const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");

fn handshake() -> String {
    json!([{
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["long-polling"]
    }])
    .to_string()
}

fn answers_handshake(response: &Response) -> Checked {
    accepted(&only(response.messages()?)?)
}

fn post_to(scene: &Scene<'_>, path: &str) -> Checked<Response> {
    let body = handshake();
    scene
        .http()?
        .request("POST", path, &[JSON], body.as_bytes())
}

fn any_path_below(scene: &Scene<'_>) -> Checked {
    let base = &scene.options.target.path;
    for suffix in [
        "handshake",
        "connect",
        "disconnect",
        "any/thing",
        "handshake?x=1",
    ] {
        answers_handshake(&post_to(scene, &format!("{base}/{suffix}"))?)?;
    }
    Ok(())
}

fn slash_behind(scene: &Scene<'_>) -> Checked {
    let base = &scene.options.target.path;
    answers_handshake(&post_to(scene, &format!("{base}/"))?)
}

fn mere_get(scene: &Scene<'_>) -> Checked {
    let response = scene.http()?.request("GET", scene.base(), &[], b"")?;
    equal("the status", response.status, 400)
}

fn other_methods(scene: &Scene<'_>) -> Checked {
    for method in ["PUT", "DELETE", "HEAD", "TRACE"] {
        let response = scene.http()?.request(method, scene.base(), &[], b"")?;
        equal("the status", response.status, 405)?;
        let allow = response.header("Allow").unwrap_or_default();
        hold(allow.contains("POST"), || format!("Allow is {allow:?}"))?;
    }
    Ok(())
}

fn any_type(scene: &Scene<'_>) -> Checked {
    let types = [
        "application/json",
        "application/json; charset=utf-8; x=y",
        "text/json",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
    ];
    for value in types {
        answers_handshake(&scene.post(&[("Content-Type", value)], handshake())?)?;
    }
    answers_handshake(&scene.post(&[], handshake())?)
}

fn form(scene: &Scene<'_>) -> Checked {
    let body = format!("message={}", escaped(&handshake()));
    for value in ["application/x-www-form-urlencoded", "text/plain"] {
        answers_handshake(&scene.post(&[("Content-Type", value)], &body)?)?;
    }
    Ok(())
}

fn joined_form(scene: &Scene<'_>) -> Checked {
    let message = |id: &str| json!({"channel": "/a", "id": id});
    let first = escaped(&json!([message("1"), message("2")]).to_string());
    let second = escaped(&message("3").to_string());
    let body = format!("message={first}&other=x&message={second}");
    let value = "application/x-www-form-urlencoded";
    let replies = scene.post(&[("Content-Type", value)], body)?.messages()?;
    let ids: Vec<_> = replies.iter().map(|reply| reply["id"].clone()).collect();
    equal("the ids", ids, ["1", "2", "3"])
}

fn charset(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    // An alpha, and an e with an acute accent.
    for (charset, byte, text) in [
        ("ISO-8859-7", 0xE1, "\u{3b1}"),
        ("ISO-8859-1", 0xE9, "\u{e9}"),
    ] {
        let message = client.publish_message(&channel, "@");
        let mut body = Value::from(vec![message]).to_string().into_bytes();
        for place in &mut body {
            if *place == b'@' {
                *place = byte;
            }
        }
        let value = format!("application/json;charset={charset}");
        let mut headers = vec![("Content-Type", &*value)];
        if let Some(cookie) = &client.cookie {
            headers.push(("Cookie", cookie));
        }
        let answer = scene.post(&headers, body)?.messages()?;
        let own = answer.into_iter().find(crate::client::is_event);
        let event = match own {
            Some(event) => event,
            None => client.event_on(&channel)?,
        };
        equal("data", &event["data"], text)?;
    }
    Ok(())
}

fn status_and_type(scene: &Scene<'_>) -> Checked {
    let response = scene.post(&[JSON], handshake())?;
    equal("the status", response.status, 200)?;
    let value = response.header("Content-Type").unwrap_or_default();
    let is_json = value.to_ascii_lowercase().starts_with("application/json");
    hold(is_json, || format!("Content-Type is {value:?}"))
}

fn headers(scene: &Scene<'_>) -> Checked {
    let response = scene.post(&[JSON], handshake())?;
    let of = |name| {
        response
            .header(name)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    equal(
        "Content-Type",
        of("Content-Type").replace(' ', ""),
        "application/json;charset=utf-8",
    )?;
    equal(
        "X-Content-Type-Options",
        of("X-Content-Type-Options"),
        "nosniff",
    )?;
    let cache = of("Cache-Control");
    let is_off = cache.contains("no-store") && cache.contains("no-cache");
    hold(is_off, || format!("Cache-Control is {cache:?}"))
}

fn keep_alive(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    for _ in 0..3 {
        connection.send("POST", scene.base(), &[JSON], handshake().as_bytes());
        connection.send("POST", scene.base(), &[JSON], handshake().as_bytes());
        answers_handshake(&connection.response("POST")?)?;
        answers_handshake(&connection.response("POST")?)?;
    }
    Ok(())
}

fn close(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    let headers = [JSON, ("Connection", "close")];
    let response = connection.request("POST", scene.base(), &headers, handshake().as_bytes())?;
    answers_handshake(&response)?;
    hold(connection.ends(), || "the connection goes on".to_owned())
}

fn http_1_0(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    let (body, base) = (handshake(), scene.base());
    connection.send_raw(
        format!(
            "POST {base} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            scene.options.target.host,
            body.len()
        )
        .as_bytes(),
    );
    answers_handshake(&connection.response("POST")?)
}

fn chunked(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    let headers = [JSON, ("Transfer-Encoding", "chunked")];
    connection.send("POST", scene.base(), &headers, b"");
    for byte in handshake().bytes() {
        connection.send_raw(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']);
    }
    connection.send_raw(b"0\r\n\r\n");
    answers_handshake(&connection.response("POST")?)
}

fn session_of_the_first(scene: &Scene<'_>) -> Checked {
    let other = scene.connected()?;
    let mut client = scene.connected()?;
    let mut foreign = client.publish_message(&scene.channel("a"), 1);
    foreign["clientId"] = json!("unheardOf");
    let mut of_other = client.publish_message(&scene.channel("a"), 1);
    of_other["clientId"] = json!(other.session);
    let own = client.publish_message(&scene.channel("a"), 1);
    let replies = client.ask(&[foreign, own, of_other])?;
    equal("the number of replies", replies.len(), 3)?;
    replies
        .iter()
        .try_for_each(|reply| scene.refused(reply, "402::session_unknown"))
}

fn held_on_a_used_connection(scene: &Scene<'_>) -> Checked {
    let timeout = scene.needs_short_hold()?;
    let mut client = scene.connected()?;
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let connect = client.hold()?;
        accepted(&only(client.answered(connect)?)?)?;
        was_held(start, timeout)?;
    }
    Ok(())
}

fn many_at_a_time(scene: &Scene<'_>) -> Checked {
    let [channel, end] = ["a", "end"].map(|name| scene.channel(name));
    let mut subscriber = scene.subscriber(&[&channel, &end])?;
    let mut client = scene.connected()?;
    let cookie = client.cookie.clone().unwrap_or_default();
    let mut connections = Vec::new();
    for number in 0..32 {
        let message = client.publish_message(&channel, number);
        let body = Value::from(vec![message]).to_string();
        let mut connection = scene.http()?;
        let headers = [JSON, ("Cookie", &*cookie)];
        connection.send("POST", scene.base(), &headers, body.as_bytes());
        connections.push(connection);
    }
    for mut connection in connections {
        accepted(&only(connection.response("POST")?.messages()?)?)?;
    }
    client.publish(&end, "end")?;
    let mut events = subscriber.events_until(&end)?;
    events.pop();
    let mut data: Vec<_> = events.iter().map(|event| event["data"].as_u64()).collect();
    data.sort_unstable();
    equal("the data", data, (0..32).map(Some).collect::<Vec<_>>())
}

fn refused_and_on(scene: &Scene<'_>) -> Checked {
    let mut connection = scene.http()?;
    let response = connection.request("POST", scene.base(), &[JSON], b"nonsense")?;
    equal("the status", response.status, 400)?;
    equal("Location", response.header("Location"), None::<&str>)?;
    let response = connection.request("POST", scene.base(), &[JSON], handshake().as_bytes())?;
    answers_handshake(&response)
}
