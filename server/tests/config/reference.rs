//! What the reference says of each key is what the key takes.

use super::*;

/// A row of the reference: table, key, what it takes, default.
pub(super) struct Row {
    pub(super) table: String,
    pub(super) key: String,
    takes: String,
    default: String,
}

/// The keys that the reference knows, those of `[server]` apart.
pub(super) fn rows() -> Vec<Row> {
    let reference = reference();
    let (_, keys) = reference.split_once("### At the top").unwrap();
    let (keys, _) = keys.split_once("### Options of CometD").unwrap();
    let mut table = String::new();
    let mut rows = Vec::new();
    for line in keys.lines() {
        if let Some(title) = line.strip_prefix("### `[") {
            table = title.trim_end_matches("]`").into();
        } else if line.starts_with("| `") {
            let cells: Vec<_> = line
                .split(" | ")
                .map(|cell| cell.trim_matches(['|', ' ', '`']))
                .collect();
            let [key, takes, default, _] = cells[..] else {
                panic!("{line}")
            };
            let [key, takes, default] = [key, takes, default].map(String::from);
            rows.push(Row {
                table: table.clone(),
                key,
                takes,
                default,
            });
        }
    }
    rows
}

#[test]
fn every_default_of_the_reference_is_what_a_key_takes_and_changes_nothing() {
    let untold = format!("{:?}", Settings::default());
    for Row {
        table,
        key,
        default,
        ..
    } in rows()
    {
        if default == "–" {
            continue;
        }
        let told = toml(&with(&table, &key, &default)).settings();

        assert_eq!(format!("{told:?}"), untold, "{table} {key} = {default}");
    }
}

#[test]
fn every_number_is_taken_to_its_edges_and_not_beyond() {
    let mut numbers = 0;
    for Row {
        table, key, takes, ..
    } in rows()
    {
        let Some((unit, range)) = takes.split_once(", ") else {
            continue;
        };
        if !["number", "bytes", "milliseconds", "seconds"].contains(&unit) {
            continue;
        }
        numbers += 1;
        let (range, off) = match range.split_once("; ") {
            Some((range, _)) => (range, true),
            None => (range, false),
        };
        let (least, most) = range.split_once(" to ").unwrap();
        let (least, most): (i64, i64) = (least.parse().unwrap(), most.parse().unwrap());
        // Times that have to fit each other are not the point here.
        let start = |value: i64| match (&*table, &*key) {
            ("ws", "idleTimeout") => toml(&format!("timeout = 0\n[ws]\nidleTimeout = {value}\n")),
            ("ws", key) => toml(&format!("[ws]\n{key} = {value}\nidleTimeout = -1\n")),
            (table, key) => toml(&format!(
                "ws.idleTimeout = -1\n{}",
                with(table, key, &value.to_string())
            )),
        };
        for value in [least, most] {
            assert!(start(value).run().is_ok(), "{table} {key} = {value}");
        }
        if off {
            assert!(start(-1).run().is_ok(), "{table} {key} = -1");
        }
        let below = if off && least == 0 { -2 } else { least - 1 };
        for value in [below, most + 1] {
            let line = match (&*table, &*key) {
                ("", _) | ("ws", _) if key != "idleTimeout" => 2,
                _ => 3,
            };
            let path = if table.is_empty() {
                key.clone()
            } else {
                format!("{table}.{key}")
            };
            let or = if off { "-1 or " } else { "" };
            let unit = if unit == "number" {
                String::new()
            } else {
                format!(" ({unit})")
            };
            assert_eq!(
                start(value).mistake(),
                format!(
                    "F:{line}: {path}: must be {or}between {least} and {most}{unit}, got {value}"
                )
            );
        }
    }
    assert!(numbers > 40, "the reference was understood: {numbers}");
}

#[test]
fn a_word_is_one_of_those_that_the_reference_names() {
    for Row {
        table, key, takes, ..
    } in rows()
    {
        if !takes.starts_with('"') {
            continue;
        }
        for word in takes.split('"').skip(1).step_by(2) {
            let told = with(
                &table,
                &key,
                &format!("{word:?}\nbrowserCookieSecure = true"),
            );
            assert!(toml(&told).run().is_ok(), "{key} = {word}");
        }
        assert_eq!(
            toml(&with(&table, &key, "'x'")).mistake(),
            format!("F:1: {key}: must be {takes}, got \"x\"")
        );
    }
}

#[test]
fn a_value_of_another_kind_is_refused_with_its_line_and_key() {
    for Row { table, key, .. } in rows() {
        let at = if table.is_empty() { 1 } else { 2 };
        let path = if table.is_empty() {
            key.clone()
        } else {
            format!("{table}.{key}")
        };
        for (value, shown) in [
            ("1979-05-27", "a date"),
            ("1.5", "1.5"),
            ("{ a = 1 }", "a table"),
        ] {
            let mistake = toml(&with(&table, &key, value)).mistake();
            assert!(
                mistake.starts_with(&format!("F:{at}: {path}: must be "))
                    && mistake.ends_with(&format!(", got {shown}")),
                "{mistake}"
            );
        }
    }
}

#[test]
fn a_key_in_a_table_counts_more_than_the_same_at_the_top() {
    let settings = toml(
        "maxQueue = 5\nmaxMessageSize = 5000\ncallbackParameter = 'top'\n\
         [limits]\nmaxQueuedEvents = 7\nmaxMessageSize = 7000\n\
         [callback-polling]\ncallbackParameter = 'own'\n",
    )
    .settings();

    assert_eq!(settings.engine.limits.max_queued_events, 7);
    assert_eq!(settings.engine.limits.max_message_size, 7000);
    assert_eq!(&*settings.http.callback_parameter, "own");
}

#[test]
fn keys_may_be_written_in_every_way_of_toml() {
    for text in [
        "[ws]\ntimeout = 7",
        "ws.timeout = 7",
        "ws = { timeout = 7 }",
        "ws.'timeout' = 0x7",
    ] {
        assert_eq!(
            toml(text).settings().engine.websocket.timeout,
            Some(ms(7)),
            "{text}"
        );
    }
    assert_eq!(
        toml("\n\nws.tmeout = 7").mistake(),
        "F:3: ws.tmeout: unknown key; did you mean timeout?"
    );
}
