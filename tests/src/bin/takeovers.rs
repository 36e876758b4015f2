//! Kills the servers of a cluster under load until others have taken over so many sessions:
//! `--takeovers 1000 --clients 200 --plain 40 --minutes 10`.

use std::process::ExitCode;
use std::time::Duration;

use bayeux_tests::crowd::Plan;

const USAGE: &str = "usage: takeovers [--takeovers COUNT] [--clients COUNT] [--plain COUNT]
                 [--servers COUNT] [--pace MILLISECONDS] [--between COUNT] [--minutes COUNT]";

fn main() -> ExitCode {
    let Some(plan) = plan() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let report = plan.run(|progress| println!("{progress}"));
    print!("{report}");
    let is_done = report.takeovers >= plan.takeovers;
    if !is_done {
        println!("BROKEN: it took too long");
    }
    if is_done && report.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn plan() -> Option<Plan> {
    let mut plan = Plan {
        servers: 3,
        acknowledging: 200,
        plain: 40,
        takeovers: 1_000,
        pace: Duration::from_millis(200),
        between: 20,
        longest: Duration::from_secs(600),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next()?.parse::<u32>().ok()?;
        let count = usize::try_from(number).ok()?;
        match word.as_str() {
            "--takeovers" => plan.takeovers = count,
            "--clients" => plan.acknowledging = count,
            "--plain" => plan.plain = count,
            "--servers" => plan.servers = count.max(1),
            "--between" => plan.between = count,
            "--pace" => plan.pace = Duration::from_millis(number.into()),
            "--minutes" => plan.longest = Duration::from_secs(60) * number,
            _ => return None,
        }
    }
    Some(plan)
}
