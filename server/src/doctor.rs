//! Looks whether a server could run here with its settings, and says in plain words what is wrong and
//! what to do about it.
//!
//! It changes nothing: a port is bound and let go of at once.

mod certificate;
mod clock;
mod exposure;
mod files;
mod memory;
mod ports;
mod store;
mod threads;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use crate::command_line::one_line;
use crate::config::Settings;
use crate::descriptors::Limits;
use crate::stack::Stack;

/// What was found out about one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    severity: Severity,
    text: String,
    /// What to do about it.
    advice: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Severity {
    /// All is well.
    Fine,
    /// The server runs, perhaps not as it was meant to.
    Warning,
    /// The server does not run.
    Problem,
}

impl Finding {
    fn fine(text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fine,
            text: text.into(),
            advice: None,
        }
    }

    fn warning(text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            text: text.into(),
            advice: Some(advice.into()),
        }
    }

    fn problem(text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            severity: Severity::Problem,
            ..Self::warning(text, advice)
        }
    }
}

/// Tells what is found with these settings, or what is wrong with them: exit code 1 if a server would
/// not run.
pub(crate) fn run<S: Stack>(settings: Result<&Settings, &[String]>) -> ExitCode {
    let findings = match settings {
        Ok(settings) => examine::<S>(settings),
        Err(mistakes) => mistakes
            .iter()
            .map(|mistake| misconfigured(mistake))
            .collect(),
    };
    // Nobody may be there to read it, or not to the end.
    let _ = write!(io::stdout(), "{}", Report(&findings));
    match worst(&findings) {
        Severity::Fine | Severity::Warning => ExitCode::SUCCESS,
        Severity::Problem => ExitCode::FAILURE,
    }
}

fn misconfigured(mistake: &str) -> Finding {
    Finding::problem(
        format!("configuration: {mistake}"),
        "see docs/configuration.md, or --help, for what there is to set",
    )
}

fn examine<S: Stack>(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::fine("configuration: no mistakes")];
    let addresses = settings.entrances().map(|(_, address)| address);
    findings.extend(addresses.map(ports::check));
    let now = SystemTime::now();
    findings.extend(settings.tls.iter().map(|tls| certificate::check(tls, now)));
    findings.push(files::check(Limits::now(), settings.sockets.total));
    findings.push(memory::check(settings, memory::available()));
    findings.push(threads::check(settings.shards));
    findings.extend(exposure::check(settings));
    findings.extend(store::check::<S>(settings));
    findings.push(clock::check(now));
    findings
}

fn worst(findings: &[Finding]) -> Severity {
    let all = findings.iter().map(|finding| finding.severity);
    all.max().unwrap_or(Severity::Fine)
}

/// The findings for people.
struct Report<'a>(&'a [Finding]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.0 {
            let mark = match finding.severity {
                Severity::Fine => "ok      ",
                Severity::Warning => "warning ",
                Severity::Problem => "PROBLEM ",
            };
            writeln!(f, "{mark}{}", one_line(&finding.text))?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "        {}", one_line(advice))?;
            }
        }
        let count = |severity| {
            let alike = self.0.iter().filter(|finding| finding.severity == severity);
            alike.count()
        };
        let (problems, warnings) = (count(Severity::Problem), count(Severity::Warning));
        match (problems, warnings) {
            (0, 0) => writeln!(f, "a server would run with this"),
            (0, 1) => writeln!(f, "a server would run with this; mind the warning"),
            (0, warnings) => writeln!(
                f,
                "a server would run with this; mind the {warnings} warnings"
            ),
            (1, _) => writeln!(f, "a server would not run with this: 1 problem"),
            (problems, _) => writeln!(f, "a server would not run with this: {problems} problems"),
        }
    }
}

/// `bytes` as people say it.
fn in_bytes(bytes: u128) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = bytes;
    let mut unit = "bytes";
    for larger in UNITS {
        // Whole numbers, and not rounded by much.
        let is_large = scaled >= 10 * 1024 || (scaled >= 1024 && scaled.is_multiple_of(1024));
        if !is_large {
            break;
        }
        scaled = scaled.div_ceil(1024);
        unit = larger;
    }
    format!("{scaled} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_fails_and_a_warning_does_not() {
        let fine = Finding::fine("a");
        let warning = Finding::warning("b", "do c");
        let problem = Finding::problem("d", "do e");

        for (findings, severity, last) in [
            (
                vec![fine.clone()],
                Severity::Fine,
                "a server would run with this",
            ),
            (
                vec![fine.clone(), warning.clone()],
                Severity::Warning,
                "a server would run with this; mind the warning",
            ),
            (
                vec![problem, warning, fine],
                Severity::Problem,
                "a server would not run with this: 1 problem",
            ),
        ] {
            assert_eq!(worst(&findings), severity);
            let report = Report(&findings).to_string();
            assert_eq!(report.lines().last(), Some(last));
        }
    }

    #[test]
    fn a_report_has_a_line_for_each_finding_and_one_for_its_advice() {
        let findings = [Finding::problem("a\nok b", "do c")];

        let report = Report(&findings).to_string();

        assert_eq!(
            report,
            "PROBLEM a ok b\n        do c\na server would not run with this: 1 problem\n"
        );
    }

    #[test]
    fn bytes_are_said_as_people_say_them() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (4_096, "4 KiB"),
            (268_435_456, "256 MiB"),
            (20 << 30, "20 GiB"),
            (3 << 42, "12 TiB"),
        ] {
            assert_eq!(in_bytes(bytes), said, "{bytes}");
        }
    }
}
