//! The suite for any server: ours conforms, and a server that is broken is caught.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::spawn;
use std::time::Duration;

use bayeux_conformance::{Helpers, Options, Report, Target, Transport, Verdict, groups, run};
use bayeux_tests::live::{Server, Settings};
use bayeux_tests::rules::Rules;

const ORIGIN: &str = "http://app.example";

/// Two engines, so that the sessions of a check may be on either.
fn server() -> Server {
    let settings = Settings::default()
        .shards(2)
        .conformance()
        .allow_origin(ORIGIN)
        .option("timeout", 4_000)
        .option("maxInterval", 3_000);
    Server::start(&settings)
}

fn options(address: SocketAddr) -> Options {
    let target = Target::resolve(&format!("http://{address}{}", Server::PATH));
    let mut options = Options::new(target.expect("an address and a path"));
    options.helpers = Helpers::usual();
    options.origin = Some(ORIGIN.to_owned());
    options.patience = Duration::from_secs(60);
    options.max_interval = Some(Duration::from_secs(3));
    options
}

fn failures(report: &Report) -> String {
    let failed = report.failed();
    failed.map(bayeux_conformance::Finding::to_text).collect()
}

#[test]
fn our_server_conforms_and_every_check_is_done() {
    let server = server();

    let report = run(&options(server.address()), |_| {}).expect("a server that answers");

    let failures = failures(&report);
    assert!(failures.is_empty(), "\n{failures}");
    assert_eq!(report.unchecked_rules(), []);
    for transport in Transport::ALL {
        let mut findings = report.findings.iter();
        assert!(findings.any(|it| it.transport == transport), "{transport}");
    }
    assert!(report.checked_rules().len() >= 200, "{}", report.summary());
}

#[test]
fn every_check_names_rules_that_there_are() {
    let digest = bayeux_tests::rules::Tree::new()
        .read("docs/protocol.md")
        .unwrap();
    Rules::parse(&digest).unwrap();

    for group in groups() {
        for check in group.checks {
            for rule in check.rules {
                assert!(digest.contains(&format!("**{rule}**")), "{rule}: {check:?}");
            }
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_no_server_that_deviates() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    assert!(run(&options(address), |_| {}).is_err());
}

/// What a broken server does otherwise than ours.
#[derive(Clone, Copy)]
enum Fault {
    /// It says this for that; both are of one length.
    Says(&'static str, &'static str),
    /// It hears this for that; both are of one length.
    Hears(&'static str, &'static str),
    /// It drops what it says with that in it.
    Drops(&'static str),
    /// It says twice what it says with that in it.
    Repeats(&'static str),
}

/// A server in front of that one, with that fault.
fn broken(server: SocketAddr, fault: Option<Fault>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port");
    spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(server) else {
                return;
            };
            let (client_too, upstream_too) = (client.try_clone(), upstream.try_clone());
            let (Ok(client_too), Ok(upstream_too)) = (client_too, upstream_too) else {
                return;
            };
            spawn(move || relay(client, upstream, |bytes| heard(bytes, fault)));
            spawn(move || relay(upstream_too, client_too, |bytes| said(bytes, fault)));
        }
    });
    address
}

fn relay(mut from: TcpStream, mut to: TcpStream, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let piece = chunk.get(..length).unwrap_or_default();
        if to.write_all(&change(piece.to_vec())).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
    from.shutdown(Shutdown::Read).ok();
}

fn heard(bytes: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::Hears(right, wrong)) => replaced(bytes, right, wrong),
        Some(Fault::Says(..) | Fault::Drops(_) | Fault::Repeats(_)) | None => bytes,
    }
}

fn said(bytes: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
    let has = |text: &str| places(&bytes, text).next().is_some();
    match fault {
        Some(Fault::Says(right, wrong)) => replaced(bytes, right, wrong),
        Some(Fault::Drops(text)) if has(text) => Vec::new(),
        Some(Fault::Repeats(text)) if has(text) => bytes.repeat(2),
        Some(Fault::Hears(..) | Fault::Drops(_) | Fault::Repeats(_)) | None => bytes,
    }
}

fn places<'a>(bytes: &'a [u8], text: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter_map(move |(place, window)| (window == text.as_bytes()).then_some(place))
}

fn replaced(mut bytes: Vec<u8>, right: &str, wrong: &str) -> Vec<u8> {
    assert_eq!(right.len(), wrong.len(), "{right} and {wrong}");
    for place in places(&bytes.clone(), right) {
        bytes.splice(place..place + wrong.len(), wrong.bytes());
    }
    bytes
}

