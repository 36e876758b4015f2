//! What an embedder reads in a log: words for each error, a name for each reason, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use bayeux_core::http::{
    BodyError, BrowserCookie, Callback, CallbackForm, CookieOptions, Mount, Network, Origin,
    RequestHead, body_texts,
};
use bayeux_core::testing::{Script, message_id};
use bayeux_core::{
    BrowserId, ChannelName, ChannelNameError, ChannelPattern, ChannelTemplate, CloseReason, Config,
    DecodeError, Extensions, Identity, MemoryOptions, MemoryStore, Message, MessageId, Messages,
    Payload, PeerDetails, Phase, ProtocolError, Removal, Seed, SessionId,
};

#[test]
fn each_error_says_in_words_of_its_own_what_is_wrong() {
    fn said(error: impl Error) -> String {
        error.to_string()
    }
    let long = "x".repeat(9);
    let callback = |name: &str| said(Callback::new(name, 8, CallbackForm::Bare).unwrap_err());
    let cookie = |change: fn(&mut CookieOptions)| {
        let mut options = CookieOptions::default();
        change(&mut options);
        said(BrowserCookie::new(&options).unwrap_err())
    };
    let body = |content_type: &str, text: &'static [u8]| {
        said(body_texts(Some(content_type), &text.into()).unwrap_err())
    };
    let texts = [
        said(ChannelNameError::Empty),
        said(ChannelNameError::NoLeadingSlash),
        said(ChannelNameError::EmptySegment),
        said(ChannelNameError::Character),
        said(ChannelNameError::Wildcard),
        said(ChannelNameError::TooLong),
        said(ChannelNameError::TooDeep),
        said(DecodeError::NotJson),
        said(DecodeError::NotMessages),
        said(DecodeError::Empty),
        said(DecodeError::TooDeep),
        said(DecodeError::TooLarge),
        said(DecodeError::TooMany),
        callback(""),
        callback(&long),
        callback("f()"),
        cookie(|options| options.name = "a b".into()),
        cookie(|options| options.domain = Some("".into())),
        cookie(|options| options.path = "bayeux".into()),
        body("", b"x=1"),
        body("", b"message="),
        body("a/b;charset=klingon", b"[]"),
        body("a/b;charset=utf-16", b"[\0]\xd8"),
        said(BodyError::MessageMissing) + " at all",
        said("x".parse::<Network>().unwrap_err()),
        said("::1/129".parse::<Network>().unwrap_err()),
        said("bayeux".parse::<Mount>().unwrap_err()),
        said("/a*".parse::<Mount>().unwrap_err()),
        said("a.example".parse::<Origin>().unwrap_err()),
        said("http://".parse::<Origin>().unwrap_err()),
        said("http://a:b".parse::<Origin>().unwrap_err()),
        said("http://a/b".parse::<Origin>().unwrap_err()),
    ];

    for text in &texts {
        let begins_small = text.chars().next().is_some_and(char::is_lowercase);
        assert!(begins_small && !text.ends_with('.'), "{text:?}");
    }
    assert_eq!(
        texts.iter().collect::<BTreeSet<_>>().len(),
        texts.len(),
        "{texts:#?}"
    );
}

#[test]
fn each_reason_and_phase_has_a_name_of_its_own() {
    let closed = CloseReason::ALL.map(CloseReason::name).to_vec();
    let removed = Removal::ALL.map(Removal::name).to_vec();
    let phases = Phase::ALL.map(Phase::name).to_vec();

    for names in [closed, removed, phases] {
        let is_name = |name: &&str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
        };
        assert!(names.iter().all(is_name), "{names:?}");
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{names:?}"
        );
    }
}

#[test]
fn nobody_reads_a_secret_in_what_is_printed_for_debugging() {
    let mut script = Script::new(Config::default());
    let alice = script.connected();
    let store = MemoryStore::new(MemoryOptions::for_config(&Config::default()));
    let cookie: (&str, &[u8]) = ("cookie", b"BAYEUX_BROWSER=hidden");
    let head = RequestHead::new("GET", "/bayeux?message=hidden", [cookie]);

    let engine = format!("{:?}", script.engine());
    let trace = format!("{store:?} {head:?} {:?}", Seed::new([7; 32]));

    assert!(
        engine.contains("sessions: 1") && !engine.contains(&alice.session),
        "{engine}"
    );
    assert!(
        trace.contains("sessions: 0") && trace.contains("/bayeux"),
        "{trace}"
    );
    assert!(!trace.contains("hidden") && !trace.contains('7'), "{trace}");
}

#[test]
fn of_a_secret_its_beginning_its_size_or_nothing_is_printed() {
    let session = SessionId::parse("0123456789abcdefghijklmno").unwrap();
    let browser = BrowserId::parse("0123456789abcdefghijklmn").unwrap();
    let words = Payload::parse(r#"{"name":"hidden"}"#).unwrap();
    let ext = Extensions::new().with("hidden", Payload::parse("true").unwrap());
    let details = PeerDetails {
        origin: Some("https://chat.example".into()),
        path: "/bayeux".into(),
        headers: [("cookie".into(), "hidden".into())].into(),
    };

    for (printed, expected) in [
        (format!("{session:?}"), "SessionId(0123..)"),
        (format!("{browser:?}"), "BrowserId(0123..)"),
        (format!("{:?}", Seed::new([7; 32])), "Seed(..)"),
        (format!("{:?}", Identity::new(words)), "Identity(17 bytes)"),
        (format!("{ext:?}"), "Extensions(15 bytes)"),
        (
            format!("{details:?}"),
            r#"PeerDetails { origin: Some("https://chat.example"), path: "/bayeux", headers: ["cookie"] }"#,
        ),
    ] {
        assert_eq!(printed, expected);
    }
}

#[test]
fn names_and_patterns_are_found_by_their_text() {
    let names = BTreeMap::from([("/a".parse::<ChannelName>().unwrap(), 1)]);
    let patterns = BTreeMap::from([("/a/*".parse::<ChannelPattern>().unwrap(), 2)]);
    let template: ChannelTemplate = " /a/{b}/ ".parse().unwrap();

    assert_eq!((names.get("/a"), names.get("/b")), (Some(&1), None));
    assert_eq!((patterns.get("/a/*"), patterns.get("/a")), (Some(&2), None));
    let texts: Vec<&str> = names
        .keys()
        .map(AsRef::as_ref)
        .chain(patterns.keys().map(AsRef::as_ref))
        .collect();
    assert_eq!(texts, ["/a", "/a/*"]);
    assert_eq!(format!("{template} {template:?}"), "/a/{b} /a/{b}");
}

#[test]
fn an_error_is_taken_apart_as_it_was_put_together() {
    let error = ProtocolError::new(7, "a:b", "c:d\n");

    assert_eq!(
        (error.code(), error.args(), error.text()),
        (100, "a_b", "c:d ")
    );
    assert_eq!(error.to_string(), "100:a_b:c:d ");
}

#[test]
fn the_messages_of_a_frame_are_counted_and_listed() {
    let mut messages = Messages::default();
    assert!(messages.is_empty() && messages.first().is_none());

    messages.append(vec![Message::default(), Message::default()].into());

    assert!(!messages.is_empty());
    assert_eq!((messages.len(), (&messages).into_iter().count()), (2, 2));
    assert_eq!(
        format!("{:?} {:?}", MessageId::new("a\r"), message_id(7)),
        r#""a\r" "7""#
    );
}
