//! What the file says of access: the lists of keys, publishers and rules.

use core::time::Duration;
use std::path::{Path, PathBuf};

use bayeux_core::Grammar;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::draft::Draft;
use super::file::nearest;
use super::slot::{quoted, shown};
use crate::access::{
    self, Access, Algorithm, Asked, Granted, Key, MOST_KEYS, Publisher, Rule, Secret, Sources,
    Template, Tokens, Wanted,
};

/// The lists, by their names in the file: `[[keys]]` and so on.
pub(super) const LISTS: [&str; 3] = ["keys", "publishers", "rules"];

/// A secret that is shorter could be guessed.
const SHORTEST_SECRET: usize = 16;

/// How deep objects may be in what a rule wants of a claim.
const DEEPEST: usize = 8;

/// What has been said of access so far.
pub(crate) struct AccessDraft {
    pub(crate) require_token: bool,
    pub(crate) issuers: Vec<Box<str>>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) leeway: Duration,
    pub(crate) sources: Sources,
    keys: Vec<Key>,
    publishers: Vec<(Secret, Channels)>,
    rules: Vec<RuleDraft>,
    /// Where secrets came from.
    pub(super) secret_files: Vec<PathBuf>,
}

/// Channels as they are written, and where; they are read when the grammar is known.
#[derive(Default)]
struct Channels {
    source: String,
    text: String,
}

struct RuleDraft {
    channels: Channels,
    operations: Vec<Asked>,
    granted: Granted,
}

impl Default for AccessDraft {
    fn default() -> Self {
        Self {
            require_token: false,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            sources: Sources::default(),
            keys: Vec::new(),
            publishers: Vec::new(),
            rules: Vec::new(),
            secret_files: Vec::new(),
        }
    }
}

impl AccessDraft {
    /// All of it, if it can be; else one line that says why not.
    pub(super) fn finish(&self, grammar: &Grammar) -> Result<Access, String> {
        let tokens = (!self.keys.is_empty()).then(|| Tokens {
            keys: self.keys.clone(),
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            leeway: self.leeway,
        });
        let publishers = self.publishers.iter().map(|(secret, channels)| {
            let template = channels.read(grammar)?;
            if template.has_claims() {
                return Err(channels.refused(&"a publisher has no claims"));
            }
            if self.rules.is_empty() {
                return Err(channels.refused(&"without [[rules]] everybody may publish"));
            }
            Ok(Publisher {
                secret: secret.clone(),
                channels: template,
            })
        });
        let rules = self
            .rules
            .iter()
            .map(|rule| rule.finish(grammar, tokens.is_some()));
        Ok(Access {
            publishers: publishers.collect::<Result<_, _>>()?,
            rules: rules.collect::<Result<_, _>>()?,
            tokens,
            tokens_required: self.require_token,
            sources: self.sources.clone(),
            strangers_publish: false,
        })
    }
}

impl Channels {
    fn read(&self, grammar: &Grammar) -> Result<Template, String> {
        Template::parse(&self.text, grammar)
            .map_err(|error| self.refused(&format_args!("{error}, got {}", quoted(&self.text))))
    }

    fn refused(&self, why: &dyn core::fmt::Display) -> String {
        format!("{}: {why}", self.source)
    }
}

impl RuleDraft {
    fn finish(&self, grammar: &Grammar, has_keys: bool) -> Result<Rule, String> {
        let channels = self.channels.read(grammar)?;
        if self.granted == Granted::Anyone && channels.has_claims() {
            let why = "nobody is known to be anything where anyone is allowed: leave out allow";
            return Err(self.channels.refused(&why));
        }
        if self.granted != Granted::Anyone && !has_keys {
            let why = "nobody can be authenticated without [[keys]] to check tokens with";
            return Err(self.channels.refused(&why));
        }
        Ok(Rule {
            channels,
            operations: self.operations.clone(),
            granted: self.granted.clone(),
        })
    }
}

