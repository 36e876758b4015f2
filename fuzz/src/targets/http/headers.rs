//! Cookies, proxies, and what the owner of a server may have written in its configuration.

use std::net::IpAddr;

use bayeux_core::http::{
    BrowserCookie, Client, CookieOptions, ForwardedBy, Network, Origin, Origins, RequestHead,
    Scheme, TrustedProxies, browser_cookie,
};

use super::{Request, check_headers};

pub(super) fn check_cookies(head: &RequestHead<'_>) {
    let found = browser_cookie(head.cookies(), "BAYEUX_BROWSER");
    let pairs: Vec<String> = head
        .cookies()
        .flat_map(|header| header.split(|byte| *byte == b';'))
        .map(|pair| String::from_utf8_lossy(pair).replace('"', ""))
        .collect();
    let Some(value) = found else { return };
    let is_ours = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    assert!(value.len() == 24 && value.bytes().all(is_ours), "{value:?}");
    let is_it = |pair: &String| {
        pair.split_once('=').is_some_and(|(name, other)| {
            name.trim_ascii() == "BAYEUX_BROWSER" && other.trim_ascii() == value
        })
    };
    assert!(pairs.iter().any(is_it), "{value:?}: {pairs:?}");
}

/// Options that anybody could have written make one header, or none.
pub(super) fn check_cookie_options(request: &Request<'_>) {
    let mut options = CookieOptions::default();
    options.name = request.method.into();
    options.path = request.target.into();
    options.domain = request.headers.first().map(|(name, _)| Box::from(*name));
    options.secure = true;
    let Ok(cookie) = BrowserCookie::new(&options) else {
        return;
    };
    for (scheme, secure) in [(Scheme::Https, true), (Scheme::Http, false)] {
        let header = cookie.set("0123456789abcdefghijklmn", scheme);
        check_headers(std::slice::from_ref(&header));
        let attributes: Vec<&str> = header.value.split("; ").collect();
        assert_eq!(attributes.contains(&"Secure"), secure, "{header:?}");
        let pair = format!("{}=0123456789abcdefghijklmn", options.name);
        assert_eq!(attributes.first(), Some(&pair.as_str()), "{header:?}");
    }
}

pub(super) fn check_proxies(head: &RequestHead<'_>, request: &Request<'_>) {
    let (by, name) = if request.has('f') {
        (ForwardedBy::Forwarded, "forwarded")
    } else {
        (ForwardedBy::XForwarded, "x-forwarded-for")
    };
    let networks = ["10.0.0.0/8", "fd00::/8"]
        .iter()
        .filter_map(|text| text.parse::<Network>().ok());
    let trusted = TrustedProxies::new(networks, by);
    let stranger = IpAddr::from([192, 0, 2, 1]);
    let told = Client {
        address: stranger,
        scheme: None,
    };
    assert_eq!(trusted.client(stranger, head), told);

    let client = trusted.client([10, 0, 0, 1].into(), head);
    if trusted.contains(client.address) {
        return;
    }
    // What stands further left was the client's own to invent.
    let invented: &[u8] = if request.has('f') {
        b"for=203.0.113.7"
    } else {
        b"203.0.113.7"
    };
    let headers = [(name, invented)]
        .into_iter()
        .chain(request.headers.iter().copied());
    let more = RequestHead::new(request.method, request.target, headers);
    assert_eq!(
        trusted.client([10, 0, 0, 1].into(), &more).address,
        client.address
    );
}

/// What an owner may write in a configuration is read, or refused.
pub(super) fn check_names(request: &Request<'_>) {
    let values = request
        .headers
        .iter()
        .filter_map(|(_, value)| str::from_utf8(value).ok());
    for text in values {
        if let Ok(origin) = text.parse::<Origin>() {
            let listed = Origins::Listed([origin].into());
            assert!(listed.allows(text, None), "{text:?}");
            assert!(listed.allows(&text.to_ascii_uppercase(), None), "{text:?}");
        }
        if let Ok(network) = text.parse::<Network>() {
            let address = text.split('/').next().unwrap_or_default().parse::<IpAddr>();
            assert!(
                address.is_ok_and(|address| network.contains(address)),
                "{text:?}"
            );
        }
    }
}
