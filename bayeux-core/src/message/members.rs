//! The members of an object that was checked before.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of the checked `object`, in order; the last of several with one name (FR-7).
pub(super) fn all(object: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut members = Vec::new();
    walk(object, |name, value| members.push((name, value)));
    keep_last(&mut members);
    members
}

/// The last member `name` of the checked `object`.
pub(super) fn last<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    walk(object, |other, value| {
        if *other == *name {
            found = Some(value);
        }
    });
    found
}

/// Shows the members of `object` to `visit`; `false` if it is no object.
pub(super) fn walk<'a>(object: &'a str, visit: impl FnMut(Cow<'a, str>, &'a str)) -> bool {
    let mut parser = serde_json::Deserializer::from_str(object);
    parser.deserialize_map(Walk(visit)).is_ok()
}

struct Walk<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Walk<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            (self.0)(name, value.get());
        }
        Ok(())
    }
}

/// The name of a member, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Drops all but the last of members with the same name.
///
/// Takes no quadratic time, whatever a peer sends.
pub(super) fn keep_last<K: Ord, V>(members: &mut Vec<(K, V)>) {
    if members.len() < 2 {
        return;
    }
    let last: BTreeMap<&K, usize> = members
        .iter()
        .enumerate()
        .map(|(position, (name, _))| (name, position))
        .collect();
    if last.len() == members.len() {
        return;
    }
    let mut kept: Vec<usize> = last.into_values().collect();
    kept.sort_unstable();
    let mut kept = kept.into_iter().peekable();
    let mut position = 0..;
    members.retain(|_| {
        position
            .next()
            .is_some_and(|position| kept.next_if_eq(&position).is_some())
    });
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn of_members_with_one_name_the_last_is_kept_where_it_stands() {
        let table = [
            (vec![("a", 1)], vec![("a", 1)]),
            (vec![("a", 1), ("a", 2)], vec![("a", 2)]),
            (vec![("a", 1), ("b", 2), ("a", 3)], vec![("b", 2), ("a", 3)]),
        ];
        for (mut members, kept) in table {
            keep_last(&mut members);

            assert_eq!(members, kept);
        }
    }
}
