//! What holds for every message that leaves.

use serde_json::Value;

/// What holds for every message that leaves (FI-4, FI-5, ER-1 to ER-5, AD-1, AD-4).
pub(super) fn expect_sound(message: &Value, local: bool) {
    let has = |name: &str| message.get(name).is_some();
    let successful = message
        .get("successful")
        .map(|value| value.as_bool().expect("a boolean"));
    let channel = message.get("channel").and_then(Value::as_str);
    if has("data") {
        assert!(
            !has("clientId") && !has("advice") && !has("error"),
            "{message}"
        );
        assert!(has("id") == successful.is_some(), "{message}");
        return;
    }
    assert!(!local || channel == Some("/meta/disconnect"), "{message}");
    let successful = successful.unwrap_or_else(|| panic!("neither event nor reply: {message}"));
    assert_eq!(successful, !has("error"), "{message}");
    let error = message
        .get("error")
        .map(|error| error.as_str().expect("a string"));
    let known = error.is_none_or(|error| ERRORS.contains(&error));
    assert!(known, "{message}");
    assert_eq!(
        has("clientId"),
        successful && channel == Some("/meta/handshake"),
        "{message}"
    );
    let advice = message.get("advice");
    let reconnect = advice.map(|advice| advice["reconnect"].as_str().expect("reconnect"));
    assert!(reconnect.is_none_or(|text| ["retry", "handshake", "none"].contains(&text)));
    assert!(!successful || reconnect != Some("handshake"), "{message}");
    let outage = error == Some("503::unavailable");
    assert!(!outage || reconnect != Some("none"), "{message}");
}

/// The errors of ER-1, but for reasons that an application gives.
const ERRORS: [&str; 25] = [
    "301:iframe:connection_types_unsupported",
    "400::channel_missing",
    "400::handshake_must_be_first",
    "402::session_unknown",
    "403::handshake_denied",
    "403::handshake_failed",
    "403::subscription_missing",
    "403::subscription_invalid",
    "403:too_many_subscriptions:subscribe_denied",
    "403::too_many_sessions",
    "403:too_many_channels:create_denied",
    "403:denied_by_security_policy:create_denied",
    "403:denied_by_not_granting:create_denied",
    "403:denied_by_security_policy:subscribe_denied",
    "403:denied_by_not_granting:subscribe_denied",
    "403::subscribe_failed",
    "403::unsubscribe_failed",
    "403:denied_by_security_policy:channel_create_denied",
    "403:denied_by_not_granting:channel_create_denied",
    "403:denied_by_security_policy:publish_denied",
    "403:denied_by_not_granting:publish_denied",
    "404::message_deleted",
    "405::channel_invalid",
    "405::message_id_invalid",
    "503::unavailable",
];
