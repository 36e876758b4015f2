//! The registry of protocol rules: which rules there are, and which tests say that they prove them.
//!
//! `docs/protocol.md` names the rules, one paragraph each, with the id in bold at the start of the line. A test says
//! in a comment directly above or inside it which of them it proves:
//!
//! ```text
//! // Proves: CN-9, CN-14
//! #[test]
//! fn a_newer_connect_fails_the_older_one() { … }
//! ```
//!
//! `tests/unproven.txt` lists the rules that no test is to prove, each with its reason. The invariant: a rule is
//! proven or has a reason, never both, and nothing names a rule that does not exist.

mod marker;
mod rust_source;
mod tree;

pub use marker::{Language, Marker, Markers};
pub use tree::Tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The groups whose entries are no rules of their own: the checklist points to rules.
const POINTERS: [&str; 1] = ["K"];

/// The group whose entries are rules only when they have not been merged into others.
const DECISIONS: &str = "DE";

/// Fewer rules than this means that the digest, or the way it is read, is broken.
const FEWEST_RULES: usize = 250;

/// The name of a rule, as in `CN-9`: the letters of its section and a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId {
    group: String,
    number: u16,
}

impl RuleId {
    /// Reads exactly one id: one or two capital letters, a hyphen, a number without leading zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (group, number) = text.split_once('-')?;
        let is_group =
            matches!(group.len(), 1 | 2) && group.bytes().all(|b| b.is_ascii_uppercase());
        let is_number = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        if !is_group || !is_number {
            return None;
        }
        let number = number.parse().ok()?;
        Some(Self {
            group: group.to_owned(),
            number,
        })
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.group, self.number)
    }
}

/// One rule of the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// How its text begins.
    pub opening: String,
    /// Whether a test has to prove it, or a reason has to say why none does.
    pub required: bool,
}

/// All rules of the digest, in its order.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// Reads the digest.
    ///
    /// # Errors
    ///
    /// What is wrong with it: an id twice or out of order, a gap in the numbers of a group, a mention of an id that
    /// has no rule, or so few rules that something must have gone wrong.
    pub fn parse(digest: &str) -> Result<Self, Vec<String>> {
        let rules = Self {
            rules: definitions(digest),
        };
        let mut problems = rules.misnumbered();
        problems.extend(rules.dangling(digest));
        let required = rules.required().count();
        if required < FEWEST_RULES {
            problems.push(format!(
                "the digest has {required} rules, but never fewer than {FEWEST_RULES}"
            ));
        }
        if problems.is_empty() {
            Ok(rules)
        } else {
            Err(problems)
        }
    }

    /// The rules that need a proof or a reason.
    pub fn required(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.required)
    }

    /// The rule of that name.
    #[must_use]
    pub fn find(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == *id)
    }

    fn misnumbered(&self) -> Vec<String> {
        let mut last: BTreeMap<&str, u16> = BTreeMap::new();
        let mut problems = Vec::new();
        for Rule { id, .. } in &self.rules {
            let last = last.entry(&id.group).or_default();
            if id.number != *last + 1 {
                problems.push(format!(
                    "{id} stands in the digest where {}-{} is due",
                    id.group,
                    *last + 1
                ));
            }
            *last = id.number;
        }
        problems
    }

    fn dangling(&self, digest: &str) -> Vec<String> {
        let groups: BTreeSet<&str> = self
            .rules
            .iter()
            .map(|rule| rule.id.group.as_str())
            .collect();
        let mentioned: BTreeSet<RuleId> = mentions(digest).collect();
        mentioned
            .into_iter()
            .filter(|id| groups.contains(id.group.as_str()) && self.find(id).is_none())
            .map(|id| format!("the digest mentions {id}, which it does not define"))
            .collect()
    }
}

/// The lines that define a rule, and for a decision whether it stands for itself.
fn definitions(digest: &str) -> Vec<Rule> {
    digest
        .lines()
        .filter_map(|line| {
            let (in_table, line) = match line.strip_prefix("| ") {
                Some(row) => (true, row),
                None => (false, line),
            };
            let (id, text) = line.strip_prefix("**")?.split_once("**")?;
            let id = RuleId::parse(id)?;
            let text = text.trim_start_matches([' ', '|']);
            let merged = || {
                text.split('|')
                    .next()
                    .is_some_and(|cell| mentions(cell).next().is_some())
            };
            let required = if in_table || id.group == DECISIONS {
                !merged()
            } else {
                !POINTERS.contains(&id.group.as_str())
            };
            let opening = text.to_owned();
            Some(Rule {
                id,
                opening,
                required,
            })
        })
        .collect()
}

/// Every id that `text` mentions anywhere.
fn mentions(text: &str) -> impl Iterator<Item = RuleId> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter_map(RuleId::parse)
}

/// The rules that no test is to prove, with the reason of each.
#[derive(Clone, Debug, Default)]
pub struct Unproven {
    reasons: BTreeMap<RuleId, String>,
}

