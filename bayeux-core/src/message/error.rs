//! The errors a reply can carry, each with the exact text that clients know it by (ER-1).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// The `error` of a reply, `NNN:args:text` (ER-1): a value on the wire, not a failure of ours.
///
/// ```
/// # use bayeux_core::ProtocolError;
/// assert_eq!(ProtocolError::session_unknown().to_string(), "402::session_unknown");
/// let denied = ProtocolError::publish_denied("denied_by_not_granting");
/// assert_eq!(denied.to_string(), "403:denied_by_not_granting:publish_denied");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProtocolError {
    code: u16,
    args: Cow<'static, str>,
    text: Cow<'static, str>,
}

impl ProtocolError {
    /// An error of the application's own, for instance 401 for a login that failed.
    ///
    /// The code is brought to three digits. What would break the format is replaced: controls by a space, and a
    /// colon in `args` by `_`.
    pub fn new(
        code: u16,
        args: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        let args = replace(args.into(), |character| match character {
            ':' => Some('_'),
            _ => character.is_control().then_some(' '),
        });
        let text = replace(text.into(), |character| {
            character.is_control().then_some(' ')
        });
        Self {
            code: code.clamp(100, 999),
            args,
            text,
        }
    }

    const fn plain(code: u16, text: &'static str) -> Self {
        Self {
            code,
            args: Cow::Borrowed(""),
            text: Cow::Borrowed(text),
        }
    }

    /// A message without `channel` (FI-1), or unsubscribing from what nobody created (SU-5).
    pub const fn channel_missing() -> Self {
        Self::plain(400, "channel_missing")
    }

    /// A handshake behind other messages (HS-7).
    pub const fn handshake_must_be_first() -> Self {
        Self::plain(400, "handshake_must_be_first")
    }

    /// No such session, or not the sender's (PL-3).
    pub const fn session_unknown() -> Self {
        Self::plain(402, "session_unknown")
    }

    /// The application refused the handshake (HS-9).
    pub const fn handshake_denied() -> Self {
        Self::plain(403, "handshake_denied")
    }

    /// The handshake could not be completed.
    pub const fn handshake_failed() -> Self {
        Self::plain(403, "handshake_failed")
    }

    /// The browser has as many sessions as it may have (BR-8).
    pub const fn too_many_sessions() -> Self {
        Self::plain(403, "too_many_sessions")
    }

    /// `subscription` is absent (SU-1).
    pub const fn subscription_missing() -> Self {
        Self::plain(403, "subscription_missing")
    }

    /// `subscription` is of the wrong type, or has a bad channel in it (SU-1, DE-11).
    pub const fn subscription_invalid() -> Self {
        Self::plain(403, "subscription_invalid")
    }

    /// The session has as many subscriptions as it may have (DE-16).
    pub const fn too_many_subscriptions() -> Self {
        Self {
            code: 403,
            args: Cow::Borrowed("too_many_subscriptions"),
            text: Cow::Borrowed("subscribe_denied"),
        }
    }

