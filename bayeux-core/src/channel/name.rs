//! Names without a wildcard.

use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use super::{ChannelKind, ChannelNameError, Grammar, PatternParts, pattern};

/// A channel that can be published to: `/` and one segment or more, none of them a wildcard.
///
/// Parsing is the only way to get one, so code that holds one need not check it again. It is in normal
/// form (CH-3); cloning it is cheap.
///
/// ```
/// # use bayeux_core::{ChannelName, ChannelNameError};
/// let name: ChannelName = "/chat/demo".parse()?;
/// assert_eq!(name.segments().last(), Some("demo"));
/// assert_eq!("/chat/*".parse::<ChannelName>(), Err(ChannelNameError::Wildcard));
/// # Ok::<(), ChannelNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Reads `text`, which may be surrounded by white space and end in a slash (CH-1 to CH-5).
    pub fn parse(text: &str, grammar: &Grammar) -> Result<Self, ChannelNameError> {
        match grammar.check(text)? {
            (text, None) => Ok(Self(Arc::from(text))),
            (_, Some(_)) => Err(ChannelNameError::Wildcard),
        }
    }

    /// What `text` is already known to be: a name in normal form.
    pub(super) fn trusted(text: Arc<str>) -> Self {
        Self(text)
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes, at least one, none of them empty.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.strip_prefix('/').unwrap_or_default().split('/')
    }

    /// What it is for (CH-4).
    pub fn kind(&self) -> ChannelKind {
        ChannelKind::of(&self.0)
    }

    /// Whether it is plain `/meta` or `/service`, which no peer may use (CH-4).
    pub fn is_reserved(&self) -> bool {
        pattern::is_reserved(&self.0)
    }

    /// The wildcard patterns that match this name (CH-7), nearest first; none for meta and service
    /// channels (CH-9).
    ///
    /// ```
    /// # use bayeux_core::ChannelName;
    /// let name: ChannelName = "/a/b/c".parse()?;
    /// let patterns: Vec<String> = name.patterns().map(|parts| parts.to_string()).collect();
    /// assert_eq!(patterns, ["/a/b/*", "/a/b/**", "/a/**", "/**"]);
    /// # Ok::<(), bayeux_core::ChannelNameError>(())
    /// ```
    pub fn patterns(&self) -> impl Iterator<Item = PatternParts<'_>> {
        pattern::matching(&self.0)
    }

    pub(super) fn shared(&self) -> &Arc<str> {
        &self.0
    }
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    /// By the default [`Grammar`].
    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        Self::parse(text, &Grammar::default())
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
