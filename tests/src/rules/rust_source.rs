//! As much of Rust's syntax as it takes to say whether a comment belongs to a test.
//!
//! The source is copied with comments, strings and characters blanked out, byte for byte, so that an offset means the
//! same in both and a brace in the copy is a brace of the code.

/// A line comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'a> {
    /// Without the slashes and the space around it.
    pub(super) text: &'a str,
    /// Counted from 1.
    pub(super) line: usize,
    start: usize,
    end: usize,
}

/// A source with what was found in it.
pub(super) struct RustSource<'a> {
    code: Vec<u8>,
    comments: Vec<Comment<'a>>,
    functions: Vec<Function>,
}

struct Function {
    name: String,
    /// Offset of the keyword.
    keyword: usize,
    /// Offsets of the braces; empty where the function has no body.
    body: std::ops::Range<usize>,
    is_test: bool,
    is_ignored: bool,
}

impl<'a> RustSource<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let (code, comments) = blank(source);
        let functions = functions(&code);
        Self {
            code,
            comments,
            functions,
        }
    }

    pub(super) fn comments(&self) -> &[Comment<'a>] {
        &self.comments
    }

    /// Whether the comment stands inside a test, above one, or in a table of a file that has one.
    pub(super) fn test_at(&self, comment: &Comment<'_>) -> Result<(), String> {
        let inside = |function: &&Function| function.body.contains(&comment.start);
        let around: Vec<&Function> = self.functions.iter().filter(inside).collect();
        if let Some(outermost) = around.first() {
            let test = around.iter().find(|function| function.is_test);
            return test.unwrap_or(outermost).must_run();
        }
        let keyword = self.skip_to_item(comment.end);
        if let Some(next) = self
            .functions
            .iter()
            .find(|function| function.keyword == keyword)
        {
            return next.must_run();
        }
        let runs = |function: &Function| function.must_run().is_ok();
        if self.functions.iter().any(runs) {
            Ok(())
        } else {
            Err("there is no test in this file".to_owned())
        }
    }

    /// The offset of the next word that is neither in an attribute nor a qualifier of what follows.
    fn skip_to_item(&self, from: usize) -> usize {
        let mut at = skip_space(&self.code, from);
        loop {
            let next = match self.code.get(at) {
                Some(b'#') => {
                    let bracket = at + usize::from(self.code.get(at + 1) == Some(&b'!')) + 1;
                    closing(&self.code, bracket) + 1
                }
                Some(b'(') => closing(&self.code, at) + 1,
                Some(_) if is_qualifier(word(&self.code, at)) => at + word(&self.code, at).len(),
                Some(_) | None => return at,
            };
            at = skip_space(&self.code, next);
        }
    }
}

impl Function {
    fn must_run(&self) -> Result<(), String> {
        match (self.is_test, self.is_ignored) {
            (true, false) => Ok(()),
            (true, true) => Err(format!("the test `{}` is ignored", self.name)),
            (false, _) => Err(format!("`{}` is no test", self.name)),
        }
    }
}

/// The source without comments, strings and characters, and its line comments.
fn blank(source: &str) -> (Vec<u8>, Vec<Comment<'_>>) {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut comments = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let end = end_of_blank(bytes, at);
        if end == at {
            line += usize::from(bytes.get(at) == Some(&b'\n'));
            at += 1;
            continue;
        }
        let text = source.get(at..end).unwrap_or_default();
        if text.starts_with("//") {
            comments.push(Comment {
                text: comment_text(text),
                line,
                start: at,
                end,
            });
        }
        line += text.matches('\n').count();
        for byte in code.get_mut(at..end).into_iter().flatten() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    (code, comments)
}

/// `text` without what makes it a comment: two slashes, and a third or a `!` if it documents something.
fn comment_text(text: &str) -> &str {
    let text = text.strip_prefix("//").unwrap_or(text);
    let text = text.strip_prefix(['/', '!']).unwrap_or(text);
    text.trim()
}

