//! The suite for any server: ours conforms, and a server that is broken is caught.

mod broken;
mod command;
mod faults;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bayeux_conformance::{Helpers, Options, Report, Target, Transport, Trust, groups, run};
use bayeux_tests::live::{Authority, Server, Settings};
use bayeux_tests::rules::Rules;

const ORIGIN: &str = "http://app.example";

/// Two engines, so that the sessions of a check may be on either.
fn server() -> Server {
    Server::start(&settings())
}

fn settings() -> Settings {
    Settings::default()
        .shards(2)
        .conformance()
        .allow_origin(ORIGIN)
        .option("timeout", 4_000)
        .option("maxInterval", 3_000)
}

fn options(address: SocketAddr) -> Options {
    options_for(&format!("http://{address}{}", Server::PATH))
}

fn options_for(url: &str) -> Options {
    let target = Target::resolve(url);
    let mut options = Options::new(target.expect("an address and a path"));
    options.helpers = Helpers::usual();
    options.origin = Some(ORIGIN.to_owned());
    options.patience = Duration::from_secs(60);
    options.max_interval = Some(Duration::from_secs(3));
    options
}

#[test]
fn our_server_conforms_and_every_check_is_done() {
    let server = server();

    let report = run(&options(server.address()), |_| {}).expect("a server that answers");

    expect_all(&report);
}

#[test]
fn it_conforms_as_well_behind_tls() {
    let authority = Authority::new();
    let identity = authority.issue("server");
    let server = Server::start(&settings().tls(&identity));
    let url = format!("https://{}{}", server.address(), Server::PATH);
    let mut options = options_for(&url);
    options.trust = Some(Trust::in_authorities(&authority.file()).unwrap());

    let report = run(&options, |_| {}).expect("a server that answers");

    expect_all(&report);
}

#[test]
fn a_server_with_a_certificate_of_nobodys_is_believed_only_if_anybody_is() {
    let (authority, other) = (Authority::new(), Authority::new());
    let identity = authority.issue("server");
    let server = Server::start(&settings().tls(&identity));
    let url = format!("https://{}{}", server.address(), Server::PATH);
    let mut options = options_for(&url);
    options.only = vec!["HS-2".to_owned()];

    options.trust = Some(Trust::in_authorities(&other.file()).unwrap());
    let refused = run(&options, |_| {}).map(|_| ()).unwrap_err().to_string();
    options.trust = Some(Trust::in_anybody().unwrap());
    let believed = run(&options, |_| {}).expect("a server that answers");

    assert!(refused.contains("invalid peer certificate"), "{refused}");
    assert!(believed.conforms());
}

/// Nothing has failed, and nothing was left out.
#[track_caller]
fn expect_all(report: &Report) {
    let failed = report.failed();
    let failures: String = failed.map(bayeux_conformance::Finding::to_text).collect();
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
