//! Tries the mutants of `tests/mutants` one at a time, all of them or those named. With `--copy` it brings the copy up to
//! date in which they are tried, and tries none.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use bayeux_tests::mutants::{Fate, Mutant, Stage, Workshop};

const USAGE: &str = "usage: mutants --copy | [--seeds COUNT] [NAME]...";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn main() -> ExitCode {
    if std::env::args().skip(1).eq(["--copy"]) {
        return ended(Workshop::open(Path::new(ROOT)).map(|_| ExitCode::SUCCESS));
    }
    let mut seeds = 300;
    let mut names = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--seeds" {
            let count = words.next().and_then(|count| count.parse().ok());
            let Some(count) = count else {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            };
            seeds = count;
        } else if word.starts_with('-') {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        } else {
            names.push(word);
        }
    }
    ended(try_all(&names, seeds))
}

fn ended(result: io::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn try_all(names: &[String], seeds: u64) -> io::Result<ExitCode> {
    let root = Path::new(ROOT);
    let mut mutants = Mutant::all(root)?;
    for name in names {
        if !mutants.iter().any(|mutant| mutant.name == *name) {
            return Err(io::Error::other(format!("there is no mutant {name}")));
        }
    }
    mutants.retain(|mutant| names.is_empty() || names.contains(&mutant.name));

    let workshop = Workshop::open(root)?;
    let mut stages = vec![
        Stage::Script,
        Stage::Engine,
        Stage::Model,
        Stage::Sim(seeds),
    ];
    stages.retain(|stage| workshop.has(*stage));
    let sound = workshop.try_out(&stages)?;
    if sound != Fate::Survived {
        let why = told(&sound);
        return Err(io::Error::other(format!("fails without any mutant: {why}")));
    }
    let mut uncaught = 0;
    for mutant in &mutants {
        let fate = workshop.try_mutant(mutant, &stages)?;
        uncaught += usize::from(!matches!(fate, Fate::Caught(..)));
        println!("| {} | {} | {} |", mutant.name, mutant.what, told(&fate));
    }
    println!("{} mutants, {uncaught} not caught", mutants.len());
    Ok(if uncaught == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn told(fate: &Fate) -> String {
    match fate {
        Fate::Caught(stage, what, others) => {
            let stage = match stage {
                Stage::Engine => "engine",
                Stage::Script => "script",
                Stage::Model => "model",
                Stage::Sim(_) => "sim",
            };
            let more = if *others > 0 {
                format!(" and {others} more")
            } else {
                String::new()
            };
            format!("{stage}: {what}{more}")
        }
        Fate::Survived => "SURVIVED".to_owned(),
        Fate::NoProgram(why) => format!("NO PROGRAM: {why}"),
    }
}
