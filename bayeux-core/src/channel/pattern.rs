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
