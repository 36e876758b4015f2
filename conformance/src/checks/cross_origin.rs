//! Pages of other origins (XO).

use serde_json::json;

use super::only;
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::accepted;
use crate::http::{HttpConnection, Response};
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const LONG: Over = Over::Only(Transport::LongPolling);
const ANY: &[(Profile, &str)] = &[
    (COMETD, "Jetty's filter answers 400"),
    (FAYE, "it allows any origin"),
];

pub(super) const GROUP: Group = Group {
    name: "cross-origin",
    checks: &[
        Check::new(
            &["XO-2", "K-9"],
            "a page of an allowed origin may read the answer, and that of no other",
            LONG,
            allowed,
        ),
        Check::new(
            &["XO-2", "K-9"],
            "an allowed origin may read errors too",
            LONG,
            errors_too,
        )
        .differs(&[(FAYE, "its errors have no such headers")]),
        Check::new(
            &["XO-3", "LP-4", "HT-2", "K-9"],
            "a preflight of an allowed origin is answered on every path",
            LONG,
            preflight,
        ),
        Check::new(
            &["XO-4"],
            "a page of another origin is refused before anything is done",
            LONG,
            refused,
        )
        .differs(ANY),
        Check::new(
            &["XO-4"],
            "pages of the server's own host and port are allowed",
            LONG,
            own_origin,
        ),
        Check::new(
            &["XO-4", "WS-3"],
            "a page of another origin opens no websocket",
            Over::Only(Transport::WebSocket),
            no_websocket,
        )
        .differs(ANY),
        Check::new(
            &["XO-2", "CN-9"],
            "a connect that a newer one ends may be read by its allowed origin",
            LONG,
            ended_connect,
        )
        .differs(&[(FAYE, "it never answers the older one")]),
    ],
};

const FOREIGN: [&str; 4] = [
    "http://elsewhere.example",
    "null",
    "http://127.0.0.1.elsewhere.example",
    "nonsense",
];

fn body() -> String {
    json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]
    }])
    .to_string()
}

fn post(scene: &Scene<'_>, origin: &str, body: &str) -> Checked<Response> {
    let headers = [("Content-Type", "application/json"), ("Origin", origin)];
    scene.post(&headers, body)
}

/// Fails unless a page of that origin may read the response, credentials and all.
fn readable(response: &Response, origin: &str) -> Checked {
    let of = |name| response.header(name).unwrap_or_default();
    let allowed = "Access-Control-Allow-Origin";
    equal(
        "how often it is allowed",
        response.header_values(allowed).count(),
        1,
    )?;
    equal(allowed, of(allowed), origin)?;
    equal(
        "Access-Control-Allow-Credentials",
        of("Access-Control-Allow-Credentials"),
        "true",
    )
}

fn varies(response: &Response) -> Checked {
    let mut values = response.header_values("Vary");
    let is_there = values.any(|value| value.to_ascii_lowercase().contains("origin"));
    hold(is_there, || "Vary does not name Origin".to_owned())
}

fn allowed(scene: &Scene<'_>) -> Checked {
    let origin = scene.needs(&scene.options.origin, "origin")?;
    let response = post(scene, &origin, &body())?;
    accepted(&only(response.messages()?)?)?;
    readable(&response, &origin)?;
    if scene.options.profile == FAYE {
        return Ok(());
    }
    varies(&response)
}

fn errors_too(scene: &Scene<'_>) -> Checked {
    let origin = scene.needs(&scene.options.origin, "origin")?;
    let response = post(scene, &origin, "nonsense")?;
    hold(response.status >= 400, || "it was not refused".to_owned())?;
    readable(&response, &origin)
}

fn preflight(scene: &Scene<'_>) -> Checked {
    let origin = scene.needs(&scene.options.origin, "origin")?;
    let base = &scene.options.target.path;
    for path in [scene.base().to_owned(), format!("{base}/connect")] {
        let headers = [
            ("Origin", &*origin),
            ("Access-Control-Request-Method", "POST"),
            (
                "Access-Control-Request-Headers",
                "content-type, x-requested-with",
            ),
        ];
        let response = scene.http()?.request("OPTIONS", &path, &headers, b"")?;
        hold(matches!(response.status, 200 | 204), || {
            format!("status {}", response.status)
        })?;
        readable(&response, &origin)?;
        let of = |name| {
            response
                .header(name)
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let methods = of("Access-Control-Allow-Methods");
        hold(methods.contains("post"), || format!("methods {methods:?}"))?;
        let names = of("Access-Control-Allow-Headers");
        hold(names.contains("content-type"), || {
            format!("headers {names:?}")
        })?;
        if scene.options.profile == Profile::Strict {
            equal(
                "Access-Control-Max-Age",
                of("Access-Control-Max-Age"),
                "86400",
            )?;
        }
    }
    Ok(())
}

fn refused(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    for origin in FOREIGN {
        let message = client.publish_message(&channel, "foreign");
        let response = post(scene, origin, &json!([message]).to_string())?;
        equal("the status", response.status, 403)?;
        let allowed = response.header("Access-Control-Allow-Origin");
        equal("Access-Control-Allow-Origin", allowed, None::<&str>)?;
    }
    client.publish(&channel, "own")?;
    equal("data", &client.event_on(&channel)?["data"], "own")
}

fn own_origin(scene: &Scene<'_>) -> Checked {
    let origin = scene.options.target.origin();
    accepted(&only(post(scene, &origin, &body())?.messages()?)?)
}

fn no_websocket(scene: &Scene<'_>) -> Checked {
    for origin in FOREIGN {
        let mut connection: HttpConnection = scene.http()?;
        let headers = [("Origin", origin)];
        let response = crate::WebSocket::ask(&mut connection, scene.base(), &headers)?;
        equal("the status", response.status, 403)?;
    }
    Ok(())
}

fn ended_connect(scene: &Scene<'_>) -> Checked {
    let origin = scene.needs(&scene.options.origin, "origin")?;
    let mut client = scene.connected()?;
    let cookie = client.cookie.clone().unwrap_or_default();
    let headers = [
        ("Content-Type", "application/json"),
        ("Origin", &*origin),
        ("Cookie", &*cookie),
    ];
    let connect = json!([client.connect_message()]).to_string();
    let mut older = scene.http()?;
    older.send("POST", scene.base(), &headers, connect.as_bytes());
    let is_held = older.is_quiet(scene.options.quiet);
    hold(is_held, || "the connect is not held".to_owned())?;
    client.connect_now()?;
    let response = older.response("POST")?;
    hold(response.status >= 400, || "it was answered".to_owned())?;
    readable(&response, &origin)
}
