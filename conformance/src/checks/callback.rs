//! Callback-polling (CB).

use serde_json::json;

use super::only;
use crate::check::{Check, Checked, Group, Over, Transport, equal, hold};
use crate::client::{accepted, escaped};
use crate::http::Response;
use crate::options::Profile;
use crate::scene::Scene;

const FAYE: Profile = Profile::Faye;
const COMETD: Profile = Profile::CometD;
const CALLBACK: Over = Over::Only(Transport::CallbackPolling);

pub(super) const GROUP: Group = Group {
    name: "callback",
    checks: &[
        Check::new(
            &["CB-1", "CB-3", "HT-2"],
            "the answer is a script that calls the function with the array",
            CALLBACK,
            script,
        ),
        Check::new(
            &["CB-1"],
            "the messages of all parameters are joined, in order",
            CALLBACK,
            joined,
        )
        .differs(&[(FAYE, "it takes one")]),
        Check::new(
            &["CB-1", "CB-5", "ER-6"],
            "a message that is missing or empty is refused with 400",
            CALLBACK,
            no_message,
        )
        .differs(&[(COMETD, "it answers 500")]),
        Check::new(
            &["CB-2"],
            "names of functions are identifiers joined by dots, of 64 characters at the most",
            CALLBACK,
            names,
        )
        .differs(&[
            (FAYE, "its names are those of JavaScript, of any length"),
            (COMETD, "it does not take $"),
        ]),
        Check::new(
            &["CB-2"],
            "a name that is no name of a function is refused with 400",
            CALLBACK,
            bad_names,
        ),
        Check::new(
            &["CB-2"],
            "a request without the name of a function has one that is given",
            CALLBACK,
            no_name,
        )
        .differs(&[(COMETD, "it wants one")]),
        Check::new(
            &["CB-2"],
            "two names of a function are refused with 400",
            CALLBACK,
            two_names,
        )
        .differs(&[(FAYE, "it takes them together")]),
        Check::new(
            &["CB-3"],
            "the script begins with a comment, and its type is not to be guessed",
            CALLBACK,
            prefix,
        )
        .differs(&[(COMETD, "it has neither")]),
        Check::new(
            &["CB-4"],
            "line separators of Unicode, which end a line of a script, are escaped",
            CALLBACK,
            separators,
        )
        .differs(&[(COMETD, "it does not escape them")]),
        Check::new(
            &["CB-7"],
            "a URL of 8,000 characters is taken",
            CALLBACK,
            long_url,
        ),
        Check::new(
            &["CB-8"],
            "the answer is not to be cached",
            CALLBACK,
            not_cached,
        )
        .differs(&[(COMETD, "it leaves that to filters")]),
        Check::new(
            &["CB-9", "XO-4"],
            "a page of another origin gets no answer, whether or not it withholds its Referer",
            CALLBACK,
            foreign_page,
        )
        .differs(&[
            (COMETD, "it answers any page"),
            (FAYE, "it answers any page"),
        ]),
        Check::new(
            &["CB-9"],
            "pages of the server's own host and port are answered",
            CALLBACK,
            own_page,
        ),
    ],
};

fn get(scene: &Scene<'_>, query: &str, headers: &[(&str, &str)]) -> Checked<Response> {
    let path = format!("{}?{query}", scene.base());
    scene.http()?.request("GET", &path, headers, b"")
}

fn handshake() -> String {
    escaped(
        &json!([{
            "channel": "/meta/handshake", "id": "1", "version": "1.0",
            "supportedConnectionTypes": ["callback-polling"]
        }])
        .to_string(),
    )
}

fn script(scene: &Scene<'_>) -> Checked {
    let response = get(scene, &format!("jsonp=f&message={}", handshake()), &[])?;
    accepted(&only(response.callback_messages("f")?)?)?;
    let kind = response.header("Content-Type").unwrap_or_default();
    let is_script = kind.to_ascii_lowercase().starts_with("text/javascript");
    hold(is_script, || format!("Content-Type is {kind:?}"))
}

fn joined(scene: &Scene<'_>) -> Checked {
    let message = |id: &str| json!({"channel": "/a", "id": id});
    let first = escaped(&json!([message("1"), message("2")]).to_string());
    let second = escaped(&message("3").to_string());
    let query = format!("message={first}&jsonp=f&message={second}");
    let replies = get(scene, &query, &[])?.callback_messages("f")?;
    let ids: Vec<_> = replies.iter().map(|reply| reply["id"].clone()).collect();
    equal("the ids", ids, ["1", "2", "3"])
}

