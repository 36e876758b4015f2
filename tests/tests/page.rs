//! The page that the server serves, in a browser as people have it.

use bayeux_tests::live::{HttpConnection, Page, Server, Settings};

// Proves: XO-4, WS-3
#[test]
fn what_one_types_and_publishes_arrives_on_the_page() {
    talk(&Settings::default().shards(4), "websocket");
}

// Proves: HS-5
#[test]
fn the_page_falls_back_to_long_polling() {
    let settings = Settings::default().option("allowedTransports", vec!["long-polling"]);
    talk(&settings.shards(4), "long-polling");
}

/// Two people talk to each other on pages of a server with these settings, over that transport.
fn talk(settings: &Settings, transport: &str) {
    let server = Server::start(settings);
    let url = format!("http://{}/", server.address());
    let mut alice = Page::open(&url);
    let mut bob = Page::open(&url);

    for page in [&mut alice, &mut bob] {
        page.wait_for("document.querySelector('#status').textContent.includes('connected')");
        page.wait_for("!document.querySelector('#status').textContent.includes('disconnected')");
        page.wait_for(&format!(
            "document.querySelector('#transport').textContent === '{transport}'"
        ));
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

#[test]
fn there_is_a_page_where_bayeux_is_not_spoken() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    let whole = connection.request("GET", "/", &[], "");
    let head = connection.request("HEAD", "/", &[], "");

    assert_eq!((whole.status, head.status), (200, 200));
    let length = whole.text().len().to_string();
    for response in [&whole, &head] {
        assert_eq!(response.header("Content-Length"), Some(length.as_str()));
        assert_eq!(
            response.header("Content-Type"),
            Some("text/html;charset=UTF-8")
        );
    }
    assert_eq!(head.text(), "");
    assert_eq!(connection.request("HEAD", "/other", &[], "").status, 404);
    assert_eq!(connection.request("POST", "/", &[], "").status, 404);
}

#[test]
fn whoever_looks_for_the_client_of_faye_is_told_where_it_is() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    for path in ["/faye/client.js", "/faye.js", "/bayeux/client-min.js?v=2"] {
        let response = connection.request("GET", path, &[], "");

        assert_eq!(response.status, 404, "{path}");
        assert_eq!(
            response.header("Content-Type"),
            Some("text/plain;charset=UTF-8")
        );
        assert!(response.text().contains("--client-file"), "{path}");
    }
}

#[test]
fn the_client_of_faye_is_served_if_it_is_given() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/clients/node_modules/faye/client/faye-browser-min.js"
    );
    let server = Server::start(&Settings::default().client_file(file));
    let mut connection = HttpConnection::open(server.address());

    let first = connection.request("GET", "/faye/client.js", &[], "");
    let tag = first.header("ETag").expect("it has a tag").to_owned();
    let again = connection.request("GET", "/faye/client.js", &[("If-None-Match", &tag)], "");

    assert_eq!((first.status, again.status), (200, 304));
    assert_eq!(
        first.header("Content-Type"),
        Some("text/javascript;charset=UTF-8")
    );
    assert_eq!(first.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(first.body, std::fs::read(file).expect("faye is installed"));
    assert_eq!(again.text(), "");
}

/// Whether the list of messages shows that text.
fn shows(text: &str) -> String {
    format!("document.querySelector('#messages').textContent.includes({text:?})")
}
