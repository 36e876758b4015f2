//! Which pages may talk to the server: origins, and the comparison with the one a request carries.

use alloc::boxed::Box;
use core::{fmt, net::Ipv6Addr, str::FromStr};

/// Longest origin that is echoed to a server that allows any.
const MAX_LENGTH: usize = 512;

/// How a request travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS, at least as far as the proxy in front.
    Https,
}

/// Which origins may use the server, besides pages of its own host and port, which always may
/// (XO-4, DE-20).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// No other.
    #[default]
    Own,
    /// Every one. It is echoed, never answered with `*`, because credentials are always on (XO-2).
    Any,
    /// These, compared by scheme, host and port.
    Listed(Box<[Origin]>),
}

impl Origins {
    /// Whether a page of `origin` may send requests to `authority`, the host and port of the
    /// request.
    ///
    /// Own pages are told by host and port alone: a proxy may have ended TLS. A host without port
    /// stands for the default port of the origin's scheme.
    ///
    /// ```
    /// # use bayeux_core::http::Origins;
    /// assert!(Origins::Own.allows("https://chat.example", Some("chat.example")));
    /// assert!(Origins::Own.allows("https://chat.example", Some("Chat.Example:443")));
    /// assert!(!Origins::Own.allows("https://chat.example", Some("chat.example:8443")));
    /// assert!(Origins::Any.allows("null", None));
    /// ```
    pub fn allows(&self, origin: &str, authority: Option<&str>) -> bool {
        if matches!(self, Self::Any) {
            return (1..=MAX_LENGTH).contains(&origin.len())
                && origin.bytes().all(|byte| byte.is_ascii_graphic());
        }
        Parts::parse(origin).is_ok_and(|parts| self.allows_parts(&parts, authority))
    }

    /// The same for a whole URL, as a `Referer` has it (CB-9). One that names no host is not
    /// allowed.
    pub fn allows_page(&self, url: &str, authority: Option<&str>) -> bool {
        matches!(self, Self::Any)
            || Parts::of_page(url).is_ok_and(|parts| self.allows_parts(&parts, authority))
    }

    fn allows_parts(&self, parts: &Parts<'_>, authority: Option<&str>) -> bool {
        let listed = match self {
            Self::Own => false,
            Self::Any => true,
            Self::Listed(origins) => origins.iter().any(|origin| origin.parts().matches(parts)),
        };
        listed || authority.is_some_and(|authority| parts.is_at(authority))
    }
}

/// Where a page comes from: scheme, host and port, the port understood where it is the scheme's
/// usual one.
///
/// `null`, the origin of sandboxed pages and files, is none: whoever allowed it would allow every
/// site.
///
/// ```
/// # use bayeux_core::http::{Origin, OriginError};
/// assert_eq!("https://A.example".parse::<Origin>()?, "https://a.example:443".parse::<Origin>()?);
/// assert_eq!("https://a.example/chat".parse::<Origin>(), Err(OriginError::Path));
/// # Ok::<(), OriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Box<str>,
    host: Box<str>,
    port: Option<u16>,
}

impl Origin {
    fn parts(&self) -> Parts<'_> {
        Parts {
            scheme: &self.scheme,
            host: &self.host,
            port: self.port,
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let Parts { scheme, host, port } = Parts::parse(text)?;
        let lower = |text: &str| text.to_ascii_lowercase().into_boxed_str();
        Ok(Self {
            scheme: lower(scheme),
            host: lower(host),
            port,
        })
    }
}

/// Why a text is no [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginError {
    /// It does not begin with a scheme and `://`.
    Scheme,
    /// The host is missing or has characters that hosts do not have.
    Host,
    /// The port is no number up to 65535.
    Port,
    /// Something follows the host and port.
    Path,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "an origin begins with a scheme, as in https://host",
            Self::Host => "an origin needs a host, of letters, digits, '-', '.', '_' or an address",
            Self::Port => "the port of an origin is a number up to 65535",
            Self::Path => "an origin ends with its host and port",
        })
    }
}

impl core::error::Error for OriginError {}

/// An origin borrowed from a header; letters in any case.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, OriginError> {
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains(['/', '?', '#']) {
            return Err(OriginError::Path);
        }
        Self::with_authority(scheme, rest)
    }

    fn of_page(url: &'a str) -> Result<Self, OriginError> {
        let (scheme, rest) = split_scheme(url)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Self::with_authority(scheme, authority)
    }

    fn with_authority(scheme: &'a str, authority: &'a str) -> Result<Self, OriginError> {
        let (host, port) = split_authority(authority)?;
        Ok(Self {
            scheme,
            host,
            port: port.or(default_port(scheme)),
        })
    }

    fn matches(&self, other: &Parts<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }

    fn is_at(&self, authority: &str) -> bool {
        split_authority(authority).is_ok_and(|(host, port)| {
            self.host.eq_ignore_ascii_case(host) && self.port == port.or(default_port(self.scheme))
        })
    }
}

fn split_scheme(text: &str) -> Result<(&str, &str), OriginError> {
    let (scheme, rest) = text.split_once("://").ok_or(OriginError::Scheme)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(known) {
        Ok((scheme, rest))
    } else {
        Err(OriginError::Scheme)
    }
}

