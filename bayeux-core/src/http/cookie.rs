//! The cookie that names a browser: found in a request, and set by a successful handshake (BR-1,
//! BR-2).

use alloc::{boxed::Box, format};
use core::{fmt, time::Duration};

use super::{Header, RequestHead, Scheme, head::is_token};

/// How long the cookie's value is: 24 characters of 36 are 124 bits.
const LENGTH: usize = 24;

/// The value of the cookie `name` among `Cookie` headers, if it has the shape of ours: exactly 24
/// characters `[0-9a-z]`, in quotes or not (DE-5). Of several the first that has it; anything else
/// counts as no cookie.
///
/// ```
/// # use bayeux_core::http::browser_cookie;
/// let headers: [&[u8]; 2] = [b"theme=dark", b"BAYEUX_BROWSER=0123456789abcdefghijklmn; a=b"];
/// assert_eq!(browser_cookie(headers, "BAYEUX_BROWSER"), Some("0123456789abcdefghijklmn"));
/// ```
pub fn browser_cookie<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    name: &str,
) -> Option<&'a str> {
    let pairs = headers
        .into_iter()
        .flat_map(|header| header.split(|&byte| byte == b';'));
    pairs
        .filter_map(|pair| str::from_utf8(pair).ok()?.split_once('='))
        .find_map(|(found, value)| {
            if found.trim_ascii() != name {
                return None;
            }
            let value = value.trim_ascii();
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value);
            let known = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z');
            (value.len() == LENGTH && value.bytes().all(known)).then_some(value)
        })
}

/// What the browser cookie looks like (BR-2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookieOptions {
    /// Its name: `BAYEUX_BROWSER`.
    pub name: Box<str>,
    /// `Domain`: none, so that the cookie stays with the host that set it.
    pub domain: Option<Box<str>>,
    /// `Path`: `/`.
    pub path: Box<str>,
    /// `Max-Age`, in whole seconds: none, so that it ends with the browser.
    pub max_age: Option<Duration>,
    /// `Secure`, on requests that came over TLS only: off.
    pub secure: bool,
    /// `HttpOnly`: on.
    pub http_only: bool,
    /// `SameSite`: none.
    pub same_site: Option<SameSite>,
    /// `Partitioned`: off.
    pub partitioned: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: "BAYEUX_BROWSER".into(),
            domain: None,
            path: "/".into(),
            max_age: None,
            secure: false,
            http_only: true,
            same_site: None,
            partitioned: false,
        }
    }
}

/// Which requests of other sites carry the cookie. Pages of other sites need `None`, with `secure`
/// (XO-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// None of them.
    Strict,
    /// Navigations only.
    Lax,
    /// All of them.
    None,
}

/// The browser cookie with its options checked, so that what it writes is one well-formed header.
///
/// ```
/// # use bayeux_core::http::{BrowserCookie, CookieOptions, Scheme};
/// let cookie = BrowserCookie::new(&CookieOptions::default())?;
/// let header = cookie.set("0123456789abcdefghijklmn", Scheme::Http);
/// assert_eq!(header.name, "set-cookie");
/// assert_eq!(header.value, "BAYEUX_BROWSER=0123456789abcdefghijklmn; Path=/; HttpOnly");
/// # Ok::<(), bayeux_core::http::CookieError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserCookie {
    name: Box<str>,
    attributes: Box<str>,
    secure: bool,
}

impl BrowserCookie {
    /// Checks the options.
    pub fn new(options: &CookieOptions) -> Result<Self, CookieError> {
        let fits = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
        };
        if !is_token(&options.name) {
            return Err(CookieError::Name);
        }
        if options
            .domain
            .as_deref()
            .is_some_and(|domain| domain.is_empty() || !fits(domain))
        {
            return Err(CookieError::Domain);
        }
        if !options.path.starts_with('/') || !fits(&options.path) {
            return Err(CookieError::Path);
        }
        let attributes = Attributes(options);
        Ok(Self {
            name: options.name.clone(),
            attributes: format!("{attributes}").into(),
            secure: options.secure,
        })
    }

    /// The header that gives the browser its id, for the response to a handshake whose request had
    /// no cookie.
    pub fn set(&self, browser: &str, scheme: Scheme) -> Header {
        let secure = if self.secure && scheme == Scheme::Https {
            "; Secure"
        } else {
            ""
        };
        Header::owned(
            "set-cookie",
            format!("{}={browser}{}{secure}", self.name, self.attributes),
        )
    }

    /// The browser's id that a request carries: see [`browser_cookie`].
    pub fn find<'a>(&self, head: &RequestHead<'a>) -> Option<&'a str> {
        browser_cookie(head.cookies(), &self.name)
    }
}

struct Attributes<'a>(&'a CookieOptions);

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0;
        if let Some(domain) = &options.domain {
            write!(f, "; Domain={domain}")?;
        }
        write!(f, "; Path={}", options.path)?;
        if let Some(max_age) = options.max_age {
            write!(f, "; Max-Age={}", max_age.as_secs())?;
        }
        if options.http_only {
            f.write_str("; HttpOnly")?;
        }
        f.write_str(match options.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        })?;
        f.write_str(if options.partitioned {
            "; Partitioned"
        } else {
            ""
        })
    }
}

/// Which option of a cookie would break its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is no token.
    Name,
    /// The domain is empty or has a semicolon or a character that is not printable ASCII.
    Domain,
    /// The path does not begin with `/`, or has such a character.
    Path,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the cookie's name is not a token",
            Self::Domain => "the cookie's domain is empty or not of printable ASCII without ;",
            Self::Path => "the cookie's path does not begin with / or is not of printable ASCII",
        })
    }
}

