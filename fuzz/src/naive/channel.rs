//! Channel names and what matches what (CH-1 to CH-10), over lists of segments.

use bayeux_core::{Characters, Grammar};

/// The segments of `text`, if it is a name or a pattern.
pub fn segments<'a>(text: &'a str, grammar: &Grammar) -> Option<Vec<&'a str>> {
    let blank = |character: char| matches!(character, ' ' | '\t');
    let mut text = text.trim_matches(blank);
    if text.ends_with('/') && text.len() > 1 {
        text = text[..text.len() - 1].trim_end_matches(blank);
    }
    let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
    let (_, above) = segments.split_last()?;
    let is_good = |segment: &&str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|character| may_stand(character, grammar))
    };
    let fits = text.len() <= grammar.max_length
        && segments.len() <= grammar.max_depth
        && segments.iter().all(is_good)
        && !above.iter().any(|segment| is_wildcard(segment));
    fits.then_some(segments)
}

fn may_stand(character: char, grammar: &Grammar) -> bool {
    match grammar.characters {
        Characters::CometD => {
            character.is_ascii_alphanumeric() || " !#$()*+-.@_{~}".contains(character)
        }
        Characters::Wide => {
            let marks = "\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                \u{2066}\u{2067}\u{2068}\u{2069}\u{feff}";
            character == ' '
                || !(character.is_control()
                    || character.is_whitespace()
                    || marks.contains(character))
        }
    }
}

/// Whether a segment stands for others.
pub fn is_wildcard(segment: &str) -> bool {
    matches!(segment, "*" | "**")
}

/// Whether wildcards keep out of the channel.
pub fn is_special(name: &[&str]) -> bool {
    name.len() > 1 && matches!(name.first(), Some(&("meta" | "service")))
}

/// The name or pattern of these segments.
pub fn joined(segments: &[&str]) -> String {
    segments
        .iter()
        .map(|segment| format!("/{segment}"))
        .collect()
}

/// Whether an event on `name` is for who subscribed to `pattern` (CH-6, CH-9).
pub fn matches(pattern: &[&str], name: &[&str]) -> bool {
    let Some((last, base)) = pattern.split_last() else {
        return false;
    };
    match *last {
        "*" => !is_special(name) && name.len() == pattern.len() && name.starts_with(base),
        "**" => !is_special(name) && name.len() >= pattern.len() && name.starts_with(base),
        _ => pattern == name,
    }
}

/// The wildcard patterns that match `name`, nearest first (CH-7).
pub fn patterns(name: &[&str]) -> Vec<String> {
    let parents = (0..name.len())
        .rev()
        .filter_map(|length| name.get(..length));
    let candidates = parents.enumerate().flat_map(|(above, base)| {
        let base = joined(base);
        let one = (above == 0).then(|| format!("{base}/*"));
        one.into_iter().chain([format!("{base}/**")])
    });
    let matching = |pattern: &String| {
        let segments: Vec<&str> = pattern.split('/').skip(1).collect();
        matches(&segments, name)
    };
    candidates.filter(matching).collect()
}

/// What `name` has in place of the parameters of `template` (CH-10).
pub fn bindings<'a>(template: &[&'a str], name: &[&'a str]) -> Option<Vec<(&'a str, &'a str)>> {
    if template.len() != name.len() {
        return None;
    }
    let mut bound = Vec::new();
    for (wanted, segment) in template.iter().zip(name) {
        let inner = wanted
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let is_word = |text: &&str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match inner.filter(is_word) {
            Some(parameter) => bound.push((parameter, *segment)),
            None if wanted == segment => {}
            None => return None,
        }
    }
    Some(bound)
}
