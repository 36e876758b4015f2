//! Message texts out of bodies and queries.

use bayeux_core::http::{BodyError, body_texts, fields};
use bytes::Bytes;

use crate::naive::form;

pub(super) fn check_fields(form: &[u8]) {
    let found = fields(form).map(|(name, value)| (name.into_owned(), value.into_owned()));
    assert_eq!(found.collect::<Vec<_>>(), form::fields(form));
}

/// The texts in UTF-8, without a mark before them.
pub(super) fn check_texts(texts: &[Bytes], expected: &[Vec<u8>]) {
    let bare = expected
        .iter()
        .map(|text| text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text));
    let bare: Vec<&[u8]> = bare.collect();
    if bare
        .iter()
        .any(|text| text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff"))
    {
        return;
    }
    assert_eq!(texts, bare);
    assert!(!texts.is_empty() && texts.iter().all(|text| !text.trim_ascii().is_empty()));
}

pub(super) fn check_body(content_type: Option<&str>, body: &[u8]) {
    let bytes = Bytes::copy_from_slice(body);
    let named = content_type.is_some_and(|text| text.to_ascii_lowercase().contains("charset"));
    if named && let Ok(texts) = body_texts(content_type, &bytes) {
        assert!(texts.iter().all(|text| !text.is_empty()));
    }
    let bare = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let is_json = matches!(bare.trim_ascii_start().first(), Some(b'[' | b'{'));
    let messages = form::messages(body);
    let is_blank = |text: &Vec<u8>| {
        text.strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(text)
            .trim_ascii()
            .is_empty()
    };
    match body_texts(None, &bytes) {
        Ok(texts) if is_json => assert_eq!(texts, [bare]),
        Ok(texts) => check_texts(&texts, &messages),
        Err(BodyError::MessageMissing) => assert!(!is_json && messages.is_empty()),
        Err(BodyError::MessageEmpty) => assert!(!is_json && messages.iter().any(is_blank)),
        // A text that begins with the mark of UTF-16 is taken for that.
        Err(error) => assert_eq!(error, BodyError::WrongCharset),
    }
}

/// What a body says does not depend on the character set that it says it in (HT-4).
pub(super) fn check_charsets(body: &[u8]) {
    let Ok(text) = str::from_utf8(body) else {
        return;
    };
    if !text.chars().next().is_some_and(|first| first.is_ascii()) {
        return;
    }
    let plain = body_texts(None, &Bytes::copy_from_slice(body));
    let units = || text.encode_utf16();
    let wide = [
        (
            "utf-16le",
            units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        ),
        ("utf-16be", units().flat_map(u16::to_be_bytes).collect()),
    ];
    for (charset, encoded) in wide {
        let texts = body_texts(
            Some(&format!("text/json; charset={charset}")),
            &encoded.into(),
        );
        assert_eq!(texts, plain, "{charset}: {text:?}");
    }
    if text.is_ascii() && !text.contains('%') {
        let texts = body_texts(
            Some("x/y;CharSet=\"iso-8859-7\""),
            &Bytes::copy_from_slice(body),
        );
        assert_eq!(texts, plain, "{text:?}");
    }
}
