//! Rules, and which channels they cover.

use bayeux_core::{ChannelKind, ChannelNameError, ChannelPattern, Grammar};

use super::{Claims, Wanted};

/// One rule: these may do that there.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rule {
    pub(crate) channels: Template,
    pub(crate) operations: Vec<Asked>,
    pub(crate) granted: Granted,
}

/// What somebody wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// Bring a channel into being.
    Create,
    /// Subscribe.
    Subscribe,
    /// Publish.
    Publish,
}

/// To whom a rule grants what it grants.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Granted {
    /// Whoever it is.
    Anyone,
    /// Those who came with a token that says all this of them.
    Authenticated(Vec<(Box<str>, Wanted)>),
}

impl Rule {
    /// Whether it allows somebody with these claims, `None` for a stranger, to do this on all that
    /// `pattern` covers.
    pub(crate) fn allows(
        &self,
        asked: Asked,
        pattern: &ChannelPattern,
        claims: Option<&Claims>,
    ) -> bool {
        let granted = match (&self.granted, claims) {
            (Granted::Anyone, _) => true,
            (Granted::Authenticated(_), None) => false,
            (Granted::Authenticated(wanted), Some(claims)) => wanted
                .iter()
                .all(|(name, wanted)| wanted.is_met(claims, name)),
        };
        granted && self.operations.contains(&asked) && self.channels.covers(pattern, claims)
    }

    /// The claims that it asks for.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &str> {
        let wanted = match &self.granted {
            Granted::Anyone => [].as_slice(),
            Granted::Authenticated(wanted) => wanted,
        };
        let wanted = wanted.iter().map(|(name, _)| &**name);
        wanted.chain(self.channels.claims())
    }
}

/// A channel pattern in which whole segments may be the names of claims: `/users/{sub}/**`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Template {
    kind: ChannelKind,
    segments: Vec<Segment>,
    reach: Reach,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Segment {
    /// Itself.
    Literal(Box<str>),
    /// Whatever text this claim is.
    Claim(Box<str>),
}

/// What a template covers below its segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    Nothing,
    /// `/*`
    Children,
    /// `/**`
    All,
}

/// Why a text is no template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TemplateError {
    /// It is no channel pattern.
    Pattern(ChannelNameError),
    /// It is of meta channels, or plain `/service`.
    Reserved,
    /// Braces that do not stand around the whole of a segment, or around no word.
    Braces,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pattern(error) => error.fmt(f),
            Self::Reserved => f.write_str("rules are not for meta channels"),
            Self::Braces => {
                f.write_str("a claim stands for a whole segment, as in /users/{sub}/**")
            }
        }
    }
}

impl Template {
    pub(crate) fn parse(text: &str, grammar: &Grammar) -> Result<Self, TemplateError> {
        let pattern = ChannelPattern::parse(text, grammar).map_err(TemplateError::Pattern)?;
        let kind = pattern.kind();
        if matches!(kind, ChannelKind::Meta(_)) || pattern.is_reserved() {
            return Err(TemplateError::Reserved);
        }
        let mut texts: Vec<_> = pattern.as_str().split('/').skip(1).collect();
        let reach = match texts.last() {
            Some(&"*") => Reach::Children,
            Some(&"**") => Reach::All,
            Some(_) | None => Reach::Nothing,
        };
        if reach != Reach::Nothing {
            texts.pop();
        }
        let segments = texts.into_iter().map(Segment::parse);
        Ok(Self {
            kind,
            segments: segments.collect::<Result<_, _>>()?,
            reach,
        })
    }

    /// Whether every channel that `pattern` matches is one of these, for somebody with these claims.
    ///
    /// One of them has to cover all of it: what several cover together is not looked for.
    pub(crate) fn covers(&self, pattern: &ChannelPattern, claims: Option<&Claims>) -> bool {
        if pattern.kind() != self.kind {
            return false;
        }
        let mut texts = pattern.as_str().split('/').skip(1);
        let is_base = self.segments.iter().all(|segment| {
            let text = texts.next();
            text.is_some_and(|text| segment.is(text, claims))
        });
        is_base
            && match (self.reach, texts.next(), texts.next()) {
                (Reach::Nothing, rest, _) => rest.is_none(),
                (Reach::Children, rest, further) => {
                    further.is_none() && rest.is_some_and(|rest| rest != "**")
                }
                (Reach::All, rest, _) => rest.is_some(),
            }
    }

