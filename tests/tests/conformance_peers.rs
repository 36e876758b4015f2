//! The suite against the servers of others: what is known of them is so, and all else is as the rules say.

use std::time::Duration;

use bayeux_conformance::{Finding, Helpers, Options, Profile, Report, Target, groups, run};
use bayeux_tests::live::Peer;
use bayeux_tests::rules::Tree;

const ORIGIN: &str = "http://app.example";

/// The rules of a session's life between two connects. They are checked where it is short, and all others where it is
/// so long that none expires though a busy machine is kept waiting.
const EXPIRY: [&str; 4] = ["HS-13", "TM-2", "TM-3", "TM-5"];

fn options(peer: &Peer, profile: Profile, helpers: Helpers) -> Options {
    let target = Target::resolve(peer.url()).expect("a URL");
    let mut options = Options::new(target);
    options.profile = profile;
    options.helpers = helpers;
    options.origin = Some(ORIGIN.to_owned());
    options.patience = Duration::from_secs(60);
    // Most of them wait most of the time.
    options.jobs = 24;
    options
}

/// What is not checked in a run that shows no more and no less than what is known.
fn unchecked(options: &Options) -> Vec<(&'static str, String)> {
    let report: Report = run(options, |_| {}).expect("a server that answers");

    let failures: Vec<_> = report.failed().map(Finding::to_text).collect();
    assert!(failures.is_empty(), "\n{}", failures.concat());
    // Else the documents name what is not so.
    assert_eq!(report.no_longer_known(), [].into());
    let unchecked = report.unchecked_rules().into_iter();
    unchecked
        .map(|(rule, why)| (rule, why.to_owned()))
        .collect()
}

#[test]
fn cometd_does_otherwise_in_what_is_known_alone() {
    let times = ["--timeout", "4000", "--max-interval", "60000"];
    let peer = Peer::cometd(&[&times[..], &["--origin", ORIGIN]].concat());

    for (rule, why) in unchecked(&options(&peer, Profile::CometD, Helpers::usual())) {
        assert_eq!(why, "needs --max-interval", "{rule}");
    }
}

#[test]
fn cometd_lets_sessions_expire_as_is_known() {
    let peer = Peer::cometd(&["--timeout", "8000", "--max-interval", "5000"]);

    let mut options = options(&peer, Profile::CometD, Helpers::default());
    options.only = EXPIRY.map(str::to_owned).to_vec();
    options.max_interval = Some(Duration::from_secs(5));
    assert_eq!(unchecked(&options), []);
}

#[test]
fn faye_does_otherwise_in_what_is_known_alone() {
    let peer = Peer::faye(&["--timeout", "10"]);

    for (rule, why) in unchecked(&options(&peer, Profile::Faye, Helpers::default())) {
        let lacks = ["needs --", "the server does not offer "];
        assert!(lacks.iter().any(|it| why.starts_with(it)), "{rule}: {why}");
    }
}

#[test]
fn faye_lets_sessions_expire_as_is_known() {
    let peer = Peer::faye(&["--timeout", "3"]);

    let mut options = options(&peer, Profile::Faye, Helpers::default());
    options.only = EXPIRY.map(str::to_owned).to_vec();
    // It waits twice its timeout for the next connect, so that no hold lasts longer than that.
    options.max_interval = Some(Duration::from_secs(6));
    let rules = unchecked(&options).into_iter().map(|(rule, _)| rule);
    assert_eq!(rules.collect::<Vec<_>>(), ["TM-2"]);
}

#[test]
fn what_is_known_of_others_is_explained() {
    let page = Tree::new().read("docs/conformance.md").unwrap();
    for (profile, heading) in [
        (Profile::CometD, "## What CometD deviates in"),
        (Profile::Faye, "## What Faye deviates in"),
    ] {
        let (_, behind) = page.split_once(heading).expect("a section of it");
        let section = behind.split("\n## ").next().unwrap_or_default();
        let words: Vec<_> = section.split([' ', ',', '\n']).collect();

        let checks = groups().iter().flat_map(|group| group.checks);
        for check in checks.filter(|check| check.known_difference(profile).is_some()) {
            let rule = check.rules.first().expect("a rule");
            assert!(words.contains(rule), "{heading}: {check:?}");
        }
    }
}
