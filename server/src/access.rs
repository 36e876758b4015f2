//! Who may do what: rules of a file, tokens that say who somebody is, secrets of publishers.
//!
//! It is a decider like any that an application has: a policy that is asked about everything. What
//! a token says is looked at once, at the handshake, and stands in the session's record from then on.
//! Invariant: without rules everything is allowed, with rules nothing that no rule allows.

mod claims;
mod credentials;
mod guard;
mod key;
mod rule;
mod secret;
mod token;

use std::fmt;
use std::time::Duration;

use bayeux_core::{
    Admission, ChannelPattern, Config, Denial, Extensions, Message, Payload, ProtocolError,
    Question, SessionSettings, Subject, Verdict,
};

use self::claims::Claims;
pub(crate) use self::claims::Wanted;
pub(crate) use self::credentials::Sources;
pub(crate) use self::guard::Guard;
pub(crate) use self::key::{Algorithm, Key, MOST_KEYS, read, read_keys, secret};
pub(crate) use self::rule::{Asked, Granted, Rule, Template};
pub(crate) use self::secret::{Publisher, Secret};
use self::token::TokenError;
pub(crate) use self::token::Tokens;

/// Who may do what, as a configuration file says (`docs/access.md`).
///
/// The default allows everything to everybody. What it shows of itself has no secret in it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub(crate) rules: Vec<Rule>,
    pub(crate) tokens: Option<Tokens>,
    /// Whether a session needs a token.
    pub(crate) tokens_required: bool,
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) sources: Sources,
    /// Whether those without session may publish, as far as the rules let them.
    pub(crate) strangers_publish: bool,
}

impl Access {
    /// Whether there is anything to ask it.
    pub(crate) fn is_on(&self) -> bool {
        !self.rules.is_empty() || self.tokens.is_some() || !self.publishers.is_empty()
    }