fn no_message(scene: &Scene<'_>) -> Checked {
    for query in ["jsonp=f", "jsonp=f&message=", "jsonp=f&message=nonsense"] {
        equal("the status", get(scene, query, &[])?.status, 400)?;
    }
    Ok(())
}

fn names(scene: &Scene<'_>) -> Checked {
    let longest = "f".repeat(64);
    for name in ["f", "a.b_c.d1", "$", "jQuery1.$x", "_-_", &longest] {
        let query = format!("jsonp={name}&message={}", handshake());
        get(scene, &query, &[])?.callback_messages(name)?;
    }
    let query = format!("jsonp={longest}f&message={}", handshake());
    equal("the status", get(scene, &query, &[])?.status, 400)
}

fn bad_names(scene: &Scene<'_>) -> Checked {
    for name in ["alert(1)//", "a b", "a;b", "<script>", "f%00", "a[0]"] {
        let name = escaped(name);
        let query = format!("jsonp={name}&message={}", handshake());
        equal("the status", get(scene, &query, &[])?.status, 400)?;
    }
    Ok(())
}

fn no_name(scene: &Scene<'_>) -> Checked {
    let response = get(scene, &format!("message={}", handshake()), &[])?;
    response.callback_messages("jsonpcallback")?;
    Ok(())
}

fn two_names(scene: &Scene<'_>) -> Checked {
    for names in ["jsonp=f&jsonp=g", "jsonp="] {
        let query = format!("{names}&message={}", handshake());
        equal("the status", get(scene, &query, &[])?.status, 400)?;
    }
    Ok(())
}

fn prefix(scene: &Scene<'_>) -> Checked {
    let response = get(scene, &format!("jsonp=f&message={}", handshake()), &[])?;
    let text = response.text()?;
    hold(text.starts_with("/**/f("), || {
        format!("the script {text:?}")
    })?;
    let sniffing = response.header("X-Content-Type-Options");
    equal("X-Content-Type-Options", sniffing, Some("nosniff"))
}

fn separators(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let text = "a\u{2028}b\u{2029}c</script>";
    let mut client = scene.subscriber(&[&channel])?;
    client.publish(&channel, text)?;
    let connect = escaped(&json!([client.connect_message()]).to_string());
    let cookie = client.cookie.clone().unwrap_or_default();
    let query = format!("jsonp=f&message={connect}");
    let response = get(scene, &query, &[("Cookie", &*cookie)])?;
    let script = response.text()?;
    hold(!script.contains(['\u{2028}', '\u{2029}']), || {
        "a separator stands in the script".to_owned()
    })?;
    let messages = response.callback_messages("f")?;
    let events = messages.iter().filter(|message| message["data"] == text);
    equal("the events with the text", events.count(), 1)
}

fn long_url(scene: &Scene<'_>) -> Checked {
    let message = handshake();
    let rest = 8_000 - message.len() - scene.base().len();
    let query = format!("jsonp=f&message={message}&more={}", "x".repeat(rest - 30));
    get(scene, &query, &[])?.callback_messages("f")?;
    Ok(())
}

fn not_cached(scene: &Scene<'_>) -> Checked {
    let response = get(scene, &format!("jsonp=f&message={}", handshake()), &[])?;
    let cache = response.header("Cache-Control").unwrap_or_default();
    let is_off = cache.contains("no-store") || cache.contains("no-cache");
    hold(is_off, || format!("Cache-Control is {cache:?}"))
}

fn foreign_page(scene: &Scene<'_>) -> Checked {
    let query = format!("jsonp=f&message={}", handshake());
    for header in [
        ("Referer", "http://elsewhere.example/page"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        equal("the status", get(scene, &query, &[header])?.status, 403)?;
    }
    Ok(())
}

fn own_page(scene: &Scene<'_>) -> Checked {
    let query = format!("jsonp=f&message={}", handshake());
    let own = format!("{}/page", scene.options.target.origin());
    for header in [
        ("Referer", &*own),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
    ] {
        get(scene, &query, &[header])?.callback_messages("f")?;
    }
    Ok(())
}
