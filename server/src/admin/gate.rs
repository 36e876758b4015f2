//! Who may use the API.

use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, request};

use super::answer::Refusal;
use crate::config::AdminKeys;
use crate::tally::Tally;

/// Lets in who shows a key and is no page in a browser. No page is meant to have a key, so none is told
/// that it may read an answer (CORS), and one that asks is refused.
pub(super) fn admit(head: &request::Parts, keys: &AdminKeys, tally: &Tally) -> Result<(), Refusal> {
    if keys.is_empty() {
        return Err(Refusal::no_key_set());
    }
    if head.headers.contains_key(ORIGIN) {
        tally.origins_refused.up();
        return Err(Refusal::origin_refused());
    }
    let Some(key) = bearer(&head.headers) else {
        tally.keys_refused.up();
        return Err(Refusal::key_missing());
    };
    if keys.open_to(key) {
        return Ok(());
    }
    tally.keys_refused.up();
    Err(Refusal::key_wrong())
}

/// The key in `Authorization: Bearer KEY` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(b"Bearer ".len())?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_found_behind_its_scheme_only() {
        for (value, key) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("Bearerabc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), key.map(str::as_bytes), "{value:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
