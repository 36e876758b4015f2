//! Finds the markers in one source, and checks that each stands where a test is.

use super::RuleId;
use super::rust_source::RustSource;

/// What a source is written in, so far as the search for markers cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust: a marker must belong to a test.
    Rust,
    /// A script run by a test; its comments begin with `//`.
    Slashes,
    /// A script run by a test; its comments begin with `#`.
    Hash,
}

impl Language {
    /// The language of a file with that extension.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "rs" => Some(Self::Rust),
            "js" | "mjs" | "cjs" | "ts" | "java" => Some(Self::Slashes),
            "py" | "sh" | "rb" => Some(Self::Hash),
            _ => None,
        }
    }
}

/// One rule that a test says it proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The rule.
    pub rule: RuleId,
    /// `path:line`.
    pub place: String,
}

/// The markers of one source, or of many.
#[derive(Clone, Debug, Default)]
pub struct Markers {
    /// Those that are well formed and stand where a test is.
    pub sound: Vec<Marker>,
    /// What is wrong with the others, one line each.
    pub faults: Vec<String>,
}

impl Markers {
    /// Adds what `source` holds; `path` is only to name it.
    pub fn scan(&mut self, path: &str, source: &str, language: Language) {
        match language {
            Language::Rust => self.scan_rust(path, source),
            Language::Slashes => self.scan_script(path, source, "//"),
            Language::Hash => self.scan_script(path, source, "#"),
        }
    }

    fn scan_rust(&mut self, path: &str, source: &str) {
        let source = RustSource::new(source);
        let mut open = false;
        for comment in source.comments() {
            let place = format!("{path}:{}", comment.line);
            let Some(list) = Listing::read(comment.text, open) else {
                open = false;
                continue;
            };
            open = list.continues;
            match source.test_at(comment) {
                Ok(()) => self.take(&place, list),
                Err(why) => self.faults.push(format!("{place}: {why}")),
            }
        }
    }

    fn scan_script(&mut self, path: &str, source: &str, sigil: &str) {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let last_code = lines
            .iter()
            .rposition(|line| !line.is_empty() && !line.starts_with(sigil))
            .unwrap_or(0);
        let mut open = false;
        for (index, line) in lines.iter().enumerate() {
            let place = format!("{path}:{}", index + 1);
            let comment = line.strip_prefix(sigil);
            let Some(list) = comment.and_then(|text| Listing::read(text.trim(), open)) else {
                open = false;
                continue;
            };
            open = list.continues;
            if index < last_code {
                self.take(&place, list);
            } else {
                self.faults
                    .push(format!("{place}: no code follows the marker"));
            }
        }
    }

    fn take(&mut self, place: &str, list: Listing<'_>) {
        for text in list.ids {
            match RuleId::parse(text) {
                Some(rule) => self.sound.push(Marker {
                    rule,
                    place: place.to_owned(),
                }),
                None => self.faults.push(format!("{place}: `{text}` is no rule id")),
            }
        }
        if list.misspelt {
            self.faults.push(format!(
                "{place}: a marker is written `Proves: CN-9, CN-14`"
            ));
        }
    }
}

/// The ids on one line of a marker.
struct Listing<'a> {
    ids: Vec<&'a str>,
    /// Ends in a comma: the next comment line goes on with the list.
    continues: bool,
    /// Meant as a marker, but not in the form of one.
    misspelt: bool,
}

impl<'a> Listing<'a> {
    /// `None` if the comment is no marker; `open` if the one before it was a marker that ended in a comma.
    fn read(comment: &'a str, open: bool) -> Option<Self> {
        if let Some(list) = comment.strip_prefix("Proves: ") {
            return Some(Self::split(list));
        }
        if open {
            return Some(Self::split(comment));
        }
        let word = comment
            .get(..6)
            .filter(|word| word.eq_ignore_ascii_case("proves"))?;
        let rest = comment.strip_prefix(word)?.trim_start_matches([':', ' ']);
        let first = rest.split([',', ' ']).next().unwrap_or("");
        let meant =
            comment.starts_with("Proves:") || RuleId::parse(&first.to_ascii_uppercase()).is_some();
        meant.then_some(Self {
            ids: Vec::new(),
            continues: false,
            misspelt: true,
        })
    }