    /// Whether somebody of whom nothing is known may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rules.is_empty() && !self.tokens_required
    }

    /// The answer to `question`, when it is `now`: the time since 1970.
    pub(crate) fn verdict(&self, question: &Question, now: Duration) -> Verdict {
        match &question.subject {
            Subject::Handshake(message) => self.admit(question, message, now),
            Subject::Create(pattern, message) => {
                self.judge(question, Asked::Create, pattern, message, now)
            }
            Subject::Subscribe(pattern, message) => {
                self.judge(question, Asked::Subscribe, pattern, message, now)
            }
            Subject::Publish(channel, message) => {
                let pattern = ChannelPattern::from(channel.clone());
                self.judge(question, Asked::Publish, &pattern, message, now)
            }
            Subject::Incoming(_)
            | Subject::Handle { .. }
            | Subject::Reply { .. }
            | Subject::Event(_)
            | _ => Verdict::Abstain,
        }
    }

    fn admit(&self, question: &Question, message: &Message, now: Duration) -> Verdict {
        if self.publisher(question, message).next().is_some() {
            return Verdict::Allow;
        }
        match self.identify(question, message, now) {
            Ok(None) => Verdict::Allow,
            Ok(Some((claims, until))) => Verdict::Admit(Box::new(Admission {
                settings: SessionSettings {
                    identity: Some(claims.identity()),
                    until: Some(until),
                    ..SessionSettings::default()
                },
                ..Admission::default()
            })),
            Err(error) => {
                tracing::debug!(%error, "a handshake was refused");
                Verdict::Deny(Box::new(explained(error)))
            }
        }
    }

    /// Who sent a message that belongs to no session, and until when that is known; `None` if he does
    /// not say and need not.
    fn identify(
        &self,
        question: &Question,
        message: &Message,
        now: Duration,
    ) -> Result<Option<(Claims, Duration)>, TokenError> {
        let Some(tokens) = &self.tokens else {
            return Ok(None);
        };
        let Some(token) = self.sources.token(message, &question.peer) else {
            return if self.tokens_required {
                Err(TokenError::Missing)
            } else {
                Ok(None)
            };
        };
        let passport = tokens.check(&token, now)?;
        let claims = Claims::keep(passport.claims, &self.claims_kept());
        Ok(Some((claims, passport.until)))
    }

    /// May whoever sent `message` do this on all that `pattern` covers?
    fn judge(
        &self,
        question: &Question,
        asked: Asked,
        pattern: &ChannelPattern,
        message: &Message,
        now: Duration,
    ) -> Verdict {
        let publishes = asked != Asked::Subscribe && message.operation().is_none();
        let is_publishers = publishes
            && self
                .publisher(question, message)
                .any(|publisher| publisher.may_publish(pattern));
        if is_publishers {
            return Verdict::Allow;
        }
        if question.session.is_none() && !self.strangers_publish {
            // PB-2: without the secret it is as if there were none.
            return Verdict::Deny(Box::new(Denial {
                error: Some(ProtocolError::session_unknown()),
                ..Denial::default()
            }));
        }
        let claims = match (&question.identity, question.session) {
            (Some(identity), _) => Claims::of(identity),
            (None, Some(_)) => None,
            (None, None) => match self.identify(question, message, now) {
                Ok(somebody) => somebody.map(|(claims, _)| claims),
                Err(_) => return Verdict::Deny(Box::default()),
            },
        };
        if self.allows(asked, pattern, claims.as_ref()) {
            Verdict::Allow
        } else {
            Verdict::Deny(Box::default())
        }
    }

    fn allows(&self, asked: Asked, pattern: &ChannelPattern, claims: Option<&Claims>) -> bool {
        let names_create = |rule: &Rule| rule.operations.contains(&Asked::Create);
        if self.rules.is_empty() {
            return true;
        }
        if asked == Asked::Create && !self.rules.iter().any(names_create) {
            // What is done with the channel is judged in any case.
            return true;
        }
        let mut rules = self.rules.iter();
        rules.any(|rule| rule.allows(asked, pattern, claims))
    }

    /// The publishers whose secret came with a message.
    fn publisher<'a>(
        &'a self,
        question: &'a Question,
        message: &'a Message,
    ) -> impl Iterator<Item = &'a Publisher> {
        self.publishers.iter().filter(|publisher| {
            let mut secrets = self.sources.secrets(message, &question.peer);
            secrets.any(|text| publisher.secret.is(&text))
        })
    }

    /// The claims that some rule asks for.
    fn claims_kept(&self) -> Vec<&str> {
        self.rules.iter().flat_map(Rule::claims).collect()
    }

    /// Itself, with what an engine has to know of it said in `config`: what subscribers may not see,
    /// and that publishers need no session.
    pub(crate) fn applied(mut self, config: &mut Config) -> Self {
        self.strangers_publish = config.allow_connectionless_publish;
        if !self.is_on() {
            return self;
        }
        for member in self.sources.members() {
            if !config.strip_ext.contains(&member) {
                config.strip_ext.push(member);
            }
        }
        config.allow_connectionless_publish |= !self.publishers.is_empty();
        self
    }

    /// The request headers that deciders see: `others`, and those that it looks at itself.
    pub(crate) fn headers_with(&self, mut others: Vec<Box<str>>) -> Vec<Box<str>> {
        for header in self.sources.headers().filter(|_| self.is_on()) {
            if !others.contains(&header) {
                others.push(header);
            }
        }
        others
    }

    /// `next` in its place, if a running server can have it.
    pub(crate) fn replaced_by(&self, next: &Self) -> Result<Self, NeedsRestart> {
        let credentials = |access: &Self| access.is_on().then(|| access.sources.clone());
        // Engines know from the start whether anybody publishes without a session; nobody need.
        let has_first = self.publishers.is_empty() && !next.publishers.is_empty();
        if has_first || credentials(self) != credentials(next) {
            return Err(NeedsRestart);
        }
        Ok(Self {
            strangers_publish: self.strangers_publish,
            ..next.clone()
        })
    }
}

/// A change that a running server cannot make: whether there is access control at all, publishers where
/// there were none, and where credentials stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeedsRestart;

impl fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "whether there is access control, publishers where there were none, and where credentials \
             stand change only at a restart",
        )
    }
}

impl std::error::Error for NeedsRestart {}

/// A refusal of a handshake that says why, in the words that CometD's examples have for it.
fn explained(error: TokenError) -> Denial {
    let why = serde_json::json!({"failed": true, "failureReason": error.reason()});
    Denial {
        ext: Some(Extensions::new().with("authentication", Payload::from(why))),
        ..Denial::default()
    }
}

#[cfg(test)]
mod tests {
    use bayeux_core::{DeciderId, Grammar, Identity, Messages, Peer, SessionId};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret of the backend";
    const SESSION: &str = "1234567890123456789012345";

