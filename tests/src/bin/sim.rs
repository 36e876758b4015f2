//! Runs the cluster simulator: `--seeds 100000 --jobs 2`, or `--seed 17 --story`.
#![expect(
    clippy::disallowed_methods,
    reason = "how fast it runs is measured with a real clock; nothing simulated sees it"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bayeux_tests::sim::{self, Outcome, Telling};

const USAGE: &str = "usage: sim [--seeds COUNT] [--from SEED] [--jobs COUNT]
       sim --seed SEED [--story]";

/// What was asked for.
struct Wish {
    seeds: u64,
    from: u64,
    jobs: u64,
    seed: Option<u64>,
    telling: Telling,
}

fn main() -> ExitCode {
    let Some(wish) = wish() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match wish.seed {
        Some(seed) => one(seed, wish.telling),
        None => many(&wish),
    }
}

fn wish() -> Option<Wish> {
    let mut wish = Wish {
        seeds: 2_000,
        from: 0,
        jobs: 1,
        seed: None,
        telling: Telling::Silent,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next()?.parse::<u64>().ok();
        match word.as_str() {
            "--seeds" => wish.seeds = number()?,
            "--from" => wish.from = number()?,
            "--jobs" => wish.jobs = number()?.max(1),
            "--seed" => wish.seed = Some(number()?),
            "--story" => wish.telling = Telling::Full,
            _ => return None,
        }
    }
    Some(wish)
}

/// One run, told if that is wanted.
fn one(seed: u64, telling: Telling) -> ExitCode {
    let outcome = sim::run(seed, telling);
    for line in &outcome.story {
        println!("{line}");
    }
    println!(
        "seed {seed}: {:?} simulated, {} facts, {} events delivered, digest {:016x}",
        outcome.simulated, outcome.facts, outcome.delivered, outcome.digest
    );
    match outcome.failure {
        Some(failure) => {
            println!("BROKEN: {failure}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

/// What many runs come to.
#[derive(Default)]
struct Sum {
    runs: u64,
    simulated: Duration,
    facts: u64,
    delivered: u64,
    sessions_lost: u64,
    failed: Vec<Outcome>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        self.facts += outcome.facts;
        self.delivered += outcome.delivered;
        self.sessions_lost += outcome.sessions_lost;
        if let Some(failure) = &outcome.failure {
            println!("seed {}: BROKEN: {failure}", outcome.seed);
            self.failed.push(outcome);
        }
    }
}

fn many(wish: &Wish) -> ExitCode {
    let next = AtomicU64::new(wish.from);
    let stop = AtomicBool::new(false);
    let end = wish.from.saturating_add(wish.seeds);
    let sum = Mutex::new(Sum::default());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..wish.jobs {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = sim::run(seed, Telling::Silent);
                    let Ok(mut sum) = sum.lock() else { return };
                    sum.add(outcome);
                    // Enough to look at.
                    stop.fetch_or(sum.failed.len() >= 20, Ordering::Relaxed);
                }
            });
        }
    });
    let Ok(sum) = sum.into_inner() else {
        return ExitCode::FAILURE;
    };
    let (took, hours) = (begun.elapsed(), sum.simulated.as_secs_f64() / 3_600.0);
    println!(
        "{} seeds in {took:.1?}: {hours:.1} hours simulated, {:.2} hours per second; \
         {} facts, {} events delivered, {} sessions lost where they may be, {} broken",
        sum.runs,
        hours / took.as_secs_f64(),
        sum.facts,
        sum.delivered,
        sum.sessions_lost,
        sum.failed.len(),
    );
    if sum.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
