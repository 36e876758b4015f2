//! HTTP requests from anybody: what the pure helpers make of them.

mod bodies;
mod headers;

use bayeux_core::http::{
    Callback, CallbackForm, Header, Options, Origin, Origins, RequestHead, ResponseHead, Route,
    route, upgrade,
};
use bytes::Bytes;

use self::bodies::{check_body, check_charsets, check_fields, check_texts};
use self::headers::{check_cookie_options, check_cookies, check_names, check_proxies};
use crate::naive::form;

/// The origins that are allowed by the option `l`, in the form that they are compared in.
const LISTED: [&str; 2] = ["https://a.example:443", "http://b.example:8080"];

/// A request as it is written, below a line of options: a letter each.
///
/// - Only what is allowed is let through: its path, its method, its origin, its page.
/// - Nothing of it comes back in a header unless it is printable, nor in a script unless it is harmless there.
/// - The texts of a body are those that a naive reader of forms finds, in whatever character set.
/// - A cookie has the shape of ours; a client's own word for its address counts for nothing.
pub fn http(input: &[u8]) {
    let Some(request) = Request::read(input) else {
        return;
    };
    let options = request.options();
    let head = RequestHead::new(
        request.method,
        request.target,
        request.headers.iter().copied(),
    );

    check_route(&route(&head, &options), &head, &request, &options);
    check_upgrade(&upgrade(&head, &options), &head, &options);
    check_fields(request.body);
    check_body(head.content_type(), request.body);
    check_charsets(request.body);
    check_cookies(&head);
    check_cookie_options(&request);
    check_proxies(&head, &request);
    check_names(&request);
}

/// A request, cut up.
struct Request<'a> {
    flags: &'a str,
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn read(input: &'a [u8]) -> Option<Self> {
        let (flags, rest) = line(input);
        let (first, mut rest) = line(rest);
        let (method, target) = str::from_utf8(first)
            .ok()?
            .split_once(' ')
            .unwrap_or_default();
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            let colon = header
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(header.len());
            let (name, value) = header.split_at(colon);
            headers.push((
                str::from_utf8(name).unwrap_or_default(),
                value.get(1..).unwrap_or_default(),
            ));
        }
        Some(Self {
            flags: str::from_utf8(flags).ok()?,
            method,
            target,
            headers,
            body: rest,
        })
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.callback_polling = !self.has('c');
        options.websocket = !self.has('w');
        if self.has('b') {
            options.callback_form = CallbackForm::Bare;
        }
        if self.has('a') {
            options.origins = Origins::Any;
        }
        if self.has('l') {
            let listed = LISTED
                .iter()
                .filter_map(|origin| origin.parse::<Origin>().ok());
            options.origins = Origins::Listed(listed.collect());
        }
        if self.has('p') {
            options.websocket_protocol = Some("chat".into());
        }
        if self.has('m') {
            options.mounts.extend("/other/".parse());
        }
        options
    }

    /// The values of a header, in order.
    fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let named = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect()
    }

    /// The elements of a list in these headers that can be read.
    fn elements(&self, name: &str) -> Vec<&'a str> {
        let texts = self
            .values(name)
            .into_iter()
            .filter_map(|value| str::from_utf8(value).ok());
        texts
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .collect()
    }
}

/// The first line, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, rest) = text.split_at(end.unwrap_or(text.len()));
    (line, rest.get(1..).unwrap_or_default())
}

fn check_route(route: &Route, head: &RequestHead<'_>, request: &Request<'_>, options: &Options) {
    let mounts: &[&str] = if request.has('m') {
        &["/bayeux", "/other"]
    } else {
        &["/bayeux"]
    };
    let is_below =
        |mount: &&str| head.path() == *mount || head.path().starts_with(&format!("{mount}/"));
    assert_eq!(
        *route == Route::NotOurs,
        !mounts.iter().any(is_below),
        "{route:?}"
    );
    match route {
        Route::NotOurs => {}
        Route::Refuse(refusal) => {
            assert!((400..600).contains(&refusal.head.status), "{refusal:?}");
            assert!(
                refusal.text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{refusal:?}"
            );
            check_headers(&refusal.head.headers);
        }
        Route::Preflight(response) => {
            assert_eq!(head.method(), "OPTIONS");
            assert_eq!(response.status, 200);
            check_headers(&response.headers);
            check_origin(head, options);
        }
        Route::Poll { cors } => {
            assert_eq!(head.method(), "POST");
            check_headers(&ResponseHead::json(cors).headers);
            check_origin(head, options);
        }
        Route::Callback {
            callback,
            texts,
            cors,
        } => {
            assert_eq!(head.method(), "GET");
            assert!(options.callback_polling);
            check_headers(&ResponseHead::script(cors).headers);
            check_origin(head, options);
            check_page(request, head, options);
            check_callback(callback, texts, request);
            let query = head.query().unwrap_or_default();
            check_texts(texts, &form::messages(query.as_bytes()));
        }
        Route::WebSocket { protocol } => {
            assert_eq!(head.method(), "GET");
            assert!(options.websocket);
            let asks = |name: &str, wanted: &str| {
                request
                    .elements(name)
                    .iter()
                    .any(|element| element.eq_ignore_ascii_case(wanted))
            };
            assert!(asks("connection", "upgrade") && asks("upgrade", "websocket"));
            assert!(request.elements("sec-websocket-version").contains(&"13"));
            let offers = request.elements("sec-websocket-protocol");
            assert!(
                protocol
                    .as_deref()
                    .is_none_or(|chosen| offers.contains(&chosen)),
                "{protocol:?}"
            );
            check_protocol(protocol.as_deref(), options);
            check_origin(head, options);
        }
    }
}

