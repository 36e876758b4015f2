//! What acknowledgement is for.

use bayeux_tests::live::{Client, Cutter, Settings, Software, Transport};
use serde_json::json;

use super::Case;

/// The connection breaks inside the response that carries an event, at each of several places, and events go on being
/// published meanwhile.
pub(crate) fn gets_each_event_once(case: Case) {
    const ROUNDS: u64 = 6;
    let site = case.site_with(Settings::default());
    let cutter = Cutter::to(site.address());
    let mut client = case.client(&cutter.url());
    // This one polls: it has two connections, and with several shards its facts cross.
    let mut publisher = Client::connected(Software::CometD, Transport::LongPolling, &site.url());
    client.subscribe("/numbers");

    let mut published = 0_u64;
    let mut publish = |count: u64| {
        for _ in 0..count {
            published += 1;
            let data = json!({"number": published, "text": format!("this is {published}.")});
            publisher.publish("/numbers", data);
        }
        published
    };
    let mut received = 0_u64;
    for round in 0..ROUNDS {
        let next = received + 1;
        // In the event, before it, and behind it where the reply stands.
        cutter.cut_inside(&match round % 3 {
            0 => format!("this is {next}."),
            1 => "\"/numbers\"".to_owned(),
            _ => "\"ack\":".to_owned(),
        });
        publish(1);
        cutter.wait_for_cut();
        let last = publish(3);
        while received < last {
            received += 1;
            let data = json!({"number": received, "text": format!("this is {received}.")});
            client.expect_event("/numbers", data);
        }
        // And at a moment that nobody chose.
        publish(2);
        cutter.cut_all();
        let last = publish(2);
        while received < last {
            received += 1;
            let event = client.event();
            assert_eq!(
                event.data.get("number"),
                Some(&json!(received)),
                "in order, and none twice"
            );
        }
    }

    // An event that came twice would stand before this one.
    publisher.publish("/numbers", json!("end"));
    client.expect_event("/numbers", "end");
    assert_eq!(client.handshakes_unasked(), 0, "all in one session");
    case.stop(site);
}