impl Unproven {
    /// Reads the list: an id and a reason on each line; `#` starts a comment line.
    ///
    /// # Errors
    ///
    /// The lines that are not of that form, have no reason, or repeat an id.
    pub fn parse(list: &str) -> Result<Self, Vec<String>> {
        let mut unproven = Self::default();
        let mut problems = Vec::new();
        for (number, line) in (1..).zip(list.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, reason) = line.split_once(' ').unwrap_or((line, ""));
            match RuleId::parse(id) {
                None => problems.push(format!("unproven.txt:{number}: `{id}` is no rule id")),
                Some(id) if reason.trim().is_empty() => {
                    problems.push(format!("unproven.txt:{number}: {id} has no reason"));
                }
                Some(id) => {
                    if unproven
                        .reasons
                        .insert(id.clone(), reason.trim().to_owned())
                        .is_some()
                    {
                        problems.push(format!("unproven.txt:{number}: {id} is there twice"));
                    }
                }
            }
        }
        if problems.is_empty() {
            Ok(unproven)
        } else {
            Err(problems)
        }
    }
}

/// What the registry found when it held rules, proofs and reasons against each other.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    /// Rules with neither a proof nor a reason.
    pub missing: Vec<&'a Rule>,
    /// Markers that are malformed, stand where no test is, or name a rule that does not exist.
    pub markers: Vec<String>,
    /// Reasons for rules that are proven, need no proof, or do not exist.
    pub reasons: Vec<String>,
    proven: usize,
    required: usize,
}

impl<'a> Findings<'a> {
    /// Holds what the tests say against what the digest asks for.
    #[must_use]
    pub fn new(rules: &'a Rules, markers: &Markers, unproven: &Unproven) -> Self {
        let mut proofs: BTreeMap<&RuleId, &Marker> = BTreeMap::new();
        let mut faults = markers.faults.clone();
        for marker in &markers.sound {
            match rules.find(&marker.rule) {
                Some(rule) => {
                    proofs.entry(&rule.id).or_insert(marker);
                }
                None => faults.push(format!(
                    "{}: there is no rule {}",
                    marker.place, marker.rule
                )),
            }
        }
        let required: Vec<&Rule> = rules.required().collect();
        let missing = required.iter().copied();
        let missing = missing.filter(|rule| {
            !proofs.contains_key(&rule.id) && !unproven.reasons.contains_key(&rule.id)
        });
        Self {
            missing: missing.collect(),
            markers: faults,
            reasons: needless(rules, &proofs, unproven),
            proven: required
                .iter()
                .filter(|rule| proofs.contains_key(&rule.id))
                .count(),
            required: required.len(),
        }
    }
}

fn needless(
    rules: &Rules,
    proofs: &BTreeMap<&RuleId, &Marker>,
    unproven: &Unproven,
) -> Vec<String> {
    let why = |id: &RuleId| match (rules.find(id), proofs.get(id)) {
        (None, _) => Some(format!("unproven.txt: there is no rule {id}")),
        (Some(rule), _) if !rule.required => {
            Some(format!("unproven.txt: {id} needs neither proof nor reason"))
        }
        (Some(_), Some(marker)) => {
            Some(format!("unproven.txt: {id} is proven at {}", marker.place))
        }
        (Some(_), None) => None,
    };
    unproven.reasons.keys().filter_map(why).collect()
}

