//! Forms as browsers send them: fields between `&`, percent signs, and `+` for a space.

/// The name and the value of each field.
pub fn fields(form: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = form
        .split(|byte| *byte == b'&')
        .filter(|field| !field.is_empty());
    let halves = fields.map(|field| {
        let sign = field.iter().position(|byte| *byte == b'=');
        let (name, value) = field.split_at(sign.unwrap_or(field.len()));
        (decode(name), decode(value.get(1..).unwrap_or_default()))
    });
    halves.collect()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let digits = text
            .get(at + 1..at + 3)
            .and_then(|digits| str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()));
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, escaped) {
            (b'%', Some(escaped)) => {
                decoded.push(escaped);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    decoded
}

/// The values of the fields `message`.
pub fn messages(form: &[u8]) -> Vec<Vec<u8>> {
    let messages = fields(form)
        .into_iter()
        .filter(|(name, _)| name == b"message");
    messages.map(|(_, value)| value).collect()
}
