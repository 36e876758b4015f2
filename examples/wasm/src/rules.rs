//! The rules of the protocol that a script names, by what the digest says of them.

use std::collections::BTreeMap;

/// The rules named in `script` as `"CN-4"`, from `digest`; the error is one that is not there.
pub(crate) fn named_in(script: &str, digest: &str) -> Result<BTreeMap<String, String>, String> {
    let mut rules = BTreeMap::new();
    for name in script.split('"').filter(|text| is_name(text)) {
        let Some(text) = rule(name, digest) else {
            return Err(format!("there is no rule {name}"));
        };
        rules.insert(name.to_owned(), text);
    }
    Ok(rules)
}

/// Two capitals, a dash, a number.
fn is_name(text: &str) -> bool {
    let Some((letters, number)) = text.split_once('-') else {
        return false;
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    letters.len() == 2 && letters.bytes().all(|byte| byte.is_ascii_uppercase()) && is_number
}

/// The paragraph that a rule is, in one line.
fn rule(name: &str, digest: &str) -> Option<String> {
    let (_, rest) = digest.split_once(&format!("\n**{name}** "))?;
    let paragraph = rest.split("\n\n").next()?;
    let lines = paragraph.lines().map(str::trim);
    Some(lines.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::named_in;

    const DIGEST: &str = "# Rules\n\n**CN-4** Held\n only if.\n\n**CN-40** Else.\n";

    #[test]
    fn a_rule_is_its_whole_paragraph() {
        let rules = named_in(r#"rules: ["CN-4", "no-4", "CN-"]"#, DIGEST);

        let expected = [("CN-4".to_owned(), "Held only if.".to_owned())];
        assert_eq!(rules, Ok(expected.into()));
    }

    #[test]
    fn a_rule_that_is_not_there_is_an_error() {
        assert!(named_in(r#"["XX-1"]"#, DIGEST).is_err());
    }
}