/// Where the comment, string or character that begins at `at` is over; `at` if none begins there.
fn end_of_blank(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = match rest {
        [b'/', b'/', ..] => rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if begins_raw(bytes, at) => raw_string(rest),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', first, ..] => {
            // A character, unless what follows it is no quote: then a lifetime.
            let width = match first {
                0..=0x7F => 1,
                0x80..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0.. => 4,
            };
            if rest.get(1 + width) == Some(&b'\'') {
                width + 2
            } else {
                0
            }
        }
        _ => 0,
    };
    at + length
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Whether the `r` at `at` is a prefix of its own (`r`, `br`, `cr`), not the end of a name.
fn begins_raw(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at)).copied();
    match before(1) {
        Some(b'b' | b'c') => !before(2).is_some_and(is_name),
        byte => !byte.is_some_and(is_name),
    }
}

fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest
        .iter()
        .skip(1)
        .take_while(|byte| **byte == b'#')
        .count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0; // a raw name, as in `r#fn`
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = rest.get(2 + hashes..).unwrap_or_default();
    let found = body.windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| 2 + hashes + found + end.len())
}

/// The functions of blanked code, outer ones before inner ones.
fn functions(code: &[u8]) -> Vec<Function> {
    let starts = (0..code.len()).filter(|at| {
        word(code, *at) == b"fn"
            && !at
                .checked_sub(1)
                .is_some_and(|at| code.get(at).copied().is_some_and(is_name))
    });
    starts
        .filter_map(|keyword| function(code, keyword))
        .collect()
}

fn function(code: &[u8], keyword: usize) -> Option<Function> {
    let at = skip_space(code, keyword + 2);
    // A macro that makes tests gives them names later.
    let name = word(code, at + usize::from(code.get(at) == Some(&b'$')));
    if name.is_empty() {
        return None; // a type, as in `fn(u8)`
    }
    let attributes = attributes_before(code, keyword);
    Some(Function {
        name: String::from_utf8_lossy(name).into_owned(),
        keyword,
        body: body(code, keyword),
        is_test: attributes
            .iter()
            .any(|path| path.rsplit("::").next() == Some("test")),
        is_ignored: attributes.iter().any(|path| path == "ignore"),
    })
}

/// From the opening brace to the closing one; empty if a semicolon comes first.
fn body(code: &[u8], keyword: usize) -> std::ops::Range<usize> {
    let mut at = keyword;
    while let Some(byte) = code.get(at) {
        match *byte {
            b'(' | b'[' => at = closing(code, at),
            b'{' => return at..closing(code, at) + 1,
            b';' => break,
            _ => {}
        }
        at += 1;
    }
    at..at
}

/// The paths of the attributes of the item whose keyword stands at `keyword`: `test`, `tokio::test`, `ignore`.
fn attributes_before(code: &[u8], keyword: usize) -> Vec<String> {
    let mut paths = Vec::new();
    let mut head = code.get(..keyword).unwrap_or_default().trim_ascii_end();
    loop {
        let last = last_word(head);
        if is_qualifier(last) {
            head = head
                .get(..head.len() - last.len())
                .unwrap_or_default()
                .trim_ascii_end();
        } else if head.ends_with(b")") && is_visibility(head) {
            head = head
                .get(..opening(head))
                .unwrap_or_default()
                .trim_ascii_end();
        } else if head.ends_with(b"]") {
            let bracket = opening(head);
            let inner = head.get(bracket + 1..head.len() - 1).unwrap_or_default();
            let path = inner
                .split(|byte| !is_name(*byte) && *byte != b':' && *byte != b' ')
                .next();
            let path = String::from_utf8_lossy(path.unwrap_or_default()).replace(' ', "");
            head = head.get(..bracket).unwrap_or_default().trim_ascii_end();
            let Some(before) = head.strip_suffix(b"#") else {
                return paths;
            };
            paths.push(path);
            head = before.trim_ascii_end();
        } else {
            return paths;
        }
    }
}

