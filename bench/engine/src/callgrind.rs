//! Counting instructions, and comparing them with those of before.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::process::Command;
use std::str::FromStr;

use crate::Failure;
use crate::work::Work;

/// By how much a figure may rise: one part in so many.
const TOLERATED: u64 = 10;

/// Instructions for one unit of a work.
pub(crate) fn instructions(work: &Work) -> Result<u64, Failure> {
    let once = count(work, work.least)?;
    let twice = count(work, 2 * work.least)?;
    let more = twice.checked_sub(once).ok_or("twice the work took less")?;
    Ok(more / work.least)
}

/// All that a process executes which does so many units.
fn count(work: &Work, units: u64) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", work.name, &units.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    match collected {
        Some(number) if output.status.success() => Ok(number.trim().parse()?),
        _ => Err(format!("{} below callgrind: {said}", work.name).into()),
    }
}

/// Instructions by work. As text a line each: the name, and the number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures(BTreeMap<String, u64>);

impl Figures {
    pub(crate) fn add(&mut self, name: &str, figure: u64) {
        self.0.insert(name.to_owned(), figure);
    }

    /// Fails if one is more than a tenth above what it was, or was not there.
    pub(crate) fn compare(&self, before: &Self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        for (name, now) in &self.0 {
            match before.0.get(name) {
                None => wrong.push(format!("{name}: {now}, and no figure to compare it with")),
                Some(was) if *now > was + was / TOLERATED => {
                    wrong.push(format!("{name}: {now} instructions, up from {was}"));
                }
                Some(_) => {}
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(wrong.join("\n").into())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, figure) in &self.0 {
            writeln!(f, "{name} {figure}")?;
        }
        Ok(())
    }
}

impl FromStr for Figures {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let mut figures = Self::default();
        for line in text.lines() {
            let (name, figure) = line
                .split_once(' ')
                .ok_or_else(|| format!("no figure: {line}"))?;
            figures.add(name, figure.parse()?);
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(text: &str) -> Figures {
        text.parse().unwrap()
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        let text = "connect 20\nfanout-1 1000\n";
        assert_eq!(figures(text).to_string(), text);
    }

    #[test]
    fn more_than_a_tenth_more_is_too_much() {
        let before = figures("fanout-1 1000\npoll 500\n");
        for (now, good) in [
            ("1000", true),
            ("1100", true),
            ("10", true),
            ("1101", false),
        ] {
            let compared = figures(&format!("fanout-1 {now}")).compare(&before);
            assert_eq!(compared.is_ok(), good, "{now}");
        }
    }

    #[test]
    fn what_has_no_figure_yet_is_said() {
        let error = figures("new 1").compare(&Figures::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "new: 1, and no figure to compare it with"
        );
    }
}
