//! Other extensions (EX).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{lacks, member};
use crate::check::{Check, Checked, Group, Over, Stop, equal};
use crate::client::accepted;
use crate::scene::Scene;

pub(super) const GROUP: Group = Group {
    name: "extensions",
    checks: &[
        Check::new(
            &["EX-1"],
            "timesync echoes the client's clock and tells the server's, in whole milliseconds",
            Over::All,
            timesync,
        ),
        Check::new(
            &["EX-4", "FI-6"],
            "binary data in text arrive as they were sent, marked as such",
            Over::All,
            binary,
        ),
        Check::new(
            &["EX-9", "FI-7"],
            "extensions that nobody knows are neither echoed nor in the way",
            Over::All,
            unknown,
        ),
        Check::new(
            &["EX-7", "FI-6"],
            "members of requests that nobody knows are not in the way",
            Over::All,
            unknown_members,
        ),
    ],
};

fn timesync(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    // A little behind: CometD reckons the difference in 32 bits.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let clock = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default() - 90_000;
    message["ext"] = json!({"timesync": {"tc": clock, "l": 0, "o": 0}});
    let reply = client.handshake_with(message)?;
    let Some(sync) = reply["ext"].get("timesync") else {
        return Err(Stop::not_checked("the server does not offer timesync"));
    };
    equal("tc", &sync["tc"], clock)?;
    let number = |name: &str| {
        let number = sync[name].as_i64();
        number.ok_or_else(|| Stop::failed(format!("no integer {name} in {sync}")))
    };
    let (ts, _, a) = (number("ts")?, number("p")?, number("a")?);
    equal("a", a, clock - ts)
}

fn binary(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.subscriber(&[&channel])?;
    let mut message = client.publish_message(&channel, json!({"data": "HelloWorld", "last": true}));
    message["ext"] = json!({"binary": {}});
    accepted(&client.ask_one(message.clone())?)?;
    let event = client.event_on(&channel)?;
    equal("data", &event["data"], &message["data"])?;
    member(&event["ext"], "binary")?;
    Ok(())
}

fn unknown(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let ext = json!({"unheardOf": {"a": [1, 2]}, "other": null});
    let mut message = client.handshake_message();
    message["ext"] = ext.clone();
    let reply = client.handshake_with(message)?;
    lacks(&reply["ext"], "unheardOf")?;
    let mut message = client.connect_message();
    message["ext"] = ext;
    let reply = client.ask_one(message)?;
    accepted(&reply)?;
    lacks(&reply["ext"], "unheardOf")
}

fn unknown_members(scene: &Scene<'_>) -> Checked {
    let mut client = scene.client()?;
    let mut message = client.handshake_message();
    message["unheardOf"] = json!({"a": 1});
    client.handshake_with(message)?;
    let mut message = client.connect_message();
    message["unheardOf"] = json!([1]);
    message["advice"] = json!({"timeout": 0});
    accepted(&client.ask_one(message)?)
}
