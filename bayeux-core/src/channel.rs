//! Channels: what their names look like, which kinds there are, which pattern matches which name.
//!
//! Text from a peer becomes a [`ChannelName`] or a [`ChannelPattern`] once, on receipt; from then on it
//! is in normal form (CH-3) and nothing checks it again.

mod life;
mod name;
mod pattern;
mod template;
mod tree;

pub use self::name::ChannelName;
pub use self::pattern::{ChannelPattern, PatternParts, Wildcard};
pub use self::template::ChannelTemplate;
pub(crate) use self::tree::{ChannelKey, Channels, Subscriber};

use core::fmt;

/// Which characters a channel name may have (CH-2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Characters {
    /// ASCII letters and digits, space, and ``! # $ ( ) * + - . @ _ { ~ }``.
    #[default]
    CometD,
    /// Whatever can be printed, in any script: the option `wideChannelCharacters`.
    Wide,
}

impl Characters {
    /// Whether `character` may stand in a segment.
    pub fn contains(self, character: char) -> bool {
        match self {
            Self::CometD => {
                character.is_ascii_alphanumeric() || " !#$()*+-.@_{~}".contains(character)
            }
            Self::Wide => is_printable(character),
        }
    }
}

/// Neither a control, nor white space other than the space, nor a mark that changes how its neighbours
/// are read (a byte order mark, a change of direction).
fn is_printable(character: char) -> bool {
    let misleading = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    let space = character.is_whitespace() && character != ' ';
    !(character.is_control() || space || misleading)
}

/// What a channel name has to look like (CH-1, CH-2, CH-12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grammar {
    /// The characters of its segments.
    pub characters: Characters,
    /// The most bytes in its normal form.
    pub max_length: usize,
    /// The most segments.
    pub max_depth: usize,
}

impl Default for Grammar {
    fn default() -> Self {
        Self {
            characters: Characters::CometD,
            max_length: 1024,
            max_depth: 32,
        }
    }
}

impl Grammar {
    /// The normal form of `text`, and its wildcard if it ends in one.
    fn check<'a>(&self, text: &'a str) -> Result<(&'a str, Option<Wildcard>), ChannelNameError> {
        let text = normal_form(text);
        if text.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        let segments = text
            .strip_prefix('/')
            .ok_or(ChannelNameError::NoLeadingSlash)?;
        if text.len() > self.max_length {
            return Err(ChannelNameError::TooLong);
        }
        let mut wildcard = None;
        for (depth, segment) in segments.split('/').enumerate() {
            if wildcard.is_some() {
                return Err(ChannelNameError::Wildcard);
            }
            if depth >= self.max_depth {
                return Err(ChannelNameError::TooDeep);
            }
            self.check_segment(segment)?;
            wildcard = Wildcard::of(segment);
        }
        Ok((text, wildcard))
    }

    fn check_segment(&self, segment: &str) -> Result<(), ChannelNameError> {
        if segment.is_empty() {
            return Err(ChannelNameError::EmptySegment);
        }
        if !segment
            .chars()
            .all(|character| self.characters.contains(character))
        {
            return Err(ChannelNameError::Character);
        }
        Ok(())
    }
}

/// `text` without white space around it and without one trailing slash (CH-3, DE-12).
///
/// White space before that slash goes too, so that the normal form is its own normal form.
fn normal_form(text: &str) -> &str {
    const SPACE: [char; 2] = [' ', '\t'];
    let text = text.trim_matches(SPACE);
    match text.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest.trim_end_matches(SPACE),
        _ => text,
    }
}

/// What a channel is for, by its first segment (CH-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChannelKind {
    /// `/meta/…`: the protocol itself.
    Meta(MetaChannel),
    /// `/service/…`: between a client and the server alone.
    Service,
    /// All others, plain `/meta` and `/service` among them.
    Broadcast,
}

impl ChannelKind {
    fn of(text: &str) -> Self {
        if text.starts_with("/meta/") {
            Self::Meta(MetaChannel::of(text).unwrap_or(MetaChannel::Other))
        } else if text.starts_with("/service/") {
            Self::Service
        } else {
            Self::Broadcast
        }
    }
}