impl fmt::Display for Findings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of {} rules are proven by tests.",
            self.proven, self.required
        )?;
        for (title, lines) in [
            ("Markers to put right:", &self.markers),
            ("Reasons to take out:", &self.reasons),
        ] {
            if !lines.is_empty() {
                writeln!(f, "\n{title}")?;
            }
            for line in lines {
                writeln!(f, "  {line}")?;
            }
        }
        if !self.missing.is_empty() {
            writeln!(
                f,
                "\nRules with neither a test nor a reason: {}",
                self.missing.len()
            )?;
        }
        let mut group = "";
        for rule in &self.missing {
            if rule.id.group != group {
                group = &rule.id.group;
                let count = self
                    .missing
                    .iter()
                    .filter(|rule| rule.id.group == group)
                    .count();
                writeln!(f, "\n  {group} ({count})")?;
            }
            let id = rule.id.to_string();
            let opening: String = rule.opening.chars().take(90).collect();
            writeln!(f, "    {id:<6} {opening}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest of one group of `count` rules, and what else is given.
    fn digest(count: u16, rest: &str) -> String {
        let rules = (1..=count).map(|number| format!("**CN-{number}** Says {number}.\n\n"));
        format!("# Digest\n\n{}{rest}", rules.collect::<String>())
    }

    fn id(text: &str) -> RuleId {
        RuleId::parse(text).unwrap()
    }

    fn proofs(ids: &[&str]) -> Markers {
        let sound = ids.iter().map(|text| Marker {
            rule: id(text),
            place: "a.rs:1".to_owned(),
        });
        Markers {
            sound: sound.collect(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn ids_are_read_exactly() {
        let good = ["CN-1", "K-16", "DE-23", "AK-10"];
        let bad = [
            "", "CN", "CN-", "-1", "cn-1", "UTF-8", "CN-01", "CN-1a", "CN-+1", "CN-99999", "CN_1",
            "C1-1",
        ];

        for text in good {
            assert_eq!(
                RuleId::parse(text).map(|id| id.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in bad {
            assert_eq!(RuleId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_without_rules_is_refused() {
        assert!(Rules::parse("").is_err());
        assert!(Rules::parse("CN-1 not in bold\n\n **CN-2** not at the start\n").is_err());
    }

    #[test]
    fn a_digest_with_fewer_than_250_rules_is_refused() {
        assert!(Rules::parse(&digest(249, "")).is_err());
        assert_eq!(
            Rules::parse(&digest(250, "")).unwrap().required().count(),
            250
        );
    }

    #[test]
    fn checklist_entries_do_not_count_toward_the_250() {
        assert!(Rules::parse(&digest(249, "**K-1** Look at CN-1.\n")).is_err());
    }

    #[test]
    fn a_repeated_or_missing_number_is_refused() {
        assert!(Rules::parse(&digest(250, "**CN-250** Again.\n")).is_err());
        assert!(Rules::parse(&digest(250, "**CN-252** Leaves one out.\n")).is_err());
    }

    #[test]
    fn a_mention_of_a_rule_that_is_not_there_is_refused() {
        let problems = Rules::parse(&digest(250, "See CN-251, and UTF-8.\n")).unwrap_err();

        assert_eq!(
            problems,
            ["the digest mentions CN-251, which it does not define"]
        );
    }

    #[test]
    fn a_decision_is_a_rule_only_if_it_stands_in_no_other() {
        let table = "| Decision | Stands in | In one line |\n|---|---|---|\n\
                     | **DE-1** | CN-4, CN-11 | Sole message, as CN-1. |\n\
                     | **DE-2** | section 29 | Helpers, not as CN-1. |\n";
        let rules = Rules::parse(&digest(250, table)).unwrap();

        assert!(!rules.find(&id("DE-1")).unwrap().required);
        assert!(rules.find(&id("DE-2")).unwrap().required);
    }

    #[test]
    fn rules_with_neither_test_nor_reason_are_listed() {
        let rules = Rules::parse(&digest(250, "")).unwrap();
        let unproven = Unproven::parse("CN-250 says what clients do").unwrap();
        let all_but_two: Vec<String> = (1..=248).map(|number| format!("CN-{number}")).collect();
        let all_but_two: Vec<&str> = all_but_two.iter().map(String::as_str).collect();

        let findings = Findings::new(&rules, &proofs(&all_but_two), &unproven);

        let missing: Vec<String> = findings
            .missing
            .iter()
            .map(|rule| rule.id.to_string())
            .collect();
        assert_eq!(missing, ["CN-249"]);
        assert!(findings.markers.is_empty() && findings.reasons.is_empty());
        let listing = findings.to_string();
        assert!(listing.contains("248 of 250 rules are proven"), "{listing}");
        assert!(listing.contains("CN-249 Says 249."), "{listing}");
    }

    #[test]
    fn without_markers_every_rule_is_missing() {
        let rules = Rules::parse(&digest(250, "")).unwrap();

        let findings = Findings::new(&rules, &Markers::default(), &Unproven::default());

        assert_eq!(findings.missing.len(), 250);
    }

    #[test]
    fn a_marker_for_a_rule_that_does_not_exist_is_a_fault() {
        let rules = Rules::parse(&digest(250, "")).unwrap();

        let findings = Findings::new(&rules, &proofs(&["CN-251"]), &Unproven::default());

        assert_eq!(findings.markers, ["a.rs:1: there is no rule CN-251"]);
    }

    #[test]
    fn a_reason_for_a_proven_an_unknown_or_no_rule_is_needless() {
        let rules = Rules::parse(&digest(250, "**K-1** Look at CN-1.\n")).unwrap();
        let unproven =
            Unproven::parse("# why\nCN-1 because\nCN-251 because\n\nK-1 because\n").unwrap();

        let findings = Findings::new(&rules, &proofs(&["CN-1"]), &unproven);

        assert_eq!(
            findings.reasons,
            [
                "unproven.txt: CN-1 is proven at a.rs:1",
                "unproven.txt: there is no rule CN-251",
                "unproven.txt: K-1 needs neither proof nor reason",
            ]
        );
    }

    #[test]
    fn the_list_of_reasons_is_read_strictly() {
        for bad in ["CN-1", "CN-1   ", "CN1 because", "CN-1 a\nCN-1 b"] {
            assert!(Unproven::parse(bad).is_err(), "{bad}");
        }
    }
}
