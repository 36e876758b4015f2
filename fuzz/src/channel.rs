//! Channel names and patterns, from few segments so that they meet.

use proptest::prelude::*;

/// A segment of a name, seldom a long or an odd one.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&["a", "b", "c", "chat"][..]).prop_map(str::to_owned),
        2 => "[A-Za-z0-9!#$()+._@{~ -]{0,6}[A-Za-z0-9]",
        1 => Just("a*".to_owned()),
        1 => "[a-z]{200,400}",
    ]
}

/// A name that can be published to.
pub fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

/// A name, or a pattern that ends in a wildcard.
pub fn pattern() -> impl Strategy<Value = String> {
    let ends = prop::sample::select(&["", "", "/*", "/**"][..]);
    let narrow = (name(), ends).prop_map(|(name, end)| name + end);
    let wide = prop::sample::select(&["/*", "/**"][..]).prop_map(str::to_owned);
    prop_oneof![9 => narrow, 1 => wide]
}

/// What is like a name: written in another way, or just beyond what is allowed.
pub fn nearly() -> impl Strategy<Value = String> {
    let odd = &[
        "",
        "/",
        "//",
        "/meta",
        "/service",
        "/meta/",
        "/meta/connect",
        "/meta/connect/",
        " /meta/handshake",
        "/meta/x",
        "/meta/**",
        "/service/x",
        "/service/**",
        "/a/*/b",
        "/a/**/b",
        "/***",
        "/a/{x}",
        "/ü",
        "/a?b",
        "/a,b",
        "/%61",
        "/a\u{0}",
        "/a\n",
    ][..];
    let changed = (pattern(), 0..9_u8, any::<prop::sample::Index>()).prop_map(|(name, how, at)| {
        let at = at.index(name.len() + 1);
        match how {
            0 => name + "/",
            1 => format!(" {name}\t"),
            2 => format!("\n{name}"),
            3 => insert(name, at, "/"),
            4 => insert(name, at, "*"),
            5 => insert(name, at, "é"),
            6 => name.trim_start_matches('/').to_owned(),
            7 => name + &"/a".repeat(at * 4),
            _ => name + &"a".repeat(1_024),
        }
    });
    prop_oneof![prop::sample::select(odd).prop_map(str::to_owned), changed]
}

/// Any text.
pub fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[/*a ]{0,12}", "(/[*a]{0,2}){0,40}"]
}

/// All of these.
pub fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => pattern(), 3 => nearly(), 1 => hostile()]
}

fn insert(mut name: String, at: usize, what: &str) -> String {
    name.insert_str(at, what);
    name
}
