//! What an operator sees of a server: probes, the log, the doctor, word to the service manager.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use bayeux_tests::live::{Deadline, HttpConnection, Poller, Process, Server, Settings};
use serde_json::{Value, json};

/// Starts it with JSON as its log, and waits until it listens.
fn with_json_log(arguments: &[&str], input: &str) -> (Process, SocketAddr, Vec<String>) {
    let always = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut process = Server::run(&[&always, arguments].concat(), input);
    let mut lines = Vec::new();
    let address = process.wait_for("say where it listens", |line| {
        lines.push(line.to_owned());
        let said: Value = serde_json::from_str(line).ok()?;
        let (_, url) = said["message"]
            .as_str()?
            .split_once("listening on http://")?;
        url.strip_suffix(Server::PATH)?.parse().ok()
    });
    (process, address, lines)
}

#[test]
fn probes_are_told_that_the_server_lives_and_is_ready() {
    let server = Server::start(&Settings::default().shards(2));
    let mut connection = HttpConnection::open(server.address());

    for (path, body) in [
        ("/live", json!({"live": true})),
        ("/ready", json!({"ready": true})),
    ] {
        let response = connection.request("GET", path, &[], "");
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("Content-Type"), Some("application/json"));
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
        let told: Value = serde_json::from_str(response.text()).expect("JSON");
        assert_eq!(told, body);

        assert_eq!(connection.request("HEAD", path, &[], "").status, 200);
        assert_eq!(connection.request("POST", path, &[], "").status, 404);
    }
}

#[test]
fn metrics_are_for_operators_and_not_for_clients() {
    let server = Server::start(&Settings::default().shards(2).admin());
    let ask = |address| HttpConnection::open(address).request("GET", "/metrics", &[], "");

    assert_eq!(ask(server.address()).status, 404);
    let response = ask(server.admin_address());

    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("Content-Type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let lines: Vec<_> = response.text().lines().collect();
    assert!(lines.contains(&"bayeux_shards_answering 2"), "{lines:?}");
    assert!(lines.contains(&"bayeux_handshakes_total 0"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"# EOF"));

    let _poller = Poller::connected(server.address());
    let text = ask(server.admin_address()).text().to_owned();
    assert!(text.contains("\nbayeux_handshakes_total 1\n"), "{text}");
}

#[test]
fn a_server_that_stops_is_not_ready_and_says_so() {
    let settings = Settings::default().option("shutdownWindow", 600_000);
    let mut server = Server::start(&settings);
    let mut probe = HttpConnection::open(server.address());
    assert_eq!(probe.request("GET", "/ready", &[], "").status, 200);
    let pollers: Vec<_> = (0..20)
        .map(|_| Poller::connected(server.address()))
        .collect();
    // Answered one by one over the window, so that the server is far from its end.
    let held: Vec<_> = pollers.iter().map(Poller::hold).collect();

    server.signal("TERM");

    let deadline = Deadline::usual();
    let response = loop {
        let response = probe.request("GET", "/ready", &[], "");
        if response.status != 200 {
            break response;
        }
        assert!(deadline.left().is_some(), "it is still ready");
    };
    assert_eq!(response.status, 503);
    let told: Value = serde_json::from_str(response.text()).expect("JSON");
    assert_eq!(
        told,
        json!({"ready": false, "reasons": ["the server is stopping"]})
    );
    assert_eq!(probe.request("GET", "/live", &[], "").status, 200);
    drop(held);
}

#[test]
fn each_line_of_a_log_in_json_is_an_object_and_no_session_is_named_in_full() {
    let (mut process, address, mut lines) = with_json_log(&["--log", "debug", "--shards", "1"], "");

    let poller = Poller::connected(address);
    let session = poller.session.clone();
    process.wait_for("log the session", |line| {
        lines.push(line.to_owned());
        line.contains("session connected").then_some(())
    });
    lines.extend(process.terminate());

    let mut events = Vec::new();
    for line in &lines {
        assert!(!line.contains(&session), "a session is a secret: {line}");
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for member in ["timestamp", "level", "target"] {
            assert!(event[member].is_string(), "{member}: {line}");
        }
        events.push(event);
    }
    let find = |text: &str| {
        let mut found = events.iter().filter(|event| event["message"] == text);
        found.next().unwrap_or_else(|| panic!("{text}: {lines:?}"))
    };
    let shown = find("session opened")["session"].to_string();
    assert!(shown.contains(&session[..4]), "{shown}");
    assert_eq!(find("session ended")["reason"], "released");
    assert_eq!(find("stopping")["level"], "INFO");
    assert_eq!(find("stopped")["level"], "INFO");
}

#[test]
fn a_port_in_use_is_a_line_of_the_log_in_json() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let arguments = ["--listen", &address, "--log-format", "json"];

    let (code, lines) = Server::run(&arguments, "").end();

    let [line] = &*lines else { panic!("{lines:?}") };
    let event: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(
        (code, &event["level"], &event["message"]),
        (
            Some(1),
            &json!("ERROR"),
            &json!(format!("{address} is in use"))
        )
    );
}