/// The channels of the protocol itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MetaChannel {
    /// `/meta/handshake`
    Handshake,
    /// `/meta/connect`
    Connect,
    /// `/meta/subscribe`
    Subscribe,
    /// `/meta/unsubscribe`
    Unsubscribe,
    /// `/meta/disconnect`
    Disconnect,
    /// Any other `/meta/…`: no operation, always refused (ER-2).
    Other,
}

impl MetaChannel {
    /// The operation that `text`, as sent, asks for.
    ///
    /// Only the exact five names are operations (DE-12): `/meta/connect/` is none, nor is `/meta/x`, so
    /// this never gives [`MetaChannel::Other`].
    pub fn of(text: &str) -> Option<Self> {
        match text.strip_prefix("/meta/")? {
            "handshake" => Some(Self::Handshake),
            "connect" => Some(Self::Connect),
            "subscribe" => Some(Self::Subscribe),
            "unsubscribe" => Some(Self::Unsubscribe),
            "disconnect" => Some(Self::Disconnect),
            _ => None,
        }
    }
}

/// Why a text is no channel name, or no pattern.
///
/// To a peer all of them are `405::channel_invalid` or `403::subscription_invalid` (DE-11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelNameError {
    /// Nothing, or nothing but white space.
    Empty,
    /// The first character is not `/` (CH-1).
    NoLeadingSlash,
    /// `//` within, or `/` alone (CH-1).
    EmptySegment,
    /// A character that is not allowed (CH-2).
    Character,
    /// A wildcard in a name, or before the last segment of a pattern (CH-5).
    Wildcard,
    /// Longer than [`Grammar::max_length`] (CH-12).
    TooLong,
    /// More segments than [`Grammar::max_depth`].
    TooDeep,
}

impl fmt::Display for ChannelNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the channel name is empty",
            Self::NoLeadingSlash => "the channel name does not begin with a slash",
            Self::EmptySegment => "the channel name has an empty segment",
            Self::Character => "the channel name has a character that is not allowed",
            Self::Wildcard => "the channel name has a wildcard where none may be",
            Self::TooLong => "the channel name is too long",
            Self::TooDeep => "the channel name has too many segments",
        })
    }
}