fn split_authority(text: &str) -> Result<(&str, Option<u16>), OriginError> {
    let host_end = if text.starts_with('[') {
        text.find(']').ok_or(OriginError::Host)? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at_checked(host_end).ok_or(OriginError::Host)?;
    if !is_host(host) {
        return Err(OriginError::Host);
    }
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        None => Err(OriginError::Host),
        Some("") => Ok((host, None)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port
            .parse()
            .map(|port| (host, Some(port)))
            .map_err(|_| OriginError::Port),
        Some(_) => Err(OriginError::Port),
    }
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        return address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(origins: &[&str]) -> Origins {
        Origins::Listed(
            origins
                .iter()
                .map(|origin| origin.parse().unwrap())
                .collect(),
        )
    }

    #[test]
    fn own_pages_are_told_by_host_and_port_and_not_by_scheme_de_20() {
        let table = [
            ("http://a", Some("a"), true),
            ("https://a", Some("a"), true),
            ("https://A", Some("a"), true),
            ("https://a", Some("a:443"), true),
            ("http://a", Some("a:80"), true),
            ("https://a:443", Some("a"), true),
            ("https://a:8443", Some("a:8443"), true),
            ("http://a:8443", Some("a:8443"), true),
            ("http://[::1]:80", Some("[::1]"), true),
            ("https://a", Some("a:80"), false),
            ("http://a:443", Some("a"), false),
            ("https://a", Some("b"), false),
            ("https://a", Some("a.b"), false),
            ("https://b.a", Some("a"), false),
            ("https://a:1", Some("a:2"), false),
            ("https://a", None, false),
            ("null", Some("a"), false),
            ("", Some("a"), false),
            ("a", Some("a"), false),
            ("https://a/", Some("a"), false),
            ("https://x@a", Some("a"), false),
            ("\u{fffd}", Some("\u{fffd}"), false),
        ];
        for (origin, authority, allowed) in table {
            assert_eq!(
                Origins::Own.allows(origin, authority),
                allowed,
                "{origin} at {authority:?}"
            );
        }
    }

    #[test]
    fn listed_origins_are_compared_with_scheme_host_and_port_de_20() {
        let origins = listed(&[
            "https://shop.example",
            "http://dev.example:3000",
            "capacitor://localhost",
        ]);
        let table = [
            ("https://shop.example", true),
            ("https://SHOP.example:443", true),
            ("http://dev.example:3000", true),
            ("capacitor://localhost", true),
            ("https://own.example", true),
            ("http://shop.example", false),
            ("https://shop.example:444", false),
            ("https://dev.example:3000", false),
            ("https://evil-shop.example", false),
            ("https://shop.example.evil", false),
            ("null", false),
        ];
        for (origin, allowed) in table {
            assert_eq!(
                origins.allows(origin, Some("own.example")),
                allowed,
                "{origin}"
            );
        }
    }

    #[test]
    fn any_allows_what_can_be_echoed_safely_xo_2() {
        for origin in ["https://a", "null", "file://", "chrome-extension://abc"] {
            assert!(Origins::Any.allows(origin, None), "{origin}");
        }
        for origin in ["", "a b", "a\r\nb", "\u{e9}", "\u{fffd}"] {
            assert!(!Origins::Any.allows(origin, None), "{origin}");
        }
    }

    #[test]
    fn a_page_is_judged_by_the_origin_in_its_url_cb_9() {
        let table = [
            ("https://own/chat?x=https://shop", true),
            ("https://own", true),
            ("https://own?x", true),
            ("https://shop/", true),
            ("https://evil/own", false),
            ("https://own@evil/", false),
            ("https://own:1/", false),
            ("own", false),
            ("about:blank", false),
        ];
        for (url, allowed) in table {
            assert_eq!(
                listed(&["https://shop"]).allows_page(url, Some("own")),
                allowed,
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_origin_says_why() {
        let table = [
            ("null", OriginError::Scheme),
            ("*", OriginError::Scheme),
            ("a.example", OriginError::Scheme),
            ("1x://a", OriginError::Scheme),
            ("https://", OriginError::Host),
            ("https://*.a", OriginError::Host),
            ("https://[::1", OriginError::Host),
            ("https://[zz]", OriginError::Host),
            ("https://[::1]x", OriginError::Host),
            ("https://a:x", OriginError::Port),
            ("https://a:+1", OriginError::Port),
            ("https://a:65536", OriginError::Port),
            ("https://a/", OriginError::Path),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Origin>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(origin in ".*", authority in ".*") {
            for origins in [Origins::Own, Origins::Any, listed(&["https://a"])] {
                origins.allows(&origin, Some(&authority));
                origins.allows_page(&origin, Some(&authority));
            }
        }

        #[test]
        fn an_own_page_is_allowed_whatever_its_name(host in "[a-z0-9.-]{1,20}", port: Option<u16>) {
            let authority = port.map_or_else(|| host.clone(), |port| alloc::format!("{host}:{port}"));

            let origin = alloc::format!("https://{authority}");

            prop_assert!(Origins::Own.allows(&origin, Some(&authority)));
        }
    }
}