    fn split(list: &'a str) -> Self {
        let list = list.trim();
        let (list, continues) = match list.strip_suffix(',') {
            Some(list) => (list, true),
            None => (list, false),
        };
        Self {
            ids: list.split(',').map(str::trim).collect(),
            continues,
            misspelt: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(source: &str, language: Language) -> (Vec<String>, Vec<String>) {
        let mut markers = Markers::default();
        markers.scan("f", source, language);
        let sound = markers
            .sound
            .iter()
            .map(|marker| marker.rule.to_string())
            .collect();
        (sound, markers.faults)
    }

    fn sound(source: &str) -> Vec<String> {
        let (sound, faults) = scan(source, Language::Rust);
        assert_eq!(faults, Vec::<String>::new(), "{source}");
        sound
    }

    fn fault(source: &str) -> String {
        let (sound, faults) = scan(source, Language::Rust);
        assert_eq!((sound.len(), faults.len()), (0, 1), "{source}: {faults:?}");
        faults.concat()
    }

    #[test]
    fn a_marker_above_or_inside_a_test_counts() {
        let table = [
            "// Proves: CN-9, CN-14\n#[test]\nfn a() {}",
            "/// Proves: CN-9, CN-14\n#[test]\nfn a() {}",
            "#[test]\n// Proves: CN-9, CN-14\nfn a() {}",
            "#[tokio::test(flavor = \"current_thread\")]\n/// Proves: CN-9, CN-14\nasync fn a() {}",
            "#[test]\n#[should_panic(expected = \"}\")]\nfn a() {\n    // Proves: CN-9, CN-14\n}",
            "/// Proves: CN-9,\n/// CN-14\n#[test]\nfn a() {}",
            "// Proves: CN-9\n// Why it matters.\n// Proves: CN-14\n#[test]\nfn a() {}",
            "proptest! {\n    #![proptest_config(Config { cases: 9 })]\n\n    /// Proves: CN-9, CN-14\n    \
             #[test]\n    fn a(x in 0..9) {}\n}",
            "mod tests {\n    fn helper() {}\n\n    // Proves: CN-9, CN-14\n    #[test]\n    fn a() -> [u8; 2] { [0; 2] }\n}",
        ];

        for source in table {
            assert_eq!(sound(source), ["CN-9", "CN-14"], "{source}");
        }
    }

    #[test]
    fn a_table_counts_in_a_file_with_a_test() {
        let table = "const CASES: &[(&str, bool)] = &[\n    // Proves: CH-2\n    (\"/a\", true), // Proves: CH-3\n];\n";

        assert_eq!(
            sound(&format!("{table}\n#[test]\nfn cases_hold() {{}}")),
            ["CH-2", "CH-3"]
        );
        assert_eq!(scan(table, Language::Rust).1.len(), 2);
    }

    #[test]
    fn a_table_counts_where_a_macro_makes_tests_of_it() {
        let table = "// Proves: CH-2\ncases! {\n    // Proves: CH-3\n    plain, wildcard\n}\n";
        let makes = |attribute: &str| {
            let each = format!("$({attribute}\n        fn $case() {{ hold(); }})+");
            format!(
                "macro_rules! cases {{\n    ($($case:ident),+) => {{\n        {each}\n    }};\n}}\n{table}"
            )
        };

        assert_eq!(sound(&makes("#[test]")), ["CH-2", "CH-3"]);
        assert_eq!(scan(&makes(""), Language::Rust).1.len(), 2);
    }

    #[test]
    fn a_marker_where_no_test_is_is_a_fault() {
        let elsewhere = "\n\n#[test]\nfn a() {}";
        let table = [
            "// Proves: CN-9\npub fn helper() {}",
            "pub fn helper() {\n    // Proves: CN-9\n}",
            "// Proves: CN-9\n// #[test]\nfn commented_out() {}",
            "// Proves: CN-9\n#[cfg(test)]\nfn helper() {}",
        ];

        for source in table {
            assert!(
                fault(&format!("{source}{elsewhere}")).contains("no test"),
                "{source}"
            );
        }
        assert!(fault("// Proves: CN-9").contains("no test"));
        assert!(fault("// Proves: CN-9\nconst A: u8 = 1;").contains("no test"));
    }

    #[test]
    fn an_ignored_test_proves_nothing() {
        assert!(
            fault("// Proves: CN-9\n#[test]\n#[ignore = \"slow\"]\nfn a() {}").contains("ignored")
        );
    }

    #[test]
    fn what_only_looks_like_a_marker_is_none() {
        let table = [
            "#[test]\nfn a() { let text = \"// Proves: CN-9\"; }",
            "#[test]\nfn a() { let text = r#\"\n// Proves: CN-9\n\"#; }",
            "// // Proves: CN-9\n#[test]\nfn a() {}",
            "// It proves CN-9 to be right.\n#[test]\nfn a() {}",
            "// Proves that the queue is kept.\n#[test]\nfn a() {}",
            "#[test]\nfn a() { let url = \"http://x\"; let quote = '\"'; } // '",
        ];

        for source in table {
            assert_eq!(sound(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn a_malformed_marker_is_a_fault() {
        let table = [
            "Proves: ",
            "Proves:CN-9",
            "Proves CN-9",
            "proves: CN-9",
            "Proves: CN9",
            "Proves: cn-9",
            "Proves: CN-9 CN-14",
            "Proves: CN-9.",
        ];

        for comment in table {
            fault(&format!("// {comment}\n#[test]\nfn a() {{}}"));
        }
        let (sound, faults) = scan("// Proves: CN-9, CN-1x\n#[test]\nfn a() {}", Language::Rust);
        assert_eq!(sound, ["CN-9"]);
        assert_eq!(faults, ["f:1: `CN-1x` is no rule id"]);
    }

    #[test]
    fn scripts_carry_markers_above_code() {
        let js = "import a from 'a';\n\n  // Proves: CN-9,\n  //   CN-14\nawait connect();\n";
        let py = "# Proves: CN-9, CN-14\nconnect()\n";

        assert_eq!(scan(js, Language::Slashes).0, ["CN-9", "CN-14"]);
        assert_eq!(scan(py, Language::Hash).0, ["CN-9", "CN-14"]);
        assert_eq!(
            scan("connect();\n// Proves: CN-9\n", Language::Slashes)
                .0
                .len(),
            0
        );
        assert_eq!(
            scan("connect();\n// Proves: CN-9\n", Language::Slashes).1,
            ["f:2: no code follows the marker"]
        );
    }
}
