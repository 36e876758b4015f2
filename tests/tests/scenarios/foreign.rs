//! Pages of other origins.

use bayeux_tests::live::{Client, Settings, Software, Transport};
use serde_json::json;

use super::Case;

/// A page whose origin is not allowed, though others are, gets neither a session nor an event; in the other scenarios
/// the same page is allowed and gets both.
pub(crate) fn sees_nothing_unless_allowed(case: Case) {
    let site = case.site_with(Settings::default().allow_origin("https://shop.example"));
    let mut publisher = Client::connected(Software::Faye, Transport::LongPolling, &site.url());
    publisher.subscribe("/news");
    let mut page = Client::start(case.software, case.transport, &site.url());

    page.try_to_handshake();
    page.loses_the_server();
    publisher.publish("/news", json!("not for that page"));
    publisher.expect_event("/news", "not for that page");

    page.expect_no_session();
    site.stop();
}
