//! The page at `/`: a small client of this server, the proof on first start that it works.
//!
//! One file without a build step, kept in `page/index.html`. It carries its style and script inside, and
//! [`CONTENT_SECURITY_POLICY`] lets a browser run exactly these and nothing else.

use bytes::Bytes;

/// The type of the page, for its `Content-Type` header.
pub(crate) const CONTENT_TYPE: &str = "text/html;charset=UTF-8";

/// What the page may do, for its `Content-Security-Policy` header: run the script and use the style whose
/// digests stand here, and talk to servers; nothing else.
///
/// The script is the same whichever path the page is for, so its digest is too.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     script-src 'sha256-BtwHbp8fY4Nx2kgOFpjpkHhjYCMwkP/g83IlthHqlY4='; \
     style-src 'sha256-Xn0rGUHc2uZJxM0AP3UrDRTUP5PvWJKKbI+cwkOjX6s='; \
     img-src data:; connect-src 'self' ws: wss:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("page/index.html");
const PLACE: &str = "{{path}}";

/// The page for a server that speaks Bayeux at `path`.
pub(crate) fn index(path: &str) -> Bytes {
    Bytes::from(PAGE.replacen(PLACE, &escaped(path), 1))
}

/// `text` as it has to stand in an attribute's value.
fn escaped(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                _ => escaped.push(character),
            }
            escaped
        },
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        let (_, rest) = text.split_once(start).expect("it starts");
        let (inner, rest) = rest.split_once(end).expect("it ends");
        assert!(!rest.contains(start), "{start} stands there once");
        inner
    }

    fn text(path: &str) -> String {
        String::from_utf8(index(path).to_vec()).expect("the page is UTF-8")
    }

    #[test]
    fn the_policy_allows_the_script_and_the_style_that_are_on_the_page() {
        for (directive, start, end) in [
            ("script-src", "<script>", "</script>"),
            ("style-src", "<style>", "</style>"),
        ] {
            let digest = STANDARD.encode(Sha256::digest(between(&text("/bayeux"), start, end)));
            let source = format!("{directive} 'sha256-{digest}'; ");

            assert!(
                CONTENT_SECURITY_POLICY.contains(&source),
                "should have: {source}"
            );
        }
    }

    #[test]
    fn the_page_knows_the_path() {
        assert_eq!(
            between(&text("/bayeux"), r#"name="bayeux-path" content=""#, "\">"),
            "/bayeux"
        );
        assert!(!text("/bayeux").contains(PLACE));
    }

    #[test]
    fn a_path_cannot_break_out_of_its_attribute() {
        let page = text(r#"/"><script>alert('&')</script>"#);

        assert_eq!(
            between(&page, r#"name="bayeux-path" content=""#, "\">"),
            "/&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"
        );
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = text("/bayeux");

        for word in [
            "src=",
            "@import",
            "url(",
            "innerHTML",
            "eval(",
            "style=\"",
            "onclick=",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        for link in page.split("http://").skip(1) {
            assert!(
                link.starts_with("www.w3.org/2000/svg"),
                "a name space only: {link:.40}"
            );
        }
    }

    #[test]
    fn the_page_has_what_tests_in_a_browser_look_for() {
        let page = text("/bayeux");

        for id in [
            "status",
            "transport",
            "channel",
            "subscribe",
            "publish-channel",
            "message",
            "publish",
            "messages",
        ] {
            assert_eq!(page.matches(&format!(r#" id="{id}""#)).count(), 1, "{id}");
        }
    }
}