impl core::error::Error for CookieError {}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdefghijklmn";
    const OTHER: &str = "zzzzzzzzzzzzzzzzzzzzzzzz";

    #[test]
    fn only_a_value_of_our_shape_is_taken_br_1_de_5() {
        let table: [(&[&str], Option<&str>); 17] = [
            (&["B=0123456789abcdefghijklmn"], Some(ID)),
            (&["B=\"0123456789abcdefghijklmn\""], Some(ID)),
            (&["a=b; B = 0123456789abcdefghijklmn ;c=d"], Some(ID)),
            (&["a=b;B=0123456789abcdefghijklmn"], Some(ID)),
            (&["a=b", "c; =; B=0123456789abcdefghijklmn"], Some(ID)),
            (&["B=stale; B=0123456789abcdefghijklmn"], Some(ID)),
            (
                &["B=0123456789abcdefghijklmn", "B=zzzzzzzzzzzzzzzzzzzzzzzz"],
                Some(ID),
            ),
            (
                &["B=zzzzzzzzzzzzzzzzzzzzzzzz; B=0123456789abcdefghijklmn"],
                Some(OTHER),
            ),
            (&[], None),
            (&["b=0123456789abcdefghijklmn"], None),
            (&["BB=0123456789abcdefghijklmn"], None),
            (&["B"], None),
            (&["B="], None),
            (&["B=0123456789abcdefghijklm"], None),
            (&["B=0123456789abcdefghijklmno"], None),
            (&["B=0123456789ABCDEFGHIJKLMN"], None),
            (&["B=\"0123456789abcdefghijklmn"], None),
        ];
        for (headers, expected) in table {
            assert_eq!(
                browser_cookie(headers.iter().map(|header| header.as_bytes()), "B"),
                expected,
                "{headers:?}"
            );
        }
        assert_eq!(
            browser_cookie([b"a=\xff; B=0123456789abcdefghijklmn".as_slice()], "B"),
            Some(ID)
        );
    }

    // Proves: BR-2, XO-5
    #[test]
    fn every_attribute_is_an_option_br_2() {
        let plain = CookieOptions::default();
        let full = CookieOptions {
            name: "X".into(),
            domain: Some("a.example".into()),
            path: "/b".into(),
            max_age: Some(Duration::from_secs(60)),
            secure: true,
            http_only: true,
            same_site: Some(SameSite::None),
            partitioned: true,
        };
        let bare = CookieOptions {
            http_only: false,
            same_site: Some(SameSite::Lax),
            ..plain.clone()
        };
        let strict = CookieOptions {
            max_age: Some(Duration::ZERO),
            secure: true,
            same_site: Some(SameSite::Strict),
            ..plain.clone()
        };
        let table = [
            (&plain, Scheme::Https, "BAYEUX_BROWSER=id; Path=/; HttpOnly"),
            (
                &full,
                Scheme::Https,
                "X=id; Domain=a.example; Path=/b; Max-Age=60; HttpOnly; SameSite=None; Partitioned; Secure",
            ),
            (
                &full,
                Scheme::Http,
                "X=id; Domain=a.example; Path=/b; Max-Age=60; HttpOnly; SameSite=None; Partitioned",
            ),
            (
                &bare,
                Scheme::Http,
                "BAYEUX_BROWSER=id; Path=/; SameSite=Lax",
            ),
            (
                &strict,
                Scheme::Http,
                "BAYEUX_BROWSER=id; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
            ),
        ];
        for (options, scheme, expected) in table {
            let header = BrowserCookie::new(options).unwrap().set("id", scheme);

            assert_eq!((header.name, &*header.value), ("set-cookie", expected));
        }
    }

    #[test]
    fn options_that_would_break_the_header_are_refused() {
        let new = |name: &str, domain: Option<&str>, path: &str| {
            let (name, domain, path) = (name.into(), domain.map(Into::into), path.into());
            BrowserCookie::new(&CookieOptions {
                name,
                domain,
                path,
                ..CookieOptions::default()
            })
            .map(|_| ())
        };

        assert_eq!(new("B", Some("a.b"), "/"), Ok(()));
        for name in ["", "a b", "a;b", "a=b", "ä"] {
            assert_eq!(new(name, None, "/"), Err(CookieError::Name), "{name}");
        }
        for domain in ["", "a;b", "a\r\nb"] {
            assert_eq!(
                new("B", Some(domain), "/"),
                Err(CookieError::Domain),
                "{domain}"
            );
        }
        for path in ["", "a", "/a;b", "/\n", "/ä"] {
            assert_eq!(new("B", None, path), Err(CookieError::Path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_headers_are_searched(bytes: Vec<u8>, text in "[B=;\" a-z0-9]{0,60}", name in "B|.*") {
            let headers = [bytes, text.into_bytes()];

            let found = browser_cookie(headers.iter().map(Vec::as_slice), &name);

            prop_assert!(found.is_none_or(|value| value.len() == LENGTH));
        }

        #[test]
        fn a_cookie_that_was_set_is_found(id in "[0-9a-z]{24}") {
            let cookie = BrowserCookie::new(&CookieOptions::default()).unwrap();
            let set = cookie.set(&id, Scheme::Http);
            let sent = set.value.split(';').next().unwrap();

            let head = RequestHead::new("POST", "/", [("cookie", sent.as_bytes())]);

            prop_assert_eq!(cookie.find(&head), Some(id.as_str()));
        }

        #[test]
        fn any_options_are_checked(name in ".*", domain in ".*", path in ".*", browser in ".*") {
            let (name, domain, path) = (name.into(), Some(domain.into()), path.into());
            let options = CookieOptions { name, domain, path, ..CookieOptions::default() };

            let _ = BrowserCookie::new(&options).map(|cookie| cookie.set(&browser, Scheme::Https));
        }
    }
}
