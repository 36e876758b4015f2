//! How the binary ends: with which code, and what it says.

use std::net::{TcpListener, TcpStream};

use bayeux_tests::live::{Deadline, Poller, Server, Settings};

/// Runs the binary to its end: its exit code, and the one line that it says.
#[track_caller]
fn run(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let (code, lines) = Server::run(arguments, input).end();
    let [line] = &*lines else {
        panic!("one line was due, this came: {lines:?}");
    };
    (code, line.clone())
}

#[test]
fn a_port_in_use_ends_it_with_1_and_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();

    let ended = run(&["--listen", &address], "");

    assert_eq!(ended, (Some(1), format!("{address} is in use")));
}

#[test]
fn an_unknown_flag_ends_it_with_2_and_one_line() {
    let (code, line) = run(&["--nonsense"], "");

    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("--nonsense"), "{line}");
}

#[test]
fn a_mistake_in_the_file_ends_it_with_2_and_its_place() {
    let table = [
        ("timeout = 1\nlimits.maxBatch = 0", 2, "limits.maxBatch"),
        ("[limits]\n\nnonsense = 1", 3, "limits.nonsense"),
        ("timeout = \"soon\"", 1, "timeout"),
    ];
    for (file, place, key) in table {
        let (code, line) = run(&["--listen", "127.0.0.1:0", "--config", "/dev/stdin"], file);

        assert_eq!(code, Some(2), "{line}");
        let begin = format!("/dev/stdin:{place}: {key}");
        assert!(line.starts_with(&begin), "{begin}: {line}");
    }
}

#[test]
fn a_file_that_is_not_there_ends_it_with_2_and_its_name() {
    let (code, line) = run(&["--config", "/nowhere/bayeux.toml"], "");

    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("/nowhere/bayeux.toml"), "{line}");
}

// Proves: TM-11
#[test]
fn a_second_signal_ends_it_at_once() {
    let settings = Settings::default().shards(1);
    let mut server = Server::start(&settings.option("shutdownWindow", 600_000));
    let pollers: Vec<_> = (0..20)
        .map(|_| Poller::connected(server.address()))
        .collect();
    // Answered one by one over the window, so that it is far from over.
    let held: Vec<_> = pollers.iter().map(Poller::hold).collect();

    server.signal("TERM");
    let deadline = Deadline::usual();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(deadline.left().is_some(), "it still accepts connections");
    }
    server.signal("TERM");

    assert_eq!(server.end(), Some(0));
    drop(held);
}
