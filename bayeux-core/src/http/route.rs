//! The one decision: what a request is, and whether it may be (HT-2, XO-4).

use alloc::{boxed::Box, string::String, vec::Vec};

use bytes::Bytes;
use encoding_rs::UTF_8;

use super::{
    BodyError, Callback, CallbackNameError, Cors, Header, Options, Origins, Refusal, RequestHead,
    ResponseHead, form,
    head::{elements, is_token},
};

/// The callback of clients that name none (CB-2).
const DEFAULT_CALLBACK: &str = "jsonpcallback";

/// Longest list of headers that a preflight answer mirrors.
const MAX_ASKED: usize = 1024;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The path is outside of the mounts: a page of the server's own, or [`Refusal::not_found`].
    NotOurs,
    /// Send this head and no body.
    Preflight(ResponseHead),
    /// Send this refusal.
    Refuse(Refusal),
    /// Long-polling: read the body and cut it up with [`body_texts`](super::body_texts).
    Poll {
        /// For the head of the response.
        cors: Cors,
    },
    /// Callback-polling: the messages are here.
    Callback {
        /// Wraps the response.
        callback: Callback,
        /// Texts, each a JSON array or object of messages, in order.
        texts: Vec<Bytes>,
        /// For the head of the response.
        cors: Cors,
    },
    /// Upgrade to a websocket.
    WebSocket {
        /// The subprotocol to answer with.
        protocol: Option<Box<str>>,
    },
}

/// Decides what a request is (HT-2, DE-19, DE-20).
///
/// ```
/// # use bayeux_core::http::{Options, RequestHead, Route, route};
/// let head = RequestHead::new("GET", "/bayeux?jsonp=f&message=%5B%7B%7D%5D", []);
/// let Route::Callback { callback, texts, .. } = route(&head, &Options::default()) else {
///     panic!("messages in the query are a callback poll")
/// };
/// assert_eq!((callback.function(), &*texts[0]), ("f", b"[{}]".as_slice()));
/// ```
pub fn route(head: &RequestHead<'_>, options: &Options) -> Route {
    let cors = match admit(head, options) {
        Ok(cors) => cors,
        Err(route) => return route,
    };
    match head.method() {
        "POST" => Route::Poll { cors },
        "GET" if options.websocket && is_upgrade(head) => match check_upgrade(head) {
            Ok(()) => negotiate(head, options),
            Err(refusal) => Route::Refuse(refusal),
        },
        "GET" if options.callback_polling => {
            callback(head, options, cors).unwrap_or_else(Route::Refuse)
        }
        "OPTIONS" => Route::Preflight(ResponseHead::preflight(&cors, asked_headers(head))),
        _ => Route::Refuse(Refusal::method_not_allowed(allowed_methods(options), &cors)),
    }
}

/// Decides whether a websocket may be opened (WS-1 to WS-3), for a request that is known to ask for
/// one, such as HTTP/2's extended CONNECT. Never a poll; [`route`] does the same for the upgrade of
/// HTTP/1.1.
pub fn upgrade(head: &RequestHead<'_>, options: &Options) -> Route {
    match admit(head, options) {
        Ok(_) if options.websocket => negotiate(head, options),
        Ok(cors) => Route::Refuse(Refusal::method_not_allowed(allowed_methods(options), &cors)),
        Err(route) => route,
    }
}

/// The path is ours and the origin allowed, or the route is clear already (XO-4).
fn admit(head: &RequestHead<'_>, options: &Options) -> Result<Cors, Route> {
    if !options
        .mounts
        .iter()
        .any(|mount| mount.contains(head.path()))
    {
        return Err(Route::NotOurs);
    }
    match head.origin {
        Some(origin) if !options.origins.allows(origin, head.authority()) => {
            Err(Route::Refuse(Refusal::origin_not_allowed()))
        }
        origin => Ok(Cors::new(origin)),
    }
}

fn allowed_methods(options: &Options) -> &'static str {
    if options.callback_polling {
        "GET, POST, OPTIONS"
    } else {
        "POST, OPTIONS"
    }
}

