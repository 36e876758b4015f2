//! On whose behalf a session is claimed (BR-3, BR-4, BR-6).

use bayeux_core::{Access, BrowserBinding, Messages, SessionId, StoreReply};

use super::super::judge::Verdict;
use super::Visitor;

/// The frames that an engine was told of, and has not done everything about that follows at once.
pub(super) struct Frames {
    binding: BrowserBinding,
    /// The session of each, and which sessions its sender may act for.
    all: Vec<(SessionId, Access)>,
    /// An older one may go on as well.
    goes_on: bool,
}

impl Frames {
    pub(super) const fn new(binding: BrowserBinding) -> Self {
        Self {
            binding,
            all: Vec::new(),
            goes_on: false,
        }
    }

    pub(super) fn told(&mut self, messages: &Messages, by: &Visitor) {
        let session = messages.session().and_then(SessionId::parse);
        let access = access_of(self.binding, by);
        self.all.extend(session.map(|session| (session, access)));
    }

    /// The store has answered: what it does not know the owner of may be claimed.
    pub(super) const fn answered(&mut self, reply: &StoreReply) {
        self.goes_on |= matches!(reply, StoreReply::Unowned);
    }

    /// A session is claimed: for somebody who has sent a frame, with no more than that may have.
    pub(super) fn claimed(&self, session: SessionId, access: Access) -> Verdict {
        let mut senders = self.all.iter().filter(|(of, _)| *of == session).peekable();
        if self.goes_on || senders.peek().is_none() || senders.any(|(_, own)| *own == access) {
            return Ok(());
        }
        Err(format!("{session:?} is claimed with {access:?}"))
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.goes_on = false;
    }
}

/// Which sessions somebody may act for, by the rules.
fn access_of(binding: BrowserBinding, by: &Visitor) -> Access {
    match (by.browser, binding) {
        (_, BrowserBinding::Off) => Access::Any,
        (Some(cookie), _) => Access::Browser(cookie),
        (None, _) if !by.transport.is_exchange() => Access::Any,
        (None, BrowserBinding::Lenient) => Access::Unbound,
        (None, BrowserBinding::Strict) => Access::Browserless,
    }
}
