//! Where credentials stand: in `ext`, in a header, in a cookie.

use std::borrow::Cow;

use bayeux_core::{Extensions, Message, Payload, Peer};

/// The member of `ext` that has a token, and that member's own which is it.
const MEMBER: &str = "authentication";
const TOKEN: &str = "token";

/// The names under which credentials are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sources {
    /// The cookie that has a token, if any has.
    pub(crate) cookie: Option<Box<str>>,
    /// The member of `ext` that has the secret of a publisher.
    pub(crate) secret_member: Box<str>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            cookie: None,
            secret_member: "secret".into(),
        }
    }
}

impl Sources {
    /// The members of `ext` that nobody else may see.
    pub(crate) fn members(&self) -> [Box<str>; 2] {
        [MEMBER.into(), self.secret_member.clone()]
    }

    /// The headers that are looked at.
    pub(crate) fn headers(&self) -> impl Iterator<Item = Box<str>> {
        let cookie = self.cookie.as_ref().map(|_| "cookie".into());
        ["authorization".into()].into_iter().chain(cookie)
    }

    /// The token that came with a message: the one in its `ext`, else the one in the `Authorization`
    /// header, else the one in the cookie. What stands in the first place that has something counts.
    pub(crate) fn token<'a>(&self, message: &Message, peer: &'a Peer) -> Option<Cow<'a, str>> {
        in_ext(message)
            .map(Cow::Owned)
            .or_else(|| bearer(peer).map(Cow::Borrowed))
            .or_else(|| self.in_cookie(peer).map(Cow::Borrowed))
    }

    /// What came with a message and may be the secret of a publisher.
    pub(crate) fn secrets<'a>(
        &self,
        message: &Message,
        peer: &'a Peer,
    ) -> impl Iterator<Item = Cow<'a, str>> {
        let ext = message.ext.as_ref();
        let member = ext.and_then(|ext| ext.get(&self.secret_member));
        let member = member.map(|member| Cow::Owned(text(&member)));
        member.into_iter().chain(bearer(peer).map(Cow::Borrowed))
    }

    fn in_cookie<'a>(&self, peer: &'a Peer) -> Option<&'a str> {
        let name = self.cookie.as_deref()?;
        let pairs = headers(peer, "cookie").flat_map(|header| header.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(found, value)| (found == name).then(|| value.trim_matches('"')))
    }
}

/// The token in `ext`; what is there and is no text is a token that is not good.
fn in_ext(message: &Message) -> Option<String> {
    let member = message.ext.as_ref()?.get(MEMBER)?;
    let token = Extensions::from_payload(member)?.get(TOKEN)?;
    Some(text(&token))
}

/// The text that `payload` is; anything else is the empty one, which is no credential.
fn text(payload: &Payload) -> String {
    serde_json::from_str(payload.as_str()).unwrap_or_default()
}

/// RFC 6750, section 2.1.
fn bearer(peer: &Peer) -> Option<&str> {
    let (scheme, token) = headers(peer, "authorization").next()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    // HTTP/1.1 takes away the space behind a scheme that nothing follows, HTTP/2 leaves it there.
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn headers<'a>(peer: &'a Peer, name: &'static str) -> impl Iterator<Item = &'a str> {
    let headers = peer.details.iter().flat_map(|details| &details.headers);
    headers
        .filter(move |(found, _)| **found == *name)
        .map(|(_, value)| &**value)
}