/// Reads the lists that stand in `root`, and gives what is wrong with them; `at` says where in the file
/// something is.
pub(super) fn read(
    root: &DeTable<'_>,
    at: &dyn Fn(usize) -> String,
    draft: &mut Draft,
) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (name, value) in root {
        let name: &str = name.get_ref();
        if !LISTS.contains(&name) {
            continue;
        }
        let place = at(value.span().start);
        let refused = || {
            let found = shown(value.get_ref());
            format!("{place}: {name}: must be a list of tables, [[{name}]], got {found}")
        };
        let list = value.get_ref().as_array();
        if list.is_none() {
            mistakes.push(refused());
        }
        for (index, element) in list.into_iter().flatten().enumerate() {
            let Some(table) = element.get_ref().as_table() else {
                mistakes.push(refused());
                break;
            };
            let entries = Entries {
                title: format!("{} {}", name.trim_end_matches('s'), index + 1),
                place: at(element.span().start),
                table,
                at,
            };
            let read = match name {
                "keys" => entries.key(&mut draft.access),
                "publishers" => entries.publisher(&mut draft.access),
                _ => entries.rule(&mut draft.access),
            };
            mistakes.extend(read.err());
        }
    }
    mistakes
}

/// One table of a list.
struct Entries<'a> {
    /// What it is called in a complaint: `rule 2`.
    title: String,
    place: String,
    table: &'a DeTable<'a>,
    at: &'a dyn Fn(usize) -> String,
}

impl<'a> Entries<'a> {
    fn key(&self, draft: &mut AccessDraft) -> Result<(), String> {
        self.knows(&["file", "algorithm", "id"])?;
        let algorithm = self.get("algorithm").map(|value| {
            let known = Algorithm::NAMES;
            let named = value.get_ref().as_str().and_then(Algorithm::named);
            named.ok_or_else(|| {
                let found = shown(value.get_ref());
                let wanted = known.map(|name| format!("{name:?}")).join(", ");
                self.complain(
                    value,
                    "algorithm",
                    &format!("must be one of {wanted}, got {found}"),
                )
            })
        });
        let id = self.text("id")?.map(|(text, _)| text);
        let (file, source) = self.required("file")?;
        let read = access::read_keys(Path::new(file), algorithm.transpose()?, id);
        let keys = read.map_err(|why| format!("{source}: {why}"))?;
        // Others are public.
        if keys.iter().any(Key::is_secret) {
            draft.secret_files.push(file.into());
        }
        draft.keys.extend(keys);
        if draft.keys.len() > MOST_KEYS {
            return Err(format!("{source}: there are more than {MOST_KEYS} keys"));
        }
        Ok(())
    }

    fn publisher(&self, draft: &mut AccessDraft) -> Result<(), String> {
        self.knows(&["file", "pattern"])?;
        let (file, source) = self.required("file")?;
        let bytes = access::read(Path::new(file));
        let secret =
            bytes.and_then(|bytes| access::secret(&bytes, SHORTEST_SECRET).map(Secret::new));
        let secret = secret.map_err(|why| format!("{source}: {why}"))?;
        let (text, source) = self.text("pattern")?.unwrap_or(("/**", source));
        let text = text.into();
        draft.secret_files.push(file.into());
        draft.publishers.push((secret, Channels { source, text }));
        Ok(())
    }

    fn rule(&self, draft: &mut AccessDraft) -> Result<(), String> {
        self.knows(&["pattern", "operations", "allow", "claims"])?;
        let (text, source) = self.required("pattern")?;
        let rule = RuleDraft {
            channels: Channels {
                source,
                text: text.into(),
            },
            operations: self.operations()?,
            granted: self.granted()?,
        };
        draft.rules.push(rule);
        Ok(())
    }

