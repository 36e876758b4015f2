//! What came of a conversation, without what differs from run to run.

use std::collections::BTreeMap;

use super::Names;

/// What a driver has to say of a conversation.
#[derive(Clone, Debug)]
pub struct Played {
    /// The facts that its engine was told, in order, each as `Debug` has it.
    pub facts: Vec<String>,
    /// The answers, in the order in which they were waited for.
    pub answers: Vec<String>,
    /// Who was who.
    pub names: Names,
}

/// The same, to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What clients were answered, in order.
    pub answers: Vec<String>,
    /// What the engine was told of each connection, a fact a line, in the order of their beginnings.
    pub connections: Vec<String>,
    /// The store's replies, in order.
    pub replies: Vec<String>,
    /// The store's notices, in order; those of entries in one.
    pub notices: Vec<String>,
    /// Anything else.
    pub others: Vec<String>,
}

impl Told {
    /// Hides what differs from run to run.
    #[must_use]
    pub fn new(played: &Played) -> Self {
        let names = &played.names;
        let mut told = Self {
            answers: played
                .answers
                .iter()
                .map(|answer| names.hide(answer))
                .collect(),
            connections: Vec::new(),
            replies: Vec::new(),
            notices: Vec::new(),
            others: Vec::new(),
        };
        let mut connections = BTreeMap::<u64, (usize, Vec<String>)>::new();
        for (place, fact) in played.facts.iter().enumerate() {
            let hidden = names.hide(&without_number(fact));
            if let Some(connection) = connection_of(fact) {
                let (_, facts) = connections.entry(connection).or_insert((place, Vec::new()));
                facts.push(hidden);
            } else if fact.starts_with("Stored") {
                told.replies.push(hidden);
            } else if fact.starts_with("Notified") {
                told.notice(&hidden);
            } else if fact != "Elapsed" {
                told.others.push(hidden);
            }
        }
        let mut connections = Vec::from_iter(connections.into_values());
        connections.retain(|(_, facts)| facts.iter().any(|fact| fact.starts_with("Received")));
        connections.sort();
        let joined = connections.into_iter().map(|(_, mut facts)| {
            facts.sort_by_key(|fact| fact.starts_with("Written"));
            facts.join("\n")
        });
        told.connections = joined.collect();
        told
    }

    fn notice(&mut self, notice: &str) {
        const BEGINNING: &str = "Notified { notice: Entries([";
        const END: &str = "]) }";
        let entries = notice
            .strip_prefix(BEGINNING)
            .and_then(|rest| rest.strip_suffix(END));
        match (entries, self.notices.last_mut()) {
            (Some(entries), Some(last)) if last.starts_with(BEGINNING) => {
                last.truncate(last.len() - END.len());
                *last = format!("{last}, {entries}{END}");
            }
            _ => self.notices.push(notice.to_owned()),
        }
    }
}

impl Told {
    /// What is not the same here and there; nothing if they are equal.
    #[must_use]
    pub fn differences(&self, other: &Self) -> String {
        let mut differences = String::new();
        for (ours, theirs) in self.sections().into_iter().zip(other.sections()) {
            for place in 0..ours.len().max(theirs.len()) {
                let (one, other) = (ours.get(place), theirs.get(place));
                if one != other {
                    differences.extend(one.map(|line| format!("- {line}\n")));
                    differences.extend(other.map(|line| format!("+ {line}\n")));
                }
            }
        }
        differences
    }

    fn sections(&self) -> [&[String]; 5] {
        let Self {
            answers,
            connections,
            replies,
            notices,
            others,
        } = self;
        [answers, connections, replies, notices, others].map(Vec::as_slice)
    }
}

/// The number of the connection that a fact is about.
pub(super) fn connection_of(fact: &str) -> Option<u64> {
    let (_, members) = fact.split_once(" { connection: ConnectionId(")?;
    members.split_once(')')?.0.parse().ok()
}

/// The fact without the number of its connection or ticket.
fn without_number(fact: &str) -> String {
    for kind in ["ConnectionId(", "StoreTicket("] {
        if let Some((before, rest)) = fact.split_once(kind)
            && let Some((_, after)) = rest.split_once(')')
        {
            return format!("{before}{kind}_){after}");
        }
    }
    fact.to_owned()
}
