//! JSON as RFC 8259 has it, with what FR-3 and FR-6 ask for besides.

/// A value, and the text that it was.
#[derive(Clone, PartialEq, Debug)]
pub struct Value<'a> {
    /// From its first character to its last.
    pub text: &'a str,
    /// What it is.
    pub json: Json<'a>,
}

/// What a value can be.
#[derive(Clone, PartialEq, Debug)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// One that a double can hold, if roughly.
    Number,
    /// Its escapes resolved.
    String(String),
    /// In order.
    List(Vec<Value<'a>>),
    /// The members in order, all of those with one name.
    Object(Vec<(String, Value<'a>)>),
}

/// Why a text cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not JSON.
    Syntax,
    /// It may be; nobody looked into what lies deeper than allowed.
    Depth,
}

/// Reads the one value that `text` is, with white space around it; it may have `max_depth` levels of lists and objects.
pub fn parse(text: &str, max_depth: usize) -> Result<Value<'_>, Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let value = reader.value(max_depth)?;
    reader.space();
    if reader.at < text.len() {
        return Err(Fault::Syntax);
    }
    Ok(value)
}

/// What JSON takes for white space.
pub const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Result<char, Fault> {
        let character = self.peek().ok_or(Fault::Syntax)?;
        self.at += character.len_utf8();
        Ok(character)
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(SPACE).len();
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        let start = self.at;
        let json = match self.peek() {
            Some('[') => self.list(depth)?,
            Some('{') => self.object(depth)?,
            Some('"') => Json::String(self.string()?),
            _ if self.takes("null") => Json::Null,
            _ if self.takes("true") || self.takes("false") => Json::Boolean,
            _ => self.number()?,
        };
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value { text, json })
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Depth)?;
        self.take()?;
        self.space();
        let mut values = Vec::new();
        if self.takes("]") {
            return Ok(Json::List(values));
        }
        loop {
            self.space();
            values.push(self.value(depth)?);
            self.space();
            match self.take()? {
                ',' => {}
                ']' => return Ok(Json::List(values)),
                _ => return Err(Fault::Syntax),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Depth)?;
        self.take()?;
        self.space();
        let mut members = Vec::new();
        if self.takes("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            if self.take()? != ':' {
                return Err(Fault::Syntax);
            }
            self.space();
            members.push((name, self.value(depth)?));
            self.space();
            match self.take()? {
                ',' => {}
                '}' => return Ok(Json::Object(members)),
                _ => return Err(Fault::Syntax),
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        if self.take()? != '"' {
            return Err(Fault::Syntax);
        }
        let mut string = String::new();
        loop {
            match self.take()? {
                '"' => return Ok(string),
                '\\' => string.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(Fault::Syntax),
                character => string.push(character),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        Ok(match self.take()? {
            '"' => '"',
            '\\' => '\\',
            '/' => '/',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(Fault::Syntax),
        })
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.unit()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.takes("\\u") {
            units.push(self.unit()?);
        }
        let decoded = String::from_utf16(&units).map_err(|_| Fault::Syntax)?;
        let mut characters = decoded.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => Err(Fault::Syntax),
        }
    }

    fn unit(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.take()?.to_digit(16).ok_or(Fault::Syntax)?;
            unit = unit * 16 + u16::try_from(digit).map_err(|_| Fault::Syntax)?;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Json<'a>, Fault> {
        let start = self.at;
        self.takes("-");
        if !self.takes("0") {
            self.digits()?;
        }
        if self.takes(".") {
            self.digits()?;
        }
        if self.takes("e") || self.takes("E") {
            if !self.takes("+") {
                self.takes("-");
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Json::Number),
            _ => Err(Fault::Syntax),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|character| character.is_ascii_digit())
        {
            self.at += 1;
        }
        if self.at == start {
            return Err(Fault::Syntax);
        }
        Ok(())
    }
}

impl Value<'_> {
    /// The string that it is.
    pub fn string(&self) -> Option<&str> {
        match &self.json {
            Json::String(text) => Some(text),
            Json::Null | Json::Boolean | Json::Number | Json::List(_) | Json::Object(_) => None,
        }
    }

    /// The values of the list that it is.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.json {
            Json::List(values) => Some(values),
            Json::Null | Json::Boolean | Json::Number | Json::String(_) | Json::Object(_) => None,
        }
    }

    /// The members of the object that it is, the last of those with one name.
    pub fn members(&self) -> Option<Vec<(&str, &Self)>> {
        let Json::Object(members) = &self.json else {
            return None;
        };
        let mut last = Vec::new();
        for (position, (name, value)) in members.iter().enumerate() {
            let later = members.iter().skip(position + 1);
            if !later.clone().any(|(other, _)| other == name) {
                last.push((name.as_str(), value));
            }
        }
        Some(last)
    }

    /// The member `name`, the last of them.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let members = self.members()?;
        members
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_reader_reads_json() {
        let depth = 3;
        let table = [
            (
                " [1, -0.5e+3, \"a\\u00e4\\ud83d\\ude00\", {\"a\":null}, true] ",
                None,
            ),
            ("[[[]]]", None),
            ("[[[[]]]]", Some(Fault::Depth)),
            ("", Some(Fault::Syntax)),
            ("[1,]", Some(Fault::Syntax)),
            ("01", Some(Fault::Syntax)),
            ("1e400", Some(Fault::Syntax)),
            ("\"\\ud800\"", Some(Fault::Syntax)),
            ("\"\u{1}\"", Some(Fault::Syntax)),
            ("{\"a\" 1}", Some(Fault::Syntax)),
            ("{a:1}", Some(Fault::Syntax)),
            ("[1] 2", Some(Fault::Syntax)),
            ("\u{c}1", Some(Fault::Syntax)),
            ("nul", Some(Fault::Syntax)),
        ];

        for (text, fault) in table {
            assert_eq!(parse(text, depth).err(), fault, "{text:?}");
        }
    }

    #[test]
    fn the_last_member_of_a_name_counts() {
        let value = parse(r#"{"a":1,"b":2,"\u0061": 3 }"#, 1).unwrap();

        let members: Vec<_> = value.members().unwrap();
        let members = members.iter().map(|(name, value)| (*name, value.text));
        assert_eq!(members.collect::<Vec<_>>(), [("b", "2"), ("a", "3")]);
    }
}
