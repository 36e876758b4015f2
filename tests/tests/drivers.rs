//! Five IO stacks, one engine: the same bytes of clients give the same facts and the same answers.

use std::sync::OnceLock;

use bayeux_tests::drivers::conversation::{
    frame, from_page, handshake, message, request, script, upgrade,
};
use bayeux_tests::drivers::{Conversation, Driver, InPage, Names, Program, Told};

/// All drivers; the others do as the first.
fn drivers() -> &'static [Box<dyn Driver>] {
    static DRIVERS: OnceLock<Vec<Box<dyn Driver>>> = OnceLock::new();
    DRIVERS.get_or_init(|| {
        vec![
            Box::new(Program::server("bayeux-server-tokio")),
            Box::new(Program::server("bayeux-server-smol")),
            Box::new(Program::example("--example", "blocking")),
            Box::new(Program::example("--bin", "bayeux-example-async-std")),
            Box::new(InPage::built()),
        ]
    })
}

/// Has each driver play a conversation, and finds no difference.
#[track_caller]
fn told_by_all(conversation: &Conversation) -> Told {
    let mut all = drivers()
        .iter()
        .map(|driver| (driver.name(), Told::new(&driver.play(conversation))));
    let (first, told) = all.next().expect("a driver");
    for (name, other) in all {
        let differences = told.differences(&other);
        assert!(
            differences.is_empty(),
            "- {first}\n+ {name}\n{differences}\nall of {first}: {told:#?}"
        );
    }
    told
}

/// The answers have these texts in them, one after the other.
#[track_caller]
fn expect(answers: &[String], texts: &[&str]) {
    let all = answers.join("\n");
    let mut rest = all.as_str();
    for text in texts {
        match rest.split_once(text) {
            Some((_, after)) => rest = after,
            None => panic!("{text} is not where it was expected in\n{all}"),
        }
    }
}

fn connect(who: &str, id: &str) -> String {
    message(
        who,
        id,
        "/meta/connect",
        r#","connectionType":"long-polling""#,
    )
}

