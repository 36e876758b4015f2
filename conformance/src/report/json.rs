//! JSON for programs.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Finding, Report, Verdict};
use crate::unseen::unseen;

impl Report {
    /// All findings, the sums and the rules, as one object.
    pub fn to_json(&self) -> Value {
        let [passed, failed, known, unchecked] = self.counts(None);
        let not_offered = self.not_offered.iter().map(|(it, why)| (it.name(), why));
        json!({
            "conforms": self.conforms(),
            "passed": passed,
            "failed": failed,
            "known": known,
            "notChecked": unchecked,
            "noLongerKnown": self.no_longer_known(),
            "transports": self.offered.iter().map(|it| it.name()).collect::<Vec<_>>(),
            "transportsNotOffered": not_offered.collect::<BTreeMap<_, _>>(),
            "rulesChecked": self.checked_rules(),
            "rulesNotChecked": self.unchecked_rules().into_iter().collect::<BTreeMap<_, _>>(),
            "rulesWithoutCheck": without_check(),
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }
}

/// The rules that have no check, with the reason.
fn without_check() -> BTreeMap<&'static str, &'static str> {
    let reasons = unseen().iter();
    reasons
        .flat_map(|unseen| unseen.rules.iter().map(|rule| (*rule, unseen.why)))
        .collect()
}

impl Finding {
    fn to_json(&self) -> Value {
        let mut object = json!({
            "group": self.group,
            "rules": self.rules,
            "promise": self.promise,
            "transport": self.transport.name(),
            "seconds": self.seconds,
        });
        if let Some(known) = self.known {
            object["known"] = json!(known.what);
        }
        object["verdict"] = match &self.verdict {
            Verdict::Passed => json!("passed"),
            Verdict::Failed { why, transcript } => {
                object["why"] = json!(why);
                object["transcript"] = json!(transcript);
                json!("failed")
            }
            Verdict::Known { why } => {
                object["why"] = json!(why);
                json!("known")
            }
            Verdict::NotChecked { why } => {
                object["why"] = json!(why);
                json!("not checked")
            }
        };
        object
    }
}
