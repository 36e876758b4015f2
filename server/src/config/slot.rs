//! What a key of the file takes, and where it goes.

use core::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::draft::Draft;

/// What a key takes, how to read its value from a draft (for the reference: its default), and how to
/// put one there.
pub(crate) enum Slot {
    Boolean {
        get: fn(&Draft) -> Option<bool>,
        set: fn(&mut Draft, bool),
    },
    Number {
        least: i64,
        most: i64,
        unit: Unit,
        /// What -1 means, if it may be given; it then sets `None`.
        off: Option<&'static str>,
        get: fn(&Draft) -> Option<i64>,
        set: fn(&mut Draft, Option<i64>),
    },
    Text {
        get: fn(&Draft) -> Option<String>,
        set: fn(&mut Draft, &str) -> Result<(), String>,
    },
    /// One of these.
    Word {
        words: &'static [&'static str],
        get: fn(&Draft) -> Option<&'static str>,
        set: fn(&mut Draft, &'static str),
    },
    /// A list of these, each once.
    Words {
        words: &'static [&'static str],
        least: usize,
        get: fn(&Draft) -> Vec<&'static str>,
        set: fn(&mut Draft, &[&'static str]),
    },
    Texts {
        get: fn(&Draft) -> Vec<String>,
        set: fn(&mut Draft, &[&str]) -> Result<(), String>,
    },
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
    Bytes,
    Things,
}

impl Unit {
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Milliseconds => " (milliseconds)",
            Self::Seconds => " (seconds)",
            Self::Bytes => " (bytes)",
            Self::Things => "",
        }
    }

    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Things => "number",
        }
    }
}

impl Slot {
    /// Puts `value` where it belongs, or says why it cannot be there.
    pub(crate) fn set(&self, draft: &mut Draft, value: &DeValue<'_>) -> Result<(), String> {
        let refused = || format!("must be {}, got {}", self.range(), shown(value));
        match self {
            Self::Boolean { set, .. } => set(draft, value.as_bool().ok_or_else(refused)?),
            Self::Number {
                least,
                most,
                off,
                set,
                ..
            } => {
                let number = number(value).ok_or_else(refused)?;
                match number {
                    -1 if off.is_some() => set(draft, None),
                    _ if (*least..=*most).contains(&number) => set(draft, Some(number)),
                    _ => return Err(refused()),
                }
            }
            Self::Text { set, .. } => set(draft, value.as_str().ok_or_else(refused)?)?,
            Self::Word { words, set, .. } => {
                set(
                    draft,
                    value
                        .as_str()
                        .and_then(|text| word(words, text))
                        .ok_or_else(refused)?,
                );
            }
            Self::Words {
                words, least, set, ..
            } => {
                set(
                    draft,
                    &distinct(words, *least, value.as_array().ok_or_else(refused)?)?,
                );
            }
            Self::Texts { set, .. } => {
                let array = value.as_array().ok_or_else(refused)?;
                let texts = array.iter().map(|element| element.get_ref().as_str());
                set(
                    draft,
                    &texts.collect::<Option<Vec<_>>>().ok_or_else(refused)?,
                )?;
            }
        }
        Ok(())
    }

    /// What it takes, as it is said after "must be".
    pub(crate) fn range(&self) -> String {
        match self {
            Self::Boolean { .. } => "true or false".into(),
            Self::Number {
                least,
                most,
                unit,
                off,
                ..
            } => {
                let or = if off.is_some() { "-1 or " } else { "" };
                format!("{or}between {least} and {most}{}", unit.suffix())
            }
            Self::Text { .. } => "a text".into(),
            Self::Word { words, .. } => listed(words, " or "),
            Self::Words {
                words, least: 0, ..
            } => format!("a list of {}", listed(words, " and ")),
            Self::Words { words, .. } => {
                format!("a list of one or more of {}", listed(words, " and "))
            }
            Self::Texts { .. } => "a list of texts".into(),
        }
    }

    /// The value in `draft`, as it would stand in a file; `None` if it is unset.
    pub(crate) fn value(&self, draft: &Draft) -> Option<String> {
        let quoted = |text: &str| format!("{text:?}");
        match self {
            Self::Boolean { get, .. } => get(draft).map(|value| value.to_string()),
            Self::Number {
                off: Some(_), get, ..
            } => Some(get(draft).unwrap_or(-1).to_string()),
            Self::Number { off: None, get, .. } => get(draft).map(|value| value.to_string()),
            Self::Text { get, .. } => get(draft).map(|text| quoted(&text)),
            Self::Word { get, .. } => get(draft).map(quoted),
            Self::Words { get, .. } => Some(format!("{:?}", get(draft))),
            Self::Texts { get, .. } => Some(format!("{:?}", get(draft))),
        }
    }
}

/// The whole number that `value` is; one that 64 bits do not hold is the largest or the smallest.
fn number(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    let text = integer.as_str();
    let beyond = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(i64::from_str_radix(text, integer.radix()).unwrap_or(beyond))
}

fn word(words: &[&'static str], text: &str) -> Option<&'static str> {
    words.iter().copied().find(|word| *word == text)
}

fn distinct(
    words: &[&'static str],
    least: usize,
    array: &DeArray<'_>,
) -> Result<Vec<&'static str>, String> {
    let mut found = Vec::new();
    for element in array.iter().map(Spanned::get_ref) {
        let Some(word) = element.as_str().and_then(|text| word(words, text)) else {
            return Err(format!(
                "may have {}, got {}",
                listed(words, " and "),
                shown(element)
            ));
        };
        if found.contains(&word) {
            return Err(format!("has {word:?} twice"));
        }
        found.push(word);
    }
    if found.len() < least {
        return Err(format!(
            "must have one or more of {}",
            listed(words, " and ")
        ));
    }
    Ok(found)
}

/// `"a", "b" or "c"`.
fn listed(words: &[&str], last: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, rest)) => format!("{}{last}{end}", rest.join(", ")),
        None => String::new(),
    }
}

/// What was found, short enough for a line.
pub(crate) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().into(),
        DeValue::Integer(_) => number(value).unwrap_or_default().to_string(),
        DeValue::Float(float) => float.as_str().into(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// `text` in quotes, its beginning if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}..", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A number of milliseconds that was found in range.
pub(crate) fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

/// A duration as a number of milliseconds.
pub(crate) fn in_milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count that was found in range.
pub(crate) fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

/// A count as a number.
pub(crate) fn in_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
