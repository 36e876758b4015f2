//! Reads the file: TOML, every complaint with its line.

use std::fs;
use std::path::Path;

use strsim::damerau_levenshtein;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::access;
use super::draft::Draft;
use super::flag::{FLAGS, Given, Times};
use super::key::{KEYS, Key, Table};
use super::not_here::NOT_HERE;
use super::slot::shown;

const SERVER: &str = "server";

/// Puts what the file at `path` says into `draft`; or says what is wrong with it, one line each.
pub(crate) fn read(path: &Path, draft: &mut Draft) -> Result<(), Vec<String>> {
    let name = path.display().to_string();
    let text = text(path, &name).map_err(|why| vec![why])?;
    File {
        name: &name,
        text: &text,
    }
    .apply(draft)?;
    // Nothing else has been read yet.
    if !draft.settings.admin.keys.is_empty() {
        draft.settings.secret_files.push(path.into());
    }
    Ok(())
}

fn text(path: &Path, name: &str) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("{name}:{line}: is not UTF-8")
    })
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

/// A key with its value, as the file has them.
struct Entry<'a> {
    /// The name of the table that it stands in; empty at the top.
    table: &'a str,
    name: &'a str,
    /// Where the name begins.
    at: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl File<'_> {
    fn apply(&self, draft: &mut Draft) -> Result<(), Vec<String>> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!(
                "{}: {}{}",
                self.at(at),
                self.key_at(at),
                error.message().replace('\n', ", ")
            )]
        })?;
        let entries = Self::entries(root.get_ref());
        let mistakes = entries
            .iter()
            .filter_map(|entry| self.apply_entry(draft, entry).err());
        let mut mistakes: Vec<_> = mistakes.collect();
        mistakes.extend(access::read(root.get_ref(), &|at| self.at(at), draft));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        // Whatever the order of the file: the more special key counts.
        let special = entries.iter().filter(|entry| !entry.table.is_empty());
        let mut mistakes = special.filter_map(|entry| self.apply_entry(draft, entry).err());
        mistakes.next().map_or(Ok(()), |why| Err(vec![why]))
    }

    /// All entries, in the order of the file, so that the first mistake is the one to be told of.
    fn entries<'a>(root: &'a DeTable<'a>) -> Vec<Entry<'a>> {
        let mut entries = Vec::new();
        for (name, value) in root {
            let (name, at) = (name_of(name), name.span().start);
            if access::LISTS.contains(&name) {
                continue;
            }
            match value.get_ref().as_table().filter(|_| is_table(name)) {
                Some(inner) => entries.extend(inner.iter().map(|(key, value)| Entry {
                    table: name,
                    name: name_of(key),
                    at: key.span().start,
                    value,
                })),
                None => entries.push(Entry {
                    table: "",
                    name,
                    at,
                    value,
                }),
            }
        }
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn apply_entry(&self, draft: &mut Draft, entry: &Entry<'_>) -> Result<(), String> {
        if entry.table == SERVER {
            return self.apply_flag(draft, entry);
        }
        let Some(key) = find(entry.table, entry.name) else {
            return Err(format!(
                "{}: {}",
                self.source(entry, entry.at),
                unknown(entry)
            ));
        };
        let source = self.source(entry, entry.value.span().start);
        key.slot
            .set(draft, entry.value.get_ref())
            .and_then(|()| refuse_408(key, draft))
            .map_err(|why| format!("{source}: {why}"))?;
        let text = self.text.get(entry.value.span());
        draft.settings.said.note(&key.path(), text.into_iter());
        draft.sources.insert(key.path(), source);
        Ok(())
    }

    fn apply_flag(&self, draft: &mut Draft, entry: &Entry<'_>) -> Result<(), String> {
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == entry.name) else {
            return Err(format!(
                "{}: {}",
                self.source(entry, entry.at),
                unknown(entry)
            ));
        };
        let values = match (entry.value.get_ref(), flag.times) {
            (DeValue::Array(array), Times::Often | Times::Secret) => array.iter().collect(),
            _ => vec![entry.value],
        };
        let mut given = Vec::new();
        for value in values {
            let source = self.source(entry, value.span().start);
            let value = value.get_ref();
            let (fits, wanted) = match flag.times {
                Times::Once => (value.is_str() || value.is_integer(), "a text"),
                Times::Often | Times::Secret => (
                    value.is_str() || value.is_integer(),
                    "a text or a list of texts",
                ),
                Times::Switch => (value.is_bool(), "true or false"),
            };
            if !fits && flag.times == Times::Secret {
                return Err(format!("{source}: must be {wanted}"));
            }
            if !fits {
                return Err(format!("{source}: must be {wanted}, got {}", shown(value)));
            }
            let text = value.as_str().map_or_else(|| shown(value), String::from);
            given.push(Given { source, text });
        }
        if given.is_empty() {
            return Ok(());
        }
        flag.apply(draft, &given)
    }

    /// `key: `, if the line there seems to set one.
    fn key_at(&self, at: usize) -> String {
        let start = self
            .text
            .get(..at)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |end| end + 1);
        let line = self
            .text
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        match line.split_once('=') {
            Some((key, _)) => format!("{}: ", key.trim()),
            None => String::new(),
        }
    }

    /// `file:line: key`.
    fn source(&self, entry: &Entry<'_>, at: usize) -> String {
        match entry.table {
            "" => format!("{}: {}", self.at(at), entry.name),
            table => format!("{}: {table}.{}", self.at(at), entry.name),
        }
    }

    /// `file:line`.
    fn at(&self, at: usize) -> String {
        let before = self.text.bytes().take(at);
        format!(
            "{}:{}",
            self.name,
            before.filter(|byte| *byte == b'\n').count() + 1
        )
    }
}

