//! The page of `examples/wasm`: the engine in a browser, and a reader who has time in hand.

use bayeux_tests::live::{Page, page_with_an_engine};
use serde_json::{Value, json};

/// The page as it is when it has begun, with its first story.
fn page() -> Page {
    let mut page = Page::open(&page_with_an_engine());
    page.wait_for("document.documentElement.dataset.ready === 'yes'");
    page
}

/// Has a story told to its end.
fn told(story: &str) -> Page {
    let mut page = page();
    page.click(&format!("[data-story={story}]"));
    page.click("#rest");
    page.wait_for("document.querySelector('#story').dataset.state === 'ended'");
    assert_eq!(page.evaluate(MISSING), json!([]), "{story}");
    page
}

/// The steps of a story that have not shown what they are to.
const MISSING: &str =
    "[...document.querySelectorAll('#steps [data-state=missing]')].map((it) => it.textContent)";

/// What happened, an entry a line.
fn journal(page: &mut Page) -> Vec<String> {
    let labels = "[...document.querySelectorAll('#journal .row .label')].map((label) =>
        [...label.childNodes].filter((it) => !it.className).map((it) => it.textContent).join(''))";
    let labels = page.evaluate(labels);
    let labels = labels.as_array().into_iter().flatten();
    labels
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// These entries come one after the other, perhaps with others between.
#[track_caller]
fn expect(page: &mut Page, entries: &[&str]) {
    let journal = journal(page);
    let mut rest = journal.iter();
    for entry in entries {
        assert!(
            rest.any(|it| it == entry),
            "{entry} is not where it was expected in {journal:#?}"
        );
    }
}

/// What a client's card says of it.
fn of(page: &mut Page, client: &str, what: &str) -> Value {
    page.evaluate(&format!(
        "document.querySelector('[data-client={client}] [data-told={what}]').textContent"
    ))
}

fn text(page: &mut Page, selector: &str) -> Value {
    page.evaluate(&format!("document.querySelector({selector:?}).textContent"))
}

