//! The head of a request: the parts that decide its fate, borrowed from wherever the server keeps
//! them.

use core::fmt;

use smallvec::SmallVec;

/// Stands for a header that was there but cannot be read: not UTF-8, or sent twice with different
/// values. It matches nothing, so what needs the header is refused rather than taken for a request
/// without it.
const UNREADABLE: &str = "\u{fffd}";

/// A header that may come more than once, or hold a list.
pub(super) type Values<'a> = SmallVec<[&'a str; 1]>;

/// What is read of a request's head: method, target and the headers that matter, found in one
/// pass.
///
/// It borrows everything, so a hand-parsed head serves as well as a library's. With the `http`
/// crate: `RequestHead::new(request.method().as_str(), target, request.headers().iter().map(|(n,
/// v)| (n.as_str(), v.as_bytes())))`, where `target` is the path and query; HTTP/2 carries the host
/// outside of the headers, hence [`with_authority`](Self::with_authority).
///
/// ```
/// # use bayeux_core::http::RequestHead;
/// let headers: [(&str, &[u8]); 2] = [("HOST", b"a.example:8080"), ("Cookie", b"x=1; y=2")];
/// let head = RequestHead::new("GET", "/bayeux?jsonp=f", headers);
///
/// assert_eq!((head.path(), head.query()), ("/bayeux", Some("jsonp=f")));
/// assert_eq!(head.authority(), Some("a.example:8080"));
/// ```
#[derive(Clone, Default)]
pub struct RequestHead<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    authority: Option<&'a str>,
    host: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
    pub(super) referer: Option<&'a str>,
    pub(super) fetch_site: Option<&'a str>,
    content_type: Option<&'a str>,
    pub(super) asked_method: Option<&'a str>,
    pub(super) asked_headers: Values<'a>,
    pub(super) connection: Values<'a>,
    pub(super) upgrade: Values<'a>,
    pub(super) websocket_key: Option<&'a str>,
    pub(super) websocket_version: Option<&'a str>,
    pub(super) websocket_protocols: Values<'a>,
    cookies: SmallVec<[&'a [u8]; 1]>,
    pub(super) forwarded: Values<'a>,
    pub(super) forwarded_for: Values<'a>,
    pub(super) forwarded_proto: Values<'a>,
}

impl<'a> RequestHead<'a> {
    /// Reads a head: `target` as it stands in the request line (`/path?query`, or with scheme and
    /// host in front), `headers` in the order received, names in any case, the same name as often
    /// as it came.
    pub fn new<H>(method: &'a str, target: &'a str, headers: H) -> Self
    where
        H: IntoIterator<Item = (&'a str, &'a [u8])>,
    {
        let mut head = Self {
            method,
            ..Self::default()
        };
        head.take_target(target);
        for (name, value) in headers {
            head.take_header(name, value);
        }
        head
    }

    /// Sets the host and port that the request was sent to, where they do not come as a `Host`
    /// header: HTTP/2's `:authority`, or what a trusted proxy says of it.
    #[must_use]
    pub fn with_authority(mut self, authority: &'a str) -> Self {
        self.authority = Some(authority);
        self
    }

