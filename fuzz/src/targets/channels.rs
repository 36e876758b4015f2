//! Channel names and patterns from anybody, and who gets what is published on them.

use std::collections::BTreeSet;

use bayeux_core::testing::{Client, Script};
use bayeux_core::{
    Call, ChannelKind, ChannelName, ChannelPattern, ChannelTemplate, Characters, Config, Grammar,
    Laziness, Payload, Transport,
};
use serde_json::{Value, json};

use crate::naive::channel as naive;

/// How many clients there are; `1+` to `3+` before a pattern subscribes one of them.
const CLIENTS: usize = 3;

/// More lines than this say nothing new.
const MAX_LINES: usize = 24;

/// The first line chooses a grammar, each further line has a channel, and before it what to do with it: `1+` subscribes
/// the first client to it, `1-` unsubscribes it, `=` publishes to it, and anything else only reads it.
///
/// - A text is a name or a pattern just when a naive reader says so, in its normal form, which is its own.
/// - A pattern matches the names that a naive matcher says, and those names list it.
/// - A template binds what a naive one binds.
/// - What is published goes once to each client that has a pattern for it, and to nobody else: the tree of channels
///   agrees with a list searched from end to end.
pub fn channels(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let grammar = Grammar {
        characters: if first.contains('w') {
            Characters::Wide
        } else {
            Characters::CometD
        },
        max_length: if first.contains('l') { 8 } else { 64 },
        max_depth: if first.contains('d') { 2 } else { 8 },
    };
    let lines: Vec<(&str, &str)> = rest.split('\n').take(MAX_LINES).map(action).collect();

    let mut names = Vec::new();
    let mut patterns = Vec::new();
    for (_, text) in &lines {
        names.extend(check_name(text, &grammar));
        patterns.extend(check_pattern(text, &grammar));
    }
    for name in &names {
        check_matches(name, &patterns);
        check_templates(name, &names, &grammar);
    }
    if lines.iter().any(|(action, _)| *action == "=") {
        check_tree(&lines, grammar);
    }
}

/// What a line asks for, and the channel.
fn action(line: &str) -> (&str, &str) {
    let actions = ["1+", "2+", "3+", "1-", "2-", "3-", "="];
    let found = actions
        .iter()
        .find_map(|action| Some((*action, line.strip_prefix(action)?)));
    found.unwrap_or(("", line))
}

fn check_name(text: &str, grammar: &Grammar) -> Option<ChannelName> {
    let segments = naive::segments(text, grammar);
    let segments =
        segments.filter(|segments| !segments.iter().any(|segment| naive::is_wildcard(segment)));
    let name = ChannelName::parse(text, grammar);
    assert_eq!(name.is_ok(), segments.is_some(), "{text:?}: {name:?}");
    let name = name.ok()?;
    assert_eq!(name.segments().collect::<Vec<_>>(), segments?, "{text:?}");
    assert_eq!(
        ChannelName::parse(name.as_str(), grammar).as_ref(),
        Ok(&name)
    );
    Some(name)
}

fn check_pattern(text: &str, grammar: &Grammar) -> Option<ChannelPattern> {
    let segments = naive::segments(text, grammar);
    let pattern = ChannelPattern::parse(text, grammar);
    assert_eq!(pattern.is_ok(), segments.is_some(), "{text:?}: {pattern:?}");
    let pattern = pattern.ok()?;
    let segments = segments?;
    assert_eq!(pattern.as_str(), naive::joined(&segments), "{text:?}");
    assert_eq!(
        ChannelPattern::parse(pattern.as_str(), grammar).as_ref(),
        Ok(&pattern)
    );
    let is_wildcard = segments.last().is_some_and(|last| naive::is_wildcard(last));
    assert_eq!(
        (pattern.is_wildcard(), pattern.as_name().is_none()),
        (is_wildcard, is_wildcard),
        "{text:?}"
    );
    Some(pattern)
}

fn check_matches(name: &ChannelName, patterns: &[ChannelPattern]) {
    let segments: Vec<&str> = name.segments().collect();
    for pattern in patterns {
        let wanted: Vec<&str> = pattern.as_str().split('/').skip(1).collect();
        let expected = naive::matches(&wanted, &segments);
        assert_eq!(pattern.matches(name), expected, "{pattern} {name}");
    }
    let listed: Vec<String> = name.patterns().map(|parts| parts.to_string()).collect();
    assert_eq!(listed, naive::patterns(&segments), "{name}");
}

