//! Lines that stay lines.

use std::io::{self, Write};

/// Takes whole lines, and hands them on with all characters escaped that end a line, or do worse on a
/// terminal: what a client had a hand in cannot look like another line.
pub(super) struct Escaped<W>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with what is not to be shown as it is, but for its end.
fn escaped(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let (text, end) = match text.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (&*text, ""),
    };
    let mut escaped = String::with_capacity(text.len() + end.len());
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped + end
}

/// Whether it controls a terminal, ends a line, or turns the direction of what follows.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stays_one_line_whatever_it_shows() {
        for (line, shown) in [
            ("plain, with ünïcode\n", "plain, with ünïcode\n"),
            ("a\nINFO all is well\n", "a\\nINFO all is well\n"),
            ("\r\u{1b}[2Jgone\t\n", "\\r\\u{1b}[2Jgone\\t\n"),
            (
                "\u{9b}31m \u{2028} \u{202e}",
                "\\u{9b}31m \\u{2028} \\u{202e}",
            ),
            ("", ""),
        ] {
            let mut written = Vec::new();

            Escaped(&mut written).write_all(line.as_bytes()).unwrap();

            assert_eq!(String::from_utf8(written).unwrap(), shown);
        }
    }
}
