//! Writes down what can be set, from the tables that the reading goes by.

use core::fmt::Write as _;

use super::draft::Draft;
use super::flag::{FLAGS, Times};
use super::key::{KEYS, Key, Table};
use super::not_here::NOT_HERE;
use super::slot::Slot;

const HEAD: &str = "\
# Configuration

A server takes what it is told from three places: flags, environment variables, and a file that `--config`
names. A flag counts more than a variable, and a variable more than the file. Whatever is not said has the
default below.

A mistake ends the server before it has begun, with exit code 2 and one line that says where the mistake is, for
example `bayeux.toml:12: timeout: must be between 0 and 86400000 (milliseconds), got -5`.

This page is written by the tables that the server reads by; a test keeps it so.

## Flags and variables

A flag that may be repeated takes one value each time. Its variable takes all of them, separated by commas; an
empty variable is as if unset. In `[server]` of the file the key is the flag's name without the dashes, and the
value a text, or a list of texts where the flag may be repeated. A flag without a value switches something on; its
variable and its key are `true` or `false`. What has no
flag is a secret, which others on the machine could read off the command line: it has a variable and a key, named
alike.

| Flag | Variable | Repeatable | Default | Meaning |
|---|---|---|---|---|
";

const ALSO: &str = "\
| `--config FILE` | `BAYEUX_CONFIG` | no | none | File to read; not a key of the file itself |
| `-h`, `--help` | | | | Print help, with the keys of the file if spelled out |
| `-V`, `--version` | | | | Print the version |

## The file

The file is TOML. Times are in milliseconds, as CometD has them. Keys at the top come before the first `[table]`. A
key that stands both at the top and in a table is taken from the table. A key that the server does not know is a
mistake. Where the default is –, the key is unset.

```toml
timeout = 30000
browserBinding = \"strict\"

[ws]
idleTimeout = 120000

[limits]
maxSubscriptions = 200

[server]
listen = [\"127.0.0.1:8080\", \"[::1]:8080\"]
allow-origin = \"https://chat.example\"
```
";

const LISTS: &str = "
### Lists of tables

[access.md](access.md) says what they are for. Relative names of files begin at the server's working directory.

`[[keys]]`, with which tokens are checked:

- `file`: a public key in PEM, the secret of HS256, or a JSON Web Key Set.
- `algorithm`: `HS256`, `RS256`, `ES256` or `EdDSA`; left out for a key set.
- `id`: the `kid` of the tokens that it has signed; unset: any.

`[[publishers]]`, who may publish because they know a secret:

- `file`: the file that has it.
- `pattern`: where to; unset: `/**`.

`[[rules]]`, by which all others may do something:

- `pattern`: on which channels; `{name}` as a whole segment is what the token says under that name.
- `operations`: what, a list of `create`, `subscribe` and `publish`; unset: to subscribe and to publish.
- `allow`: who, `authenticated` or `anyone`; unset: those with a token.
- `claims`: a table of what the token has to say besides.
";

/// All that can be set, in Markdown: the text of `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let draft = Draft::default();
    let mut page = String::from(HEAD);
    for flag in &FLAGS {
        line(
            &mut page,
            format_args!(
                "| {} | `{}` | {} | {} | {} |",
                match flag.times {
                    Times::Secret => "–".into(),
                    Times::Once | Times::Often | Times::Switch => format!("`{}`", flag.usage()),
                },
                flag.variable(),
                match flag.times {
                    Times::Often | Times::Secret => "yes",
                    Times::Once | Times::Switch => "no",
                },
                flag.default,
                flag.meaning
            ),
        );
    }
    page.push_str(ALSO);
    for table in Table::ALL {
        line(&mut page, format_args!("\n### {}\n", title(table)));
        line(
            &mut page,
            format_args!("| Key | Takes | Default | Meaning |\n|---|---|---|---|"),
        );
        for key in KEYS.iter().filter(|key| key.table == table) {
            line(&mut page, format_args!("{}", row(key, &draft)));
        }
    }
    page.push_str(LISTS);
    line(
        &mut page,
        format_args!("\n### Options of CometD that are refused\n"),
    );
    line(
        &mut page,
        format_args!("They would change nothing here.\n\n| Key | Why |\n|---|---|"),
    );
    for option in &NOT_HERE {
        line(
            &mut page,
            format_args!("| `{}` | {} |", option.table.path(option.name), option.why),
        );
    }
    page
}

/// The keys of the file, for `--help`.
pub(crate) fn summary() -> String {
    let draft = Draft::default();
    let mut text = String::new();
    for table in Table::ALL {
        match table.name() {
            None => line(
                &mut text,
                format_args!("Keys at the top of the file, with their defaults:"),
            ),
            Some(name) => line(&mut text, format_args!("\n[{name}]")),
        }
        for key in KEYS.iter().filter(|key| key.table == table) {
            let default = key.slot.value(&draft);
            let default = default.map_or("unset".into(), |value| value);
            line(&mut text, format_args!("  {} = {default}", key.name));
            line(
                &mut text,
                format_args!("      {}: {}", key.slot.range(), plain(key.meaning)),
            );
        }
    }
    line(
        &mut text,
        format_args!(
            "\n[server]\n  the flags above, by their long names\n\n\
             [[keys]], [[publishers]], [[rules]]\n  who may do what: see docs/access.md"
        ),
    );
    text
}

fn title(table: Table) -> String {
    match table.name() {
        None => "At the top".into(),
        Some(name) => format!("`[{name}]`"),
    }
}

fn row(key: &Key, draft: &Draft) -> String {
    let default = key
        .slot
        .value(draft)
        .map_or("–".into(), |value| format!("`{value}`"));
    format!(
        "| `{}` | {} | {default} | {} |",
        key.name,
        takes(&key.slot),
        key.meaning
    )
}

/// What a key takes, in the words of a table.
fn takes(slot: &Slot) -> String {
    match slot {
        Slot::Number {
            least,
            most,
            unit,
            off,
            ..
        } => {
            let off = off.map(|off| format!("; -1: {off}")).unwrap_or_default();
            format!("{}, {least} to {most}{off}", unit.noun())
        }
        Slot::Boolean { .. }
        | Slot::Text { .. }
        | Slot::Word { .. }
        | Slot::Words { .. }
        | Slot::Texts { .. } => slot.range(),
    }
}

fn plain(markdown: &str) -> String {
    markdown.replace('`', "")
}

fn line(text: &mut String, arguments: core::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{arguments}");
}