fn check_templates(name: &ChannelName, templates: &[ChannelName], grammar: &Grammar) {
    let segments: Vec<&str> = name.segments().collect();
    for text in templates {
        let Ok(template) = ChannelTemplate::parse(text.as_str(), grammar) else {
            panic!("{text} is a name and no template");
        };
        let wanted: Vec<&str> = text.segments().collect();
        let bound = template.matches(name).map(Iterator::collect::<Vec<_>>);
        assert_eq!(
            bound,
            naive::bindings(&wanted, &segments),
            "{template} {name}"
        );
    }
}

fn check_tree(lines: &[(&str, &str)], grammar: Grammar) {
    let mut script = Script::new(Config {
        grammar,
        ..Config::default()
    });
    let mut clients: Vec<Subscriber> = (0..CLIENTS)
        .map(|_| Subscriber {
            client: script.connected_over(Transport::WebSocket, Value::Null),
            patterns: BTreeSet::new(),
        })
        .collect();
    for (number, (action, text)) in lines.iter().enumerate() {
        let client = match action.chars().next() {
            Some('=') => {
                publish(&mut script, &clients, text, &grammar, number);
                continue;
            }
            Some(digit) => digit
                .to_digit(10)
                .and_then(|digit| clients.get_mut(digit as usize - 1)),
            None => None,
        };
        let Some(client) = client else { continue };
        if action.ends_with('+') {
            client.subscribe(&mut script, text, &grammar);
        } else {
            client.unsubscribe(&mut script, text, &grammar);
        }
    }
    script.expect_no_trace();
}

/// A client, and what it is subscribed to.
struct Subscriber {
    client: Client,
    patterns: BTreeSet<String>,
}

impl Subscriber {
    fn subscribe(&mut self, script: &mut Script, text: &str, grammar: &Grammar) {
        let segments = usable(text, grammar);
        let successful = self.ask(script, "/meta/subscribe", text);
        assert_eq!(successful, segments.is_some(), "{text:?}");
        // SU-6: to a service channel one may subscribe, in vain.
        if let Some(segments) = segments.filter(|segments| !naive::is_special(segments)) {
            self.patterns.insert(naive::joined(&segments));
        }
    }

    fn unsubscribe(&mut self, script: &mut Script, text: &str, grammar: &Grammar) {
        let segments = usable(text, grammar);
        let successful = self.ask(script, "/meta/unsubscribe", text);
        assert_eq!(successful, segments.is_some(), "{text:?}");
        if let Some(segments) = segments {
            self.patterns.remove(&naive::joined(&segments));
        }
    }

    fn ask(&self, script: &mut Script, channel: &str, text: &str) -> bool {
        let message =
            json!({"channel": channel, "clientId": self.client.session, "subscription": text});
        let socket = script.request(&self.client, message);
        let reply = script.take(socket);
        reply.pointer("/0/successful") == Some(&json!(true))
    }

    fn is_for(&self, name: &[&str]) -> bool {
        let mut patterns = self.patterns.iter();
        patterns
            .any(|pattern| naive::matches(&pattern.split('/').skip(1).collect::<Vec<_>>(), name))
    }
}

/// What a client may name in a subscription (SU-7, CH-4).
fn usable<'a>(text: &'a str, grammar: &Grammar) -> Option<Vec<&'a str>> {
    let segments = naive::segments(text, grammar)?;
    let refused = matches!(segments.as_slice(), ["meta", ..] | ["service"]);
    (!refused).then_some(segments)
}

/// Publishes to `text`, if it is the name of a channel for many.
fn publish(
    script: &mut Script,
    clients: &[Subscriber],
    text: &str,
    grammar: &Grammar,
    number: usize,
) {
    let Ok(name) = ChannelName::parse(text, grammar) else {
        return;
    };
    if name.kind() != ChannelKind::Broadcast || name.is_reserved() {
        return;
    }
    script.call_later(Call::Publish {
        channel: name.clone(),
        data: Payload::from(json!(number)),
        ext: None,
        laziness: Laziness::Prompt,
    });
    let segments: Vec<&str> = name.segments().collect();
    for subscriber in clients {
        let got = subscriber
            .client
            .socket
            .and_then(|socket| script.try_take(socket));
        let event = json!([{"channel": name.as_str(), "data": number}]);
        let expected = subscriber.is_for(&segments).then_some(event);
        assert_eq!(
            got, expected,
            "{name}, to who has {:?}",
            subscriber.patterns
        );
    }
}
