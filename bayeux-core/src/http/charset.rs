//! Request bodies in other character sets, made UTF-8 (HT-4). UTF-8 itself passes untouched and
//! unread.

use encoding_rs::{Encoding, UTF_8};

use bytes::Bytes;

use super::form::BodyError;

/// The character set that a `Content-Type` names; UTF-8 where it names none. ASCII counts as UTF-8,
/// its superset.
pub(super) fn of_content_type(content_type: Option<&str>) -> Result<&'static Encoding, BodyError> {
    let parameters = content_type.unwrap_or_default().split(';').skip(1);
    let named = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("charset"));
    let Some((_, label)) = named else {
        return Ok(UTF_8);
    };

    let label = label.trim_ascii().trim_matches('"');
    if label.is_empty() || label.eq_ignore_ascii_case("us-ascii") {
        return Ok(UTF_8);
    }
    Encoding::for_label(label.as_bytes()).ok_or(BodyError::UnknownCharset)
}

/// `text` in UTF-8. What was UTF-8 already is not checked: whoever decodes the messages does that.
pub(super) fn to_utf8(text: Bytes, charset: &'static Encoding) -> Result<Bytes, BodyError> {
    let (charset, mark) = Encoding::for_bom(&text).unwrap_or((charset, 0));
    let text = text.slice(mark..);
    if charset == UTF_8 {
        return Ok(text);
    }
    match charset.decode_without_bom_handling_and_without_replacement(&text) {
        Some(decoded) => Ok(Bytes::from(decoded.into_owned())),
        None => Err(BodyError::WrongCharset),
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{ISO_8859_7, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1252};

    use super::*;

    #[test]
    fn the_charset_parameter_is_found_in_any_spelling_ht_4() {
        let table = [
            (None, Ok(UTF_8)),
            (Some(""), Ok(UTF_8)),
            (Some("application/json"), Ok(UTF_8)),
            (Some("application/json;charset=UTF-8"), Ok(UTF_8)),
            (Some("application/json; Charset=\"utf-8\" ; x=y"), Ok(UTF_8)),
            (
                Some("application/json; x=y; charset=ISO-8859-7"),
                Ok(ISO_8859_7),
            ),
            (Some("text/plain;charset=us-ascii"), Ok(UTF_8)),
            (Some("text/plain;charset="), Ok(UTF_8)),
            (Some("text/plain;charset=latin1"), Ok(WINDOWS_1252)),
            (Some("text/plain;charset=Shift_JIS"), Ok(SHIFT_JIS)),
            (
                Some("text/plain;charset=klingon"),
                Err(BodyError::UnknownCharset),
            ),
        ];
        for (content_type, charset) in table {
            assert_eq!(of_content_type(content_type), charset, "{content_type:?}");
        }
    }

    #[test]
    fn a_text_is_made_utf_8_and_loses_its_byte_order_mark_ht_4_fr_7() {
        let table: [(&'static [u8], _, Result<&str, _>); 8] = [
            (b"\xc1\xc2\xc3", ISO_8859_7, Ok("\u{391}\u{392}\u{393}")),
            (b"\xff", ISO_8859_7, Err(BodyError::WrongCharset)),
            (b"[\0]\0", UTF_16LE, Ok("[]")),
            (b"\xfe\xff\0[\0]", UTF_16LE, Ok("[]")),
            (b"\0[\0]", UTF_16BE, Ok("[]")),
            (b"[", UTF_16LE, Err(BodyError::WrongCharset)),
            (b"\xef\xbb\xbf[]", UTF_8, Ok("[]")),
            (b"\xef\xbb\xbf[]", ISO_8859_7, Ok("[]")),
        ];
        for (text, charset, expected) in table {
            let utf8 = to_utf8(Bytes::from_static(text), charset);

            assert_eq!(
                utf8,
                expected.map(|text| Bytes::from_static(text.as_bytes())),
                "{text:?}"
            );
        }
    }
}