#[test]
fn a_limit_that_is_reached_often_is_logged_once_a_while() {
    let limit = "limits.maxSubscriptions = 1";
    let arguments = ["--config", "/dev/stdin", "--shards", "1"];
    let (mut process, address, _) = with_json_log(&arguments, limit);
    let mut poller = Poller::connected(address);

    for channel in ["/a", "/b", "/c", "/d"] {
        let subscribe = poller.subscribe(channel);
        let replies = poller.post(json!([subscribe]));
        assert_eq!(replies[0]["successful"], channel == "/a", "{replies:?}");
    }

    let warnings = process
        .terminate()
        .into_iter()
        .filter(|line| line.contains("limits.maxSubscriptions is reached"));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn the_doctor_finds_nothing_wrong_where_a_server_would_run() {
    let (code, lines) = Server::run(&["doctor", "--listen", "127.0.0.1:0"], "").end();

    assert_eq!(code, Some(0), "{lines:?}");
    for about in [
        "configuration: no mistakes",
        "port: 127.0.0.1:0 is free",
        "memory:",
        "clock:",
    ] {
        let said = lines.iter().any(|line| line.contains(about));
        assert!(said, "{about}: {lines:?}");
    }
    let last = lines.last().expect("a conclusion");
    assert!(last.starts_with("a server would run with this"), "{last}");
}

#[test]
fn the_doctor_names_every_mistake_with_its_line() {
    let file = "timeout = \"soon\"\nnonsense = 1\n[limits]\nmaxBatch = 0\n";
    let arguments = ["doctor", "--config", "/dev/stdin", "--shards", "0"];

    let (code, lines) = Server::run(&arguments, file).end();

    assert_eq!(code, Some(1), "{lines:?}");
    let problems = lines
        .iter()
        .filter_map(|line| line.strip_prefix("PROBLEM configuration: "));
    let places: Vec<_> = problems
        .map(|problem| problem.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        places,
        [
            "/dev/stdin:1 timeout",
            "/dev/stdin:2 nonsense",
            "/dev/stdin:4 limits.maxBatch",
            "--shards must be between 1 and 1024, got \"0\"",
        ]
    );
}

#[test]
fn who_reads_no_further_is_no_fault_of_the_doctor() {
    for arguments in ["doctor --listen 127.0.0.1:0", "--help"] {
        let script = format!("\"$0\" {arguments} 2>&1 >/dev/full; echo \"code $?\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(Server::binary());

        let (_, lines) = Process::start("the doctor", &mut command).end();

        assert_eq!(lines, ["code 0"], "{arguments}");
    }
}

#[test]
fn in_json_a_warning_at_the_start_is_a_warning() {
    let always = ["--listen", "0.0.0.0:0", "--log-format", "json"];
    let mut process = Server::run(&[&always, &["--log", "warn"][..]].concat(), "");

    let line = process.wait_for("warn", |line| Some(line.to_owned()));

    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(said["level"], "WARN", "{line}");
    let text = said["message"].as_str().expect("a text");
    assert!(text.starts_with("there are no [[rules]]"), "{text}");
}

#[test]
fn the_doctor_says_who_has_the_port() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();

    let (code, lines) = Server::run(&["doctor", "--listen", &address], "").end();

    assert_eq!(code, Some(1), "{lines:?}");
    let holder = format!("process {}", std::process::id());
    let said = lines.iter().any(|line| {
        line.starts_with(&format!("PROBLEM port: {address}")) && line.ends_with(&holder)
    });
    assert!(said, "{lines:?}");
}

#[test]
fn the_service_manager_hears_when_it_is_ready_and_when_it_stops() {
    let name = format!("bayeux-notify-{}", std::process::id());
    let address = {
        use std::os::linux::net::SocketAddrExt as _;
        std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name")
    };
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    manager
        .set_read_timeout(Some(Deadline::USUAL))
        .expect("a timeout");
    let heard = || {
        let mut text = [0; 64];
        let length = manager.recv(&mut text).expect("word from the server");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut command = Command::new(Server::binary());
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", format!("@{name}"));
    let mut process = Process::start("the server", &mut command);

    assert_eq!(heard(), "READY=1");
    process.signal("TERM");

    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(process.end().0, Some(0));
}

#[test]
fn the_limit_on_open_files_is_raised_at_the_start() {
    let script = "ulimit -Sn 300 && ulimit -Hn 5000 && exec \"$0\" --listen 127.0.0.1:0";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(Server::binary());
    let mut process = Process::start("the server", &mut command);
    process.wait_for("listen", |line| line.contains("listening on").then_some(()));

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id()));

    let limits = limits.expect("its limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let line = line.expect("a limit on open files");
    let numbers: Vec<_> = line
        .split_whitespace()
        .filter(|word| word.parse::<u64>().is_ok())
        .collect();
    assert_eq!(numbers, ["5000", "5000"]);
}
