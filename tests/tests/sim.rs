//! A cluster under faults: whatever breaks, what was promised holds. `docs/testing.md` says how to read a
//! story and how to replay a seed.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bayeux_tests::sim::{self, Bias, Outcome, Telling};

/// How many seeds are lived through each time.
const SEEDS: u64 = 2_000;
/// How much of a story is told when it ends badly.
const LINES: usize = 60;

// Proves: MO-5, AK-4, AK-7, CN-9
#[test]
fn a_cluster_keeps_its_promises_whatever_breaks() {
    let failed = live_through(SEEDS);

    if let Some(failed) = failed {
        panic!("{}", told(sim::run(failed.seed, Telling::Full)));
    }
}

#[test]
fn a_seed_that_fails_is_told_again_word_for_word() {
    for seed in [1, 2, 3] {
        let fails = |telling| sim::run_before(seed, telling, Bias::After(4));
        let [silent, once, again] = [Telling::Silent, Telling::Full, Telling::Full].map(fails);

        assert_eq!(silent.digest, once.digest);
        assert_eq!((silent.facts, &silent.failure), (once.facts, &once.failure));
        assert_eq!(once.digest, again.digest);
        let failure = once.failure.clone().unwrap_or_default();
        let story = once.story.clone();
        assert_eq!(story, again.story);
        assert_eq!(told(once), told(again));
        // The number of the event that the judge does not like; that it was published, stored, sent and read.
        let (number, _) = failure
            .split_once(' ')
            .and_then(|(_, what)| what.split_once(" has come"))
            .unwrap_or_else(|| panic!("{failure}"));
        let number = number.rsplit(' ').next().unwrap_or(number);
        for step in [
            "client ",
            " > node ",
            "log      @",
            " > client ",
            "BROKEN   client ",
        ] {
            let tells = |line: &String| line.contains(step) && line.contains(number);
            assert!(
                story.iter().any(tells),
                "no {step:?} of {number}: {story:#?}"
            );
        }
    }
}

#[test]
fn a_seed_is_replayed_to_the_byte() {
    for seed in 0..25 {
        let [once, again] = [Telling::Silent, Telling::Full].map(|telling| sim::run(seed, telling));

        assert_eq!(once.digest, again.digest, "seed {seed}");
        assert_eq!(once.facts, again.facts, "seed {seed}");
        assert!(once.story.is_empty() && !again.story.is_empty());
    }
}

#[test]
fn another_seed_is_another_story() {
    let [one, other] = [1, 2].map(|seed| sim::run(seed, Telling::Silent).digest);

    assert_ne!(one, other);
}

/// The failed run with the lowest seed, of those that were begun before one failed.
fn live_through(seeds: u64) -> Option<Outcome> {
    let next = AtomicU64::new(0);
    let failed: Mutex<Vec<Outcome>> = Mutex::default();
    let jobs = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failed.lock().is_ok_and(|failed| !failed.is_empty()) {
                        return;
                    }
                    let outcome = sim::run(seed, Telling::Silent);
                    if outcome.failure.is_some()
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(outcome);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    failed.into_iter().min_by_key(|outcome| outcome.seed)
}

/// How it came to it.
fn told(outcome: Outcome) -> String {
    let seed = outcome.seed;
    let skipped = outcome.story.len().saturating_sub(LINES);
    let lines = outcome.story.into_iter().skip(skipped);
    let lines: Vec<String> = lines.collect();
    format!(
        "seed {seed}: {}\n{}\nthe whole story: cargo run -p bayeux-tests --bin sim -- --seed {seed} --story",
        outcome.failure.unwrap_or_default(),
        lines.join("\n"),
    )
}