fn check_upgrade(route: &Route, head: &RequestHead<'_>, options: &Options) {
    match route {
        Route::NotOurs | Route::Refuse(_) => {}
        Route::WebSocket { protocol } => {
            assert!(options.websocket);
            check_protocol(protocol.as_deref(), options);
            check_origin(head, options);
        }
        other @ (Route::Preflight(_) | Route::Poll { .. } | Route::Callback { .. }) => {
            panic!("{other:?}")
        }
    }
}

/// A subprotocol that can stand in a header, and is the one that is asked for (WS-2).
fn check_protocol(protocol: Option<&str>, options: &Options) {
    assert!(protocol.is_none_or(is_token), "{protocol:?}");
    if let Some(required) = &options.websocket_protocol {
        assert_eq!(protocol, Some(&**required));
    }
}

fn check_headers(headers: &[Header]) {
    for header in headers {
        assert!(is_token(header.name), "{header:?}");
        assert!(
            !header.name.bytes().any(|byte| byte.is_ascii_uppercase()),
            "{header:?}"
        );
        assert!(
            header.value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{header:?}"
        );
    }
}

/// Whoever got so far has no origin, or one that is allowed (XO-4).
fn check_origin(head: &RequestHead<'_>, options: &Options) {
    let Some(origin) = head.origin() else { return };
    assert!(
        is_allowed(origin, head, options),
        "{origin:?} to {:?}",
        head.authority()
    );
}

/// Its script is loaded by a page of an origin that is allowed, or by none (CB-9).
fn check_page(request: &Request<'_>, head: &RequestHead<'_>, options: &Options) {
    let referers = request.values("referer");
    let referer = referers
        .first()
        .and_then(|referer| str::from_utf8(referer).ok())
        .unwrap_or_default()
        .trim();
    if referer.is_empty() {
        let sites = request.elements("sec-fetch-site");
        let own = sites
            .iter()
            .all(|site| matches!(*site, "same-origin" | "none"));
        assert!(own || options.origins == Origins::Any, "{sites:?}");
        return;
    }
    let (scheme, rest) = referer.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    assert!(
        is_allowed(&format!("{scheme}://{host}"), head, options),
        "{referer:?}"
    );
}

fn is_allowed(origin: &str, head: &RequestHead<'_>, options: &Options) -> bool {
    let Some(normal) = normal(origin) else {
        return options.origins == Origins::Any;
    };
    let scheme = origin.split("://").next().unwrap_or_default();
    let own = head
        .authority()
        .and_then(|host| self::normal(&format!("{scheme}://{host}")));
    let listed = matches!(options.origins, Origins::Listed(_)) && LISTED.contains(&normal.as_str());
    listed || options.origins == Origins::Any || own == Some(normal)
}

/// An origin in small letters and with its port.
fn normal(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let (scheme, rest) = origin.split_once("://")?;
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host_end = rest.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match rest.get(host_end..)?.find(':') {
        Some(at) => rest.split_at(host_end + at),
        None => (rest, ""),
    };
    let port = match port.trim_start_matches(':').trim_start_matches('0') {
        "" if port.len() < 2 => usual.into(),
        digits => format!(":{digits}"),
    };
    Some(format!("{scheme}://{host}{port}"))
}

/// The name is harmless, and what is wrapped in it stays what it is (CB-2 to CB-4).
fn check_callback(callback: &Callback, texts: &[Bytes], request: &Request<'_>) {
    let function = callback.function();
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_$.-".contains(&byte);
    assert!(
        (1..=64).contains(&function.len()) && function.bytes().all(is_known),
        "{function:?}"
    );

    let said: Vec<String> = texts
        .iter()
        .map(|text| String::from_utf8_lossy(text).into())
        .collect();
    let array = serde_json::to_string(&said).unwrap_or_default();
    let script = callback.wrap(array.as_bytes());
    let script = str::from_utf8(&script).unwrap_or_default();
    assert!(
        !script.contains("</") && !script.contains(['\u{2028}', '\u{2029}']),
        "{script:?}"
    );
    let (before, after) = if request.has('b') {
        ("", ")")
    } else {
        ("/**/", ");")
    };
    let inner = script
        .strip_prefix(before)
        .and_then(|rest| rest.strip_prefix(function));
    let inner = inner.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(after));
    let read: Option<Vec<String>> = inner.and_then(|inner| serde_json::from_str(inner).ok());
    assert_eq!(read, Some(said), "{script:?}");
}

/// A `token` of RFC 9110.
fn is_token(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(known)
}
