//! What the engine alone costs, without a network and without a clock.
//!
//! ```text
//! bayeux-bench-engine instructions [--against FILE | --write FILE] [WORK…]
//! bayeux-bench-engine run WORK UNITS
//! bayeux-bench-engine memory SESSIONS
//! ```
//!
//! `instructions` runs each work twice below callgrind, the second time with twice the units, and divides what the
//! second took more: so that neither the start nor the set-up is in the figure. `run` is what it runs; it is for
//! profilers too. `memory` is for a million sessions: bytes for each, and whether an event to a thousand of them
//! costs what it costs among a thousand.

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use crate::callgrind::Figures;
use crate::work::{ALL, ROOM, Work};

mod callgrind;
mod work;
mod world;

type Failure = Box<dyn Error>;

const USAGE: &str =
    "instructions [--against FILE | --write FILE] [WORK…] | run WORK UNITS | memory SESSIONS";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["instructions", "--against", file, names @ ..] => compare(file, names),
        ["instructions", "--write", file, names @ ..] => write(file, names),
        ["instructions", names @ ..] => measure(names).map(drop),
        ["run", name, units] => run(name, units),
        ["memory", sessions] => memory(sessions),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The works of these names; all but the longest if there is none.
fn chosen(names: &[&str]) -> Result<Vec<Work>, Failure> {
    if names.is_empty() {
        return Ok(ALL.into_iter().filter(|work| !work.is_long).collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn find(name: &str) -> Result<Work, Failure> {
    let work = ALL.into_iter().find(|work| work.name == name);
    let names = ALL.map(|work| work.name).join(", ");
    work.ok_or_else(|| format!("{name} is none of {names}").into())
}

fn run(name: &str, units: &str) -> Result<(), Failure> {
    (find(name)?.run)(units.parse()?);
    Ok(())
}

fn measure(names: &[&str]) -> Result<Figures, Failure> {
    let mut figures = Figures::default();
    for work in chosen(names)? {
        let figure = callgrind::instructions(&work)?;
        println!("{:14} {figure:>12}  {}", work.name, work.unit);
        figures.add(work.name, figure);
    }
    Ok(figures)
}

fn write(file: &str, names: &[&str]) -> Result<(), Failure> {
    fs::write(file, measure(names)?.to_string())?;
    Ok(())
}

fn compare(file: &str, names: &[&str]) -> Result<(), Failure> {
    let before: Figures = fs::read_to_string(file)?.parse()?;
    measure(names)?.compare(&before)
}

fn memory(sessions: &str) -> Result<(), Failure> {
    let sessions: u64 = sessions.parse()?;
    let rooms = sessions / ROOM;
    let few = cost_of_an_event(&mut work::crowd(ROOM), 1);
    let before = resident()?;
    let mut crowd = work::crowd(rooms * ROOM);
    let bytes = resident()?.saturating_sub(before);
    let many = cost_of_an_event(&mut crowd, rooms);
    println!("sessions {}", rooms * ROOM);
    println!("MiB {}", bytes >> 20);
    println!("bytes a session {}", bytes / (rooms * ROOM).max(1));
    println!("ns a delivery among {ROOM} sessions {few:.0}");
    println!("ns a delivery among all {many:.0}");
    Ok(())
}

/// Nanoseconds for each delivery of events to rooms in turn.
fn cost_of_an_event(crowd: &mut (world::World, world::Client), rooms: u64) -> f64 {
    const EVENTS: u64 = 2_000;
    work::visit(crowd, rooms, EVENTS);
    let begun = Instant::now();
    work::visit(crowd, rooms, EVENTS);
    begun.elapsed().as_secs_f64() * 1e9 / (EVENTS * ROOM) as f64
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or("/proc/self/status has no VmRSS")?
        .parse::<u64>()?
        << 10)
}
