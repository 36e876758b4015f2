//! Names that may end in a wildcard, and what they match.

use alloc::string::ToString;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use super::{ChannelKind, ChannelName, ChannelNameError, Grammar};

/// What can be subscribed to: a name, or a name whose last segment is `*` or `**` (CH-5).
///
/// `/a/*` matches names with exactly one segment more than `/a`, `/a/**` those with one or more (CH-6).
/// A wildcard never reaches into meta or service channels (CH-9).
///
/// ```
/// # use bayeux_core::{ChannelName, ChannelNameError, ChannelPattern};
/// let rooms: ChannelPattern = "/chat/*".parse()?;
/// assert!(rooms.matches(&"/chat/demo".parse()?));
/// assert!(!rooms.matches(&"/chat/demo/members".parse()?));
/// assert_eq!("/chat/*/members".parse::<ChannelPattern>(), Err(ChannelNameError::Wildcard));
/// # Ok::<(), ChannelNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelPattern(Arc<str>);

impl ChannelPattern {
    /// Reads `text`, which may be surrounded by white space and end in a slash (CH-1 to CH-5).
    pub fn parse(text: &str, grammar: &Grammar) -> Result<Self, ChannelNameError> {
        let (text, _) = grammar.check(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends in a wildcard.
    pub fn is_wildcard(&self) -> bool {
        split(&self.0).is_some()
    }

    /// The name that it is if it has no wildcard.
    pub fn as_name(&self) -> Option<ChannelName> {
        (!self.is_wildcard()).then(|| ChannelName::trusted(Arc::clone(&self.0)))
    }

    /// What it is for (CH-4); `/meta/*` and `/service/*` are of those kinds and match nothing.
    pub fn kind(&self) -> ChannelKind {
        ChannelKind::of(&self.0)
    }

    /// Whether it is plain `/meta` or `/service`, which no peer may use (CH-4).
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// Whether an event on `name` is for its subscribers (CH-6, CH-9).
    pub fn matches(&self, name: &ChannelName) -> bool {
        let Some((base, wildcard)) = split(&self.0) else {
            return *self.0 == *name.as_str();
        };
        if name.kind() != ChannelKind::Broadcast {
            return false;
        }
        let Some(below) = name
            .as_str()
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            return false;
        };
        match wildcard {
            Wildcard::One => !below.contains('/'),
            Wildcard::Many => true,
        }
    }

    /// The wildcard patterns, other than itself, that match it (CH-7, CH-8), nearest first.
    ///
    /// What it takes to find the rules that hold for a subscription: `/a/*` is under those of `/a/**` and
    /// `/**`.
    pub fn patterns(&self) -> impl Iterator<Item = PatternParts<'_>> {
        matching(&self.0)
    }
}

/// The last segment of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wildcard {
    /// `*`: exactly one segment.
    One,
    /// `**`: one segment or more.
    Many,
}

impl Wildcard {
    /// The wildcard that `segment` is (DE-12: `a*` and `***` are none).
    pub(super) fn of(segment: &str) -> Option<Self> {
        match segment {
            "*" => Some(Self::One),
            "**" => Some(Self::Many),
            _ => None,
        }
    }

    /// It and the slash before it.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::One => "/*",
            Self::Many => "/**",
        }
    }
}

/// A wildcard pattern in two parts, so that listing patterns allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PatternParts<'a> {
    /// The channel it hangs below; empty for `/*` and `/**`.
    pub base: &'a str,
    /// Its last segment.
    pub wildcard: Wildcard,
}

impl PatternParts<'_> {
    /// The pattern in one piece.
    pub fn to_pattern(&self) -> ChannelPattern {
        ChannelPattern(Arc::from(self.to_string()))
    }
}

impl fmt::Display for PatternParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base)?;
        f.write_str(self.wildcard.suffix())
    }
}

/// What stands before the wildcard that `text` ends in, and the wildcard.
fn split(text: &str) -> Option<(&str, Wildcard)> {
    let (base, last) = text.rsplit_once('/')?;
    Some((base, Wildcard::of(last)?))
}

pub(super) fn is_reserved(text: &str) -> bool {
    matches!(text, "/meta" | "/service")
}

/// The wildcard patterns that match `text`, a name or a pattern, without `text` itself.
pub(super) fn matching(text: &str) -> impl Iterator<Item = PatternParts<'_>> {
    let parts = |base, wildcard| PatternParts { base, wildcard };
    let first = match (ChannelKind::of(text), split(text)) {
        (ChannelKind::Meta(_) | ChannelKind::Service, _) => None,
        (ChannelKind::Broadcast, None) => text
            .rsplit_once('/')
            .map(|(base, _)| parts(base, Wildcard::One)),
        (ChannelKind::Broadcast, Some((base, Wildcard::One))) => Some(parts(base, Wildcard::Many)),
        (ChannelKind::Broadcast, Some((base, Wildcard::Many))) => {
            wider(parts(base, Wildcard::Many))
        }
    };
    core::iter::successors(first, |parts| wider(*parts))
}