#[test]
fn a_held_connect_is_told_by_the_page() {
    let mut page = told("held");

    let news = "Send /news/today, connect ✓";
    expect(
        &mut page,
        &[
            "Received handshake",
            "Send connect ✓",
            "Received connect",
            news,
            "Written ",
        ],
    );
    assert_eq!(of(&mut page, "alice", "events"), r#""It rains.""#);
    assert_eq!(
        of(&mut page, "alice", "state"),
        "connected, waits for its connect"
    );
}

#[test]
fn a_session_that_expires_is_told_by_the_page() {
    let mut page = told("expires");

    let end = [
        "Report SessionRemoved",
        "Received connect",
        "Send connect ✗",
    ];
    expect(&mut page, &end);
    assert_eq!(text(&mut page, "#now"), "41.000 s");
    assert_eq!(text(&mut page, "#sessions"), "0");
    assert_eq!(of(&mut page, "alice", "state"), "unknown to the server");
}

#[test]
fn a_lost_response_that_comes_again_is_told_by_the_page() {
    let mut page = told("lost");

    let news = "Send /news/today, connect ✓";
    expect(&mut page, &[news, "Written ", "Received connect", news]);
    assert_eq!(of(&mut page, "alice", "events"), r#""It rains.""#);
}

#[test]
fn a_connection_that_breaks_is_told_by_the_page() {
    let mut page = told("breaks");

    let news = "Send /news/today, connect ✓";
    expect(&mut page, &[news, "Closed ", "Received connect", news]);
    assert_eq!(of(&mut page, "alice", "events"), r#""It rains.""#);
}

#[test]
fn the_other_stories_are_told_to_their_ends() {
    let mut page = page();
    let stories = page.evaluate(
        "[...document.querySelectorAll('#stories [data-story]')].map((it) => it.dataset.story)",
    );
    let stories: Vec<String> = serde_json::from_value(stories).expect("names of stories");
    assert_eq!(stories.len(), 9, "{stories:?}");

    for (story, entry) in [
        ("once", "Send /news/today, connect ✓"),
        ("push", "Send /news/today"),
        ("overtaken", "Close Duplicate"),
        ("breath", "Send /diary, subscribe /diary ✓, /diary ✓"),
    ] {
        expect(&mut told(story), &[entry]);
    }
}

#[test]
fn a_step_that_does_not_show_what_it_says_is_marked() {
    let mut page = page();

    // Without a handshake before it, a connect is refused.
    page.click("[data-story=held]");
    page.click("#next");
    page.click("[data-client=alice] .buttons button:nth-child(3)"); // disconnects
    page.click("#next");

    let missing = page.evaluate(MISSING);
    assert_eq!(missing.as_array().map(Vec::len), Some(1), "{missing}");
}

#[test]
fn time_stands_still_until_the_reader_lets_it_pass() {
    let mut page = page();
    for _ in 0..4 {
        page.click("#next"); // until Alice's connect is held
    }
    assert_eq!(text(&mut page, "#now"), "0.000 s");

    page.fill("#seconds", "29.5");
    page.click("#advance");
    assert_eq!(text(&mut page, "#now"), "29.500 s");
    assert_eq!(text(&mut page, "#due"), "in 0.500 s");
    assert_eq!(
        of(&mut page, "alice", "state"),
        "connected, waits for its connect"
    );

    page.click("#step");
    assert_eq!(text(&mut page, "#now"), "30.000 s");
    assert_eq!(of(&mut page, "alice", "state"), "connected");

    page.click("#play");
    page.wait_for("parseFloat(document.querySelector('#now').textContent) > 30");
    page.click("#play");
    let paused = text(&mut page, "#now");
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
    assert_eq!(text(&mut page, "#now"), paused);
}

#[test]
fn clients_on_their_own_talk_over_every_transport() {
    let mut page = page();
    page.click("[data-story=free]");

    let button =
        |client: &str, nth| format!("[data-client={client}] .buttons button:nth-child({nth})");
    let form = |client: &str, nth| format!("[data-client={client}] form:nth-of-type({nth}) button");
    let all = ["alice", "bob", "carol"];
    for client in all {
        page.click(&button(client, 1)); // shakes hands
        page.click(&button(client, 2)); // connects
        page.click(&form(client, 1)); // subscribes
        page.click(&format!(
            "[data-client={client}] [data-member=staysConnected]"
        ));
        page.click(&button(client, 2)); // waits
    }
    for client in all {
        page.click(&form(client, 2)); // publishes
    }

    for client in all {
        assert_eq!(
            of(&mut page, client, "events"),
            r#""Hello", "Hello", "Hello""#,
            "{client}"
        );
        assert_eq!(
            of(&mut page, client, "state"),
            "connected, waits for its connect"
        );
    }
}

#[test]
fn an_entry_opens_to_what_was_said_and_which_rule_it_shows() {
    let mut page = page();
    page.click("#next");
    page.wait_for("document.querySelectorAll('#journal li').length > 4");

    page.click("#journal li[data-name=Send] .row");

    let detail = text(&mut page, "#journal li[data-name=Send] .detail");
    let detail = detail.as_str().unwrap_or_default();
    assert!(
        detail.contains("HS-3") && detail.contains("unguessable"),
        "{detail}"
    );
    assert!(
        detail.contains(r#""channel": "/meta/handshake""#),
        "{detail}"
    );
    assert!(
        detail.contains("Send { connection: ConnectionId("),
        "{detail}"
    );
}

#[test]
fn lanes_are_hidden_and_shown_again() {
    let mut page = page();
    page.click("#rest");
    let shown =
        "[...document.querySelectorAll('#journal li[data-lane=store]')].some((it) => !it.hidden)";
    assert_eq!(page.evaluate(shown), true);

    page.click("#lanes button:last-child");
    assert_eq!(page.evaluate(shown), false);

    page.click("#lanes button:last-child");
    assert_eq!(page.evaluate(shown), true);
}
