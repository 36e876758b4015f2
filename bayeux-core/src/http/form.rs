//! Message texts out of bodies and queries: bare JSON, or the `message` fields of a form (HT-3,
//! CB-1).

use alloc::{borrow::Cow, vec, vec::Vec};
use core::fmt;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};

use super::charset;

/// The texts in the body of a POST, each a JSON array or object of messages, in order and in UTF-8.
///
/// If the first byte that is no white space is `[` or `{`, the body is JSON, whatever its type
/// says; else it is a form, of which the `message` fields count (HT-3). The type's `charset` is
/// honoured (HT-4). A text that was not encoded is a slice of `body`.
///
/// ```
/// # use bayeux_core::http::body_texts;
/// # use bytes::Bytes;
/// let body = Bytes::from_static(b"message=%5B%5D&x=1&message={}");
/// let texts = body_texts(Some("text/plain"), &body);
/// assert_eq!(texts, Ok(vec![Bytes::from_static(b"[]"), Bytes::from_static(b"{}")]));
/// ```
pub fn body_texts(content_type: Option<&str>, body: &Bytes) -> Result<Vec<Bytes>, BodyError> {
    let mut charset = charset::of_content_type(content_type)?;
    let mut body = body.clone();
    if is_json(&body) || !charset.is_ascii_compatible() {
        body = charset::to_utf8(body, charset)?;
        charset = UTF_8;
    }
    if is_json(&body) {
        Ok(vec![body])
    } else {
        form_texts(&body, charset)
    }
}

/// The `message` fields of a form, encoded in `charset` below the percent signs.
fn form_texts(form: &Bytes, charset: &'static Encoding) -> Result<Vec<Bytes>, BodyError> {
    let messages = fields(form).filter(|(name, _)| is_message(name));
    let texts = messages
        .map(|(_, value)| text(form, value, charset))
        .collect::<Result<Vec<_>, _>>()?;
    if texts.is_empty() {
        Err(BodyError::MessageMissing)
    } else {
        Ok(texts)
    }
}

/// Whether a field of this name holds messages.
pub(super) fn is_message(name: &[u8]) -> bool {
    name == b"message"
}

/// The text in the value of such a field of `form`.
pub(super) fn text(
    form: &Bytes,
    value: Cow<'_, [u8]>,
    charset: &'static Encoding,
) -> Result<Bytes, BodyError> {
    let value = match value {
        Cow::Borrowed(slice) => form.slice_ref(slice),
        Cow::Owned(decoded) => Bytes::from(decoded),
    };
    let text = charset::to_utf8(value, charset)?;
    if text.trim_ascii().is_empty() {
        Err(BodyError::MessageEmpty)
    } else {
        Ok(text)
    }
}

/// Why a body or query has no messages; the answer is 400 with the text of this error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// Neither JSON nor a form with a `message`.
    MessageMissing,
    /// A `message` without value.
    MessageEmpty,
    /// The `charset` is none that is known.
    UnknownCharset,
    /// The bytes are not in the `charset` that the type names.
    WrongCharset,
}

impl BodyError {
    /// The text to answer with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageMissing => "no message",
            Self::MessageEmpty => "empty message",
            Self::UnknownCharset => "unknown charset",
            Self::WrongCharset => "not in the charset of the content type",
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for BodyError {}

/// The fields of a form or a query, decoded: `+` is a space, `%` and two hexadecimal digits a byte,
/// and a `%` without them itself.
pub fn fields(form: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    form.split(|&byte| byte == b'&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let mut halves = field.splitn(2, |&byte| byte == b'=');
            let mut half = || decode(halves.next().unwrap_or_default());
            (half(), half())
        })
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, escaped(after)) {
            (b'%', Some((byte, behind))) => {
                decoded.push(byte);
                rest = behind;
            }
            (b'+', _) => decoded.push(b' '),
            (&byte, _) => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], behind) = text.split_first_chunk()?;
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some((digit(high)? << 4 | digit(low)?, behind))
}