fn is_visibility(head: &[u8]) -> bool {
    last_word(head.get(..opening(head)).unwrap_or_default()) == b"pub"
}

/// The offset of the bracket that closes the one at `at`, or the last offset.
fn closing(code: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return offset;
        }
    }
    code.len().max(at + 1) - 1
}

/// The offset of the bracket that the last byte of `head` closes.
fn opening(head: &[u8]) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in head.iter().enumerate().rev() {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' | b'{' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return offset;
        }
    }
    0
}

fn skip_space(code: &[u8], from: usize) -> usize {
    let space = code
        .iter()
        .skip(from)
        .take_while(|byte| byte.is_ascii_whitespace());
    from + space.count()
}

/// The word that begins at `at`; empty if none does.
fn word(code: &[u8], at: usize) -> &[u8] {
    let rest = code.get(at..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| is_name(**byte)).count();
    rest.get(..length).unwrap_or_default()
}

fn last_word(code: &[u8]) -> &[u8] {
    let length = code.iter().rev().take_while(|byte| is_name(**byte)).count();
    code.get(code.len() - length..).unwrap_or_default()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_qualifier(word: &[u8]) -> bool {
    matches!(word, b"pub" | b"async" | b"unsafe" | b"const" | b"extern")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        String::from_utf8(blank(source).0).unwrap()
    }

    #[test]
    fn comments_strings_and_characters_are_blanked_and_nothing_else() {
        let table = [
            ("a // {\nb", "a b"),
            ("a /* { /* } */ { */ b", "a b"),
            (r#"f("{\"}", b"{")"#, "f( , b )"),
            ("f(r#\"{\"}\"#, r\"\\\")", "f( , )"),
            ("br#\"}\"# r#fn var\"}\"", "b r#fn var"),
            ("'{' b'\\'' '\\u{7D}' 'ß' '€' '😀' c", "b c"),
            ("fn a<'a>(x: &'a str) {}", "fn a<'a>(x: &'a str) {}"),
        ];

        for (source, expected) in table {
            let words = code(source)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            assert_eq!(words, expected, "{source}");
            assert_eq!(code(source).len(), source.len(), "{source}");
        }
    }

    #[test]
    fn line_numbers_count_the_lines_inside_strings_and_comments() {
        let source = "\"\n\n\" /* \n */\n// five\n/// six\n//! seven";
        let (_, comments) = blank(source);

        let seen: Vec<(usize, &str)> = comments
            .iter()
            .map(|comment| (comment.line, comment.text))
            .collect();

        assert_eq!(seen, [(5, "five"), (6, "six"), (7, "seven")]);
    }

    #[test]
    fn tests_are_known_by_their_attribute() {
        let table = [
            ("#[test] fn a() {}", true, false),
            ("#[tokio::test] pub(crate) async fn a() {}", true, false),
            ("#[ignore = \"why\"] #[test] fn a() {}", true, true),
            ("#[cfg(test)] fn a() {}", false, false),
            ("#[inline] fn a() {}", false, false),
            ("const T: [u8; 1] = [test]; fn a() {}", false, false),
            ("#[test] fn b() {} fn a() {}", false, false),
        ];

        for (source, is_test, is_ignored) in table {
            let source = RustSource::new(source);
            let function = source
                .functions
                .iter()
                .find(|function| function.name == "a")
                .unwrap();
            assert_eq!(
                (function.is_test, function.is_ignored),
                (is_test, is_ignored)
            );
        }
    }

    #[test]
    fn unbalanced_code_is_survived() {
        for source in [
            "fn", "fn a(", "fn a() {", "#[", "#", "}", "'", "r#", "/*", "\"", "fn a() }",
            "// x\n#[",
        ] {
            let source = RustSource::new(source);
            for comment in source.comments() {
                assert!(source.test_at(comment).is_err());
            }
        }
    }
}
