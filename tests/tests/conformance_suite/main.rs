//! The suite for any server: ours conforms, and a server that is broken is caught.

mod broken;
mod command;
mod faults;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bayeux_conformance::{
    Helpers, Options, Report, Target, Transport, Trust, Verdict, groups, run, unseen,
};
use bayeux_tests::live::{Authority, Server, Settings};
use bayeux_tests::rules::{RuleId, Rules};

const ORIGIN: &str = "http://app.example";

/// The rules of a session's life between two connects. They are checked where it is short, and all others where it is
/// so long that none expires though a busy machine is kept waiting.
const EXPIRY: [&str; 4] = ["HS-13", "TM-2", "TM-3", "TM-5"];

/// Two engines, so that the sessions of a check may be on either.
fn server() -> Server {
    Server::start(&settings())
}

fn settings() -> Settings {
    with_times(6_000, 120_000)
}

fn with_times(timeout: u32, max_interval: u32) -> Settings {
    Settings::default()
        .shards(2)
        .conformance()
        .allow_origin(ORIGIN)
        .option("timeout", timeout)
        .option("maxInterval", max_interval)
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
    // A machine that is busy may take its time to hold a connect.
    options.quiet = Duration::from_millis(500);
    // Most of them wait most of the time.
    options.jobs = 24;
    options
}

#[test]
fn our_server_conforms_and_every_check_is_done() {
    let server = server();

    let report = run(&options(server.address()), |_| {}).expect("a server that answers");

    expect_all(&report);
}

#[test]
fn its_sessions_expire_when_they_should() {
    let server = Server::start(&with_times(10_000, 6_000));
    let mut options = options(server.address());
    options.max_interval = Some(Duration::from_secs(6));
    options.only = EXPIRY.map(str::to_owned).to_vec();

    let report = run(&options, |_| {}).expect("a server that answers");

    expect_no_failure(&report);
    assert_eq!(report.unchecked_rules(), []);
    let checked = report.checked_rules();
    assert!(
        EXPIRY.iter().all(|rule| checked.contains(rule)),
        "{checked:?}"
    );
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

#[track_caller]
fn expect_no_failure(report: &Report) {
    let failed = report.failed();
    let failures: String = failed.map(bayeux_conformance::Finding::to_text).collect();
    assert!(failures.is_empty(), "\n{failures}");
}

/// Nothing has failed, and nothing was left out but what is checked where sessions live shortly.
#[track_caller]
fn expect_all(report: &Report) {
    expect_no_failure(report);
    for finding in &report.findings {
        let is_done = !matches!(finding.verdict, Verdict::NotChecked { .. });
        let is_of_expiry = finding.rules.iter().any(|rule| EXPIRY.contains(rule));
        assert!(is_done || is_of_expiry, "{}", finding.to_text());
    }
    for transport in Transport::ALL {
        let mut findings = report.findings.iter();
        assert!(findings.any(|it| it.transport == transport), "{transport}");
    }
    assert!(report.checked_rules().len() >= 200, "{}", report.summary());
}

#[test]
fn every_rule_has_a_check_or_a_reason_why_not() {
    let digest = bayeux_tests::rules::Tree::new().read("docs/protocol.md");
    let rules = Rules::parse(&digest.unwrap()).unwrap();
    let required: BTreeSet<_> = rules.required().map(|rule| rule.id.to_string()).collect();
    let checks = groups().iter().flat_map(|group| group.checks);
    let checked: BTreeSet<_> = checks.flat_map(|check| check.rules).collect();
    let reasons = unseen().iter().flat_map(|unseen| unseen.rules);
    let unseen: BTreeSet<_> = reasons.collect();

    for id in required.iter().map(String::as_str) {
        assert_ne!(checked.contains(&id), unseen.contains(&id), "{id}");
    }
    for id in checked.union(&unseen) {
        let is_rule = RuleId::parse(id).is_some_and(|id| rules.find(&id).is_some());
        assert!(is_rule, "{id}");
    }
}

#[test]
fn a_server_that_is_not_there_is_no_server_that_deviates() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    assert!(run(&options(address), |_| {}).is_err());
}
