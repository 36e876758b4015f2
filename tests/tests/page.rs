//! The page that the server serves, in a browser as people have it.

use bayeux_tests::live::{Page, Server, Settings};

// Proves: XO-4, WS-3
#[test]
fn what_one_types_and_publishes_arrives_on_the_page() {
    let server = Server::start(&Settings::default().shards(4));
    let url = format!("http://{}/", server.address());
    let mut alice = Page::open(&url);
    let mut bob = Page::open(&url);

    for page in [&mut alice, &mut bob] {
        page.wait_for("document.querySelector('#status').textContent.includes('connected')");
        page.wait_for("!document.querySelector('#status').textContent.includes('disconnected')");
        page.fill("#channel", "/chat/*");
        page.click("#subscribe");
    }
    // A page that sees its own message has been subscribed; from then on it sees those of others.
    for (page, message) in [(&mut alice, "from alice"), (&mut bob, "from bob")] {
        page.fill("#publish-channel", "/chat/demo");
        page.fill("#message", message);
        page.click("#publish");
        page.wait_for(&shows(message));
    }
    alice.wait_for(&shows("from bob"));

    alice.fill("#message", "<b>not markup</b> é😀");
    alice.click("#publish");
    for page in [&mut alice, &mut bob] {
        page.wait_for(&shows("<b>not markup</b> é😀"));
        page.wait_for("document.querySelector('#messages b') === null");
    }
    server.stop();
}

/// Whether the list of messages shows that text.
fn shows(text: &str) -> String {
    format!("document.querySelector('#messages').textContent.includes({text:?})")
}
