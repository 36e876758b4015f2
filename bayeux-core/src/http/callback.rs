//! Callback-polling's function: its name, checked, and the script that calls it (CB-2 to CB-4).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use bytes::Bytes;

/// How the script of a callback-polling response is written (CB-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallbackForm {
    /// `/**/f([…]);`: the first bytes are ours, so nobody can pass the response off as something
    /// else.
    #[default]
    Guarded,
    /// `f([…])`: exactly what CometD sends.
    Bare,
}

/// The function that a callback-polling response calls.
///
/// ```
/// # use bayeux_core::http::{Callback, CallbackForm};
/// let callback = Callback::new("cometd._cb12", 64, CallbackForm::Bare)?;
/// assert_eq!(callback.wrap(b"[{\"data\":\"</b>\"}]"), r#"cometd._cb12([{"data":"<\/b>"}])"#);
/// # Ok::<(), bayeux_core::http::CallbackNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    function: Box<str>,
    form: CallbackForm,
}

impl Callback {
    /// Takes a name of 1 to `max_length` characters `[A-Za-z0-9_$.-]` (CB-2).
    pub fn new(
        function: &str,
        max_length: usize,
        form: CallbackForm,
    ) -> Result<Self, CallbackNameError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_$.-".contains(&byte);
        if function.is_empty() {
            Err(CallbackNameError::Empty)
        } else if function.len() > max_length {
            Err(CallbackNameError::TooLong)
        } else if !function.bytes().all(known) {
            Err(CallbackNameError::Character)
        } else {
            Ok(Self {
                function: function.into(),
                form,
            })
        }
    }

    /// The name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The script that calls the function with `array`, a JSON array.
    ///
    /// What JSON allows and a script may not hold is escaped: U+2028 and U+2029, and the `</` that
    /// would end a script element (CB-4). Inside JSON all three stand in strings only, so the value
    /// stays the same.
    pub fn wrap(&self, array: &[u8]) -> Bytes {
        let (before, after): (&[u8], &[u8]) = match self.form {
            CallbackForm::Guarded => (b"/**/", b");"),
            CallbackForm::Bare => (b"", b")"),
        };
        let mut script =
            Vec::with_capacity(before.len() + self.function.len() + 1 + array.len() + after.len());
        script.extend_from_slice(before);
        script.extend_from_slice(self.function.as_bytes());
        script.push(b'(');
        escape_into(&mut script, array);
        script.extend_from_slice(after);
        script.into()
    }
}

fn escape_into(script: &mut Vec<u8>, json: &[u8]) {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | 0xE2)) {
        let (plain, special) = rest.split_at(at);
        script.extend_from_slice(plain);
        let (written, taken): (&[u8], usize) = match special {
            [b'<', b'/', ..] => (b"<\\/", 2),
            [0xE2, 0x80, 0xA8, ..] => (b"\\u2028", 3),
            [0xE2, 0x80, 0xA9, ..] => (b"\\u2029", 3),
            other => (other.get(..1).unwrap_or_default(), 1),
        };
        script.extend_from_slice(written);
        rest = special.get(taken..).unwrap_or_default();
    }
    script.extend_from_slice(rest);
}

/// Why a name cannot be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackNameError {
    /// It is empty.
    Empty,
    /// It is longer than the option allows.
    TooLong,
    /// It has a character outside of `[A-Za-z0-9_$.-]`.
    Character,
}

impl fmt::Display for CallbackNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CallbackNameError {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "the callback's name is empty",
            Self::TooLong => "the callback's name is too long",
            Self::Character => "the callback's name has a character that is not allowed",
        }
    }
}

impl core::error::Error for CallbackNameError {}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_only_harmless_characters_and_a_bounded_length_cb_2() {
        let at_the_limit = "f".repeat(64);
        let beyond = "f".repeat(65);
        let table = [
            ("jsonpcallback", Ok(())),
            ("cometd._cb12", Ok(())),
            ("__jsonp1__", Ok(())),
            ("$.a-b", Ok(())),
            (&at_the_limit, Ok(())),
            (&beyond, Err(CallbackNameError::TooLong)),
            ("", Err(CallbackNameError::Empty)),
            ("f(1)", Err(CallbackNameError::Character)),
            ("f;g", Err(CallbackNameError::Character)),
            ("f g", Err(CallbackNameError::Character)),
            ("f[0]", Err(CallbackNameError::Character)),
            ("f\n", Err(CallbackNameError::Character)),
            ("fünf", Err(CallbackNameError::Character)),
        ];
        for (name, expected) in table {
            assert_eq!(
                Callback::new(name, 64, CallbackForm::Bare).map(|_| ()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_script_is_guarded_or_exactly_the_call_cb_3() {
        let wrapped = |form| {
            Callback::new("a.b", 64, form)
                .unwrap()
                .wrap(b"[{\"id\":\"1\"}]")
        };

        assert_eq!(wrapped(CallbackForm::Guarded), "/**/a.b([{\"id\":\"1\"}]);");
        assert_eq!(wrapped(CallbackForm::Bare), "a.b([{\"id\":\"1\"}])");
    }

    #[test]
    fn what_a_script_may_not_hold_is_escaped_cb_4() {
        let table = [
            ("[\"a\u{2028}b\u{2029}\"]", "f([\"a\\u2028b\\u2029\"])"),
            ("[\"</script></\"]", "f([\"<\\/script><\\/\"])"),
            ("[\"<b> < <<//\"]", "f([\"<b> < <<\\//\"])"),
            (
                "[\"\u{2027}\u{202a}\u{20ac}\"]",
                "f([\"\u{2027}\u{202a}\u{20ac}\"])",
            ),
            ("[]", "f([])"),
        ];
        for (array, script) in table {
            let wrapped = Callback::new("f", 64, CallbackForm::Bare)
                .unwrap()
                .wrap(array.as_bytes());

            assert_eq!(wrapped, script);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_wrapped_without_what_ends_a_script(array: Vec<u8>) {
            let script = Callback::new("f", 64, CallbackForm::Guarded).unwrap().wrap(&array);

            prop_assert!(!script.windows(2).any(|pair| pair == b"</"));
            let separator = |three: &[u8]| matches!(three, [0xE2, 0x80, 0xA8 | 0xA9]);
            prop_assert!(!script.windows(3).any(separator));
        }

        #[test]
        fn a_wrapped_value_stays_the_same(text in "[<>/\u{2027}-\u{202a}a\\\\\"]*") {
            let array = serde_json::to_string(&[&text]).unwrap();
            let callback = Callback::new("f", 64, CallbackForm::Bare).unwrap();

            let script = String::from_utf8(callback.wrap(array.as_bytes()).to_vec()).unwrap();

            let json = script.strip_prefix("f(").and_then(|rest| rest.strip_suffix(')')).unwrap();
            prop_assert_eq!(serde_json::from_str::<[String; 1]>(json).unwrap(), [text]);
        }

        #[test]
        fn any_name_is_judged(name in ".*", max in 0..80_usize) {
            if let Ok(callback) = Callback::new(&name, max, CallbackForm::Bare) {
                prop_assert_eq!(callback.function().to_string(), name);
            }
        }
    }
}
