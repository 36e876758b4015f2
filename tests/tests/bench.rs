//! The load generator measures the server: each of its scenarios, small.
//!
//! Nothing here depends on how fast anything is.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use bayeux_tests::live::{Process, Server, Settings, executable};
use serde_json::Value;

fn generator() -> &'static PathBuf {
    static GENERATOR: OnceLock<PathBuf> = OnceLock::new();
    GENERATOR.get_or_init(|| executable("--bin", "bayeux-bench"))
}

fn run(url: &str, words: &str) -> Output {
    let mut command = Command::new(generator());
    command.args(words.split(' ')).args(["--url", url]);
    command.output().expect("the load generator can be started")
}

fn figures(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// Runs a scenario against a server with two shards, and gives what it found.
fn measure(words: &str) -> Value {
    let server = Server::start(&Settings::default().shards(2));
    let words = format!("{words} --json --pid {}", server.id());
    figures(&run(&server.url(), &words))
}

#[test]
fn a_fan_out_reaches_every_subscriber_once() {
    for words in [
        "fanout --transport websocket",
        "fanout --transport long-polling",
        "ack --transport websocket",
        "ack --transport long-polling",
        "faye --publishers 2",
    ] {
        let words =
            format!("{words} --subscribers 7 --events 30 --warm-up 3 --in-flight 4 --check");
        let found = measure(&words);

        assert_eq!(found["deliveries"], 7 * 30, "{words}: {found}");
        assert!(found["bytes"].as_u64() > Some(7 * 30 * 200), "{found}");
        assert_eq!(found["loop"], "closed");
        assert!(found["server_cpu_seconds"].is_number(), "{found}");
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_says_how_late_it_was() {
    let found = measure("fanout --subscribers 5 --events 40 --warm-up 4 --rate 200");

    assert_eq!(found["deliveries"], 5 * 40);
    // The first is due at once, and the last no earlier than that.
    assert!(found["seconds"].as_f64() >= Some(39.0 / 200.0), "{found}");
    assert_eq!(found["loop"], "open");
    for percentile in ["latency_p99_ms", "uncorrected_p99_ms", "lateness_p99_ms"] {
        assert!(found[percentile].is_number(), "{found}");
    }
}

#[test]
fn a_fan_out_is_measured_among_other_channels_and_patterns() {
    let found =
        measure("fanout --subscribers 3 --events 5 --warm-up 1 --channels 1500 --patterns 10");

    assert_eq!(found["deliveries"], 3 * 5);
    assert_eq!(found["bystanders"], 3);
}

#[test]
fn rooms_reach_their_members_and_nobody_else() {
    for words in ["--transport websocket", "--transport long-polling", "--ack"] {
        let words = format!(
            "rooms --clients 20 --rooms 10 --rooms-each 2 --events 60 --warm-up 10 --check {words}"
        );
        let found = measure(&words);

        // A room has four members.
        assert_eq!(found["deliveries"], 4 * 60, "{words}: {found}");
    }
}

#[test]
fn polls_are_answered_one_for_one() {
    for pace in ["", " --rate 1000"] {
        let found = measure(&format!(
            "poll --sessions 5 --requests 100 --warm-up 10{pace}"
        ));

        assert_eq!(found["requests"], 100);
        assert!(found["requests_per_second"].is_number(), "{found}");
    }
}

#[test]
fn idle_sessions_have_a_weight() {
    for transport in ["websocket", "long-polling"] {
        let found = measure(&format!(
            "idle --sessions 50 --rest 0 --transport {transport}"
        ));

        assert_eq!(found["sessions"], 50);
        assert!(found["kib_per_session"].is_number(), "{found}");
    }
}

#[test]
fn a_storm_begins() {
    for transport in ["websocket", "long-polling"] {
        let found = measure(&format!(
            "storm --sessions 40 --warm-up 5 --transport {transport}"
        ));

        assert_eq!(found["sessions"], 40);
        assert_eq!(found["sessions_that"], "begin");
    }
}

#[test]
fn a_storm_comes_back_after_a_restart() {
    for transport in ["websocket", "long-polling"] {
        // Its port is free once it has ended.
        let address = {
            let server = Server::with_defaults();
            let address = server.address();
            server.kill();
            address
        };
        let url = format!("http://{address}{}", Server::PATH);
        let restart = format!("{} --listen {address}", Server::binary().display());
        let words =
            format!("storm --sessions 40 --opening 8 --json --transport {transport} --restart");

        let mut command = Command::new(generator());
        command.args(words.split(' ')).arg(&restart);
        let output = command.args(["--url", &url]).output();
        let found = figures(&output.expect("the load generator can be started"));

        assert_eq!(found["sessions"], 40);
        assert_eq!(found["sessions_that"], "come back");
        assert!(found["server_cpu_seconds"].is_number(), "{found}");
    }
}

#[test]
fn the_bare_loop_is_measured_like_a_server() {
    let mut command = Command::new(generator());
    let mut bare = Process::start(
        "the bare loop",
        command.args(["bare", "--listen", "127.0.0.1:0"]),
    );
    let url = bare.wait_for("say where it listens", |line| {
        line.strip_prefix("listening on ").map(str::to_owned)
    });

    let found = figures(&run(
        &url,
        "fanout --subscribers 4 --events 20 --in-flight 4 --json",
    ));
    assert_eq!(found["deliveries"], 4 * 20);
    let words = "rooms --clients 20 --rooms 10 --rooms-each 2 --events 60 --json";
    let found = figures(&run(&url, words));
    assert_eq!(found["deliveries"], 4 * 60);
}

#[test]
fn a_load_that_cannot_be_is_refused_in_words() {
    let refused = |url, words| {
        let output = run(url, words);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let server = Server::with_defaults();
    let url = server.url();

    assert!(refused("ws://192.0.2.1:80/bayeux", "idle").contains("loopback"));
    assert!(refused(&url, "idle --sessions 1000000000").contains("ulimit -Hn"));
    assert!(refused(&url, "rooms --clients 3 --rooms 100").contains("nobody"));
    assert!(refused(&url, "fanout --rate 0").contains("between"));
}