fn subscribe(who: &str, id: &str, channel: &str) -> String {
    message(
        who,
        id,
        "/meta/subscribe",
        &format!(r#","subscription":"{channel}""#),
    )
}

fn unsubscribe(who: &str, id: &str, channel: &str) -> String {
    message(
        who,
        id,
        "/meta/unsubscribe",
        &format!(r#","subscription":"{channel}""#),
    )
}

fn publish(who: &str, id: &str, channel: &str, data: &str) -> String {
    message(who, id, channel, &format!(r#","data":{data}"#))
}

/// Alice, over long-polling, waits for what is published on `/news`.
fn alice_waits() -> Conversation {
    Conversation::new()
        .greet(1, "alice", "")
        .ask(1, &connect("alice", "first"))
        .ask(1, &subscribe("alice", "sub", "/news/*"))
        .hold(1, "held", &connect("alice", "held"))
}

#[test]
fn long_polling_is_the_same_in_every_driver() {
    let patient = connect("alice", "again").replace('}', r#","advice":{"timeout":0}}"#);
    let told = told_by_all(
        &alice_waits()
            .greet(2, "bob", "")
            .ask(2, &publish("bob", "p1", "/news/today", r#"{"b":[2.50]}"#))
            .hear(1)
            .ask(1, &patient)
            .ask(1, &unsubscribe("alice", "unsub", "/news/*"))
            .ask(2, &publish("bob", "p2", "/news/today", "3"))
            .ask(1, &message("alice", "bye", "/meta/disconnect", ""))
            .ask(2, &message("bob", "bye too", "/meta/disconnect", "")),
    );

    assert_eq!(told.connections.len(), 11, "{told:#?}");
    expect(
        &told.answers,
        &[
            "BAYEUX_BROWSER=browser-of-alice",
            r#""clientId":"session-of-alice"#,
            r#"[{"channel":"/news/today","data":{"b":[2.50]}},{"id":"held""#,
        ],
    );
}

// Proves: XO-2, XO-3, XO-4
#[test]
fn pages_of_other_origins_are_told_the_same_by_every_driver() {
    let whole_target = "OPTIONS http://own.example/bayeux HTTP/1.1\r\nHost: bayeux.example\r\nOrigin: http://own.example\r\n\r\n";
    let asks =
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n";
    let page = from_page();
    let stranger = "Origin: https://stranger.example\r\n";
    let own = "Origin: http://bayeux.example\r\n";
    let form = "message=%5B%7B%22channel%22%3A%22%2Fmeta%2Fconnect%22%7D%5D";
    let told = told_by_all(
        &Conversation::new()
            .say(1, request("OPTIONS", "/bayeux/x", &format!("{page}{asks}")))
            .hear(1)
            .greet(2, "alice", &page)
            .post(2, &format!("{page}Content-Type: text/plain\r\n"), form)
            .greet(2, "bob", own)
            .post(3, &page, "nonsense")
            .post(4, stranger, "[]")
            .say(
                5,
                request("OPTIONS", "/bayeux", &format!("{stranger}{asks}")),
            )
            .hear(5)
            .say(6, whole_target)
            .hear(6),
    );

    let allowed = "access-control-allow-origin: https://page.example";
    expect(
        &told.answers,
        &[
            allowed,
            allowed,
            allowed,
            allowed,
            "403",
            "403",
            "access-control-allow-origin: http://own.example",
        ],
    );
}

// Proves: CB-1, CB-4, CB-9
#[test]
fn callback_polling_is_the_same_in_every_driver() {
    let told = told_by_all(
        &Conversation::new()
            .say(1, script(&handshake("greets", "")))
            .learn(1, "alice")
            .say(1, script(&connect("alice", "first")))
            .hear(1)
            .say(1, script(&subscribe("alice", "sub", "/news/*")))
            .hear(1)
            .say(1, script(&connect("alice", "held")))
            .taken("held")
            .greet(2, "bob", "")
            .ask(
                2,
                &publish("bob", "p1", "/news/today", r#""</script>\u2028""#),
            )
            .hear(1)
            .say(3, request("GET", "/bayeux?jsonp=f", ""))
            .hear(3)
            .say(4, request("GET", "/bayeux?jsonp=alert()&message=[]", ""))
            .hear(4)
            .say(
                5,
                request(
                    "GET",
                    "/bayeux?jsonp=f&message=%5B%5D",
                    "Sec-Fetch-Site: cross-site\r\n",
                ),
            )
            .hear(5),
    );

    expect(
        &told.answers,
        &["/**/f([", r"/**/f([{", r"<\/script>", "400", "400", "403"],
    );
}

// Proves: WS-2, FR-4
#[test]
fn a_websocket_is_the_same_in_every_driver() {
    let web = |id| {
        message(
            "alice",
            id,
            "/meta/connect",
            r#","connectionType":"websocket""#,
        )
    };
    let told = told_by_all(
        &Conversation::new()
            .say(1, upgrade("Sec-WebSocket-Protocol: bayeux, other\r\n"))
            .hear(1)
            .text(1, &handshake("greets", r#","ext":{"ack":true}"#))
            .learn(1, "alice")
            .text(1, &web("first"))
            .hear(1)
            .text(1, &subscribe("alice", "sub", "/news/*"))
            .hear(1)
            .text(1, &web("held"))
            .taken("held")
            .say(1, frame(0x89, b"ping"))
            .hear(1)
            .say(1, frame(0x81, b" "))
            .greet(2, "bob", "")
            .ask(2, &publish("bob", "p1", "/news/today", "1"))
            .hear(1)
            .text(1, &unsubscribe("alice", "unsub", "/news/*"))
            .hear(1)
            .text(1, &message("alice", "bye", "/meta/disconnect", ""))
            .hear(1)
            .say(1, frame(0x88, &1000_u16.to_be_bytes()))
            .hear(1),
    );

    expect(
        &told.answers,
        &[
            "101",
            "sec-websocket-protocol: bayeux",
            "Pong",
            r#"{"channel":"/news/today","data":1}"#,
            "Close",
        ],
    );
}

// Proves: DE-19, FR-3, FR-6
#[test]
fn mistakes_are_answered_alike_by_every_driver() {
    let session = Names::session("alice");
    let too_long = format!(
        "POST /bayeux HTTP/1.1\r\nHost: bayeux.example\r\nContent-Length: {}\r\n\r\n",
        2 << 20
    );
    let told = told_by_all(
        &Conversation::new()
            .greet(1, "alice", "")
            .ask(
                1,
                &message(
                    "nobody",
                    "u1",
                    "/meta/connect",
                    r#","connectionType":"long-polling""#,
                ),
            )
            .ask(1, &message("nobody", "u2", "/news", r#","data":1"#))
            .ask(1, &message("alice", "m1", "/meta/unheard", ""))
            .ask(1, &message("alice", "m2", "no channel", r#","data":1"#))
            .ask(1, &subscribe("alice", "m3", "/a/**/b"))
            .ask(1, &format!(r#"{{"clientId":"{session}"}},{{"channel":7}}"#))
            .ask(
                1,
                &handshake("m4", "")
                    .replace("long-polling", "pigeon")
                    .replace("callback-polling", "smoke")
                    .replace("websocket", "drum"),
            )
            .post(2, "", "nonsense")
            .post(3, "", "[]")
            .post(4, "", "[7]")
            .post(5, "", "")
            .post(
                6,
                "Content-Type: text/plain;charset=klingon\r\n",
                "message=%5B%5D",
            )
            .say(7, too_long)
            .hear(7)
            .say(8, request("DELETE", "/bayeux", ""))
            .hear(8)
            .say(9, "GET /bayeux HTTP/1.1\r\n\r\n")
            .hear(9)
            .say(12, "POST /bayeux HTTP/1.0\r\nContent-Length: 3\r\n\r\n[7]")
            .hear(12)
            .say(10, request("GET", "/nowhere/else", ""))
            .hear(10)
            .say(
                11,
                upgrade("")
                    .iter()
                    .map(|byte| if *byte == b'3' { b'2' } else { *byte })
                    .collect::<Vec<_>>(),
            )
            .hear(11),
    );

    expect(
        &told.answers,
        &[
            "402::session_unknown",
            "400",
            "400",
            "400",
            "400",
            "413",
            "405",
            "400",
            "404",
            "426",
        ],
    );
}

// Proves: WS-12, DE-17
#[test]
fn a_websocket_that_makes_no_sense_is_closed_alike_by_every_driver() {
    let begin = |conversation: Conversation, line, who| {
        conversation
            .say(line, upgrade(""))
            .hear(line)
            .text(line, &handshake("greets", ""))
            .learn(line, who)
    };
    let mut conversation = Conversation::new();
    let too_long = [
        &[0x81, 0x80 | 127][..],
        &(2_u64 << 20).to_be_bytes(),
        &[0; 4],
    ]
    .concat();
    let mistakes = [
        ("a", frame(0x81, b"nonsense")),
        ("b", frame(0x81, b"[7]")),
        ("c", frame(0x81, b"\xff")),
        ("d", frame(0x82, b"[]")),
        ("e", frame(0x83, b"[]")),
        ("f", too_long),
    ];
    for (line, (who, mistake)) in (1..).zip(mistakes) {
        conversation = begin(conversation, line, who).say(line, mistake).hear(line);
    }
    let first = frame(0x81, b"nonsense");
    conversation = conversation
        .say(99, upgrade(""))
        .hear(99)
        .say(99, first)
        .hear(99);

    let told = told_by_all(&conversation);

    let codes = [1011_u16, 1011, 1007, 1003, 1002, 1009, 1011];
    let frames = codes.map(|code| format!("Close {:?}", code.to_be_bytes()));
    expect(&told.answers, &frames.each_ref().map(String::as_str));
}

// Proves: CN-9, DE-6
#[test]
fn a_poll_that_is_overtaken_or_abandoned_ends_alike_in_every_driver() {
    let told = told_by_all(
        &alice_waits()
            .hold(2, "newer", &connect("alice", "newer"))
            .hear(1)
            .hang_up(2, "newer")
            .greet(3, "bob", "")
            .ask(3, &publish("bob", "p1", "/news/today", "1"))
            .ask(4, &connect("alice", "newest")),
    );

    expect(
        &told.answers,
        &["500", r#"{"channel":"/news/today","data":1}"#],
    );
    let closed = told
        .connections
        .iter()
        .filter(|facts| facts.contains("\nClosed"));
    assert_eq!(closed.count(), 2, "{told:#?}");
}

// Proves: BR-1
#[test]
fn a_browser_is_known_by_its_cookie_in_every_driver() {
    let cookie = format!("Cookie: BAYEUX_BROWSER={}\r\n", Names::browser("alice"));
    let told = told_by_all(
        &Conversation::new()
            .greet(1, "alice", "")
            .greet(2, "bob", &cookie),
    );

    let browser = format!("browser: Some(BrowserId({}))", Names::browser("alice"));
    assert!(
        told.connections.iter().any(|fact| fact.contains(&browser)),
        "{told:#?}"
    );
    assert!(
        !told
            .answers
            .iter()
            .any(|answer| answer.contains("browser-of-bob")),
        "{told:#?}"
    );
}
