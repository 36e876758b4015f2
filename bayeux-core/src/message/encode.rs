//! Writing JSON: objects member by member, values that are JSON already spliced in as they are.

use alloc::vec::Vec;

/// An object being written at the end of `out`.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// A member whose value is checked JSON.
    pub(super) fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name).extend_from_slice(json);
    }

    pub(super) fn string(&mut self, name: &str, text: &str) {
        push_string(self.name(name), text);
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name, if value { b"true" } else { b"false" });
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        push_number(self.name(name), value);
    }

    pub(super) fn strings(&mut self, name: &str, texts: &[&str]) {
        let out = self.name(name);
        out.push(b'[');
        for (position, text) in texts.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            push_string(out, text);
        }
        out.push(b']');
    }

    /// Begins a member; its value belongs at the end of what this returns.
    pub(super) fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        push_string(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
    {
        let Some((plain, [special, after @ ..])) = rest.split_at_checked(at) else {
            break;
        };
        out.extend_from_slice(plain);
        push_escaped(out, *special);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let digit = |value: u8| {
                char::from_digit(u32::from(value), 16).map_or(b'0', |digit| digit as u8)
            };
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.get_mut(start..).unwrap_or_default().reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_string_may_not_hold_is_escaped_as_shortly_as_it_can_be() {
        let mut out = Vec::new();

        push_string(&mut out, "a\"b\\c\n\r\t\u{0}\u{8}\u{1f} \u{7f}\u{e9}");

        let wanted = r#""a\"b\\c\n\r\t\u0000\u0008\u001f"#;
        assert_eq!(out, alloc::format!("{wanted} \u{7f}\u{e9}\"").as_bytes());
    }
}
