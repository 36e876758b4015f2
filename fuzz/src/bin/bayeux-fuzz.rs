//! Plays as many histories as one likes to an engine, and tells the first that goes wrong.
//!
//! ```text
//! bayeux-fuzz [--cases N] [--steps N] [--jobs N] [--seed N] [--keep DIRECTORY] [FILE…]
//! ```
//!
//! With files, these are played instead, each told step by step.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{env, fs, thread};

use bayeux_fuzz::history::History;
use bayeux_fuzz::play::{Failure, Play};
use bayeux_fuzz::rig::Rig;
use bayeux_fuzz::search::Search;

/// How many cases are played from one seed, before the next is taken.
const ROUND: u32 = 500;

struct Options {
    cases: u64,
    steps: usize,
    jobs: u64,
    seed: u64,
    keep: Option<PathBuf>,
    files: Vec<PathBuf>,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            cases: 10_000,
            steps: 60,
            jobs: 1,
            seed: 0,
            keep: None,
            files: Vec::new(),
        };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--cases" => options.cases = value()?.parse()?,
                "--steps" => options.steps = value()?.parse()?,
                "--jobs" => options.jobs = value()?.parse::<u64>()?.max(1),
                "--seed" => options.seed = value()?.parse()?,
                "--keep" => options.keep = Some(value()?.into()),
                other if other.starts_with("--") => {
                    return Err(format!("{other} is unknown").into());
                }
                file => options.files.push(file.into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match Options::read().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if !options.files.is_empty() {
        let told: Vec<_> = options
            .files
            .iter()
            .map(|file| tell(file))
            .collect::<Result<_, _>>()?;
        return Ok(told.into_iter().all(|good| good));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast it was is told, and decides nothing"
    )]
    let began = std::time::Instant::now();
    let (played, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|threads| {
        for job in 0..options.jobs {
            let (played, failed) = (&played, &failed);
            threads.spawn(move || search(options, job, played, failed));
        }
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast it was is told, and decides nothing"
    )]
    let seconds = began.elapsed().as_secs_f64();
    let played = played.into_inner();
    #[expect(clippy::cast_precision_loss, reason = "it is told in whole numbers")]
    let rate = played as f64 / seconds;
    println!("{played} histories in {seconds:.0} s: {rate:.0} a second");
    Ok(!failed.into_inner())
}

/// Plays rounds until there are enough cases, or one has failed.
fn search(options: &Options, job: u64, played: &AtomicU64, failed: &AtomicBool) {
    let rounds = options.cases.div_ceil(u64::from(ROUND));
    for round in (0..rounds).filter(|round| round % options.jobs == job) {
        if failed.load(Ordering::Relaxed) {
            return;
        }
        let search = Search {
            seed: options.seed.wrapping_add(round),
            cases: ROUND,
            steps: options.steps,
        };
        let outcome = search.run(|setting| {
            played.fetch_add(1, Ordering::Relaxed);
            Rig::in_memory(setting)
        });
        if let Err(failure) = outcome {
            failed.store(true, Ordering::Relaxed);
            found(options, search.seed, &failure);
        }
    }
}

fn found(options: &Options, seed: u64, failure: &Failure) {
    println!("seed {seed} goes wrong:\n\n{failure}");
    if let Some(directory) = &options.keep {
        let file = directory.join(format!("found-{seed}.history"));
        match fs::write(&file, failure.history.to_string()) {
            Ok(()) => println!("kept as {}", file.display()),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }
}

/// Plays a file, and tells what is seen at every step.
fn tell(file: &Path) -> Result<bool, Box<dyn Error>> {
    let history: History = fs::read_to_string(file)?.parse()?;
    println!("{}: setting {:?}", file.display(), history.setting);
    let mut rig = Rig::in_memory(history.setting)?;
    let mut story = Play::new(history.setting);
    for step in &history.steps {
        story.step(step);
        println!("{step}");
        match story.compare(&mut rig) {
            Ok(()) => print!("{}", story.wanted()),
            Err(difference) => {
                println!("{difference}");
                return Ok(false);
            }
        }
    }
    if let Err(broken) = rig.everybody_leaves() {
        println!("{broken}");
        return Ok(false);
    }
    Ok(true)
}
