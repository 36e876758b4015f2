//! Histories as text, a line a step: what a failure is kept as.
//!
//! ```
//! use bayeux_fuzz::history::History;
//!
//! let text = "\
//! setting usual
//! 0 poll: handshake ack
//! 0 poll: connect | subscribe /a /a/*
//! 1 socket 0: handshake
//! 1 socket 0: publish /a as nobody
//! publish /a/b lazy
//! pass 30000
//! cut 0 0
//! ";
//! let history: History = text.parse()?;
//! assert_eq!(history.to_string(), text);
//! # Ok::<(), String>(())
//! ```
//!
//! Lines that begin with `#` are comments.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::{
    Ack, Asked, CHANNELS, History, IdKind, Odd, Said, Setting, Step, Types, Way, What, Whose,
    channel,
};

/// Words that stand for values.
type Words<T> = [(&'static str, T)];

const SETTINGS: &Words<Setting> = &[
    ("usual", Setting::Usual),
    ("deliver-only", Setting::DeliverOnly),
    ("no-echo", Setting::NoEcho),
    ("all-or-nothing", Setting::AllOrNothing),
    ("short-queue-ends", Setting::ShortQueueEnds),
    ("short-queue-drops-oldest", Setting::ShortQueueDropsOldest),
    ("short-queue-drops-newest", Setting::ShortQueueDropsNewest),
    ("few-subscriptions", Setting::FewSubscriptions),
    ("echo-client-id", Setting::EchoClientId),
    ("no-ack", Setting::NoAck),
    ("late-store", Setting::LateStore),
];

const TYPES: &Words<Types> = &[
    ("cross-origin", Types::CrossOrigin),
    ("foreign", Types::Foreign),
    ("missing", Types::Missing),
    ("denied", Types::Denied),
];

const ACKS: &Words<Ack> = &[
    ("missing", Ack::Missing),
    ("less", Ack::Less),
    ("zero", Ack::Zero),
    ("negative", Ack::Negative),
];

const ODDS: &Words<Odd> = &[
    ("no-channel", Odd::NoChannel),
    ("unknown-meta", Odd::UnknownMeta),
    ("no-subscription", Odd::NoSubscription),
    ("number-subscription", Odd::NumberSubscription),
    ("mixed-subscription", Odd::MixedSubscription),
    ("no-unsubscription", Odd::NoUnsubscription),
];

const IDS: &Words<IdKind> = &[
    ("number", IdKind::Number),
    ("missing", IdKind::Missing),
    ("null", IdKind::Null),
    ("wrong", IdKind::Wrong),
];

fn word<T: PartialEq + Copy>(words: &Words<T>, value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map_or("usual", |(word, _)| *word)
}

fn value<T: Copy>(words: &Words<T>, word: &str) -> Result<T, String> {
    let found = words.iter().find(|(known, _)| *known == word);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("`{word}` means nothing here"))
}

/// A channel as one word: white space in it is escaped.
fn channel_word(number: u8) -> String {
    channel(number).replace(' ', "%20").replace('\t', "%09")
}

fn channel_number(word: &str) -> Result<u8, String> {
    let text = word.replace("%20", " ").replace("%09", "\t");
    let at = CHANNELS.iter().position(|known| *known == text);
    at.and_then(|at| u8::try_from(at).ok())
        .ok_or_else(|| format!("`{word}` is no channel of the list"))
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "setting {}", word(SETTINGS, self.setting))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for History {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut setting = Setting::Usual;
        let mut steps = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let in_line = |error| format!("line {}: {error}", number + 1);
            match line.strip_prefix("setting ") {
                Some(name) => setting = value(SETTINGS, name).map_err(in_line)?,
                None => steps.push(line.parse().map_err(in_line)?),
            }
        }
        Ok(Self { setting, steps })
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lazily = |lazy: &bool| if *lazy { " lazy" } else { "" };
        match self {
            Self::Send { who, way, messages } => {
                let messages: Vec<_> = messages.iter().map(Said::to_string).collect();
                write!(f, "{who} {way}: {}", messages.join(" | "))
            }
            Self::Cut { who, which } => write!(f, "cut {who} {which}"),
            Self::Wire { who, works: true } => write!(f, "wire {who} works"),
            Self::Wire { who, works: false } => write!(f, "wire {who} breaks"),
            Self::Publish { channel, lazy } => {
                write!(f, "publish {}{}", channel_word(*channel), lazily(lazy))
            }
            Self::Deliver { who, channel, lazy } => {
                write!(
                    f,
                    "deliver {who} {}{}",
                    channel_word(*channel),
                    lazily(lazy)
                )
            }
            Self::Disconnect { who } => write!(f, "disconnect {who}"),
            Self::Pass { millis } => write!(f, "pass {millis}"),
            Self::Store { works: true } => write!(f, "store works"),
            Self::Store { works: false } => write!(f, "store fails"),
        }
    }
}

