//! The list of mutants does not rot: the code that each of them breaks is still there.

use std::fs;
use std::path::Path;

use bayeux_tests::mutants::{Mutant, MutantError};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_listed_mutant_still_applies() {
    let mutants = Mutant::all(root()).unwrap();

    let stale: Vec<String> = mutants
        .iter()
        .filter_map(|mutant| {
            let source = fs::read_to_string(root().join(&mutant.file)).unwrap_or_default();
            let error = mutant.apply(&source).err()?;
            Some(format!("{}: {error}", mutant.name))
        })
        .collect();

    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn there_are_thirty_mutants_or_more_and_the_page_on_testing_names_each() {
    let mutants = Mutant::all(root()).unwrap();
    let page = fs::read_to_string(root().join("docs/testing.md")).unwrap();

    assert!(mutants.len() >= 30, "{}", mutants.len());
    let named = |mutant: &&Mutant| page.contains(&format!("| `{}` |", mutant.name));
    let unnamed: Vec<&str> = mutants
        .iter()
        .filter(|mutant| !named(mutant))
        .map(|mutant| mutant.name.as_str())
        .collect();

    assert!(unnamed.is_empty(), "{unnamed:?}");
}

#[test]
fn a_mutant_replaces_what_is_there_exactly_once() {
    let text = "Two is one.\n\nfile: a.rs\n<<<<\ntwo\n====\none\n>>>>\n";
    let mutant = Mutant::parse("two_is_one", text).unwrap();

    assert_eq!(mutant.what, "Two is one.");
    assert_eq!(mutant.apply("one two"), Ok("one one".into()));
    assert_eq!(mutant.apply("one"), Err(MutantError::Found(0)));
    assert_eq!(mutant.apply("two two"), Err(MutantError::Found(2)));
}

#[test]
fn a_mutant_may_leave_nothing_but_not_change_nothing() {
    let parse = |change: &str| {
        let text = format!("What.\n\norigin: unseen\nfile: a.rs\n<<<<\n{change}>>>>\n");
        Mutant::parse("m", &text).unwrap()
    };

    let (nothing, same) = (parse("a\n====\n"), parse("a\n====\na\n"));

    assert!(nothing.unseen);
    assert_eq!(nothing.apply("[a]"), Ok("[]".into()));
    assert_eq!(same.apply("[a]"), Err(MutantError::Same));
}

#[test]
fn what_does_not_say_where_and_how_is_no_mutant() {
    for text in [
        "",
        "What.\n\nfile: a.rs\n",
        "What.\n\nfile: a.rs\n<<<<\na\n>>>>\n",
        "What.\n\nfile: a.rs\n<<<<\na\n====\nb\n",
        "What.\n\n<<<<\na\n====\nb\n>>>>\n",
        "file: a.rs\n<<<<\na\n====\nb\n>>>>\n",
    ] {
        let parsed = Mutant::parse("m", text);

        assert!(matches!(parsed, Err(MutantError::Malformed(_))), "{text:?}");
    }
}