    #[test]
    fn creation_is_judged_only_once_a_rule_names_it() {
        let (create, subscribe, publish) = (Asked::Create, Asked::Subscribe, Asked::Publish);
        let free = rules(&[("/a/**", &[subscribe, publish]), ("/b/**", &[subscribe])]);
        let strict = rules(&[("/a/**", &[subscribe, publish]), ("/a/new/*", &[create])]);
        let table = [
            (&free, create, "/a/x", true),
            (&free, create, "/c", true),
            (&free, subscribe, "/c", false),
            (&free, publish, "/b/x", false),
            (&strict, create, "/a/x", false),
            (&strict, publish, "/a/x", true),
            (&strict, create, "/a/new/x", true),
            (&strict, publish, "/a/new/x", true),
            (&strict, create, "/c", false),
        ];

        for (access, asked, channel, expected) in table {
            let question = question(asked, channel, true, &json!({}));
            assert_eq!(
                is_allowed(access, &question),
                expected,
                "{asked:?} {channel}"
            );
        }
    }

    #[test]
    fn a_secret_is_for_publishing_alone() {
        let mut access = rules(&[("/open", &[Asked::Create, Asked::Subscribe])]);
        access.publishers.push(Publisher {
            secret: Secret::new(SECRET.as_bytes()),
            channels: template("/news/**"),
        });
        let table = [
            (Asked::Publish, "/news/a", true),
            (Asked::Create, "/news/a", true),
            (Asked::Publish, "/open", false),
            (Asked::Subscribe, "/news/a", false),
        ];

        for (asked, channel, expected) in table {
            for has_session in [true, false] {
                let ext = json!({"secret": SECRET});
                let question = question(asked, channel, has_session, &ext);
                let place = format!("{asked:?} {channel} {has_session}");
                assert_eq!(is_allowed(&access, &question), expected, "{place}");
            }
        }
        // To subscribe somewhere is no publish, though it creates what it subscribes to.
        let mut creating = question(Asked::Create, "/news/a", true, &json!({"secret": SECRET}));
        if let Subject::Create(_, message) = &mut creating.subject {
            message.channel = Some("/meta/subscribe".into());
        }
        assert!(!is_allowed(&access, &creating));
    }

    #[test]
    fn those_without_session_publish_only_where_the_operator_lets_them() {
        let mut access = rules(&[("/open", &[Asked::Publish])]);
        let stranger = question(Asked::Publish, "/open", false, &json!({}));

        assert!(!is_allowed(&access, &stranger));
        access.strangers_publish = true;
        assert!(is_allowed(&access, &stranger));

        // Where a session needs a token, so does a publish without one.
        access.tokens_required = true;
        access.tokens = Some(Tokens {
            keys: Vec::new(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::ZERO,
        });
        assert!(!is_allowed(&access, &stranger));
        access.tokens_required = false;
        assert!(is_allowed(&access, &stranger));
        let ext = json!({"authentication": {"token": "a.b.c"}});
        let forged = question(Asked::Publish, "/open", false, &ext);
        assert!(!is_allowed(&access, &forged));
    }

    #[test]
    fn an_identity_that_somebody_else_gave_is_nobody_here() {
        let access = Access {
            rules: vec![Rule {
                channels: template("/a"),
                operations: vec![Asked::Publish],
                granted: Granted::Authenticated(Vec::new()),
            }],
            ..Access::default()
        };
        let mut question = question(Asked::Publish, "/a", true, &json!({}));

        for (words, expected) in [(json!("ann"), false), (json!(7), false), (json!({}), true)] {
            question.identity = Some(Identity::new(Payload::from(&words)));
            assert_eq!(is_allowed(&access, &question), expected, "{words}");
        }
    }

    fn rules(rules: &[(&str, &[Asked])]) -> Access {
        let rule = |(pattern, operations): &(&str, &[Asked])| Rule {
            channels: template(pattern),
            operations: operations.to_vec(),
            granted: Granted::Anyone,
        };
        Access {
            rules: rules.iter().map(rule).collect(),
            ..Access::default()
        }
    }

    fn template(text: &str) -> Template {
        Template::parse(text, &Grammar::default()).unwrap()
    }

    fn question(asked: Asked, channel: &str, has_session: bool, ext: &Value) -> Question {
        let text = json!({"channel": channel, "data": 1, "ext": ext}).to_string();
        let messages = Messages::decode(text, &<_>::default()).unwrap();
        let message: Box<Message> = messages.into_iter().next().unwrap().into();
        let pattern = channel.parse().unwrap();
        Question {
            decider: DeciderId(1),
            session: has_session.then(|| SessionId::parse(SESSION).unwrap()),
            identity: None,
            peer: Peer::default(),
            subject: match asked {
                Asked::Create => Subject::Create(pattern, message),
                Asked::Subscribe => Subject::Subscribe(pattern, message),
                Asked::Publish => Subject::Publish(channel.parse().unwrap(), message),
            },
        }
    }

    fn is_allowed(access: &Access, question: &Question) -> bool {
        matches!(access.verdict(question, Duration::ZERO), Verdict::Allow)
    }
}
