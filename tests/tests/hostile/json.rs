//! JSON that is too deep, too large, too many or not JSON, and names that are chosen to collide.

use bayeux_tests::live::{Ending, Frame, Kept, Opcode, Poller, Server, Siege};
use serde_json::{Value, json};

const KEPT: Kept = Kept {
    once: 16 << 20,
    again: 4 << 20,
};

/// The server's default for the largest message.
const LARGEST: usize = 1 << 20;

/// A message with that text as its data.
fn with_data(data: &str) -> String {
    format!(r#"[{{"channel":"/a","data":{data}}}]"#)
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    with_data(&format!("{}1{}", open.repeat(depth), close.repeat(depth)))
}

/// Each is refused as a whole, on both transports, and the healthy clients are served meanwhile.
#[track_caller]
fn expect_refusals(cases: &[(&str, Vec<u8>, u16, u16)]) {
    Siege::of_defaults().endures(KEPT, |siege| {
        for (name, sent, status, code) in cases {
            let length = sent.len();
            let head =
                format!("POST /bayeux HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            let mut connection = siege.connection();
            connection.send_raw(&[head.as_bytes(), sent].concat());
            // Its answer may be lost if it is refused before it is read.
            if let Some(response) = connection.response_or_end("POST") {
                assert_eq!(response.status, *status, "{name}");
            }
            let mut socket = siege.websocket();
            socket.send_frame(&Frame {
                last: true,
                opcode: Opcode::Text,
                payload: sent.clone(),
            });
            siege.nobody_notices();
            assert_eq!(socket.close_code(), Ending::Code(*code), "{name}");
        }
    });
}

// Proves: FR-3, FR-6, DE-15, DE-17
#[test]
fn texts_that_are_not_json_are_refused_as_a_whole() {
    let unclosed = |text: &str| text.repeat(LARGEST / text.len()).into_bytes();
    let mut cases: Vec<(&str, Vec<u8>, u16, u16)> = vec![
        (
            "arrays within arrays",
            nested("[", "]", 200_000).into(),
            400,
            1011,
        ),
        (
            "objects within objects",
            nested(r#"{"a":"#, "}", 100_000).into(),
            400,
            1011,
        ),
        ("arrays that do not end", unclosed("["), 400, 1011),
        ("objects that do not end", unclosed(r#"{"a":"#), 400, 1011),
        (
            "one deeper than may be",
            nested("[", "]", 127).into(),
            400,
            1011,
        ),
        (
            "depth in ext",
            nested("[", "]", 5_000).replace("data", "ext").into(),
            400,
            1011,
        ),
        (
            "depth in what nobody knows",
            nested("[", "]", 5_000).replace("data", "x").into(),
            400,
            1011,
        ),
        (
            "10,000 messages",
            format!("[{}{{}}]", "{},".repeat(9_999)).into(),
            413,
            1009,
        ),
        (
            "300,000 messages",
            format!("[{}{{}}]", "{},".repeat(299_999)).into(),
            413,
            1009,
        ),
        ("a byte too many", vec![b' '; LARGEST + 1], 413, 1009),
        (
            "a number of 5,000 digits",
            with_data(&"9".repeat(5_000)).into(),
            400,
            1011,
        ),
        (
            "a fraction of a million digits",
            with_data(&format!("0.{}e99999", "1".repeat(1_000_000))).into(),
            400,
            1011,
        ),
        (
            "bytes that are not UTF-8 in a name",
            b"[{\"channel\":\"/a\",\"\xC3\x28\":1}]".to_vec(),
            400,
            1007,
        ),
        (
            "bytes that are not UTF-8 in data",
            b"[{\"channel\":\"/a\",\"data\":\"\xED\xA0\x80\"}]".to_vec(),
            400,
            1007,
        ),
        ("NUL behind the array", b"[]\0".to_vec(), 400, 1011),
        (
            "UTF-16",
            "[]".encode_utf16().flat_map(u16::to_be_bytes).collect(),
            400,
            1011,
        ),
    ];
    let data = [
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "NaN",
        "Infinity",
        "-",
        "1e",
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
        r#""\ud800\u0041""#,
        r#""\ud800x""#,
        r#""\uD8""#,
        r#""\x41""#,
        r#""\"#,
        "\"\n\"",
        "\"\0\"",
        "'a'",
        "undefined",
        "tru",
        "[1,]",
        "[,1]",
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        "{a:1}",
        r#"{"a":1 "b":2}"#,
        "[1 2]",
        "/**/1",
        "1}",
        "[1",
        r#"{"a":"#,
        "",
    ];
    cases.extend(data.map(|data| (data, with_data(data).into_bytes(), 400, 1011)));
    for text in [
        "null",
        "true",
        "\"a\"",
        "1",
        "[null]",
        "[[]]",
        "[[{}]]",
        "[{},1]",
        "][",
        "{}{}",
        "[{}],",
        "{\"a\":1}}",
    ] {
        cases.push((text, text.as_bytes().to_vec(), 400, 1011));
    }

    expect_refusals(&cases);
}

// Proves: FR-5
#[test]
fn numbers_and_names_that_break_others_pass_as_they_are() {
    let mut siege = Siege::of_defaults();
    let mut poller = Poller::connected(siege.address());
    poller.post(json!([poller.subscribe("/t")]));

    for data in [
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
        "1.0",
        "1E+2",
        "-0",
        "0.1",
        "1e308",
        "5e-324",
        r#"{"__proto__":{"a":1},"constructor":{"prototype":{}}}"#,
        r#"{"":"","\u0000":"\u0000","a":1,"a.b":2,"$where":3}"#,
        r#""\ud83d\ude00\u2028\u2029</script><!--""#,
    ] {
        let session = &poller.session;
        let body = format!(r#"[{{"channel":"/t","clientId":"{session}","data":{data}}}]"#);
        let mut connection = siege.connection();
        let response = connection.request("POST", Server::PATH, &[], &body);
        assert!(
            response.text().contains(&format!(r#""data":{data}"#)),
            "{data}: {response:?}"
        );
        siege.nobody_notices();
    }
}

// Proves: CH-13
#[test]
fn names_in_their_thousands_take_no_more_time_than_others() {
    // That many members of each, about a megabyte.
    const NAMES: u64 = 50_000;
    /// In hundredths of a second; comparing each name with each would take a hundred times as long.
    const TIME: u64 = 1_000;
    let members = |name: &dyn Fn(u64) -> String| {
        let all: Vec<_> = (0..NAMES)
            .map(|number| format!(r#""{}":1"#, name(number)))
            .collect();
        format!("{{{}}}", all.join(","))
    };
    let distinct = members(&|number| format!("{number:010}"));
    // Equal sums, products and polynomials in 31 for many.
    let colliding = members(&|number| {
        let pair = |bit: u64| if number >> bit & 1 == 0 { "Aa" } else { "BB" };
        (0..16).map(pair).collect()
    });
    let same = members(&|_| "a".into());

    Siege::of_defaults().endures(KEPT, |siege| {
        let before = siege.server().processor_time();
        for names in [
            &distinct[..LARGEST / 2],
            &distinct,
            &colliding[..LARGEST / 2],
            &same,
        ] {
            let names = match names.rfind("},") {
                _ if names.ends_with('}') => names.to_owned(),
                _ => format!("{}}}", &names[..names.rfind(',').unwrap_or_default()]),
            };
            for place in ["data", "ext", "advice", "x"] {
                let body = format!(r#"[{{"channel":"/a","{place}":{names}}}]"#);
                let response = siege.connection().request("POST", Server::PATH, &[], &body);
                assert_eq!(response.status, 200, "{place}");
            }
            // As members of the message itself.
            let body = format!("[{names}]");
            let response = siege.connection().request("POST", Server::PATH, &[], &body);
            assert_eq!(response.status, 200);
            siege.nobody_notices();
        }
        let time = siege.server().processor_time() - before;
        assert!(time < TIME, "{time} hundredths of a second");
    });
}

// Proves: CH-12, CH-13, SU-1
#[test]
fn channels_in_their_thousands_vanish_again() {
    const KEPT: Kept = Kept {
        once: 48 << 20,
        again: 12 << 20,
    };
    let siege = Siege::begin(bayeux_tests::live::Settings::default().option("sweepPeriod", 100));

    siege.endures(KEPT, |siege| {
        let mut attacker = Poller::connected(siege.address());
        for batch in 0..20 {
            let name = |number: u32| format!("/flood/{batch}/{number}/{}", "x".repeat(200));
            let publishes: Vec<Value> = (0..1_000).map(|number| attacker.publish(&name(number), 1)).collect();
            let replies = attacker.post(publishes.into());
            assert!(replies.iter().all(|reply| reply["successful"] == true));
            siege.nobody_notices();
        }
        // More than one may have; those within go on, and vanish with the session.
        let name = |number: u32| format!("/bomb/{number}/{}", "x".repeat(200));
        let subscriptions: Vec<Value> = (0..1_000).map(|number| name(number).into()).collect();
        let subscribe = json!({
            "channel": "/meta/subscribe", "clientId": attacker.session, "subscription": subscriptions
        });
        assert_eq!(attacker.post(json!([subscribe]))[0]["successful"], true);
        let subscribes: Vec<Value> = (1_000..1_100).map(|number| attacker.subscribe(&name(number))).collect();
        let replies = attacker.post(subscribes.into());
        let refused = replies.iter().filter(|reply| reply["successful"] == false);
        assert!(refused.clone().all(|reply| reply["error"] == "403:too_many_subscriptions:subscribe_denied"));
        assert_eq!(refused.count(), 100 - 24);
        siege.nobody_notices();
        assert_eq!(attacker.post(json!([attacker.disconnect()]))[0]["successful"], true);
    });
}
