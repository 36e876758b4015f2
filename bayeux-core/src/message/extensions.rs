//! The members of `ext`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use super::encode::Object;
use super::{Payload, members};

/// `ext` of a message: an object with one member for each extension, kept as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Extensions(Payload);

impl Extensions {
    /// No members.
    pub const fn new() -> Self {
        Self(Payload::trusted_static("{}"))
    }

    /// The members of `payload`, if it is an object (FI-7).
    pub fn from_payload(payload: Payload) -> Option<Self> {
        payload
            .as_bytes()
            .starts_with(b"{")
            .then_some(Self(payload))
    }

    /// The member `name`; the last one if there are several (FR-7).
    pub fn get(&self, name: &str) -> Option<Payload> {
        let body = self.0.to_bytes();
        let member = members::last(self.0.as_str(), name)?;
        Some(Payload::part_of(&body, member))
    }

    /// These without the members `names`; `None` if nothing is left.
    pub fn without<N: AsRef<str>>(&self, names: &[N]) -> Option<Self> {
        let members = members::all(self.0.as_str());
        let is_kept =
            |member: &(Cow<'_, str>, &str)| !names.iter().any(|name| *name.as_ref() == *member.0);
        let kept: Vec<_> = members.iter().filter(|member| is_kept(member)).collect();
        if kept.is_empty() {
            return None;
        }
        if kept.len() == members.len() {
            return Some(self.clone());
        }
        Some(Self::from_members(
            kept.iter().map(|(name, value)| (&**name, *value)),
        ))
    }

    /// These and the member `name`, in place of one of that name.
    #[must_use]
    pub fn with(&self, name: &str, value: Payload) -> Self {
        let members = members::all(self.0.as_str());
        let others = members
            .iter()
            .filter(|member| *member.0 != *name)
            .map(|(name, value)| (&**name, *value));
        Self::from_members(others.chain([(name, value.as_str())]))
    }

    fn from_members<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut json = Vec::new();
        let mut object = Object::begin(&mut json);
        for (name, value) in members {
            object.raw(name, value.as_bytes());
        }
        object.end();
        Self(Payload::trusted(json))
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Payload)> {
        let body = self.0.to_bytes();
        let members = members::all(self.0.as_str()).into_iter();
        members.map(move |(name, value)| (name, Payload::part_of(&body, value)))
    }

    /// The object as a whole.
    pub fn as_payload(&self) -> &Payload {
        &self.0
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Extensions {
    /// The size alone: clients put credentials there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({} bytes)", self.0.size())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::*;

    #[test]
    fn members_are_found_added_and_taken_out() {
        let ext = parsed(r#"{ "a":1, "b" : {"x":[ ]}, "\u0063":"3", "a":null }"#);

        assert_eq!(ext.get("a").unwrap().as_str(), "null", "FR-7");
        assert_eq!(ext.get("b").unwrap().as_str(), r#"{"x":[ ]}"#);
        assert_eq!(ext.get("c").unwrap().as_str(), "\"3\"");
        assert_eq!(ext.get("x"), None);
        let names: Vec<String> = ext.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, vec!["b", "c", "a"]);

        let table: [(&[&str], Option<&str>); 4] = [
            (&["b"], Some(r#"{"c":"3","a":null}"#)),
            (&["a", "c"], Some(r#"{"b":{"x":[ ]}}"#)),
            (&["a", "b", "c"], None),
            (&["d"], Some(ext.as_payload().as_str())),
        ];
        for (names, expected) in table {
            let rest = ext.without(names);
            assert_eq!(
                rest.as_ref().map(|rest| rest.as_payload().as_str()),
                expected,
                "{names:?}"
            );
        }

        let changed = ext
            .with("b", Payload::null())
            .with("d\"", Payload::string("x"));
        assert_eq!(
            changed.as_payload().as_str(),
            r#"{"c":"3","a":null,"b":null,"d\"":"x"}"#
        );
    }

    // Proves: FI-7
    #[test]
    fn only_an_object_has_members() {
        // FI-7
        assert!(Extensions::new().is_empty());
        assert!(parsed(" { } ").is_empty());
        assert!(!parsed(r#"{"a":null}"#).is_empty());
        for text in ["[]", "null", "1", "\"{}\""] {
            assert_eq!(
                Extensions::from_payload(Payload::parse(text).unwrap()),
                None,
                "{text}"
            );
        }
    }

    fn parsed(text: &'static str) -> Extensions {
        Extensions::from_payload(Payload::parse(text).unwrap()).unwrap()
    }
}