    fn operations(&self) -> Result<Vec<Asked>, String> {
        let Some(value) = self.get("operations") else {
            return Ok(vec![Asked::Subscribe, Asked::Publish]);
        };
        let refused = |value: &Spanned<DeValue<'_>>| {
            let wanted = r#"must be a list of one or more of "create", "subscribe" and "publish""#;
            let found = shown(value.get_ref());
            self.complain(value, "operations", &format!("{wanted}, got {found}"))
        };
        let list = value.get_ref().as_array().ok_or_else(|| refused(value))?;
        if list.is_empty() {
            return Err(refused(value));
        }
        let operation = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
            Some("create") => Ok(Asked::Create),
            Some("subscribe") => Ok(Asked::Subscribe),
            Some("publish") => Ok(Asked::Publish),
            Some(_) | None => Err(refused(value)),
        };
        list.iter().map(operation).collect()
    }

    /// Whom it is for; those with a token, if it does not say.
    fn granted(&self) -> Result<Granted, String> {
        let wanted = match self.get("claims") {
            None => Vec::new(),
            Some(value) => match wanted(value.get_ref(), DEEPEST) {
                Some(Wanted::Members(members)) => members,
                Some(Wanted::OneOf(_)) | None => {
                    let why = "must be a table of texts, whole numbers, true or false, lists of \
                               these, and such tables";
                    return Err(self.complain(value, "claims", why));
                }
            },
        };
        let Some(value) = self.get("allow") else {
            return Ok(Granted::Authenticated(wanted));
        };
        match value.get_ref().as_str() {
            Some("authenticated") => Ok(Granted::Authenticated(wanted)),
            Some("anyone") if wanted.is_empty() => Ok(Granted::Anyone),
            Some("anyone") => {
                let why = "\"anyone\" and claims contradict each other";
                Err(self.complain(value, "allow", why))
            }
            Some(_) | None => {
                let found = shown(value.get_ref());
                let why = format!("must be \"anyone\" or \"authenticated\", got {found}");
                Err(self.complain(value, "allow", &why))
            }
        }
    }

    fn get(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(name)
    }

    /// The text that `name` is, with its place.
    fn text(&self, name: &str) -> Result<Option<(&'a str, String)>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| {
            let found = shown(value.get_ref());
            self.complain(value, name, &format!("must be a text, got {found}"))
        })?;
        Ok(Some((text, self.source(value, name))))
    }

    fn required(&self, name: &str) -> Result<(&'a str, String), String> {
        self.text(name)?
            .ok_or_else(|| format!("{}: {}: has no {name}", self.place, self.title))
    }

    /// Complains of the first key that is none of `names`.
    fn knows(&self, names: &[&str]) -> Result<(), String> {
        let is_unknown = |name: &&Spanned<_>| {
            let name: &toml::de::DeString<'_> = Spanned::get_ref(name);
            !names.contains(&name.as_ref())
        };
        let Some(name) = self.table.keys().find(is_unknown) else {
            return Ok(());
        };
        let (place, text): (_, &str) = ((self.at)(name.span().start), name.get_ref());
        let alike = nearest(text, names.iter().copied());
        let hint = alike.map(|name| format!("; did you mean {name}?"));
        let hint = hint.unwrap_or_default();
        Err(format!(
            "{place}: {}: {text}: unknown key{hint}",
            self.title
        ))
    }

    fn complain(&self, value: &Spanned<DeValue<'_>>, name: &str, why: &str) -> String {
        format!("{}: {why}", self.source(value, name))
    }

    /// `file:line: rule 2: key`.
    fn source(&self, value: &Spanned<DeValue<'_>>, name: &str) -> String {
        format!("{}: {}: {name}", (self.at)(value.span().start), self.title)
    }
}

/// What a rule wants of a claim; `None` if no claim can be that.
fn wanted(value: &DeValue<'_>, deepest: usize) -> Option<Wanted> {
    if let Some(table) = value.as_table() {
        let deepest = deepest.checked_sub(1)?;
        let member = |(name, value): (&Spanned<toml::de::DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let name: &str = name.get_ref();
            Some((name.into(), wanted(value.get_ref(), deepest)?))
        };
        return table
            .iter()
            .map(member)
            .collect::<Option<_>>()
            .map(Wanted::Members);
    }
    let values = match value.as_array() {
        Some(list) => list.iter().map(|value| scalar(value.get_ref())).collect(),
        None => scalar(value).map(|value| vec![value]),
    };
    values
        .filter(|values| !values.is_empty())
        .map(Wanted::OneOf)
}

fn scalar(value: &DeValue<'_>) -> Option<Value> {
    if let Some(integer) = value.as_integer() {
        let number = i64::from_str_radix(integer.as_str(), integer.radix());
        return number.ok().map(Value::from);
    }
    let text = value.as_str().map(Value::from);
    text.or_else(|| value.as_bool().map(Value::from))
}
