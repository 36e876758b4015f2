//! What a test suite needs of a server beyond the protocol (DE-23); and an example of deciders.
//!
//! It is built of what every application has: a [`Handle`], two deciders, and rules for channels.
//! Invariant: a client reaches nobody but itself with it, and what it can ask for is bounded.

use std::error::Error;
use std::future::ready;
use std::time::Duration;

use bayeux_core::{
    Admission, ChannelName, ChannelRule, Denial, Operations, Payload, ProtocolError, Question,
    Role, Scope, SessionId, Subject, Verdict,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::application::{CallError, Handle};

/// The channels of the helpers, named by their last segments.
const HELPERS: &str = "/service/conformance/*";

/// The channel of the events that welcome a session.
const WELCOME: &str = "/conformance/welcome";

/// How many there are at the most.
const MOST_WELCOMES: u32 = 100;

/// The channels that are lazy, and how long events may wait there.
const LAZY: &str = "/conformance/lazy/**";
const LAZY_TIMEOUT: Duration = Duration::from_secs(1);

/// Has the helpers asked from now on, when this resolves.
///
/// # Errors
///
/// If the server has stopped.
pub(crate) async fn install(handle: &Handle) -> Result<(), Box<dyn Error + Send + Sync>> {
    // One that knows its answer at once.
    let welcome: ChannelName = WELCOME.parse()?;
    let role = Role::Policy(Operations {
        handshake: true,
        ..Operations::default()
    });
    let greeter = move |question| ready(greet(&question, &welcome));
    handle.add_decider(role, greeter).await?;

    // One that has things done before it answers.
    let role = Role::Handler(Scope::Pattern(HELPERS.parse()?));
    let application = handle.clone();
    let helper = move |question| help(application.clone(), question);
    handle.add_decider(role, helper).await?;
    Ok(())
}

/// How their lazy channels differ from others.
pub(crate) fn rule() -> Option<ChannelRule> {
    Some(ChannelRule {
        pattern: LAZY.parse().ok()?,
        lazy: Some(LAZY_TIMEOUT),
        broadcast_to_publisher: None,
        persistent: false,
    })
}

/// What a handshake asks for in `ext.conformance`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wishes {
    /// To be refused.
    deny: bool,
    /// To be welcomed with so many events.
    welcome: u32,
}

fn greet(question: &Question, channel: &ChannelName) -> Verdict {
    let Subject::Handshake(message) = &question.subject else {
        return Verdict::Abstain;
    };
    let Some(wishes) = message.ext.as_ref().and_then(|ext| ext.get("conformance")) else {
        return Verdict::Abstain;
    };
    match serde_json::from_str(wishes.as_str()) {
        Ok(Wishes {
            deny: false,
            welcome,
        }) => {
            let numbers = 1..=welcome.min(MOST_WELCOMES);
            let event = |number| {
                (
                    channel.clone(),
                    Payload::from(serde_json::Value::from(number)),
                )
            };
            Verdict::Admit(Box::new(Admission {
                welcome: numbers.map(event).collect(),
                ..Admission::default()
            }))
        }
        // A wish that makes no sense is not granted either.
        Ok(Wishes { deny: true, .. }) | Err(_) => Verdict::Deny(Box::default()),
    }
}

async fn help(handle: Handle, question: Question) -> Verdict {
    let (
        Some(sender),
        Subject::Handle {
            channel, message, ..
        },
    ) = (question.session, question.subject)
    else {
        return Verdict::Abstain;
    };
    let data = message.data.unwrap_or(Payload::null());
    match channel.segments().last() {
        Some("deliver") => deliver(&handle, sender, &data).await,
        Some("disconnect") => done(handle.disconnect(sender).await),
        Some("echo") => Verdict::Answer {
            successful: true,
            data,
        },
        _ => Verdict::Abstain,
    }
}

/// What a client wants to be sent.
#[derive(Deserialize)]
struct Delivery<'a> {
    channel: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    lazy: bool,
}

impl Delivery<'_> {
    /// The event's channel and data, and whether it may wait.
    fn read(data: &Payload) -> Option<(ChannelName, Payload, bool)> {
        let delivery: Delivery<'_> = serde_json::from_str(data.as_str()).ok()?;
        let data = match delivery.data {
            Some(data) => Payload::parse(data.get().to_owned()).ok()?,
            None => Payload::null(),
        };
        Some((delivery.channel.parse().ok()?, data, delivery.lazy))
    }
}

async fn deliver(handle: &Handle, sender: SessionId, data: &Payload) -> Verdict {
    match Delivery::read(data) {
        Some((channel, data, false)) => done(handle.deliver(sender, channel, data).await),
        Some((channel, data, true)) => done(handle.deliver_lazily(sender, channel, data).await),
        None => deny(ProtocolError::new(400, "", "delivery_invalid")),
    }
}

fn done<T>(result: Result<T, CallError>) -> Verdict {
    match result {
        Ok(_) => Verdict::Allow,
        Err(_) => deny(ProtocolError::unavailable()),
    }
}

fn deny(error: ProtocolError) -> Verdict {
    Verdict::Deny(Box::new(Denial {
        error: Some(error),
        ..Denial::default()
    }))
}
