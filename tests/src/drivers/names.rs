//! What differs from one run to the next, by names that do not.

use std::collections::BTreeMap;

use serde_json::Value;

/// The sessions and browsers of a conversation, as the server named them.
///
/// A name that the conversation uses is as long as what stands for it, so no length in the bytes around it changes.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The server's by ours.
    known: BTreeMap<String, String>,
}

impl Names {
    /// What stands for the session of `who` in what clients send.
    #[must_use]
    pub fn session(who: &str) -> String {
        format!("{:-<25}", format!("session-of-{who}"))
    }

    /// The same for the cookie of its browser.
    #[must_use]
    pub fn browser(who: &str) -> String {
        format!("{:-<24}", format!("browser-of-{who}"))
    }

    /// Takes from an answer what it tells `who`.
    pub fn learn(&mut self, who: &str, body: &str, cookie: Option<&str>) {
        let array = body.find('[').zip(body.rfind(']'));
        let array = array.and_then(|(first, last)| body.get(first..=last));
        let replies = array.and_then(|array| serde_json::from_str::<Vec<Value>>(array).ok());
        let session = |reply: &Value| Some(reply.get("clientId")?.as_str()?.to_owned());
        if let Some(session) = replies.iter().flatten().find_map(session) {
            self.known.insert(Self::session(who), session);
        }
        let browser = cookie.and_then(|cookie| cookie.split_once('=')?.1.get(..24));
        if let Some(browser) = browser {
            self.known.insert(Self::browser(who), browser.to_owned());
        }
    }

    /// What a client sends in truth.
    #[must_use]
    pub fn fill(&self, bytes: &[u8]) -> Vec<u8> {
        let mut filled = bytes.to_vec();
        for (ours, theirs) in &self.known {
            assert_eq!(ours.len(), theirs.len(), "{ours}");
            let ends = ours.len()..=filled.len();
            let places = ends.map(|end| end - ours.len()..end);
            for place in places.collect::<Vec<_>>() {
                if let Some(slice) = filled.get_mut(place).filter(|it| **it == *ours.as_bytes()) {
                    slice.copy_from_slice(theirs.as_bytes());
                }
            }
        }
        filled
    }

    /// What the server said, in our names; where it shows a secret's first characters only, too.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for (ours, theirs) in &self.known {
            let start = theirs.get(..4).unwrap_or_default();
            hidden = hidden
                .replace(theirs, ours)
                .replace(&format!("Id({start}..)"), &format!("Id({ours})"))
                .replace(&format!("Some({start}…)"), &format!("Some({ours})"));
        }
        hidden
    }
}
