//! The suite against the servers of others: what is known of them is so, and all else is as the rules say.

use std::time::Duration;

use bayeux_conformance::{Finding, Helpers, Options, Profile, Report, Target, run};
use bayeux_tests::live::Peer;

const ORIGIN: &str = "http://app.example";

fn checked(peer: &Peer, profile: Profile, life: u64, helpers: Helpers) -> Report {
    let target = Target::resolve(peer.url()).expect("a URL");
    let mut options = Options::new(target);
    options.profile = profile;
    options.helpers = helpers;
    options.max_interval = Some(Duration::from_millis(life));
    options.origin = Some(ORIGIN.to_owned());
    options.patience = Duration::from_secs(60);
    // Most of them wait most of the time.
    options.jobs = 24;
    run(&options, |_| {}).expect("a server that answers")
}

fn assert_as_known(report: &Report) {
    let failures: Vec<_> = report.failed().map(Finding::to_text).collect();
    assert!(failures.is_empty(), "\n{}", failures.concat());
    // Else the documents name what is not so.
    assert_eq!(report.no_longer_known(), [].into());
}

#[test]
fn cometd_does_otherwise_in_what_is_known_alone() {
    let peer = Peer::cometd(&[
        "--timeout",
        "4000",
        "--max-interval",
        "3000",
        "--origin",
        ORIGIN,
    ]);

    let report = checked(&peer, Profile::CometD, 3_000, Helpers::usual());

    assert_as_known(&report);
    assert_eq!(report.unchecked_rules(), []);
}

#[test]
fn faye_does_otherwise_in_what_is_known_alone() {
    let peer = Peer::faye(&["--timeout", "4"]);

    // It waits twice its timeout for the next connect.
    let report = checked(&peer, Profile::Faye, 8_000, Helpers::default());

    assert_as_known(&report);
    for (rule, why) in report.unchecked_rules() {
        let lacks = ["needs --", "the server does not offer "];
        assert!(lacks.iter().any(|it| why.starts_with(it)), "{rule}: {why}");
    }
}