/// Faults, the rule that is broken by each, and where it is seen.
const FAULTS: &[(Fault, &str, &str)] = {
    use Fault::{Drops, Hears, Repeats, Says};
    &[
        (Says(r#""id":"#, r#""iD":"#), "FI-2", "websocket"),
        (
            Says("400::channel_missing", "400::channel_missins"),
            "FI-1",
            "websocket",
        ),
        (
            Says("402::session_unknown", "401::session_unknown"),
            "ER-4",
            "websocket",
        ),
        (Says(r#""data":"#, r#""dato":"#), "FI-4", "long-polling"),
        (
            Says("405::channel_invalid", "404::channel_invalid"),
            "CH-1",
            "callback-polling",
        ),
        (Says("HTTP/1.1 400", "HTTP/1.1 200"), "FR-3", "long-polling"),
        (Says("HTTP/1.1 413", "HTTP/1.1 500"), "FR-6", "long-polling"),
        (
            Says(r#""version":"1.0""#, r#""version":"1.1""#),
            "HS-4",
            "long-polling",
        ),
        (
            Says(r#""interval":"#, r#""intervol":"#),
            "AD-2",
            "websocket",
        ),
        (
            Says(r#""reconnect":"retry""#, r#""reconnect":"RETRY""#),
            "AD-1",
            "callback-polling",
        ),
        (
            Says(
                "connection_types_unsupported",
                "connection_types_UNSUPPORTED",
            ),
            "HS-6",
            "websocket",
        ),
        (
            Says(r#""reconnect":"none""#, r#""reconnect":"nope""#),
            "CN-12",
            "long-polling",
        ),
        (
            Says(r#""reconnect":"handshake""#, r#""reconnect":"handshook""#),
            "CN-10",
            "websocket",
        ),
        (Says("HTTP/1.1 500", "HTTP/1.1 408"), "CN-9", "long-polling"),
        (
            Says(r#""subscription":"#, r#""subscriptian":"#),
            "SU-2",
            "websocket",
        ),
        (
            Says("subscribe_denied", "subscribe-denied"),
            "SU-3",
            "websocket",
        ),
        (
            Hears("/meta/unsubscribe", "/meta/unsubscribf"),
            "SU-5",
            "long-polling",
        ),
        (
            Hears("Origin: http://else", "0rigin: http://else"),
            "XO-4",
            "long-polling",
        ),
        (
            Hears("charset=ISO-8859-7", "charset=ISO-8859-1"),
            "HT-4",
            "long-polling",
        ),
        (
            Says("application/json", "application/jsan"),
            "HT-5",
            "long-polling",
        ),
        (
            Says("access-control-allow-origin", "access-control-allow-0rigin"),
            "XO-2",
            "long-polling",
        ),
        (
            Says("text/javascript", "text/jarascript"),
            "CB-3",
            "callback-polling",
        ),
        (Says("nosniff", "sniffit"), "CB-3", "callback-polling"),
        (Says("HttpOnly", "HttpAlso"), "BR-1", "long-polling"),
        (
            Says("multiple-clients", "multiple_clients"),
            "BR-8",
            "long-polling",
        ),
        (
            Says("sec-websocket-protocol", "sec-websocket-pr0tocol"),
            "WS-2",
            "websocket",
        ),
        (Says(r#""tc":"#, r#""tk":"#), "EX-1", "long-polling"),
        (Repeats(r#""data":"#), "SU-4", "websocket"),
        (Repeats(r#""data":"#), "WS-6", "websocket"),
        (Drops(r#""data":"#), "PB-7", "websocket"),
    ]
};

#[test]
fn a_broken_server_is_caught_by_the_check_of_that_rule() {
    let server = server();
    for (fault, rule, transport) in FAULTS {
        for (fault, is_caught) in [(None, false), (Some(*fault), true)] {
            let mut options = options(broken(server.address(), fault));
            options.only = vec![(*rule).to_owned()];
            options.skip = Transport::ALL
                .iter()
                .map(|transport| transport.name().to_owned())
                .filter(|name| name != transport)
                .collect();
            if fault.is_some() {
                options.patience = Duration::from_secs(3);
            }

            let report = run(&options, |_| {});

            let Ok(report) = report else {
                panic!("{rule}: the suite could not run");
            };
            let findings = report.findings.iter();
            let verdicts: Vec<_> = findings
                .map(|finding| (finding.promise, &finding.verdict))
                .collect();
            let failed = |(_, verdict): &(_, &Verdict)| matches!(verdict, Verdict::Failed { .. });
            assert_eq!(
                verdicts.iter().any(failed),
                is_caught,
                "{rule}: {verdicts:#?}"
            );
        }
    }
}
