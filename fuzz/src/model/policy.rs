//! What the deciders of a history say: the model's idea of them, and the rule that
//! [`deciders`](crate::deciders) follows.

use super::{Model, Name};

impl Model {
    /// Why nobody may subscribe or publish to this, if so (PL-7, PL-8): below `/denied` the policy denies;
    /// below `/guarded` an authorizer grants `open`, denies `closed` in words of its own, and says nothing
    /// to the rest.
    pub(super) fn denies(name: &Name) -> Option<&'static str> {
        if name.is_below("denied") {
            return Some("denied_by_security_policy");
        }
        if !name.is_below("guarded") {
            return None;
        }
        match name.text().as_str() {
            "/guarded/open" => None,
            "/guarded/closed" => Some("closed"),
            _ => Some("denied_by_not_granting"),
        }
    }
}