    fn claims(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Claim(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// Whether it names a claim.
    pub(crate) fn has_claims(&self) -> bool {
        self.claims().next().is_some()
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.contains(['{', '}']) {
            return Ok(Self::Literal(text.into()));
        }
        let name = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.filter(|name| !name.is_empty() && name.bytes().all(is_word))
            .map(|name| Self::Claim(name.into()))
            .ok_or(TemplateError::Braces)
    }

    /// Whether it is `text`. No claim is ever a wildcard, and none is more than one segment: whoever
    /// chooses what a token says of him gains nothing by `*` or `/`.
    fn is(&self, text: &str, claims: Option<&Claims>) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Claim(name) => {
                !matches!(text, "*" | "**")
                    && claims.is_some_and(|claims| claims.has_text(name, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_template_covers_a_subscription_only_as_a_whole() {
        let table = [
            ("/**", "/a", true),
            ("/**", "/a/b/c", true),
            ("/**", "/**", true),
            ("/**", "/*", true),
            ("/**", "/a/**", true),
            ("/**", "/service/a", false),
            ("/**", "/service/**", false),
            ("/*", "/a", true),
            ("/*", "/*", true),
            ("/*", "/**", false),
            ("/*", "/a/b", false),
            ("/a/**", "/a", false),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a/b/c/d", true),
            ("/a/**", "/a/*", true),
            ("/a/**", "/a/**", true),
            ("/a/**", "/a/b/**", true),
            ("/a/**", "/*", false),
            ("/a/**", "/**", false),
            ("/a/**", "/ab/c", false),
            ("/a/**", "/A/b", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/*", true),
            ("/a/*", "/a/**", false),
            ("/a/*", "/a/b/*", false),
            ("/a/*", "/a", false),
            ("/a", "/a", true),
            ("/a", "/a/", true),
            ("/a", " /a ", true),
            ("/a", "/*", false),
            ("/a", "/a/*", false),
            ("/a/b", "/a/*", false),
            ("/a/b*", "/a/b*", true),
            ("/a/b*", "/a/bc", false),
            ("/service/**", "/service/a/b", true),
            ("/service/a", "/service/a", true),
            ("/service/**", "/a", false),
        ];

        for (template, pattern, expected) in table {
            let covers = template_of(template).covers(&pattern.parse().unwrap(), None);
            assert_eq!(covers, expected, "{template} {pattern}");
        }
    }

    #[test]
    fn a_claim_stands_for_one_segment_and_never_widens_a_rule() {
        let table = [
            ("/users/{sub}/**", json!("ann"), "/users/ann/inbox", true),
            ("/users/{sub}/**", json!("ann"), "/users/ann/**", true),
            ("/users/{sub}/**", json!("ann"), "/users/bob/inbox", false),
            ("/users/{sub}/**", json!("ann"), "/users/annie/inbox", false),
            ("/users/{sub}/**", json!("ann"), "/users/Ann/inbox", false),
            ("/users/{sub}/**", json!("ann"), "/users/ann", false),
            ("/users/{sub}/**", json!("ann"), "/users/*", false),
            ("/users/{sub}/**", json!("ann"), "/users/**", false),
            ("/users/{sub}/**", json!("ann"), "/**", false),
            ("/users/{sub}", json!("ann"), "/users/ann", true),
            ("/users/{sub}", json!("*"), "/users/*", false),
            ("/users/{sub}", json!("*"), "/users/bob", false),
            ("/users/{sub}", json!("**"), "/users/**", false),
            ("/users/{sub}/**", json!("*"), "/users/*", false),
            (
                "/users/{sub}/**",
                json!("ann/../bob"),
                "/users/bob/inbox",
                false,
            ),
            ("/users/{sub}/**", json!("ann/x"), "/users/ann/x/y", false),
            ("/users/{sub}/**", json!(""), "/users/ann/x", false),
            ("/users/{sub}/**", json!("{sub}"), "/users/{sub}/x", true),
            ("/users/{sub}/**", json!("ann"), "/users/{sub}/x", false),
            ("/users/{sub}", json!(" ann"), "/users/ann", false),
            ("/users/{sub}", json!(7), "/users/7", true),
            ("/users/{sub}", json!(7.0), "/users/7.0", false),
            ("/users/{sub}", json!(true), "/users/true", false),
            ("/users/{sub}", json!(null), "/users/null", false),
            ("/users/{sub}", json!({"a": "ann"}), "/users/ann", false),
            ("/users/{sub}", json!(["bob", "ann"]), "/users/ann", true),
            ("/users/{sub}", json!(["bob", 7]), "/users/7", true),
            ("/users/{sub}", json!([["ann"]]), "/users/ann", false),
            ("/users/{sub}", json!([]), "/users/ann", false),
            ("/{sub}/x", json!("service"), "/service/x", false),
            ("/{sub}/**", json!("meta"), "/meta/x", false),
        ];

        for (template, claim, pattern, expected) in table {
            let claims = claims(json!({"sub": claim, "other": "ann"}));
            let template = template_of(template);
            let pattern = pattern.parse().unwrap();
            let covers = template.covers(&pattern, Some(&claims));
            assert_eq!(covers, expected, "{template:?} {pattern} {claim}");
            let stranger = template.covers(&pattern, None);
            assert!(!stranger, "a stranger: {template:?} {pattern}");
        }
    }

    #[test]
    fn a_rule_is_for_those_of_whom_a_token_says_all_that_it_wants() {
        let role = |values: &[Value]| vec![("role".into(), Wanted::OneOf(values.to_vec()))];
        let admin = role(&[json!("admin"), json!("root")]);
        let nested = vec![(
            "realm".into(),
            Wanted::Members(vec![("roles".into(), Wanted::OneOf(vec![json!("admin")]))]),
        )];
        let both = [
            admin.clone(),
            vec![("ok".into(), Wanted::OneOf(vec![json!(true)]))],
        ]
        .concat();
        let scope = vec![("scope".into(), Wanted::OneOf(vec![json!("chat.write")]))];
        let anybody = Vec::new();
        let table = [
            (&anybody, Some(json!({})), true),
            (&anybody, None, false),
            (&admin, Some(json!({"role": "admin"})), true),
            (&admin, Some(json!({"role": "root"})), true),
            (&admin, Some(json!({"role": ["user", "admin"]})), true),
            (&admin, Some(json!({"role": "user"})), false),
            (&admin, Some(json!({"role": "administrator"})), false),
            (&admin, Some(json!({"role": {"admin": true}})), false),
            (&admin, Some(json!({"roles": "admin"})), false),
            (&admin, None, false),
            (&nested, Some(json!({"realm": {"roles": ["admin"]}})), true),
            (&nested, Some(json!({"realm": {"roles": ["user"]}})), false),
            (&nested, Some(json!({"realm": ["admin"]})), false),
            (&both, Some(json!({"role": "admin", "ok": true})), true),
            (&both, Some(json!({"role": "admin", "ok": "true"})), false),
            (&both, Some(json!({"role": "admin"})), false),
            (&scope, Some(json!({"scope": "chat.read chat.write"})), true),
            (&scope, Some(json!({"scope": "chat.writer"})), false),
        ];

        for (wanted, token, expected) in table {
            let rule = Rule {
                channels: template_of("/a"),
                operations: vec![Asked::Publish],
                granted: Granted::Authenticated(wanted.clone()),
            };
            let claims = token.clone().map(claims);
            let pattern = "/a".parse().unwrap();
            let allows = |asked| rule.allows(asked, &pattern, claims.as_ref());
            assert_eq!(allows(Asked::Publish), expected, "{wanted:?} {token:?}");
            assert!(!allows(Asked::Subscribe), "{wanted:?} {token:?}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let grammar = Grammar::default();
        for text in ["", "a", "/", "/a//b", "/a/*/b", "/**/b"] {
            let refused = Template::parse(text, &grammar);
            assert!(matches!(refused, Err(TemplateError::Pattern(_))), "{text}");
        }
        for text in ["/meta/connect", "/meta/*", "/meta/**", "/meta", "/service"] {
            let refused = Template::parse(text, &grammar);
            assert_eq!(refused, Err(TemplateError::Reserved), "{text}");
        }
        for text in ["/a-{sub}", "/{sub", "/sub}", "/{}", "/{a b}", "/{a.b}/c"] {
            let refused = Template::parse(text, &grammar);
            assert_eq!(refused, Err(TemplateError::Braces), "{text}");
        }
    }

    fn template_of(text: &str) -> Template {
        Template::parse(text, &Grammar::default()).unwrap()
    }

    fn claims(all: Value) -> Claims {
        let Value::Object(all) = all else {
            unreachable!("an object")
        };
        let names: Vec<String> = all.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kept = Claims::keep(all, &names);
        Claims::of(&kept.identity()).unwrap()
    }
}
