//! What every server asks about a request before its engine hears of it: whose page it is, how much it says, what the
//! browser has kept.

use bayeux_core::http::{
    Options, Origins, Refusal, RequestHead, Route, body_texts, browser_cookie, route,
};
use bayeux_core::{DecodeError, DecodeLimits, Messages};

const KEPT: &str = "0123456789abcdefghijklmn";

fn asked(method: &str, target: &str, headers: &[(&str, &str)], origins: Origins) -> Route {
    let headers = headers.iter().copied();
    let headers = headers.map(|(name, value)| (name, value.as_bytes()));
    let mut options = Options::default();
    options.origins = origins;
    route(&RequestHead::new(method, target, headers), &options)
}

// Proves: FR-6, CB-1
#[test]
fn all_texts_of_a_form_together_have_no_more_messages_than_one_may() {
    let limits = DecodeLimits {
        max_messages: 3,
        ..DecodeLimits::default()
    };
    let count = |body: &'static str| {
        let texts = body_texts(Some("application/x-www-form-urlencoded"), &body.into());
        Messages::decode_all(texts.unwrap(), &limits).map(|messages| messages.len())
    };

    assert_eq!(count("message=[{},{}]&message=[{}]"), Ok(3));
    assert_eq!(
        count("message=[{},{}]&message=[{},{}]"),
        Err(DecodeError::TooMany)
    );
}

// Proves: BR-1, DE-5
#[test]
fn the_cookie_of_a_browser_is_found_among_others_whatever_they_look_like() {
    let cookie = format!("BAYEUX_BROWSER={KEPT}");
    for before in ["a=b", "a", "", "=", "a;;=b"] {
        let header = format!("{before}; {cookie}");

        assert_eq!(
            browser_cookie([header.as_bytes()], "BAYEUX_BROWSER"),
            Some(KEPT),
            "{header}"
        );
    }
}

// Proves: XO-2, FR-6
#[test]
fn the_page_of_another_site_sees_why_what_it_sent_was_refused() {
    let page = ("origin", "https://shop.example");
    let Route::Poll { cors } = asked("POST", "/bayeux", &[page], Origins::Any) else {
        panic!("any page may poll");
    };

    for error in [DecodeError::NotJson, DecodeError::TooMany] {
        let refusal = Refusal::undecodable(error, &cors);

        let headers = format!("{:?}", refusal.head);
        assert!(headers.contains("https://shop.example"), "{headers}");
    }
}

// Proves: XO-4, DE-20
#[test]
fn a_page_on_another_port_is_another_site() {
    let from = |origin, host| {
        let headers = [("origin", origin), ("host", host)];
        matches!(
            asked("POST", "/bayeux", &headers, Origins::Own),
            Route::Poll { .. }
        )
    };

    assert!(from("https://chat.example", "chat.example"));
    assert!(from("https://chat.example:8443", "chat.example:8443"));
    assert!(!from("https://chat.example:8443", "chat.example"));
}

// Proves: CB-9
#[test]
fn a_sister_site_that_withholds_its_address_loads_no_script() {
    let from = |site| {
        let headers = [("host", "chat.example"), ("sec-fetch-site", site)];
        matches!(
            asked("GET", "/bayeux?jsonp=f&message=[]", &headers, Origins::Own),
            Route::Callback { .. }
        )
    };

    assert!(from("same-origin"));
    assert!(from("none"));
    assert!(!from("same-site"));
    assert!(!from("cross-site"));
}
