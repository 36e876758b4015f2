//! The suite for any server: ours conforms, and a server that is broken is caught.

mod broken;
mod faults;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bayeux_conformance::{Helpers, Options, Report, Target, Transport, groups, run};
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
