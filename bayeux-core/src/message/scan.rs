//! One pass over text from outside, before any parser sees it.
//!
//! It finds what the parser lets through in values that it does not look into: nesting without end,
//! halves of surrogate pairs, numbers beyond every double. Passed on unread, they would break each
//! strict subscriber together with the other events of the same frame (DE-15). It knows no grammar: text
//! that is no JSON at all may pass here, and fails in the parser.

use super::decode::DecodeError;

/// How deep the text of a bare message lies: within the list that it should have been in.
pub(super) const IN_LIST: usize = 1;

/// How deep the value of a member lies: within a message within a list.
pub(super) const IN_MESSAGE: usize = 2;

/// Checks `text`, which itself lies `depth` levels deep, for more than `max_depth` levels, lone
/// surrogates and numbers that no double holds.
pub(super) fn check(text: &str, max_depth: usize, mut depth: usize) -> Result<(), DecodeError> {
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b'"' => skip_string(after)?,
            b'0'..=b'9' | b'-' => skip_number(rest)?,
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return Err(DecodeError::TooDeep);
                }
                after
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                after
            }
            _ => after,
        };
    }
    Ok(())
}

/// What follows the string whose inside `rest` begins with.
fn skip_string(mut rest: &[u8]) -> Result<&[u8], DecodeError> {
    loop {
        rest = match skip_plain(rest) {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'u', after @ ..] => skip_unicode(after)?,
            [b'\\', _, after @ ..] => after,
            _ => return Err(DecodeError::NotJson),
        };
    }
}

/// What follows the characters of a string that stand for themselves; eight at a time while it can.
fn skip_plain(mut rest: &[u8]) -> &[u8] {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Exact up to and including the first zero byte, all that is asked for.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let found = zeros(word ^ (LOW * b'"' as u64)) | zeros(word ^ (LOW * b'\\' as u64));
        if found != 0 {
            return rest
                .get(found.trailing_zeros() as usize / 8..)
                .unwrap_or_default();
        }
        rest = after;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    end.and_then(|end| rest.get(end..)).unwrap_or_default()
}

/// What follows the digits of `\u`, and those of the other half if it is one of a pair.
fn skip_unicode(rest: &[u8]) -> Result<&[u8], DecodeError> {
    match code_unit(rest)? {
        (0xd800..=0xdbff, [b'\\', b'u', after @ ..]) => match code_unit(after)? {
            (0xdc00..=0xdfff, after) => Ok(after),
            _ => Err(DecodeError::NotJson),
        },
        (0xd800..=0xdfff, _) => Err(DecodeError::NotJson),
        (_, after) => Ok(after),
    }
}

fn code_unit(rest: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    let (digits, after) = rest.split_first_chunk::<4>().ok_or(DecodeError::NotJson)?;
    let mut unit = 0;
    for digit in digits {
        let digit = char::from(*digit)
            .to_digit(16)
            .ok_or(DecodeError::NotJson)?;
        unit = unit * 16 + digit;
    }
    Ok((unit, after))
}

/// What follows the number that `rest` begins with.
fn skip_number(rest: &[u8]) -> Result<&[u8], DecodeError> {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let end = rest
        .iter()
        .position(|byte| !is_part(byte))
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    if is_finite(number) {
        Ok(after)
    } else {
        Err(DecodeError::NotJson)
    }
}

/// Whether a double can hold `number`, if roughly.
fn is_finite(number: &[u8]) -> bool {
    let exponent = number
        .iter()
        .rev()
        .position(|byte| matches!(byte, b'e' | b'E'))
        .unwrap_or(0);
    if number.len() <= 200 && exponent <= 2 {
        return true; // below 1e300
    }
    let value = core::str::from_utf8(number)
        .ok()
        .and_then(|number| number.parse::<f64>().ok());
    value.is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    // Proves: FR-6
    #[test]
    fn depth_is_counted_from_the_outermost_list() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));

        // FR-6, DE-15
        assert_eq!(check(&nested(128), 128, 0), Ok(()));
        assert_eq!(check(&nested(129), 128, 0), Err(DecodeError::TooDeep));
        assert_eq!(check(&nested(127), 128, IN_LIST), Ok(()));
        assert_eq!(check(&nested(128), 128, IN_LIST), Err(DecodeError::TooDeep));
        assert_eq!(check(&nested(1_000_000), 128, 0), Err(DecodeError::TooDeep));
        assert_eq!(check(&"[]".repeat(1000), 2, 0), Ok(()), "side by side");
        assert_eq!(check(r#"["[[[[","\"[[[["]"#, 1, 0), Ok(()), "in strings");
    }

    // Proves: FR-3
    #[test]
    fn surrogates_come_in_pairs() {
        // DE-15
        let table = [
            (r#""\ud83d\ude00""#, true),
            (r#""\uD83D\uDE00""#, true),
            (r#""\u0041\u00e4""#, true),
            (r#""\ud7ff\ue000""#, true),
            (r#""\\ud800""#, true),
            (r#""\ud800""#, false),
            (r#""\udc00""#, false),
            (r#""\ude00\ud83d""#, false),
            (r#""\ud83dx""#, false),
            (r#""\ud83d\n""#, false),
            (r#""\ud83d\u0041""#, false),
            (r#""\ud83d\ud83d\ude00""#, false),
            (r#""\u12""#, false),
            (r#""\u+123""#, false),
            (r#"{"\ud800":1}"#, false),
        ];

        for (text, expected) in table {
            for padding in 0..9 {
                let text = format!("{}{text}", format_args!("{:1$}", "", padding));
                assert_eq!(check(&text, 9, 0).is_ok(), expected, "{text}");
            }
        }
    }

    #[test]
    fn strings_end_where_they_end_wherever_they_begin() {
        for length in 0..40 {
            let plain = "x".repeat(length);
            assert_eq!(check(&format!(r#""{plain}""#), 0, 0), Ok(()));
            assert_eq!(check(&format!(r#""{plain}\"[""#), 0, 0), Ok(()));
            assert_eq!(
                check(&format!(r#""ä{plain}\\"["#), 0, 0),
                Err(DecodeError::TooDeep)
            );
            assert_eq!(
                check(&format!(r#""{plain}"#), 0, 0),
                Err(DecodeError::NotJson)
            );
            assert_eq!(
                check(&format!(r#""{plain}\"#), 0, 0),
                Err(DecodeError::NotJson)
            );
        }
    }

    // Proves: FR-3, FR-5
    #[test]
    fn a_number_is_one_that_a_double_can_hold() {
        let digits = |count: usize| "9".repeat(count);
        let table: [(String, bool); 15] = [
            // FR-5
            ("18446744073709551616".into(), true),
            ("-0".into(), true),
            ("1e308".into(), true),
            ("1E+99".into(), true),
            ("1e-400".into(), true),
            (format!("0.{}", digits(5000)), true),
            (digits(308), true),
            (format!("{}e99", digits(200)), true),
            // DE-15
            ("1e400".into(), false),
            ("-1e400".into(), false),
            ("1e309".into(), false),
            (format!("{}e99", digits(300)), false),
            (format!("1e{}", digits(5000)), false),
            (digits(310), false),
            (digits(5000), false),
        ];

        for (text, expected) in table {
            assert_eq!(check(&text, 0, 0).is_ok(), expected, "{text}");
            assert_eq!(
                check(&format!("[{text},1]"), 1, 0).is_ok(),
                expected,
                "{text}"
            );
        }
    }
}
