//! What a configuration says, so that one read later can be compared with it.

use core::fmt;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Settings;

/// What names of things begin with that can change while a server runs: see [`Running::reload`](crate::Running::reload).
const RELOADED: [&str; 4] = ["tls-cert", "tls-key", "access.", "admin-key"];

/// All that was said, by key or flag. Of each value only a hash: it may be a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Said(BTreeMap<Box<str>, u64>);

impl Said {
    /// Notes that `name` was given these values, instead of any before.
    pub(crate) fn note<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let mut hasher = DefaultHasher::new();
        values.for_each(|value| value.hash(&mut hasher));
        self.0.insert(name.into(), hasher.finish());
    }

    /// What `settings` say otherwise, and cannot have before the next start.
    pub(crate) fn changed<'a>(&'a self, settings: &'a Settings) -> Vec<&'a str> {
        let (before, after) = (&self.0, &settings.said.0);
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let other = after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value));
        let mut names: Vec<&str> = gone
            .chain(other.map(|(name, _)| name))
            .map(|name| &**name)
            .filter(|name| !RELOADED.iter().any(|ours| name.starts_with(ours)))
            .collect();
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said")
    }
}
