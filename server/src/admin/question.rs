//! What a request says: its body or its query, read strictly. What is not understood is refused, lest a slip of
//! the pen goes unnoticed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use bayeux_core::http::fields;
use bayeux_core::{ChannelName, ChannelPattern, Grammar, Payload, SessionId};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, request};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::Refusal;
use crate::http::{BodyFailure, Caller, read_body};

/// The body of a POST, which says that it is JSON.
pub(super) async fn body<B>(caller: &Caller, headers: &HeaderMap, body: B) -> Result<Bytes, Refusal>
where
    B: http_body::Body + Unpin,
{
    if !is_json(headers) {
        return Err(Refusal::media_type_unsupported());
    }
    let site = &caller.gateway.router.site;
    let read = read_body(body, site, &caller.runtime).await;
    read.map_err(|failure| match failure {
        BodyFailure::TooLarge => {
            site.tally.too_large.up();
            Refusal::body_too_large(site.decode.max_size)
        }
        BodyFailure::TooSlow => {
            site.tally.bodies_late.up();
            Refusal::body_late()
        }
        BodyFailure::Broken => {
            site.tally.bodies_broken.up();
            Refusal::body_invalid("the body broke off")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let mut parts = value.unwrap_or_default().split(|byte| *byte == b';');
    let media_type = parts.next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(b"application/json")
}

/// What `json`, all of it, means.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(json).map_err(Refusal::body_invalid)
}

/// `text` as a piece of JSON that may be passed on: `data`, say, is checked and kept as it came.
pub(super) fn payload(member: &str, body: &Bytes, text: &RawValue) -> Result<Payload, Refusal> {
    let text = body.slice_ref(text.get().as_bytes());
    Payload::parse(text).map_err(|error| Refusal::body_invalid(format!("{member}: {error}")))
}

pub(super) fn channel(text: &str, grammar: &Grammar) -> Result<ChannelName, Refusal> {
    ChannelName::parse(text, grammar).map_err(|error| Refusal::channel_invalid(text, error))
}

/// What no session is called is unknown, as one that has gone.
pub(super) fn session(text: &str) -> Result<SessionId, Refusal> {
    SessionId::parse(text).ok_or_else(Refusal::session_unknown)
}

/// A body that names a session and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with clientId")]
pub(super) struct OfSession<'a> {
    #[serde(borrow, rename = "clientId")]
    pub(super) session: Cow<'a, str>,
}

/// The query of a list.
pub(super) struct Listing {
    /// Where the page begins; the cursor of the page before.
    pub(super) from: crate::Cursor,
    pub(super) limit: u32,
    /// The channel that the list is about.
    pub(super) channel: Option<ChannelPattern>,
}

impl Listing {
    const USUAL: u32 = 100;
    const MOST: u32 = 1_000;

    /// The query of `head`; `of_channel` says by which grammar there may be a channel in it, if any may.
    pub(super) fn read(
        head: &request::Parts,
        of_channel: Option<&Grammar>,
    ) -> Result<Self, Refusal> {
        let mut listing = Self {
            from: crate::Cursor::FIRST,
            limit: Self::USUAL,
            channel: None,
        };
        let mut seen = BTreeSet::new();
        for (name, value) in fields(head.uri.query().unwrap_or_default().as_bytes()) {
            let (name, value) = (text(&name), text(&value));
            if !seen.insert(name.to_string()) {
                return Err(Refusal::parameter_invalid(&name, "is given more than once"));
            }
            match (&*name, of_channel) {
                ("next", _) => listing.from = parsed(&name, &value)?,
                ("limit", _) => listing.limit = limit(&value)?,
                ("channel", Some(grammar)) => {
                    let channel = ChannelPattern::parse(&value, grammar);
                    let channel =
                        channel.map_err(|error| Refusal::channel_invalid(&value, error))?;
                    listing.channel = Some(channel);
                }
                _ => return Err(Refusal::parameter_invalid(&name, "is not known here")),
            }
        }
        Ok(listing)
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn parsed<T: FromStr<Err: ToString>>(name: &str, value: &str) -> Result<T, Refusal> {
    value
        .parse()
        .map_err(|error: T::Err| Refusal::parameter_invalid(name, &error.to_string()))
}

fn limit(value: &str) -> Result<u32, Refusal> {
    let number = value.parse().ok();
    let number = number.filter(|number| (1..=Listing::MOST).contains(number));
    let range = format!("must be between 1 and {}", Listing::MOST);
    number.ok_or_else(|| Refusal::parameter_invalid("limit", &range))
}