fn name_of<'a>(name: &'a Spanned<DeString<'a>>) -> &'a str {
    name.get_ref()
}

fn is_table(name: &str) -> bool {
    name == SERVER || Table::ALL.iter().any(|table| table.name() == Some(name))
}

fn find(table: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.table.name().unwrap_or_default() == table && key.name == name)
}

/// 408 is an error like any other, but browsers repeat the request (CN-9).
fn refuse_408(key: &Key, draft: &Draft) -> Result<(), String> {
    if key.name == "duplicateMetaConnectHttpResponseCode"
        && draft.settings.duplicate_connect_status == 408
    {
        return Err("must not be 408, which makes browsers repeat the request".into());
    }
    Ok(())
}

/// What to say of a key that is none of ours.
fn unknown(entry: &Entry<'_>) -> String {
    let not_here = NOT_HERE.iter().find(|option| {
        option.table.name().unwrap_or_default() == entry.table && option.name == entry.name
    });
    if let Some(option) = not_here {
        return format!("not an option of this server: {}", option.why);
    }
    if entry.table.is_empty() && is_table(entry.name) {
        return format!("must be a table, got {}", shown(entry.value.get_ref()));
    }
    let kind = if is_unknown_table(entry) {
        "table"
    } else {
        "key"
    };
    match suggestion(entry) {
        Some(suggestion) => format!("unknown {kind}; {suggestion}"),
        None => format!("unknown {kind}"),
    }
}

fn is_unknown_table(entry: &Entry<'_>) -> bool {
    entry.table.is_empty() && entry.value.get_ref().is_table()
}

/// The key that was perhaps meant: one in the same table that is spelled alike, else one that stands
/// elsewhere.
fn suggestion(entry: &Entry<'_>) -> Option<String> {
    let all = || {
        let keys = KEYS
            .iter()
            .map(|key| (key.table.name().unwrap_or_default(), key.name));
        let flags = FLAGS.iter().map(|flag| (SERVER, flag.name));
        keys.chain(flags)
    };
    let tables = || {
        Table::ALL
            .iter()
            .filter_map(|table| table.name())
            .chain([SERVER])
    };
    let here = || {
        all()
            .filter(|(table, _)| *table == entry.table)
            .map(|(_, name)| name)
    };
    let alike = if is_unknown_table(entry) {
        nearest(entry.name, tables()).map(|name| format!("[{name}]"))
    } else {
        nearest(entry.name, here()).map(String::from)
    };
    if let Some(name) = alike {
        return Some(format!("did you mean {name}?"));
    }
    let (table, _) = all().find(|(_, name)| *name == entry.name)?;
    Some(match table {
        "" => "it belongs at the top of the file, before the first [table]".into(),
        table => format!("it belongs in [{table}]"),
    })
}

/// Of `names` the one most like `name`, if it is like it at all.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let name = plain(name);
    names
        .map(|other| (damerau_levenshtein(&name, &plain(other)), other))
        .filter(|(distance, other)| *distance <= (other.len() / 4).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}