fn is_json(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(text.trim_ascii_start().first(), Some(b'[' | b'{'))
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use proptest::prelude::*;

    use super::*;

    fn texts(content_type: &str, body: &[u8]) -> Result<Vec<Bytes>, BodyError> {
        body_texts(Some(content_type), &Bytes::copy_from_slice(body))
    }

    #[test]
    fn a_body_that_begins_like_json_is_json_whatever_its_type_ht_3() {
        for content_type in [
            "application/json;charset=UTF-8",
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
            "\u{fffd}",
        ] {
            for body in [
                "[]",
                " \r\n\t[{}]",
                "{\"data\":\"a=b&message=%5B\"}",
                "\u{feff}[]",
            ] {
                let found = texts(content_type, body.as_bytes());

                assert_eq!(
                    found,
                    Ok(vec![Bytes::from(body.trim_start_matches('\u{feff}'))]),
                    "{content_type}: {body}"
                );
            }
        }
        assert_eq!(
            body_texts(None, &Bytes::from_static(b"[]")),
            Ok(vec![Bytes::from_static(b"[]")])
        );
    }

    #[test]
    fn any_other_body_is_a_form_ht_3_xo_1() {
        let table: [(&[u8], &[&str]); 10] = [
            (b"message=%5B%7b%22a%22:1%7D%5d", &["[{\"a\":1}]"]),
            (b"message=[1]&message={}", &["[1]", "{}"]),
            (b"x=1&message=[]&&y&=z", &["[]"]),
            (b"m%65ssage=[]", &["[]"]),
            (b"message=[\"a+b%2Bc%20d\"]", &["[\"a b+c d\"]"]),
            (b"message=[\"a=b\"]", &["[\"a=b\"]"]),
            (b"message=[\"100%\"]", &["[\"100%\"]"]),
            (b"message=[\"%zz%+1%4\"]", &["[\"%zz% 1%4\"]"]),
            (b"message=%EF%BB%BF[]", &["[]"]),
            (b"message=[\"%C3%BC\xc3\xbc\"]", &["[\"\u{fc}\u{fc}\"]"]),
        ];
        for (body, expected) in table {
            let expected: Vec<_> = expected.iter().map(|text| Bytes::from(*text)).collect();

            assert_eq!(texts("text/plain", body), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn a_body_without_messages_says_what_is_wrong_cb_1() {
        let table: [(&[u8], BodyError); 8] = [
            (b"", BodyError::MessageMissing),
            (b"hello", BodyError::MessageMissing),
            (b"\"[]\"", BodyError::MessageMissing),
            (b"Message=[]&messages=[]", BodyError::MessageMissing),
            (b"message", BodyError::MessageEmpty),
            (b"message=", BodyError::MessageEmpty),
            (b"message=&message=[]", BodyError::MessageEmpty),
            (b"message=[]&message=+", BodyError::MessageEmpty),
        ];
        for (body, expected) in table {
            assert_eq!(texts("text/plain", body), Err(expected), "{body:?}");
        }
    }

    #[test]
    fn other_charsets_become_utf_8_in_json_and_in_forms_ht_4() {
        let table: [(&str, &[u8]); 4] = [
            ("application/json;charset=ISO-8859-7", b"[\"\xc1\"]"),
            ("text/plain;charset=ISO-8859-7", b"message=[\"%C1\"]"),
            ("text/plain;charset=ISO-8859-7", b"message=[\"\xc1\"]"),
            (
                "application/json;charset=utf-16be",
                b"\0[\0\"\x03\x91\0\"\0]",
            ),
        ];
        for (content_type, body) in table {
            assert_eq!(
                texts(content_type, body),
                Ok(vec![Bytes::from("[\"\u{391}\"]")]),
                "{content_type}: {body:?}"
            );
        }
        assert_eq!(
            texts("a/b;charset=ISO-8859-7", b"[\"\xff\"]"),
            Err(BodyError::WrongCharset)
        );
        assert_eq!(
            texts("a/b;charset=x", b"[]"),
            Err(BodyError::UnknownCharset)
        );
    }

    #[test]
    fn a_text_that_was_not_encoded_is_not_copied() {
        for body in ["[{\"channel\":\"/a\"}]", "message=[{\"channel\":\"/a\"}]"] {
            let body = Bytes::from(body);

            let texts = body_texts(None, &body).unwrap();

            assert!(body.as_ptr_range().contains(&texts[0].as_ptr()));
        }
    }

    fn encoded(text: &[u8]) -> String {
        let encode = |&byte: &u8| match byte {
            b' ' => String::from("+"),
            byte if byte.is_ascii_alphanumeric() => String::from(char::from(byte)),
            byte => format!("%{byte:02X}"),
        };
        text.iter().map(encode).collect()
    }

    fn content_types() -> impl Strategy<Value = String> {
        prop_oneof![".*", "a/b;charset=(utf-16|iso-8859-7|gbk|x)"]
    }

    proptest! {
        #[test]
        fn any_body_is_judged(content_type in content_types(), body: Vec<u8>) {
            let _ = texts(&content_type, &body);
            let _ = body_texts(None, &Bytes::from(body));
        }

        #[test]
        fn any_form_is_judged(form in "(message|x|%6d|[=&+%;]|\\PC){0,20}") {
            let _ = texts("", form.as_bytes());
        }

        #[test]
        fn what_a_form_encoder_wrote_comes_back(
            values in prop::collection::vec("[^\u{feff}\\s]\\PC*", 1..5),
        ) {
            let field = |value: &String| format!("message={}", encoded(value.as_bytes()));
            let form: Vec<_> = values.iter().map(field).collect();

            let found = texts("", form.join("&").as_bytes()).unwrap();

            prop_assert_eq!(found, values);
        }

        #[test]
        fn names_and_values_come_back_as_bytes(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let field = |(name, value): &(Vec<u8>, Vec<u8>)| format!("{}={}", encoded(name), encoded(value));
            let form = pairs.iter().map(field).collect::<Vec<_>>().join("&");

            let found = fields(form.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));

            prop_assert_eq!(found.collect::<Vec<_>>(), pairs);
        }
    }
}
