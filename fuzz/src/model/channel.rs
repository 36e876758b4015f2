//! Names of channels (section 4).

/// A name or pattern, normalised and cut into segments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(Vec<String>);

/// What a name is of (CH-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `/meta/…`.
    Meta,
    /// `/service/…`.
    Service,
    /// All else.
    Broadcast,
}

impl Name {
    /// Reads a name or a pattern; `None` if it is none (CH-1, CH-2, CH-3, CH-5, CH-12).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > 1_024 {
            return None;
        }
        let segments: Vec<_> = text
            .strip_prefix('/')?
            .split('/')
            .map(str::to_owned)
            .collect();
        let (_, before) = segments.split_last()?;
        let wild = |segment: &String| segment == "*" || segment == "**";
        let allowed = |segment: &String| !segment.is_empty() && segment.chars().all(is_allowed);
        let good = segments.len() <= 32 && segments.iter().all(allowed) && !before.iter().any(wild);
        good.then_some(Self(segments))
    }

    /// In its normal form.
    #[must_use]
    pub fn text(&self) -> String {
        format!("/{}", self.0.join("/"))
    }

    /// Whether it ends in a wildcard.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0
            .last()
            .is_some_and(|last| last == "*" || last == "**")
    }

    /// Whether it is `/meta` or `/service`, which nobody may use (CH-4).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0 == ["meta"] || self.0 == ["service"]
    }

    /// What it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0.as_slice() {
            [first, _, ..] if first == "meta" => Kind::Meta,
            [first, _, ..] if first == "service" => Kind::Service,
            _ => Kind::Broadcast,
        }
    }

    /// Whether it lies below this.
    pub(super) fn is_below(&self, first: &str) -> bool {
        self.0.len() > 1 && self.0.first().is_some_and(|segment| segment == first)
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || " !#$()*+-./@_{~}".contains(character)
}

/// Whether what is published to `name` is for those who subscribed to `pattern` (CH-6, CH-9).
#[must_use]
pub fn matches(pattern: &Name, name: &Name) -> bool {
    if name.kind() != Kind::Broadcast {
        return false;
    }
    match pattern.0.split_last() {
        Some((last, before)) if last == "*" => {
            name.0.len() == before.len() + 1 && name.0.starts_with(before)
        }
        Some((last, before)) if last == "**" => {
            name.0.len() > before.len() && name.0.starts_with(before)
        }
        _ => pattern == name,
    }
}
