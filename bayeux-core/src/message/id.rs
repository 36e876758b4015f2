//! What a client tells its messages apart by.

use alloc::boxed::Box;
use core::{fmt, str};

use super::Payload;

/// A string or a number that a client tells its requests apart by, kept as the JSON text it came as.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MessageId(Text);

/// How many bytes it may have to need no memory of its own: as those that clients count up.
const SHORT: usize = 14;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// So many bytes of these, and zeros.
    Short(u8, [u8; SHORT]),
    /// Boxed twice, since a held connect keeps its id, and those that are long are few.
    Long(Box<Box<str>>),
}

impl MessageId {
    /// The id `text`, a string.
    pub fn new(text: &str) -> Self {
        Self::from_json(Payload::string(text).as_str())
    }

    /// The id that this JSON text is.
    pub(super) fn from_json(json: &str) -> Self {
        let mut bytes = [0; SHORT];
        let room = bytes.get_mut(..json.len());
        let (Some(room), Ok(length)) = (room, u8::try_from(json.len())) else {
            return Self(Text::Long(Box::new(json.into())));
        };
        room.copy_from_slice(json.as_bytes());
        Self(Text::Short(length, bytes))
    }

    /// The JSON text to echo: `"12"` with its quotes, or `12`.
    pub fn as_json(&self) -> &str {
        match &self.0 {
            Text::Short(length, bytes) => {
                let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
                str::from_utf8(bytes).unwrap_or_default()
            }
            Text::Long(json) => json,
        }
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn an_id_is_echoed_whatever_its_length() {
        for length in 0..40 {
            let text: String = "äb7\"".chars().cycle().take(length).collect();
            let id = MessageId::new(&text);

            assert_eq!(id.as_json(), Payload::string(&text).as_str());
            assert_eq!(id, id.clone());
            assert_ne!(id, MessageId::new("x"));
        }
        assert_ne!(MessageId::from_json("1"), MessageId::from_json("10"));
    }
}
