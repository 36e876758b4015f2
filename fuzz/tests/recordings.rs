//! Every history that once went wrong, played for ever.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing test has to fail"
)]

use std::fs;
use std::path::PathBuf;

use bayeux_fuzz::history::History;
use bayeux_fuzz::play::play;
use bayeux_fuzz::rig::Rig;

fn recordings() -> Vec<(PathBuf, History)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings");
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let history = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, history)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn no_recorded_history_goes_wrong_again() {
    let all = recordings();
    assert!(all.len() >= 10, "where are the recordings?");

    for (file, history) in all {
        let mut rig = Rig::in_memory(history.setting).unwrap();
        if let Err(failure) = play(&history, &mut rig) {
            panic!("{}:\n{failure}", file.display());
        }
    }
}

#[test]
fn a_recorded_history_gives_the_same_orders_again() {
    for (file, history) in recordings() {
        let orders = |_: u8| {
            let mut rig = Rig::in_memory(history.setting).unwrap();
            play(&history, &mut rig).unwrap_or_else(|failure| panic!("{failure}"));
            rig.orders().to_owned()
        };
        assert_eq!(orders(1), orders(2), "{}", file.display());
    }
}