impl core::error::Error for ChannelNameError {}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    // Proves: CH-1, CH-2, CH-3, CH-5, CH-12
    #[test]
    fn a_name_is_normalised_once_and_for_all() {
        let table = [
            // CH-1
            ("/a", Ok("/a")),
            ("/a/b", Ok("/a/b")),
            ("", Err(ChannelNameError::Empty)),
            (" \t", Err(ChannelNameError::Empty)),
            ("a", Err(ChannelNameError::NoLeadingSlash)),
            ("a/b", Err(ChannelNameError::NoLeadingSlash)),
            ("/", Err(ChannelNameError::EmptySegment)),
            ("//", Err(ChannelNameError::EmptySegment)),
            ("//a", Err(ChannelNameError::EmptySegment)),
            ("/a//b", Err(ChannelNameError::EmptySegment)),
            // CH-3, DE-12
            ("/a/", Ok("/a")),
            (" /a\t", Ok("/a")),
            ("\t/a/ ", Ok("/a")),
            ("/a /", Ok("/a")),
            ("/a//", Err(ChannelNameError::EmptySegment)),
            ("/a/ /", Err(ChannelNameError::EmptySegment)),
            ("/ /", Err(ChannelNameError::EmptySegment)),
            ("\n/a", Err(ChannelNameError::NoLeadingSlash)),
            ("/a\n", Err(ChannelNameError::Character)),
            ("\u{a0}/a", Err(ChannelNameError::NoLeadingSlash)),
            ("/a b/c", Ok("/a b/c")),
            ("/ a", Ok("/ a")),
            // CH-2
            ("/!#$()+-.@_{~}", Ok("/!#$()+-.@_{~}")),
            ("/a?x=1", Err(ChannelNameError::Character)),
            ("/a&b", Err(ChannelNameError::Character)),
            ("/a,b", Err(ChannelNameError::Character)),
            ("/a:b", Err(ChannelNameError::Character)),
            ("/a%20", Err(ChannelNameError::Character)),
            ("/ä", Err(ChannelNameError::Character)),
            ("/a\"b", Err(ChannelNameError::Character)),
            ("/a\\b", Err(ChannelNameError::Character)),
            // CH-5, DE-12
            ("/*", Err(ChannelNameError::Wildcard)),
            ("/**", Err(ChannelNameError::Wildcard)),
            ("/a/*/", Err(ChannelNameError::Wildcard)),
            ("/a/*/b", Err(ChannelNameError::Wildcard)),
            ("/a/**/b", Err(ChannelNameError::Wildcard)),
            ("/a*", Ok("/a*")),
            ("/*a/b", Ok("/*a/b")),
            ("/***", Ok("/***")),
            // CH-12
            ("/A", Ok("/A")),
        ];

        for (text, expected) in table {
            let name = ChannelName::parse(text, &Grammar::default());
            assert_eq!(
                name.as_ref().map(ChannelName::as_str),
                expected.as_ref().copied(),
                "{text:?}"
            );
        }
    }

    // Proves: CH-2
    #[test]
    fn wide_characters_are_those_that_can_be_seen() {
        let wide = Grammar {
            characters: Characters::Wide,
            ..Grammar::default()
        };
        let table = [
            ("/topic/X?field=värde&b:c,%20", true),
            ("/日本/😀", true),
            ("/a\u{0}", false),
            ("/a\u{7f}b", false),
            ("/a\u{85}b", false),
            ("/a\u{2028}b", false),
            ("/a\u{feff}b", false),
            ("/a\u{202e}b", false),
            ("/a\tb", false),
        ];

        for (text, expected) in table {
            assert_eq!(
                ChannelName::parse(text, &wide).is_ok(),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(
            ChannelName::parse("/ä/*", &wide),
            Err(ChannelNameError::Wildcard)
        );
    }

    // Proves: CH-12
    #[test]
    fn length_and_depth_are_limited_to_the_byte_and_to_the_segment() {
        let small = Grammar {
            max_length: 8,
            max_depth: 3,
            ..Grammar::default()
        };

        assert!(ChannelName::parse("/1234567", &small).is_ok());
        assert!(ChannelName::parse(" /1234567/ ", &small).is_ok());
        assert_eq!(
            ChannelName::parse("/12345678", &small),
            Err(ChannelNameError::TooLong)
        );
        assert!(ChannelName::parse("/1/2/3", &small).is_ok());
        assert_eq!(
            ChannelName::parse("/1/2/3/4", &small),
            Err(ChannelNameError::TooDeep)
        );
        assert_eq!(
            ChannelPattern::parse("/1/2/3/*", &small),
            Err(ChannelNameError::TooDeep)
        );
        let long: String = vec!["/a"; 512].concat();
        assert_eq!(long.parse::<ChannelName>(), Err(ChannelNameError::TooDeep));
    }

    // Proves: CH-4
    #[test]
    fn kinds_go_by_the_first_of_two_segments() {
        let table = [
            ("/meta/connect", ChannelKind::Meta(MetaChannel::Connect)),
            ("/meta/handshake", ChannelKind::Meta(MetaChannel::Handshake)),
            ("/meta/subscribe", ChannelKind::Meta(MetaChannel::Subscribe)),
            (
                "/meta/unsubscribe",
                ChannelKind::Meta(MetaChannel::Unsubscribe),
            ),
            (
                "/meta/disconnect",
                ChannelKind::Meta(MetaChannel::Disconnect),
            ),
            ("/meta/connect/x", ChannelKind::Meta(MetaChannel::Other)),
            ("/meta/x", ChannelKind::Meta(MetaChannel::Other)),
            ("/service/x", ChannelKind::Service),
            ("/services/x", ChannelKind::Broadcast),
            ("/meta", ChannelKind::Broadcast),
            ("/service", ChannelKind::Broadcast),
            ("/a/meta/connect", ChannelKind::Broadcast),
        ];

        for (text, expected) in table {
            let name: ChannelName = text.parse().unwrap();
            assert_eq!(name.kind(), expected, "{text}");
            assert_eq!(
                name.is_reserved(),
                ["/meta", "/service"].contains(&text),
                "{text}"
            );
        }
    }

    // Proves: CH-4
    #[test]
    fn only_the_exact_five_names_are_operations() {
        assert_eq!(MetaChannel::of("/meta/connect"), Some(MetaChannel::Connect));
        for text in [
            "/meta/connect/",
            " /meta/connect",
            "/meta/Connect",
            "/meta/x",
            "/meta",
            "/a",
            "",
        ] {
            assert_eq!(MetaChannel::of(text), None, "{text:?}");
        }
    }
}
