//! Every rule of `docs/protocol.md` is proven by a test that names it, or `unproven.txt` says why not.

use std::io;

use bayeux_tests::rules::{Findings, Markers, Rules, Tree, Unproven};

fn rules() -> io::Result<Rules> {
    let digest = Tree::new().read("docs/protocol.md")?;
    Rules::parse(&digest).map_err(|problems| io::Error::other(problems.join("\n")))
}

fn unproven() -> io::Result<Unproven> {
    let list = Tree::new().read("tests/unproven.txt")?;
    Unproven::parse(&list).map_err(|problems| io::Error::other(problems.join("\n")))
}

#[test]
fn the_digest_is_well_formed() {
    let rules = rules().unwrap();

    for id in ["MO-1", "CN-9", "AK-14", "SF-9"] {
        assert!(
            rules.required().any(|rule| rule.id.to_string() == id),
            "{id}"
        );
    }
    for id in ["K-1", "DE-1"] {
        assert!(
            !rules.required().any(|rule| rule.id.to_string() == id),
            "{id}"
        );
    }
}

#[test]
fn the_sources_of_all_crates_are_searched() {
    let sources = Tree::new().sources().unwrap();

    for path in [
        "bayeux-core/src/lib.rs",
        "server/src/lib.rs",
        "server-tokio/src/lib.rs",
        "tests/src/rules/marker.rs",
        "tests/tests/registry.rs",
    ] {
        assert!(sources.iter().any(|source| source == path), "{path}");
    }
    assert!(!sources.iter().any(|source| source.contains("/target/")));
}

#[test]
fn markers_name_rules_and_stand_at_tests() {
    let (rules, markers) = (rules().unwrap(), Tree::new().markers().unwrap());

    let findings = Findings::new(&rules, &markers, &Unproven::default());

    assert!(
        findings.markers.is_empty(),
        "\n{}",
        findings.markers.join("\n")
    );
}

#[test]
fn reasons_are_given_for_unproven_rules_only() {
    let (rules, markers, unproven) = (
        rules().unwrap(),
        Tree::new().markers().unwrap(),
        unproven().unwrap(),
    );

    let findings = Findings::new(&rules, &markers, &unproven);

    assert!(
        findings.reasons.is_empty(),
        "\n{}",
        findings.reasons.join("\n")
    );
    let without_markers = Findings::new(&rules, &Markers::default(), &unproven);
    assert!(
        without_markers.reasons.is_empty(),
        "\n{}",
        without_markers.reasons.join("\n")
    );
}

#[test]
fn every_rule_is_proven_or_has_a_reason() {
    let (rules, markers, unproven) = (
        rules().unwrap(),
        Tree::new().markers().unwrap(),
        unproven().unwrap(),
    );

    let findings = Findings::new(&rules, &markers, &unproven);

    assert!(findings.missing.is_empty(), "\n{findings}");
}
