//! HTTP requests: heads, bodies, forms, queries of callbacks, cookies, origins.

use bayeux_core::http::RequestHead;
use proptest::prelude::*;

use crate::frame;

/// A request as it comes over the wire, its bytes put apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, or a whole URL.
    pub target: String,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Its head, as the helpers for HTTP want it.
    pub fn head(&self) -> RequestHead<'_> {
        let headers = self.headers.iter();
        RequestHead::new(
            &self.method,
            &self.target,
            headers.map(|(name, value)| (name.as_str(), value.as_slice())),
        )
    }
}

/// A poll: a POST with messages as JSON or as a form.
pub fn poll() -> impl Strategy<Value = Request> {
    let paths = prop::sample::select(&["/bayeux", "/bayeux/", "/bayeux/connect", "/other"][..]);
    (
        paths,
        frame::any_bytes(),
        content_type(),
        any::<bool>(),
        headers(),
    )
        .prop_map(|(target, body, content_type, form, mut headers)| {
            headers.extend(content_type.map(|it| ("Content-Type".to_owned(), it.into_bytes())));
            let body = if form {
                [b"message=", escaped(&body).as_bytes()].concat()
            } else {
                body
            };
            request("POST", target.to_owned(), headers, body)
        })
}

/// A poll by callback: a GET with messages in its query.
pub fn callback() -> impl Strategy<Value = Request> {
    let function = prop_oneof![
        4 => "[a-zA-Z_$.][a-zA-Z0-9_$.]{0,20}",
        1 => "[ -~]{0,70}",
        1 => Just(String::new()),
    ];
    let messages = prop::collection::vec(frame::any_bytes(), 0..3);
    (prop::option::of(function), messages, headers()).prop_map(|(function, messages, headers)| {
        let function = function.map(|it| format!("jsonp={}", escaped(it.as_bytes())));
        let messages = messages.iter().map(|it| format!("message={}", escaped(it)));
        let query: Vec<_> = function.into_iter().chain(messages).collect();
        request(
            "GET",
            format!("/bayeux?{}", query.join("&")),
            headers,
            Vec::new(),
        )
    })
}

/// The opening of a websocket, or something like it.
pub fn upgrade() -> impl Strategy<Value = Request> {
    let whole = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "bayeux, other"),
    ];
    let chosen = prop::sample::subsequence(whole.to_vec(), 3..=5);
    (chosen, headers()).prop_map(|(chosen, mut headers)| {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
        headers.extend(chosen.into_iter().map(pair));
        request("GET", "/bayeux".to_owned(), headers, Vec::new())
    })
}

/// Any request at all.
pub fn hostile() -> impl Strategy<Value = Request> {
    let method = prop_oneof![
        4 => prop::sample::select(&["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "TRACE"][..])
            .prop_map(str::to_owned),
        1 => "[!-~]{0,8}",
    ];
    let target = prop_oneof![
        2 => "/bayeux[/a-z]{0,6}(\\?[a-z=&%0-9+]{0,40})?",
        1 => "[!-~]{0,40}",
        1 => "https?://[a-z.]{0,10}(:[0-9]{0,6})?/bayeux",
        1 => any::<String>(),
    ];
    let body = prop_oneof![frame::hostile(), form()];
    (method, target, headers(), body)
        .prop_map(|(method, target, headers, body)| request(&method, target, headers, body))
}

/// All of these.
pub fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![3 => poll(), 3 => callback(), 1 => upgrade(), 3 => hostile()]
}

/// A form body, well escaped or not.
pub fn form() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(&["message", "jsonp", "other", "m%65ssage", ""][..]);
    let field = (name, frame::any_bytes(), any::<bool>()).prop_map(|(name, value, raw)| {
        let value = if raw {
            value
        } else {
            escaped(&value).into_bytes()
        };
        [name.as_bytes(), b"=", &value].concat()
    });
    prop::collection::vec(field, 0..4).prop_map(|fields| fields.join(&b'&'))
}

/// A `Cookie` header: ours, others, and what is none.
pub fn cookies() -> impl Strategy<Value = Vec<u8>> {
    let pair = prop_oneof![
        4 => "BAYEUX_BROWSER=[0-9a-z]{24}",
        2 => "BAYEUX_BROWSER=\"?[!-~]{0,30}\"?",
        2 => "[a-zA-Z_]{1,8}=[ -~]{0,12}",
        1 => "[ -~]{0,16}",
    ];
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("; ").into_bytes())
}

/// The value of an `Origin` header, or of a `Referer`.
pub fn origin() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(
            &["https://shop.example", "http://shop.example:8080", "null", "https://SHOP.example/page?x=1"][..]
        ).prop_map(str::to_owned),
        2 => "https?://[a-z.\\[\\]:0-9]{0,16}(:[0-9]{0,6})?(/[ -~]{0,10})?",
        1 => "[ -~]{0,24}",
    ]
}

fn content_type() -> impl Strategy<Value = Option<String>> {
    let known = &[
        "application/json",
        "application/json;charset=UTF-8",
        "application/json; charset=\"iso-8859-7\"",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/json; charset=nonsense",
    ][..];
    prop::option::of(prop_oneof![
        6 => prop::sample::select(known).prop_map(str::to_owned),
        1 => "[ -~]{0,40}",
    ])
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let text = |strategy: BoxedStrategy<String>| strategy.prop_map(String::into_bytes);
    let header = prop_oneof![
        3 => (Just("Host".to_owned()), Just(b"shop.example".to_vec())),
        2 => (Just("Cookie".to_owned()), cookies()),
        2 => (Just("Origin".to_owned()), text(origin().boxed())),
        1 => (Just("Referer".to_owned()), text(origin().boxed())),
        1 => (Just("Sec-Fetch-Site".to_owned()), text("same-origin|cross-site|none|[a-z-]{0,9}".boxed())),
        1 => (Just("X-Forwarded-For".to_owned()), text("[0-9a-f.:, ]{0,40}".boxed())),
        1 => (Just("Forwarded".to_owned()), text("(for|by|proto|host)=\"?[!-~]{0,20}\"?[;,]?".boxed())),
        1 => ("[!-~]{0,20}", prop::collection::vec(any::<u8>(), 0..30)),
    ];
    prop::collection::vec(header, 0..6)
}

fn request(
    method: &str,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
) -> Request {
    Request {
        method: method.to_owned(),
        target,
        headers,
        body,
    }
}

/// Bytes as they stand in a form or a query.
pub fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' => {
            char::from(*byte).to_string()
        }
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(escape).collect()
}