    /// The method, as sent.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The path, not percent-decoded.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// What stands behind the first `?` of the target.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Host and port that the request was sent to.
    pub fn authority(&self) -> Option<&'a str> {
        self.authority.or(self.host)
    }

    /// The `Origin` header, unchecked.
    pub fn origin(&self) -> Option<&'a str> {
        self.origin
    }

    /// The `Content-Type` of the body.
    pub fn content_type(&self) -> Option<&'a str> {
        self.content_type
    }

    /// The `Cookie` headers.
    pub fn cookies(&self) -> impl Iterator<Item = &'a [u8]> {
        self.cookies.iter().copied()
    }

    fn take_target(&mut self, target: &'a str) {
        let target = target.split_once('#').map_or(target, |(target, _)| target);
        let (whole, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        self.query = query;
        self.path = whole;
        if whole.starts_with('/') {
            return;
        }
        let Some((_, rest)) = whole.split_once("://") else {
            return;
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        self.authority = Some(authority);
        self.path = if path.is_empty() { "/" } else { path };
    }

    fn take_header(&mut self, name: &str, value: &'a [u8]) {
        let mut lower = [0; 32];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return;
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();

        let text = || str::from_utf8(value).map_or(UNREADABLE, str::trim_ascii);
        match &*lower {
            b"host" => single(&mut self.host, text()),
            b"origin" => single(&mut self.origin, text()),
            b"referer" => single(&mut self.referer, text()),
            b"sec-fetch-site" => single(&mut self.fetch_site, text()),
            b"content-type" => single(&mut self.content_type, text()),
            b"access-control-request-method" => single(&mut self.asked_method, text()),
            b"access-control-request-headers" => self.asked_headers.push(text()),
            b"connection" => self.connection.push(text()),
            b"upgrade" => self.upgrade.push(text()),
            b"sec-websocket-key" => single(&mut self.websocket_key, text()),
            b"sec-websocket-version" => single(&mut self.websocket_version, text()),
            b"sec-websocket-protocol" => self.websocket_protocols.push(text()),
            b"cookie" => self.cookies.push(value),
            b"forwarded" => self.forwarded.push(text()),
            b"x-forwarded-for" => self.forwarded_for.push(text()),
            b"x-forwarded-proto" => self.forwarded_proto.push(text()),
            _ => {}
        }
    }
}

/// Method and path only: the rest has cookies and client ids.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn single<'a>(slot: &mut Option<&'a str>, value: &'a str) {
    *slot = match *slot {
        Some(other) if other != value => Some(UNREADABLE),
        _ => Some(value),
    };
}

/// The elements of a list header that may be spread over several lines, in order, without the empty
/// ones.
pub(super) fn elements<'v, 'a>(
    values: &'v Values<'a>,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'v, 'a> {
    values
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether `text` is a `token` of RFC 9110: what names headers, subprotocols and cookies.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_gives_path_query_and_authority() {
        let table = [
            ("/b", "/b", None, None),
            ("/b?", "/b", Some(""), None),
            ("/b?x=1?y", "/b", Some("x=1?y"), None),
            ("/b?to=http://x/", "/b", Some("to=http://x/"), None),
            ("/b#f?x", "/b", None, None),
            ("http://h:1/b?x", "/b", Some("x"), Some("h:1")),
            ("http://h", "/", None, Some("h")),
            ("http://h?x", "/", Some("x"), Some("h")),
            ("*", "*", None, None),
            ("", "", None, None),
        ];
        for (target, path, query, authority) in table {
            let head = RequestHead::new("GET", target, []);

            assert_eq!(
                (head.path(), head.query(), head.authority()),
                (path, query, authority),
                "{target}"
            );
        }
    }

    #[test]
    fn header_names_match_in_any_case_and_values_lose_their_space() {
        for name in ["origin", "Origin", "ORIGIN", "oRiGiN"] {
            let head = RequestHead::new("GET", "/", [(name, b" https://a \t".as_slice())]);

            assert_eq!(head.origin(), Some("https://a"), "{name}");
        }
        let head = RequestHead::new("POST", "/", [("Content-Type", b"text/plain ".as_slice())]);
        assert_eq!(
            (head.content_type(), head.origin()),
            (Some("text/plain"), None)
        );
    }

    #[test]
    fn a_single_header_sent_twice_is_unreadable_unless_both_agree() {
        let twice = |a, b| RequestHead::new("GET", "/", [("host", a), ("host", b)]).authority();

        assert_eq!(twice(b"a".as_slice(), b"a".as_slice()), Some("a"));
        assert_eq!(twice(b"a".as_slice(), b"b".as_slice()), Some(UNREADABLE));
        assert_eq!(twice(b"\xff".as_slice(), b"b".as_slice()), Some(UNREADABLE));
    }

    #[test]
    fn lists_are_joined_over_lines() {
        let headers: [(&str, &[u8]); 2] = [
            ("connection", b"keep-alive, ,Upgrade"),
            ("Connection", b"x"),
        ];
        let head = RequestHead::new("GET", "/", headers);

        assert!(elements(&head.connection).eq(["keep-alive", "Upgrade", "x"]));
    }

    proptest! {
        #[test]
        fn any_head_is_read(method in ".*", target in ".*", name in ".*", value: Vec<u8>) {
            let head = RequestHead::new(&method, &target, [(name.as_str(), value.as_slice())]);

            prop_assert!(target.contains(head.path()) || head.path() == "/");
        }
    }
}