    /// A channel may not come to be by subscribing to it (PL-7).
    pub fn create_denied(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, why, "create_denied")
    }

    /// The subscription was refused (PL-7).
    pub fn subscribe_denied(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, why, "subscribe_denied")
    }

    /// The publication was refused (PL-7).
    pub fn publish_denied(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, why, "publish_denied")
    }

    /// A channel may not come to be by publishing to it (PL-7, ER-2).
    pub fn channel_create_denied(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, why, "channel_create_denied")
    }

    /// The channel or the session went away meanwhile.
    pub const fn subscribe_failed() -> Self {
        Self::plain(403, "subscribe_failed")
    }

    /// The channel or the session went away meanwhile.
    pub const fn unsubscribe_failed() -> Self {
        Self::plain(403, "unsubscribe_failed")
    }

    /// The application vetoed the message (PL-4).
    pub const fn message_deleted() -> Self {
        Self::plain(404, "message_deleted")
    }

    /// `channel` is none that can be used (CH-2, CH-5, CH-11, PB-5).
    pub const fn channel_invalid() -> Self {
        Self::plain(405, "channel_invalid")
    }

    /// `id` is neither string nor number (FI-2).
    pub const fn message_id_invalid() -> Self {
        Self::plain(405, "message_id_invalid")
    }

    /// The store is away, a decision came too late, or there is no room (ER-7, DE-16).
    pub const fn unavailable() -> Self {
        Self::plain(503, "unavailable")
    }

    /// The client named connection types and none is ours (HS-6). Of `types`, the first 10 that look like one
    /// are repeated (DE-14).
    pub fn connection_types_unsupported<T: AsRef<str>>(types: impl IntoIterator<Item = T>) -> Self {
        let mut args = String::new();
        for name in types
            .into_iter()
            .filter(|name| is_connection_type(name.as_ref()))
            .take(10)
        {
            if !args.is_empty() {
                args.push(',');
            }
            args.push_str(name.as_ref());
        }
        Self::new(301, args, "connection_types_unsupported")
    }

    /// What kind of error it is: three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// What it is about, separated by commas; often empty.
    pub fn args(&self) -> &str {
        &self.args
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// `[a-z-]{1,40}` (DE-14).
fn is_connection_type(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// `text` with some characters replaced; not copied if none is.
fn replace(text: Cow<'static, str>, with: impl Fn(char) -> Option<char>) -> Cow<'static, str> {
    if !text.chars().any(|character| with(character).is_some()) {
        return text;
    }
    text.chars()
        .map(|character| with(character).unwrap_or(character))
        .collect::<String>()
        .into()
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}:{}:{}", self.code, self.args, self.text)
    }
}

impl core::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    // Proves: ER-1
    #[test]
    fn every_error_has_its_exact_text() {
        let table = [
            // ER-1
            (ProtocolError::channel_missing(), "400::channel_missing"),
            (ProtocolError::session_unknown(), "402::session_unknown"),
            (ProtocolError::handshake_denied(), "403::handshake_denied"),
            (ProtocolError::handshake_failed(), "403::handshake_failed"),
            (
                ProtocolError::subscription_missing(),
                "403::subscription_missing",
            ),
            (
                ProtocolError::subscription_invalid(),
                "403::subscription_invalid",
            ),
            (ProtocolError::create_denied("x"), "403:x:create_denied"),
            (
                ProtocolError::subscribe_denied("x"),
                "403:x:subscribe_denied",
            ),
            (ProtocolError::subscribe_failed(), "403::subscribe_failed"),
            (
                ProtocolError::unsubscribe_failed(),
                "403::unsubscribe_failed",
            ),
            (
                ProtocolError::channel_create_denied("x"),
                "403:x:channel_create_denied",
            ),
            (ProtocolError::publish_denied("x"), "403:x:publish_denied"),
            (ProtocolError::message_deleted(), "404::message_deleted"),
            (ProtocolError::channel_invalid(), "405::channel_invalid"),
            (
                ProtocolError::message_id_invalid(),
                "405::message_id_invalid",
            ),
            (ProtocolError::unavailable(), "503::unavailable"),
            // HS-7, BR-8, DE-16
            (
                ProtocolError::handshake_must_be_first(),
                "400::handshake_must_be_first",
            ),
            (ProtocolError::too_many_sessions(), "403::too_many_sessions"),
            (
                ProtocolError::too_many_subscriptions(),
                "403:too_many_subscriptions:subscribe_denied",
            ),
        ];

        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
    }

    // Proves: HS-6
    #[test]
    fn connection_types_are_repeated_only_if_they_look_like_some() {
        // HS-6, DE-14
        let long = "x".repeat(41);
        let types = ["iframe", "Flash", "", "a:b", long.as_str(), "x-y"];
        let error = ProtocolError::connection_types_unsupported(types);
        assert_eq!(
            error.to_string(),
            "301:iframe,x-y:connection_types_unsupported"
        );

        let error = ProtocolError::connection_types_unsupported(vec!["t"; 11]);
        assert_eq!(error.args(), "t,t,t,t,t,t,t,t,t,t");
    }

    // Proves: ER-1
    #[test]
    fn an_application_cannot_break_the_format() {
        let table = [
            (
                ProtocolError::new(401, "", "login: failed"),
                "401::login: failed",
            ),
            (ProtocolError::new(7, "a,b", "t"), "100:a,b:t"),
            (ProtocolError::new(9999, "", "t"), "999::t"),
            (
                ProtocolError::new(403, "a:b\nc", "d\u{0}e"),
                "403:a_b c:d e",
            ),
            (ProtocolError::create_denied("a:b"), "403:a_b:create_denied"),
        ];

        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
    }
}
