//! What the suite finds: each fault by the check of the rule that it breaks.

use std::time::Duration;

use bayeux_conformance::{Transport, run};

use crate::broken::Fault::{self, Clings, Drops, HangsUp, Hears, Repeats, Reverses, Says, Swaps};
use crate::broken::broken;

const LONG: Transport = Transport::LongPolling;
const CALLBACK: Transport = Transport::CallbackPolling;
const SOCKET: Transport = Transport::WebSocket;

/// Faults, the rule that is broken by each, and where it is seen.
const FAULTS: &[(&str, Transport, Fault)] = &[
    ("FI-2", SOCKET, Says(r#""id":"#, r#""iD":"#)),
    (
        "FI-1",
        SOCKET,
        Says("400::channel_missing", "400::channel_missins"),
    ),
    (
        "ER-4",
        SOCKET,
        Says("402::session_unknown", "401::session_unknown"),
    ),
    ("FI-4", LONG, Says(r#""data":"#, r#""dato":"#)),
    (
        "CH-1",
        CALLBACK,
        Says("405::channel_invalid", "404::channel_invalid"),
    ),
    ("FR-3", LONG, Says("HTTP/1.1 400", "HTTP/1.1 200")),
    ("FR-6", LONG, Says("HTTP/1.1 413", "HTTP/1.1 500")),
    (
        "HS-4",
        LONG,
        Says(r#""version":"1.0""#, r#""version":"1.1""#),
    ),
    (
        "HS-6",
        SOCKET,
        Says("_types_unsupported", "_types_UNSUPPORTED"),
    ),
    (
        "AD-1",
        CALLBACK,
        Says(r#""reconnect":"retry""#, r#""reconnect":"RETRY""#),
    ),
    ("AD-2", SOCKET, Says(r#""interval":"#, r#""intervol":"#)),
    ("CN-5", LONG, Hears(r#""advice":"#, r#""advise":"#)),
    ("CN-9", LONG, Says("HTTP/1.1 500", "HTTP/1.1 408")),
    ("CN-9", LONG, Drops("HTTP/1.1 500")),
    (
        "CN-10",
        SOCKET,
        Says(r#""reconnect":"handshake""#, r#""reconnect":"handshook""#),
    ),
    (
        "CN-12",
        LONG,
        Says(r#""reconnect":"none""#, r#""reconnect":"nope""#),
    ),
    ("CN-14", LONG, Clings),
    (
        "SU-2",
        SOCKET,
        Says(r#""subscription":"#, r#""subscriptian":"#),
    ),
    ("SU-3", SOCKET, Says("subscribe_denied", "subscribe-denied")),
    ("SU-4", SOCKET, Repeats(r#""data":"#)),
    (
        "SU-5",
        LONG,
        Hears("/meta/unsubscribe", "/meta/unsubscribf"),
    ),
    ("SU-5", SOCKET, Drops("/meta/unsubscribe")),
    ("MO-5", SOCKET, Repeats(r#""data":"#)),
    ("MO-6", SOCKET, Swaps(r#""data":"#)),
    ("MO-6", LONG, Reverses),
    ("RC-2", LONG, Reverses),
    ("PB-7", SOCKET, Drops(r#""data":"#)),
    ("AK-4", SOCKET, Says(r#"{"ack":0"#, r#"{"akk":0"#)),
    (
        "AK-5",
        LONG,
        Hears(r#"polling","ext":{"ack":"#, r#"polling","ext":{"akk":"#),
    ),
    ("EX-1", LONG, Says(r#""tc":"#, r#""tk":"#)),
    ("BR-1", LONG, Says("HttpOnly", "HttpAlso")),
    ("BR-4", LONG, Hears("Cookie: ", "Kookie: ")),
    ("BR-8", LONG, Says("multiple-clients", "multiple_clients")),
    ("HT-2", LONG, Says("allow: ", "allou: ")),
    (
        "HT-4",
        LONG,
        Hears("charset=ISO-8859-7", "charset=ISO-8859-1"),
    ),
    ("HT-5", LONG, Says("application/json", "application/jsan")),
    (
        "XO-2",
        LONG,
        Says("access-control-allow-origin", "access-control-allow-0rigin"),
    ),
    (
        "XO-3",
        LONG,
        Says("GET, POST, OPTIONS", "GET, PAST, OPTIONS"),
    ),
    (
        "XO-4",
        LONG,
        Hears("Origin: http://else", "0rigin: http://else"),
    ),
    ("CB-3", CALLBACK, Says("text/javascript", "text/jarascript")),
    ("CB-3", CALLBACK, Says("nosniff", "sniffit")),
    ("CB-8", CALLBACK, Says("cache-control", "cache-c0ntrol")),
    (
        "WS-2",
        SOCKET,
        Says("sec-websocket-protocol", "sec-websocket-pr0tocol"),
    ),
    ("WS-6", SOCKET, Repeats(r#""data":"#)),
    ("WS-16", SOCKET, HangsUp("402::session_unknown")),
];

#[test]
fn a_broken_server_is_caught_by_the_check_of_that_rule() {
    let server = crate::server();
    let mut wrong = Vec::new();
    for (rule, transport, fault) in FAULTS {
        for (fault, is_caught) in [(None, false), (Some(*fault), true)] {
            let mut options = crate::options(broken(server.address(), fault));
            options.only = vec![(*rule).to_owned()];
            let others = Transport::ALL.iter().filter(|other| *other != transport);
            options.skip = others.map(|other| other.name().to_owned()).collect();
            if fault.is_some() {
                options.patience = Duration::from_secs(3);
            }

            let report = run(&options, |_| {});

            let Ok(report) = report else {
                panic!("{rule}, {fault:?}: the suite could not run");
            };
            if report.conforms() == is_caught {
                let findings = report.findings.iter();
                let verdicts = findings.map(|finding| (finding.promise, &finding.verdict));
                let verdicts = Vec::from_iter(verdicts);
                wrong.push(format!("{rule}, {fault:?}: {verdicts:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
