//! The deciders of a history, which go by rules that the model knows too.

use bayeux_core::{
    ChannelNameError, ChannelPattern, Decider, DeciderId, Denial, Operations, Question, Role,
    Scope, Subject, Verdict,
};

const POLICY: DeciderId = DeciderId(1);
const AUTHORIZER: DeciderId = DeciderId(2);
const VETO: DeciderId = DeciderId(3);
const ECHO: DeciderId = DeciderId(4);

/// Those who want to be asked.
///
/// # Errors
///
/// None, as long as the patterns in it are patterns.
pub fn deciders() -> Result<Vec<Decider>, ChannelNameError> {
    let operations = Operations {
        create: false,
        ..Operations::ALL
    };
    let asked = Operations {
        handshake: false,
        ..operations
    };
    let pattern = |text: &str| text.parse::<ChannelPattern>();
    Ok(vec![
        Decider {
            id: POLICY,
            role: Role::Policy(operations),
        },
        Decider {
            id: AUTHORIZER,
            role: Role::Authorizer {
                pattern: pattern("/guarded/**")?,
                operations: asked,
            },
        },
        Decider {
            id: VETO,
            role: Role::Handler(Scope::Pattern(pattern("/vetoed")?)),
        },
        Decider {
            id: ECHO,
            role: Role::Handler(Scope::Pattern(pattern("/service/echo")?)),
        },
    ])
}

/// What they say.
#[must_use]
pub fn verdict(question: &Question) -> Verdict {
    match (question.decider, &question.subject) {
        (POLICY, Subject::Handshake(message)) => {
            let ext = message.ext.as_ref();
            let denied = ext.is_some_and(|ext| ext.get("denied").is_some());
            if denied { deny(None) } else { Verdict::Allow }
        }
        (POLICY, Subject::Subscribe(pattern, _)) => {
            allow(!pattern.as_str().starts_with("/denied/"))
        }
        (POLICY, Subject::Publish(name, _)) => allow(!name.as_str().starts_with("/denied/")),
        (AUTHORIZER, Subject::Subscribe(pattern, _)) => authorize(pattern.as_str()),
        (AUTHORIZER, Subject::Publish(name, _)) => authorize(name.as_str()),
        (VETO, _) => Verdict::Drop,
        (ECHO, Subject::Handle { message, .. }) => match message.data.clone() {
            Some(data) => Verdict::Answer {
                successful: true,
                data,
            },
            None => Verdict::Allow,
        },
        _ => Verdict::Allow,
    }
}

fn allow(allowed: bool) -> Verdict {
    if allowed { Verdict::Allow } else { deny(None) }
}

fn authorize(channel: &str) -> Verdict {
    match channel {
        "/guarded/open" => Verdict::Allow,
        "/guarded/closed" => deny(Some("closed")),
        _ => Verdict::Abstain,
    }
}

fn deny(reason: Option<&str>) -> Verdict {
    Verdict::Deny(Box::new(Denial {
        reason: reason.map(Into::into),
        ..Denial::default()
    }))
}