/// What the page asks to send, if it is a list of header names (XO-3).
fn asked_headers(head: &RequestHead<'_>) -> Option<Box<str>> {
    head.asked_method?;
    let mut asked = String::new();
    for name in elements(&head.asked_headers) {
        if !is_token(name) || asked.len() + name.len() > MAX_ASKED {
            return None;
        }
        if !asked.is_empty() {
            asked.push_str(", ");
        }
        asked.push_str(name);
    }
    (!asked.is_empty()).then(|| asked.into())
}

fn callback(head: &RequestHead<'_>, options: &Options, cors: Cors) -> Result<Route, Refusal> {
    if !may_load(head, &options.origins) {
        return Err(Refusal::origin_not_allowed());
    }
    match callback_of_query(head.query().unwrap_or_default(), options) {
        Ok((callback, texts)) => Ok(Route::Callback {
            callback,
            texts,
            cors,
        }),
        Err(text) => Err(Refusal::bad_request(text, &cors)),
    }
}

/// Whether a page may load an answer as its script (CB-9). A page can withhold its `Referer`, but not
/// what browsers say of the site that it belongs to.
fn may_load(head: &RequestHead<'_>, origins: &Origins) -> bool {
    match head.referer.filter(|referer| !referer.is_empty()) {
        Some(referer) => origins.allows_page(referer, head.authority()),
        None => {
            matches!(head.fetch_site, None | Some("same-origin" | "none"))
                || *origins == Origins::Any
        }
    }
}

/// The callback and the messages (CB-1, CB-2), or what is wrong.
fn callback_of_query(
    query: &str,
    options: &Options,
) -> Result<(Callback, Vec<Bytes>), &'static str> {
    let query = Bytes::copy_from_slice(query.as_bytes());
    let mut callback = None;
    let mut texts = Vec::new();
    for (name, value) in form::fields(&query) {
        if name.as_ref() == options.callback_parameter.as_bytes() {
            let function =
                str::from_utf8(&value).map_err(|_| CallbackNameError::Character.as_str())?;
            if callback.replace(named(function, options)?).is_some() {
                return Err("more than one callback");
            }
        } else if form::is_message(&name) {
            texts.push(form::text(&query, value, UTF_8).map_err(BodyError::as_str)?);
        }
    }
    match (callback, texts.is_empty()) {
        (None, true) => Err("unknown Bayeux transport"),
        (Some(_), true) => Err(BodyError::MessageMissing.as_str()),
        (Some(callback), false) => Ok((callback, texts)),
        (None, false) => Ok((named(DEFAULT_CALLBACK, options)?, texts)),
    }
}

fn named(function: &str, options: &Options) -> Result<Callback, &'static str> {
    Callback::new(
        function,
        options.callback_parameter_max_length,
        options.callback_form,
    )
    .map_err(CallbackNameError::as_str)
}

