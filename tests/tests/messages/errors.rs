use super::*;

// Proves: ER-1
#[test]
fn neighbours_of_an_error_are_processed() {
    // E7 of the digest.
    let mut script = Script::new(Config::default());
    let client = script.connected();
    let session = &client.session;
    let batch = json!([
        {"id": "9", "clientId": session, "data": 1},
        {"id": "10", "channel": "/a/*/b", "clientId": session, "data": 2},
        {"id": "11", "channel": "/meta/subscribe", "clientId": session},
        {"id": "12", "channel": "/ok", "clientId": session, "data": 3},
    ]);
    let replies = json!([
        {"id": "9", "successful": false, "error": "400::channel_missing"},
        {"id": "10", "channel": "/a/*/b", "successful": false, "error": "405::channel_invalid"},
        {"id": "11", "channel": "/meta/subscribe", "successful": false,
         "error": "403::subscription_missing"},
        {"id": "12", "channel": "/ok", "successful": true},
    ]);
    assert_eq!(post(&mut script, batch), replies);
}

// Proves: ER-6
#[test]
fn whatever_ends_an_exchange_is_a_status_of_400_or_more() {
    let reasons = [
        CloseReason::Duplicate,
        CloseReason::SessionOver,
        CloseReason::Superseded,
        CloseReason::Unavailable,
        CloseReason::Idle,
        CloseReason::Unasked,
        CloseReason::Limit,
        CloseReason::Shutdown,
    ];
    for reason in reasons {
        assert!((400..600).contains(&reason.http_status(500)), "{reason:?}");
    }
}