/// The next wider pattern: `/a/*`, `/a/**`, `/**`, none.
fn wider(parts: PatternParts<'_>) -> Option<PatternParts<'_>> {
    let base = match parts.wildcard {
        Wildcard::One => parts.base,
        Wildcard::Many => parts.base.rsplit_once('/')?.0,
    };
    Some(PatternParts {
        base,
        wildcard: Wildcard::Many,
    })
}

impl From<ChannelName> for ChannelPattern {
    fn from(name: ChannelName) -> Self {
        Self(Arc::clone(name.shared()))
    }
}

impl FromStr for ChannelPattern {
    type Err = ChannelNameError;

    /// By the default [`Grammar`].
    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        Self::parse(text, &Grammar::default())
    }
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ChannelPattern {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelPattern {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    // Proves: CH-5
    #[test]
    fn a_pattern_is_a_name_or_ends_in_a_wildcard() {
        let table = [
            // CH-5
            ("/a/*", Ok(true)),
            ("/a/**", Ok(true)),
            ("/*", Ok(true)),
            ("/**", Ok(true)),
            ("/a/b", Ok(false)),
            ("/a/*/b", Err(ChannelNameError::Wildcard)),
            ("/a/**/b", Err(ChannelNameError::Wildcard)),
            ("/*/*", Err(ChannelNameError::Wildcard)),
            ("/**/*", Err(ChannelNameError::Wildcard)),
            // DE-12
            ("/a*", Ok(false)),
            ("/a/***", Ok(false)),
            ("/a*/b", Ok(false)),
            (" /a/*/ ", Ok(true)),
            // CH-11
            ("/a//*", Err(ChannelNameError::EmptySegment)),
            ("*", Err(ChannelNameError::NoLeadingSlash)),
        ];

        for (text, expected) in table {
            let pattern = text.parse::<ChannelPattern>();
            let is_wildcard = pattern.as_ref().map(ChannelPattern::is_wildcard);
            assert_eq!(is_wildcard, expected.as_ref().copied(), "{text:?}");
            if let Ok(pattern) = pattern {
                assert_eq!(
                    pattern.as_name().is_none(),
                    pattern.is_wildcard(),
                    "{text:?}"
                );
            }
        }
    }

    // Proves: CH-6, CH-9
    #[test]
    fn a_pattern_matches_what_lies_below_it() {
        let table = [
            // CH-6
            ("/a", "/a", true),
            ("/a", "/a/b", false),
            ("/a", "/b", false),
            ("/a/*", "/a", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/*", "/ab/c", false),
            ("/a/**", "/a", false),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab/c", false),
            ("/*", "/a", true),
            ("/*", "/a/b", false),
            ("/**", "/a", true),
            ("/**", "/a/b/c", true),
            // CH-9
            ("/**", "/service/x", false),
            ("/**", "/meta/connect", false),
            ("/service/*", "/service/x", false),
            ("/service/**", "/service/x", false),
            ("/meta/*", "/meta/connect", false),
            ("/service/x", "/service/x", true),
            ("/*", "/service", true),
        ];

        for (pattern, name, expected) in table {
            let matches = pattern
                .parse::<ChannelPattern>()
                .unwrap()
                .matches(&name.parse().unwrap());
            assert_eq!(matches, expected, "{pattern} {name}");
        }
    }

    // Proves: CH-7, CH-8, CH-9
    #[test]
    fn the_patterns_that_match_are_listed_nearest_first() {
        let table: [(&str, &[&str]); 9] = [
            // CH-7
            ("/a/b/c", &["/a/b/*", "/a/b/**", "/a/**", "/**"]),
            ("/a", &["/*", "/**"]),
            // CH-8
            ("/a/*", &["/a/**", "/**"]),
            ("/a/**", &["/**"]),
            ("/*", &["/**"]),
            ("/**", &[]),
            // CH-9
            ("/service/x", &[]),
            ("/meta/connect", &[]),
            ("/service/*", &[]),
        ];

        for (text, expected) in table {
            assert_eq!(listed(&text.parse().unwrap()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_a_naive_matcher(pattern in pattern(), name in name()) {
            prop_assert_eq!(pattern.matches(&name), naive(&pattern, &name));
        }

        #[test]
        fn the_listed_patterns_are_those_that_match(pattern in pattern(), name in name()) {
            let listed = listed(&name.clone().into());
            let is_listed = listed.iter().any(|text| *text == *pattern.as_str());
            prop_assert_eq!(is_listed, pattern.is_wildcard() && naive(&pattern, &name));
        }

        #[test]
        fn a_normal_form_is_its_own(text in "[ \t]{0,2}(/[ab *]{0,3}){0,4}/?[ \t]{0,2}") {
            if let Ok(pattern) = text.parse::<ChannelPattern>() {
                prop_assert_eq!(&pattern.as_str().parse::<ChannelPattern>().unwrap(), &pattern);
            }
        }
    }

    fn listed(pattern: &ChannelPattern) -> Vec<String> {
        let patterns = pattern.patterns().map(|parts| parts.to_pattern());
        patterns.map(|pattern| pattern.as_str().into()).collect()
    }

    fn naive(pattern: &ChannelPattern, name: &ChannelName) -> bool {
        let pattern: Vec<&str> = pattern.as_str().split('/').collect();
        let name: Vec<&str> = name.as_str().split('/').collect();
        let special = name.len() > 2 && ["meta", "service"].contains(&name[1]);
        let (last, base) = pattern.split_last().unwrap();
        match *last {
            "*" => !special && name.len() == pattern.len() && name.starts_with(base),
            "**" => !special && name.len() >= pattern.len() && name.starts_with(base),
            _ => pattern == name,
        }
    }

    fn name() -> impl Strategy<Value = ChannelName> {
        "(/(a|b|aa|service|meta)){1,4}".prop_map(|text| text.parse().unwrap())
    }

    fn pattern() -> impl Strategy<Value = ChannelPattern> {
        "((/(a|b|aa|service|meta)){0,3}/[*]{1,2})|((/(a|b|aa|service|meta)){1,4})"
            .prop_map(|text| text.parse().unwrap())
    }
}