fn is_upgrade(head: &RequestHead<'_>) -> bool {
    elements(&head.connection).any(|option| option.eq_ignore_ascii_case("upgrade"))
        && elements(&head.upgrade).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// What RFC 6455 asks of an upgrade, section 4.2.1 (WS-1).
fn check_upgrade(head: &RequestHead<'_>) -> Result<(), Refusal> {
    if head.websocket_version != Some("13") {
        let mut refusal = Refusal::new(426, "websocket version 13 only", &Cors::default());
        refusal
            .head
            .headers
            .push(Header::fixed("sec-websocket-version", "13"));
        return Err(refusal);
    }
    let is_key = |key: &str| key.len() == 24 && key.ends_with("==") && key.is_ascii();
    if head.websocket_key.is_some_and(is_key) {
        Ok(())
    } else {
        Err(Refusal::bad_request("no websocket key", &Cors::default()))
    }
}

/// Chooses the subprotocol (WS-2).
fn negotiate(head: &RequestHead<'_>, options: &Options) -> Route {
    let mut offers = elements(&head.websocket_protocols).filter(|offer| is_token(offer));
    let chosen = match &options.websocket_protocol {
        None => {
            return Route::WebSocket {
                protocol: offers.next().map(Into::into),
            };
        }
        Some(required) => offers.find(|offer| *offer == &**required),
    };
    match chosen {
        Some(protocol) => Route::WebSocket {
            protocol: Some(protocol.into()),
        },
        None => Route::Refuse(Refusal::bad_request(
            "websocket protocol not offered",
            &Cors::default(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;
    use crate::http::{CallbackForm, Mount};

    const OWN: (&str, &str) = ("host", "chat.example");
    const SHOP: (&str, &str) = ("origin", "https://shop.example");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const SOCKET: [(&str, &str); 5] = [
        OWN,
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        KEY,
    ];
    const CALLBACK: &str = "/bayeux?jsonp=f&message=[]";

    fn shop_options() -> Options {
        Options {
            origins: Origins::Listed(["https://shop.example".parse().unwrap()].into()),
            ..Options::default()
        }
    }

    fn head<'a>(method: &'a str, target: &'a str, headers: &'a [(&str, &str)]) -> RequestHead<'a> {
        RequestHead::new(
            method,
            target,
            headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes())),
        )
    }

    /// What [`route`] says, in a word or two.
    fn said(options: &Options, method: &str, target: &str, headers: &[(&str, &str)]) -> String {
        describe(route(&head(method, target, headers), options))
    }

    fn describe(route: Route) -> String {
        match route {
            Route::NotOurs => "not ours".into(),
            Route::Preflight(head) => format!("{} preflight", head.status),
            Route::Refuse(Refusal { head, text }) => format!("{} {text}", head.status),
            Route::Poll { .. } => "poll".into(),
            Route::Callback {
                callback, texts, ..
            } => {
                let texts: Vec<_> = texts
                    .iter()
                    .map(|text| String::from_utf8_lossy(text))
                    .collect();
                format!("{} {}", callback.function(), texts.join(" "))
            }
            Route::WebSocket { protocol } => {
                format!("websocket {}", protocol.as_deref().unwrap_or("-"))
            }
        }
    }

    fn value<'a>(head: &'a ResponseHead, name: &str) -> Option<&'a str> {
        head.headers
            .iter()
            .find(|header| header.name == name)
            .map(|header| &*header.value)
    }

    #[test]
    fn a_post_below_any_mount_is_a_poll_ht_1_ht_2() {
        let options = Options {
            mounts: ["/bayeux", "/a/b/"]
                .map(|mount| mount.parse::<Mount>().unwrap())
                .into(),
            ..Options::default()
        };
        let table = [
            ("/bayeux", "poll"),
            ("/bayeux/", "poll"),
            ("/bayeux/handshake?x", "poll"),
            ("/a/b/connect", "poll"),
            ("http://h/bayeux", "poll"),
            ("/", "not ours"),
            ("/bayeuxx", "not ours"),
            ("/a", "not ours"),
            ("*", "not ours"),
            ("", "not ours"),
        ];
        for (target, expected) in table {
            assert_eq!(said(&options, "POST", target, &[]), expected, "{target}");
        }
    }

    #[test]
    fn other_methods_are_refused_with_what_is_allowed_de_19() {
        let without = Options {
            callback_polling: false,
            ..Options::default()
        };
        let table = [
            (&shop_options(), "HEAD", "GET, POST, OPTIONS"),
            (&shop_options(), "PUT", "GET, POST, OPTIONS"),
            (&shop_options(), "DELETE", "GET, POST, OPTIONS"),
            (&shop_options(), "TRACE", "GET, POST, OPTIONS"),
            (&shop_options(), "CONNECT", "GET, POST, OPTIONS"),
            (&shop_options(), "post", "GET, POST, OPTIONS"),
            (&without, "GET", "POST, OPTIONS"),
            (&without, "HEAD", "POST, OPTIONS"),
        ];
        for (options, method, allow) in table {
            let Route::Refuse(refusal) = route(&head(method, CALLBACK, &[]), options) else {
                panic!("{method}")
            };

            assert_eq!(
                (refusal.head.status, value(&refusal.head, "allow")),
                (405, Some(allow)),
                "{method}"
            );
        }
    }

    #[test]
    fn an_origin_that_is_not_allowed_is_refused_before_anything_else_xo_4_ws_3() {
        let upgrade = [SOCKET.as_slice(), &[EVIL]].concat();
        let table = [
            ("POST", "/bayeux", [OWN, EVIL].as_slice()),
            ("OPTIONS", "/bayeux", &[OWN, EVIL]),
            ("GET", CALLBACK, &[OWN, EVIL]),
            ("GET", "/bayeux", &upgrade),
            ("PUT", "/bayeux", &[OWN, EVIL]),
            ("POST", "/bayeux", &[OWN, ("origin", "null")]),
            ("POST", "/bayeux", &[OWN, ("origin", "")]),
            ("POST", "/bayeux", &[OWN, SHOP, EVIL]),
            ("POST", "/bayeux", &[("origin", "https://chat.example")]),
        ];
        for (method, target, headers) in table {
            let Route::Refuse(refusal) = route(&head(method, target, headers), &shop_options())
            else {
                panic!("{method} {headers:?}")
            };

            assert_eq!(
                refusal,
                Refusal::origin_not_allowed(),
                "{method} {headers:?}"
            );
        }
    }

    #[test]
    fn own_listed_and_absent_origins_are_let_in_xo_4_de_20() {
        let own = ("origin", "https://chat.example");
        for headers in [[OWN, own].as_slice(), &[OWN, SHOP], &[OWN], &[]] {
            assert_eq!(
                said(&shop_options(), "POST", "/bayeux", headers),
                "poll",
                "{headers:?}"
            );
        }
        assert_eq!(
            said(&Options::default(), "POST", "/bayeux", &[OWN, own]),
            "poll"
        );
        assert_eq!(
            said(&Options::default(), "POST", "/bayeux", &[OWN, SHOP]),
            "403 origin not allowed"
        );

        let headers = [own];
        let second = head("POST", "/bayeux", &headers).with_authority("chat.example");
        assert_eq!(describe(route(&second, &Options::default())), "poll");
    }

    #[test]
    fn an_allowed_origin_sees_errors_and_any_is_echoed_xo_2() {
        let any = Options {
            origins: Origins::Any,
            ..Options::default()
        };
        let table = [
            (
                shop_options(),
                "GET",
                "/bayeux",
                400,
                Some("https://shop.example"),
            ),
            (
                shop_options(),
                "PUT",
                "/bayeux",
                405,
                Some("https://shop.example"),
            ),
            (any, "PUT", "/bayeux", 405, Some("https://shop.example")),
        ];
        for (options, method, target, status, origin) in table {
            let Route::Refuse(refusal) = route(&head(method, target, &[OWN, SHOP]), &options)
            else {
                panic!("{method}")
            };

            let found = value(&refusal.head, "access-control-allow-origin");
            assert_eq!((refusal.head.status, found), (status, origin), "{method}");
        }
    }

    #[test]
    fn a_preflight_is_answered_with_what_was_asked_xo_3() {
        let method = ("access-control-request-method", "POST");
        let default = "Accept, Authorization, Content-Type, Origin, Pragma, X-Requested-With";
        let longest = "x".repeat(MAX_ASKED);
        let long = "x".repeat(MAX_ASKED + 1);
        let table = [
            (longest.as_str(), longest.as_str()),
            ("content-type", "content-type"),
            ("content-type,x-token", "content-type, x-token"),
            ("", default),
            ("a b", default),
            ("x(y)", default),
            (&long, default),
        ];
        for (asked, headers) in table {
            let request = [OWN, SHOP, method, ("access-control-request-headers", asked)];
            let Route::Preflight(head) = route(
                &head("OPTIONS", "/bayeux/handshake", &request),
                &shop_options(),
            ) else {
                panic!("{asked}")
            };

            assert_eq!(head.status, 200);
            assert_eq!(
                value(&head, "access-control-allow-origin"),
                Some("https://shop.example")
            );
            assert_eq!(
                value(&head, "access-control-allow-credentials"),
                Some("true")
            );
            assert_eq!(
                value(&head, "access-control-allow-methods"),
                Some("GET, POST, OPTIONS")
            );
            assert_eq!(
                value(&head, "access-control-allow-headers"),
                Some(headers),
                "{asked}"
            );
            assert_eq!(value(&head, "access-control-max-age"), Some("86400"));
            assert_eq!(value(&head, "vary"), Some("Origin"));
        }
        assert_eq!(
            said(&shop_options(), "OPTIONS", "/bayeux", &[]),
            "200 preflight"
        );
    }

    #[test]
    fn a_get_with_messages_is_a_callback_poll_cb_1_cb_2_de_20() {
        let name = "f".repeat(65);
        let too_long = format!("/bayeux?jsonp={name}&message=[]");
        let table = [
            (
                "/bayeux?jsonp=cometd._cb12&message=%5B%7B%22id%22%3A%2212%22%7D%5D",
                "cometd._cb12 [{\"id\":\"12\"}]",
            ),
            (
                "/bayeux/connect?message=[]&x=1&json%70=f&message={}",
                "f [] {}",
            ),
            ("/bayeux?message=[]", "jsonpcallback []"),
            ("/bayeux?jsonp=%66&message=[+]", "f [ ]"),
            ("/bayeux?jsonp=f", "400 no message"),
            ("/bayeux?jsonp=f&message=", "400 empty message"),
            ("/bayeux?jsonp=f&message=[]&message", "400 empty message"),
            (
                "/bayeux?jsonp=&message=[]",
                "400 the callback's name is empty",
            ),
            (
                "/bayeux?jsonp&message=[]",
                "400 the callback's name is empty",
            ),
            (
                "/bayeux?jsonp=f&jsonp=f&message=[]",
                "400 more than one callback",
            ),
            (
                "/bayeux?jsonp=alert(1)&message=[]",
                "400 the callback's name has a character that is not allowed",
            ),
            (
                "/bayeux?jsonp=%ff&message=[]",
                "400 the callback's name has a character that is not allowed",
            ),
            (&too_long, "400 the callback's name is too long"),
            ("/bayeux", "400 unknown Bayeux transport"),
            ("/bayeux?", "400 unknown Bayeux transport"),
            ("/bayeux?x=1", "400 unknown Bayeux transport"),
        ];
        for (target, expected) in table {
            assert_eq!(
                said(&Options::default(), "GET", target, &[]),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn the_callback_is_an_option_cb_2_cb_3() {
        let options = Options {
            callback_parameter: "call".into(),
            callback_parameter_max_length: 3,
            callback_form: CallbackForm::Bare,
            ..Options::default()
        };

        assert_eq!(
            said(&options, "GET", "/bayeux?call=abc&jsonp=x&message=[]", &[]),
            "abc []"
        );
        assert!(said(&options, "GET", "/bayeux?call=abcd&message=[]", &[]).starts_with("400"));
        let Route::Callback { callback, .. } =
            route(&head("GET", "/bayeux?call=f&message=[]", &[]), &options)
        else {
            panic!("a callback")
        };
        assert_eq!(callback.wrap(b"[]"), "f([])");
    }

    #[test]
    fn a_callback_is_for_own_and_allowed_pages_by_referer_cb_9_de_20() {
        let table = [
            ("https://chat.example/room?x", "f []"),
            ("https://shop.example/", "f []"),
            ("", "f []"),
            (
                "https://evil.example/https://chat.example/",
                "403 origin not allowed",
            ),
            ("https://chat.example:8443/", "403 origin not allowed"),
            ("nonsense", "403 origin not allowed"),
        ];
        for (referer, expected) in table {
            let said = said(
                &shop_options(),
                "GET",
                CALLBACK,
                &[OWN, ("referer", referer)],
            );

            assert_eq!(said, expected, "{referer}");
        }
        let bytes: [(&str, &[u8]); 2] = [("host", b"chat.example"), ("referer", b"https://\xff")];
        let unreadable = RequestHead::new("GET", CALLBACK, bytes);
        assert_eq!(
            describe(route(&unreadable, &shop_options())),
            "403 origin not allowed"
        );
    }

    #[test]
    fn a_callback_without_referer_is_for_what_is_no_page_of_another_site_cb_9() {
        const REFUSED: &str = "403 origin not allowed";
        let any = Options {
            origins: Origins::Any,
            ..Options::default()
        };
        let site = |site| ("sec-fetch-site", site);
        let shop = ("referer", "https://shop.example/");
        let evil = ("referer", "https://evil.example/");
        let table = [
            ([].as_slice(), "f []"),
            (&[site("same-origin")], "f []"),
            (&[site("none")], "f []"),
            (&[site("cross-site")], REFUSED),
            (&[site("same-site")], REFUSED),
            (&[site("Cross-Site")], REFUSED),
            (&[site("")], REFUSED),
            (&[site("none"), site("cross-site")], REFUSED),
            (&[site("cross-site"), ("referer", "")], REFUSED),
            (&[site("cross-site"), shop], "f []"),
            (&[site("same-origin"), evil], REFUSED),
        ];
        for (headers, expected) in table {
            let headers = [&[OWN], headers].concat();

            assert_eq!(
                said(&shop_options(), "GET", CALLBACK, &headers),
                expected,
                "{headers:?}"
            );
            assert_eq!(said(&any, "GET", CALLBACK, &headers), "f []", "{headers:?}");
        }
    }

    #[test]
    fn an_upgrade_is_seen_in_any_spelling_ws_1() {
        let version = ("sec-websocket-version", "13");
        let table = [
            (
                "GET",
                [("connection", "Upgrade"), ("upgrade", "websocket")],
                "websocket -",
            ),
            (
                "GET",
                [
                    ("Connection", "keep-alive, UPGRADE"),
                    ("Upgrade", "h2c, WebSocket"),
                ],
                "websocket -",
            ),
            (
                "GET",
                [("connection", "keep-alive"), ("upgrade", "websocket")],
                "400 unknown Bayeux transport",
            ),
            (
                "GET",
                [("connection", "upgrade"), ("upgrade", "h2c")],
                "400 unknown Bayeux transport",
            ),
            (
                "POST",
                [("connection", "upgrade"), ("upgrade", "websocket")],
                "poll",
            ),
        ];
        for (method, [connection, upgrade], expected) in table {
            let headers = [connection, upgrade, version, KEY];

            assert_eq!(
                said(&Options::default(), method, "/bayeux/ws", &headers),
                expected,
                "{headers:?}"
            );
        }
        let without = Options {
            websocket: false,
            ..Options::default()
        };
        assert_eq!(
            said(&without, "GET", "/bayeux", &SOCKET),
            "400 unknown Bayeux transport"
        );
        let without = Options {
            callback_polling: false,
            ..without
        };
        assert_eq!(
            said(&without, "GET", "/bayeux", &SOCKET),
            "405 method not allowed"
        );
        let only_sockets = Options {
            callback_polling: false,
            ..Options::default()
        };
        assert_eq!(
            said(&only_sockets, "GET", "/bayeux", &SOCKET),
            "websocket -"
        );
    }

    #[test]
    fn an_upgrade_needs_version_13_and_a_key_ws_1() {
        let [own, connection, upgrade, version, key] = SOCKET;
        let old = ("sec-websocket-version", "8");
        let Route::Refuse(refusal) = route(
            &head("GET", "/bayeux", &[own, connection, upgrade, old, key]),
            &Options::default(),
        ) else {
            panic!("an old version")
        };

        assert_eq!(
            (
                refusal.head.status,
                value(&refusal.head, "sec-websocket-version")
            ),
            (426, Some("13"))
        );
        for key in ["", "short==", "dGhlIHNhbXBsZSBub25jZQ=a"] {
            let headers = [
                own,
                connection,
                upgrade,
                version,
                ("sec-websocket-key", key),
            ];
            assert_eq!(
                said(&Options::default(), "GET", "/bayeux", &headers),
                "400 no websocket key",
                "{key}"
            );
        }
    }

    #[test]
    fn the_subprotocol_is_the_first_offer_or_the_required_one_ws_2() {
        let required = Options {
            websocket_protocol: Some("bayeux".into()),
            ..Options::default()
        };
        let table = [
            (&Options::default(), [].as_slice(), "websocket -"),
            (&Options::default(), &["a, b"], "websocket a"),
            (&Options::default(), &["b", "a"], "websocket b"),
            (&Options::default(), &[" , a"], "websocket a"),
            (&required, &["x, bayeux"], "websocket bayeux"),
            (&required, &["x", "bayeux"], "websocket bayeux"),
            (&required, &["Bayeux"], "400 websocket protocol not offered"),
            (&required, &[], "400 websocket protocol not offered"),
        ];
        for (options, offers, expected) in table {
            let offers = offers
                .iter()
                .map(|offer| ("sec-websocket-protocol", *offer));
            let headers: Vec<_> = SOCKET.into_iter().chain(offers).collect();

            assert_eq!(
                said(options, "GET", "/bayeux", &headers),
                expected,
                "{headers:?}"
            );
            let bare = head("CONNECT", "/bayeux", &headers);
            assert_eq!(describe(upgrade(&bare, options)), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_extended_connect_is_judged_like_an_upgrade_ws_3() {
        let asked = |options: &Options, path: &str, headers: &[(&str, &str)]| {
            describe(upgrade(
                &head("CONNECT", path, headers).with_authority("chat.example"),
                options,
            ))
        };
        let without = Options {
            websocket: false,
            ..Options::default()
        };

        assert_eq!(
            asked(
                &Options::default(),
                "/bayeux",
                &[("origin", "https://chat.example")]
            ),
            "websocket -"
        );
        assert_eq!(
            asked(&Options::default(), "/bayeux", &[EVIL]),
            "403 origin not allowed"
        );
        assert_eq!(asked(&Options::default(), "/", &[]), "not ours");
        assert_eq!(asked(&without, "/bayeux", &[]), "405 method not allowed");
    }

    const NAMES: [&str; 10] = [
        "host",
        "origin",
        "referer",
        "sec-fetch-site",
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "access-control-request-headers",
    ];

    proptest! {
        #[test]
        fn any_request_gets_a_route(
            method in "GET|POST|OPTIONS|\\PC*",
            target in "/bayeux(\\?(jsonp|message|[=&+%a]|\\PC){0,9})?|.*",
            headers: Vec<(prop::sample::Index, Vec<u8>)>,
        ) {
            let headers = headers.iter().map(|(name, value)| (*name.get(&NAMES), value.as_slice()));
            let head = RequestHead::new(&method, &target, headers);

            for options in [Options::default(), shop_options()] {
                let _ = upgrade(&head, &options);
                if let Route::Refuse(refusal) = route(&head, &options) {
                    prop_assert!(refusal.head.status >= 400);
                }
            }
        }

        #[test]
        fn what_is_echoed_is_printable(origin in ".*", asked in ".*", offer in ".*") {
            let options = Options { origins: Origins::Any, ..Options::default() };
            let headers = [
                ("origin", origin.as_str()),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", asked.as_str()),
                ("sec-websocket-protocol", offer.as_str()),
            ];
            let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));

            if let Route::Preflight(head) = route(&head("OPTIONS", "/bayeux", &headers), &options) {
                prop_assert!(head.headers.iter().all(|header| printable(&header.value)));
            }
            let socket = upgrade(&head("CONNECT", "/bayeux", &headers), &options);
            if let Route::WebSocket { protocol: Some(protocol) } = socket {
                prop_assert!(printable(&protocol));
            }
        }
    }
}
