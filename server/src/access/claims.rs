//! What a token says of somebody, as far as rules ask for it.

use std::fmt;

use bayeux_core::{Identity, Payload};
use serde_json::{Map, Value};

/// The claims of a session that was admitted with a token.
///
/// Only those are kept that some rule names: they stand in the record of every session.
#[derive(Clone, PartialEq)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Of `all` claims of a token those called `names`.
    pub(crate) fn keep(mut all: Map<String, Value>, names: &[&str]) -> Self {
        all.retain(|name, _| names.contains(&name.as_str()));
        // RFC 8693, section 4.2: a list of words in one string.
        if let Some(Value::String(words)) = all.get("scope") {
            let words = words.split_ascii_whitespace().map(Value::from).collect();
            all.insert("scope".into(), words);
        }
        Self(all)
    }

    /// The words in which a session's record has them.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(Payload::from(Value::Object(self.0.clone())))
    }

    /// Those that a session's record has; `None` if the words are somebody else's.
    pub(crate) fn of(identity: &Identity) -> Option<Self> {
        serde_json::from_str(identity.words().as_str())
            .ok()
            .map(Self)
    }

    /// Whether the claim `name` is this text, or a list with it.
    pub(crate) fn has_text(&self, name: &str, text: &str) -> bool {
        let is_text = |value: &Value| match value {
            Value::String(string) => string == text,
            Value::Number(number) => !number.is_f64() && number.to_string() == text,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        match self.0.get(name) {
            Some(Value::Array(list)) => list.iter().any(is_text),
            Some(value) => is_text(value),
            None => false,
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl fmt::Debug for Claims {
    /// The names alone: the rest tells of a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a rule wants of a claim.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Wanted {
    /// To be one of these, or a list with one of them.
    OneOf(Vec<Value>),
    /// To be an object whose members are as wanted.
    Members(Vec<(Box<str>, Wanted)>),
}

impl Wanted {
    /// Whether the claim `name` is as wanted.
    pub(crate) fn is_met(&self, claims: &Claims, name: &str) -> bool {
        claims.get(name).is_some_and(|claim| self.fits(claim))
    }

    fn fits(&self, claim: &Value) -> bool {
        match (self, claim) {
            (Self::OneOf(wanted), Value::Array(list)) => {
                list.iter().any(|value| wanted.contains(value))
            }
            (Self::OneOf(wanted), value) => wanted.contains(value),
            (Self::Members(wanted), Value::Object(members)) => {
                wanted.iter().all(|(name, wanted)| {
                    let member = members.get(&**name);
                    member.is_some_and(|member| wanted.fits(member))
                })
            }
            (Self::Members(_), _) => false,
        }
    }
}
