//! Long lists come in pages, each thing once, from all shards.

use std::collections::BTreeSet;

use bayeux_tests::live::{HttpConnection, Server};
use serde_json::{Value, json};

use crate::backend::{Backend, settings};

/// How many sessions there are: more than fit into the largest page.
const SESSIONS: usize = 1_100;

/// Sessions that live long enough, on both shards, all subscribed to `/all` and each to a channel of its own;
/// every tenth to `/some/*`.
fn crowd(server: &Server) -> Vec<String> {
    // Of several connections, neighbours are on different shards.
    let mut doors = [(); 2].map(|()| HttpConnection::open(server.address()));
    let crowd = (0..SESSIONS).map(|n| {
        let door = &mut doors[n % 2];
        let mut post = |messages: Value| {
            let response = door.request("POST", Server::PATH, &[], &messages.to_string());
            response.messages()
        };
        let replies = post(json!([{
            "channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["long-polling"]
        }]));
        let session = replies[0]["clientId"].as_str().expect("a clientId");
        let mut channels = vec!["/all".to_owned(), format!("/own/{n}")];
        if n % 10 == 0 {
            channels.push("/some/*".into());
        }
        let replies = post(json!([{
            "channel": "/meta/subscribe", "clientId": session, "subscription": channels
        }]));
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        session.to_owned()
    });
    crowd.collect()
}

/// All items of `pages`, each of which has no more than `limit`, and which are all different.
#[track_caller]
fn each_once(pages: &[Vec<Value>], limit: usize) -> BTreeSet<String> {
    let full = pages.iter().filter(|page| page.len() == limit).count();
    assert!(pages.iter().all(|page| page.len() <= limit));
    let all: BTreeSet<_> = pages.iter().flatten().map(Value::to_string).collect();
    assert_eq!(all.len(), pages.iter().map(Vec::len).sum::<usize>());
    assert!(full >= all.len() / limit, "pages are filled");
    all
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    texts.into_iter().map(|text| format!("{text:?}")).collect()
}

#[test]
fn lists_have_everything_on_all_shards_once_in_pages_of_any_size() {
    let server = Server::start(&settings().option("maxInterval", 600_000));
    let sessions = crowd(&server);
    let mut backend = Backend::of(&server);

    for limit in [7, 100, 1_000] {
        let pages = backend.pages("sessions", "sessions", limit);
        assert_eq!(each_once(&pages, limit), strings(&sessions), "{limit}");

        let pages = backend.pages("subscribers?channel=/all", "sessions", limit);
        assert_eq!(each_once(&pages, limit), strings(&sessions), "{limit}");

        let some = sessions.iter().step_by(10);
        let pages = backend.pages("subscribers?channel=%2Fsome%2F*", "sessions", limit);
        assert_eq!(each_once(&pages, limit), strings(some), "{limit}");

        let channel = |channel: String, subscribers: usize| {
            json!({"channel": channel, "subscribers": subscribers}).to_string()
        };
        let own = (0..SESSIONS).map(|n| channel(format!("/own/{n}"), 1));
        let mut channels: BTreeSet<_> = own.collect();
        channels.insert(channel("/all".into(), SESSIONS));
        channels.insert(channel("/some/*".into(), SESSIONS.div_ceil(10)));
        let pages = backend.pages("channels", "channels", limit);
        assert_eq!(each_once(&pages, limit), channels, "{limit}");
    }

    let nobody = backend.get("subscribers?channel=/some/1");
    assert_eq!(nobody, json!({"sessions": [], "next": null}));
    let counters = backend.get("counters");
    assert_eq!(counters["engine"]["handshakes"], SESSIONS);
    assert_eq!(counters["server"]["keys_refused"], 0);
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);

    for query in [
        "sessions?limit=0",
        "sessions?limit=1001",
        "sessions?limit=ten",
        "sessions?next=",
        "sessions?next=0",
        "sessions?next=zz-0",
        "sessions?channel=/a",
        "channels?from=1",
        "subscribers",
        "subscribers?channels=/a",
        "sessions?limit=1&limit=2",
        "subscribers?channel=/a&channel=/a",
    ] {
        let response = backend.ask("GET", &format!("/api/v1/{query}"), "");
        let refused = crate::backend::refusal(&response);
        assert_eq!(refused, (400, "parameter_invalid".into()), "{query}");
    }
    let beyond = backend.get("sessions?next=ff-0");
    assert_eq!(beyond, json!({"sessions": [], "next": null}));
}