impl Display for Way {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poll => write!(f, "poll"),
            Self::Callback => write!(f, "callback"),
            Self::Socket(number) => write!(f, "socket {number}"),
        }
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match self.whose {
            Whose::Own => {}
            Whose::Former => write!(f, " as former")?,
            Whose::Of(who) => write!(f, " as {who}")?,
            Whose::Nobody => write!(f, " as nobody")?,
            Whose::Missing => write!(f, " as missing")?,
        }
        if self.id == IdKind::Text {
            return Ok(());
        }
        write!(f, " id {}", word(IDS, self.id))
    }
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake { ack, types } => {
                write!(f, "handshake{}", if *ack { " ack" } else { "" })?;
                if *types == Types::Usual {
                    return Ok(());
                }
                write!(f, " {}", word(TYPES, *types))
            }
            Self::Connect { advice, ack } => {
                write!(f, "connect")?;
                match advice {
                    Asked::Nothing => {}
                    Asked::Timeout(millis) => write!(f, " timeout {millis}")?,
                    Asked::Interval(millis) => write!(f, " interval {millis}")?,
                    Asked::Wrong => write!(f, " wrong-advice")?,
                }
                if *ack == Ack::Honest {
                    return Ok(());
                }
                write!(f, " ack {}", word(ACKS, *ack))
            }
            Self::Subscribe(names) => named(f, "subscribe", names),
            Self::Unsubscribe(names) => named(f, "unsubscribe", names),
            Self::Publish(number) => write!(f, "publish {}", channel_word(*number)),
            Self::Disconnect => write!(f, "disconnect"),
            Self::Odd(odd) => write!(f, "{}", word(ODDS, *odd)),
        }
    }
}

fn named(f: &mut Formatter<'_>, what: &str, names: &[u8]) -> fmt::Result {
    write!(f, "{what}")?;
    names
        .iter()
        .try_for_each(|number| write!(f, " {}", channel_word(*number)))
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        if let Some((sender, messages)) = line.split_once(": ") {
            return send(sender, messages);
        }
        let words: Vec<_> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["cut", who, which] => Self::Cut {
                who: number(who)?,
                which: number(which)?,
            },
            ["wire", who, "works"] => Self::Wire {
                who: number(who)?,
                works: true,
            },
            ["wire", who, "breaks"] => Self::Wire {
                who: number(who)?,
                works: false,
            },
            ["publish", channel, rest @ ..] => Self::Publish {
                channel: channel_number(channel)?,
                lazy: rest.contains(&"lazy"),
            },
            ["deliver", who, channel, rest @ ..] => Self::Deliver {
                who: number(who)?,
                channel: channel_number(channel)?,
                lazy: rest.contains(&"lazy"),
            },
            ["disconnect", who] => Self::Disconnect { who: number(who)? },
            ["pass", millis] => Self::Pass {
                millis: number(millis)?,
            },
            ["store", "works"] => Self::Store { works: true },
            ["store", "fails"] => Self::Store { works: false },
            _ => return Err(format!("`{line}` is no step")),
        })
    }
}

fn send(sender: &str, messages: &str) -> Result<Step, String> {
    let words: Vec<_> = sender.split_whitespace().collect();
    let (who, way) = match words.as_slice() {
        [who, "poll"] => (number(who)?, Way::Poll),
        [who, "callback"] => (number(who)?, Way::Callback),
        [who, "socket", socket] => (number(who)?, Way::Socket(number(socket)?)),
        _ => return Err(format!("`{sender}` is nobody")),
    };
    let messages = messages
        .split(" | ")
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(Step::Send { who, way, messages })
}

impl FromStr for Said {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, id) = match text.rsplit_once(" id ") {
            Some((text, id)) => (text, value(IDS, id)?),
            None => (text, IdKind::Text),
        };
        let (text, whose) = match text.rsplit_once(" as ") {
            Some((text, "former")) => (text, Whose::Former),
            Some((text, "nobody")) => (text, Whose::Nobody),
            Some((text, "missing")) => (text, Whose::Missing),
            Some((text, who)) => (text, Whose::Of(number(who)?)),
            None => (text, Whose::Own),
        };
        Ok(Self {
            what: text.parse()?,
            whose,
            id,
        })
    }
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split_whitespace().collect();
        let names = |names: &[&str]| {
            let numbers = names.iter().map(|name| channel_number(name));
            numbers.collect::<Result<Vec<_>, _>>()
        };
        Ok(match words.as_slice() {
            ["handshake", rest @ ..] => {
                let ack = rest.first() == Some(&"ack");
                let types = rest.get(usize::from(ack)).map(|types| value(TYPES, types));
                Self::Handshake {
                    ack,
                    types: types.transpose()?.unwrap_or(Types::Usual),
                }
            }
            ["connect", rest @ ..] => connect(rest)?,
            ["subscribe", rest @ ..] => Self::Subscribe(names(rest)?),
            ["unsubscribe", rest @ ..] => Self::Unsubscribe(names(rest)?),
            ["publish", channel] => Self::Publish(channel_number(channel)?),
            ["disconnect"] => Self::Disconnect,
            [odd] => Self::Odd(value(ODDS, odd)?),
            _ => return Err(format!("`{text}` is no message")),
        })
    }
}

fn connect(words: &[&str]) -> Result<What, String> {
    let (advice, rest) = match words {
        ["timeout", millis, rest @ ..] => (Asked::Timeout(number(millis)?), rest),
        ["interval", millis, rest @ ..] => (Asked::Interval(number(millis)?), rest),
        ["wrong-advice", rest @ ..] => (Asked::Wrong, rest),
        rest => (Asked::Nothing, rest),
    };
    let ack = match rest {
        [] => Ack::Honest,
        ["ack", ack] => value(ACKS, ack)?,
        _ => return Err(format!("`{}` is more than a connect says", rest.join(" "))),
    };
    Ok(What::Connect { advice, ack })
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}
