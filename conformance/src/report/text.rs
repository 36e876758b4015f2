//! Text for a terminal.

use super::{Finding, Report, Verdict};
use crate::unseen::unseen;

impl Finding {
    /// One line, and below it what went wrong.
    pub fn to_text(&self) -> String {
        let rules = self.rules.join(" ");
        let (mark, below) = match &self.verdict {
            Verdict::Passed => ("ok", String::new()),
            Verdict::Failed { why, transcript } => {
                let lines = transcript.lines().map(|line| format!("      {line}\n"));
                (
                    "FAILED",
                    format!("      {why}\n{}", lines.collect::<String>()),
                )
            }
            Verdict::Known { why } => {
                let what = self.known.map_or("it differs", |known| known.what);
                ("known", format!("      {what}: {why}\n"))
            }
            Verdict::NotChecked { why } => ("not checked", format!("      {why}\n")),
        };
        let Self {
            group,
            transport,
            promise,
            ..
        } = self;
        format!("{mark:<11} {group:<12} {transport:<16} {promise} [{rules}]\n{below}")
    }
}

impl Report {
    /// A table by group, what has failed and what was not checked, and the sum.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "\n{:<14} {:>7} {:>7} {:>7} {:>12}\n",
            "group", "passed", "failed", "known", "not checked"
        );
        let mut row = |name: &str, [passed, failed, known, unchecked]: [usize; 4]| {
            text.push_str(&format!(
                "{name:<14} {passed:>7} {failed:>7} {known:>7} {unchecked:>12}\n"
            ));
        };
        for group in self.groups() {
            row(group, self.counts(Some(group)));
        }
        row("all", self.counts(None));
        for finding in self.failed() {
            let rules = finding.rules.join(" ");
            text.push_str(&format!(
                "failed: {} ({}) [{rules}]\n",
                finding.promise, finding.transport
            ));
        }
        for promise in self.no_longer_known() {
            text.push_str(&format!("known to differ, but does not: {promise}\n"));
        }
        for (rule, why) in self.unchecked_rules() {
            text.push_str(&format!("not checked: {rule}: {why}\n"));
        }
        for (transport, why) in &self.not_offered {
            text.push_str(&format!("not offered: {transport}: {why}\n"));
        }
        let offered = self.offered.iter().map(|transport| transport.name());
        let over = Vec::from_iter(offered).join(", ");
        let rules = self.checked_rules().len();
        text.push_str(&format!("rules checked: {rules}, over {over}\n"));
        let unseen: usize = unseen().iter().map(|unseen| unseen.rules.len()).sum();
        text.push_str(&format!(
            "rules without a check: {unseen} (--list says why)\n"
        ));
        text
    }
}
