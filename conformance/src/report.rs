//! What came of it, for people and for programs.

mod json;
mod junit;
mod text;

use std::collections::BTreeSet;

use crate::check::{Difference, Transport};

/// What came of all checks.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The transports that the server offers and that answer: what is tried over others is not among the findings.
    pub offered: Vec<Transport>,
    /// The others, and why.
    pub not_offered: Vec<(Transport, String)>,
    /// In the order of the groups.
    pub findings: Vec<Finding>,
}

/// What came of one check over one transport.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The group's name.
    pub group: &'static str,
    /// The rules that it stands for.
    pub rules: &'static [&'static str],
    /// The promise.
    pub promise: &'static str,
    /// The transport.
    pub transport: Transport,
    /// What the server is known to do otherwise, if anything.
    pub known: Option<Difference>,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server does as the rules say.
    Passed,
    /// It does not.
    Failed {
        /// What it did.
        why: String,
        /// All that went over the wire.
        transcript: String,
    },
    /// It does not, as it is known to.
    Known {
        /// What it did.
        why: String,
    },
    /// It could not be seen.
    NotChecked {
        /// Why.
        why: String,
    },
}

impl Report {
    /// Whether nothing failed.
    pub fn conforms(&self) -> bool {
        self.failed().next().is_none()
    }

    /// What failed.
    pub fn failed(&self) -> impl Iterator<Item = &Finding> {
        let mut findings = self.findings.iter();
        std::iter::from_fn(move || findings.find(|finding| finding.verdict.is_failure()))
    }

    /// The promises that the server is known not to keep, and kept over every transport over which they were tried.
    /// Those that it is known not to keep at times are not among them.
    pub fn no_longer_known(&self) -> BTreeSet<&'static str> {
        let known = |finding: &&Finding| finding.known.is_some_and(|known| !known.at_times);
        let of = |passed: bool| {
            let is_so = move |finding: &&Finding| match finding.verdict {
                Verdict::Passed => passed,
                Verdict::Known { .. } => !passed,
                Verdict::Failed { .. } | Verdict::NotChecked { .. } => false,
            };
            let findings = self.findings.iter().filter(known).filter(is_so);
            findings
                .map(|finding| finding.promise)
                .collect::<BTreeSet<_>>()
        };
        of(true).difference(&of(false)).copied().collect()
    }

    /// The rules of which at least one check was done, whatever came of it.
    pub fn checked_rules(&self) -> BTreeSet<&'static str> {
        let done = |finding: &&Finding| !matches!(finding.verdict, Verdict::NotChecked { .. });
        self.findings
            .iter()
            .filter(done)
            .flat_map(|finding| finding.rules.iter().copied())
            .collect()
    }

    /// The rules that a check stands for and of which none was done, with the reason of the first.
    pub fn unchecked_rules(&self) -> Vec<(&'static str, &str)> {
        let checked = self.checked_rules();
        let mut seen = BTreeSet::new();
        let mut unchecked = Vec::new();
        for finding in &self.findings {
            let Verdict::NotChecked { why } = &finding.verdict else {
                continue;
            };
            for rule in finding.rules {
                if !checked.contains(rule) && seen.insert(*rule) {
                    unchecked.push((*rule, why.as_str()));
                }
            }
        }
        unchecked
    }

    /// How many passed, failed, failed as is known, and were not checked, of those of a group or of all.
    fn counts(&self, group: Option<&str>) -> [usize; 4] {
        let mut counts = [0; 4];
        let [passed, failed, known, unchecked] = &mut counts;
        for finding in &self.findings {
            if group.is_some_and(|group| group != finding.group) {
                continue;
            }
            match finding.verdict {
                Verdict::Passed => *passed += 1,
                Verdict::Failed { .. } => *failed += 1,
                Verdict::Known { .. } => *known += 1,
                Verdict::NotChecked { .. } => *unchecked += 1,
            }
        }
        counts
    }

    /// The groups, in order.
    fn groups(&self) -> Vec<&'static str> {
        let mut groups: Vec<_> = self.findings.iter().map(|finding| finding.group).collect();
        groups.dedup();
        groups
    }
}

impl Verdict {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(promise: &'static str, at_times: Option<bool>, verdict: Verdict) -> Finding {
        Finding {
            group: "connect",
            rules: &["CN-1"],
            promise,
            transport: Transport::LongPolling,
            known: at_times.map(|at_times| Difference {
                what: "it does not",
                at_times,
            }),
            verdict,
            seconds: 0.0,
        }
    }

    fn report(findings: Vec<Finding>) -> Report {
        Report {
            offered: vec![Transport::LongPolling],
            not_offered: Vec::new(),
            findings,
        }
    }

    #[test]
    fn what_was_kept_over_every_transport_is_no_longer_known() {
        let known = || Verdict::Known {
            why: "it did not".to_owned(),
        };
        let unchecked = || Verdict::NotChecked {
            why: "needs help".to_owned(),
        };
        let report = report(vec![
            finding("never known", None, Verdict::Passed),
            finding("at times", Some(true), Verdict::Passed),
            finding("over one of two", Some(false), Verdict::Passed),
            finding("over one of two", Some(false), known()),
            finding("not seen", Some(false), unchecked()),
            finding("over all that were seen", Some(false), Verdict::Passed),
            finding("over all that were seen", Some(false), unchecked()),
        ]);

        assert_eq!(report.no_longer_known(), ["over all that were seen"].into());
    }

    #[test]
    fn what_is_known_is_no_failure_and_was_checked() {
        let known = Verdict::Known {
            why: "it did not".to_owned(),
        };
        let report = report(vec![finding("known", Some(false), known)]);

        assert!(report.conforms());
        assert_eq!(report.checked_rules(), ["CN-1"].into());
        assert_eq!(report.counts(None), [0, 0, 1, 0]);
        assert!(report.to_junit().contains(r#"failures="0" skipped="1""#));
        assert_eq!(report.to_json().get("known"), Some(&1.into()));
        assert!(report.summary().contains("rules checked: 1"));
    }
}
