//! Names with parameters, for listeners and rules on the server's side; never on the wire (CH-10).

use core::fmt;
use core::str::FromStr;

use super::{ChannelName, ChannelNameError, Grammar};

/// A name in which whole segments may be parameters: `/game/{room}/{player}` (CH-10).
///
/// It matches names with the same number of segments and binds its parameters to theirs. A segment that
/// is not `{` word `}` stands for itself.
///
/// ```
/// # use bayeux_core::{ChannelName, ChannelNameError, ChannelTemplate};
/// let template: ChannelTemplate = "/game/{room}/{player}".parse()?;
/// let name: ChannelName = "/game/7/ann".parse()?;
/// let bound: Vec<_> = template.matches(&name).into_iter().flatten().collect();
/// assert_eq!(bound, [("room", "7"), ("player", "ann")]);
/// assert!(template.matches(&"/game/7".parse()?).is_none());
/// # Ok::<(), ChannelNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelTemplate(ChannelName);

impl ChannelTemplate {
    /// Reads `text`; wildcards are refused.
    pub fn parse(text: &str, grammar: &Grammar) -> Result<Self, ChannelNameError> {
        ChannelName::parse(text, grammar).map(Self)
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parameters and what `name` has in their place, or `None` if it does not match.
    pub fn matches<'a>(
        &'a self,
        name: &'a ChannelName,
    ) -> Option<impl Iterator<Item = (&'a str, &'a str)>> {
        let pairs = || self.0.segments().zip(name.segments());
        let fits = self.0.segments().count() == name.segments().count()
            && pairs().all(|(wanted, segment)| parameter(wanted).is_some() || wanted == segment);
        fits.then(|| pairs().filter_map(|(wanted, segment)| Some((parameter(wanted)?, segment))))
    }
}

/// The name of the parameter that `segment` is.
fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(is_word)).then_some(name)
}

impl FromStr for ChannelTemplate {
    type Err = ChannelNameError;

    /// By the default [`Grammar`].
    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        Self::parse(text, &Grammar::default())
    }
}

impl fmt::Display for ChannelTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ChannelTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    // Proves: CH-10
    #[test]
    fn a_template_binds_its_parameters() {
        // CH-10
        type Bound = Option<&'static [(&'static str, &'static str)]>;
        let table: [(&str, &str, Bound); 8] = [
            ("/a/{x}/{y}", "/a/1/2", Some(&[("x", "1"), ("y", "2")])),
            ("/{x}/a", "/1/a", Some(&[("x", "1")])),
            ("/a", "/a", Some(&[])),
            ("/a/{x}", "/a", None),
            ("/a/{x}", "/a/1/2", None),
            ("/a/{x}", "/b/1", None),
            ("/a/{x y}", "/a/{x y}", Some(&[])),
            ("/a/{x}y", "/a/1y", None),
        ];

        for (template, name, expected) in table {
            let (template, name) = (
                template.parse::<ChannelTemplate>().unwrap(),
                name.parse().unwrap(),
            );
            let bound = template.matches(&name).map(Iterator::collect::<Vec<_>>);
            assert_eq!(bound.as_deref(), expected, "{template} {name}");
        }
        assert_eq!(
            "/{x}/*".parse::<ChannelTemplate>(),
            Err(ChannelNameError::Wildcard)
        );
    }
}
