//! Which sessions a request may act for.

use crate::id::BrowserId;

use super::SessionRecord;

/// Which sessions a request may act for, by the browser cookie that it has or has not (BR-3, BR-4, BR-6).
///
/// An engine says it with each claim, so that a wrong cookie moves nothing, nor does none where one is asked for: it is
/// not of a duplex, nor in lenient mode before the cookie has come back. A store need not know the rules:
/// [`SessionRecord::admits`] has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// All of them: cookies are not looked at, or a duplex has none.
    Any,
    /// Those of the browser with this cookie, and those of no browser.
    Browser(BrowserId),
    /// Without a cookie: those whose own has not come back yet, and those of no browser.
    Unbound,
    /// Without a cookie: those of no browser.
    Browserless,
}

impl Access {
    /// Whether a session of this browser is among them; `bound` is whether its cookie has come back.
    pub(crate) fn admits(self, browser: Option<BrowserId>, bound: bool) -> bool {
        let Some(browser) = browser else {
            return true;
        };
        match self {
            Self::Any => true,
            Self::Browser(cookie) => cookie == browser,
            Self::Unbound => !bound,
            Self::Browserless => false,
        }
    }
}

impl SessionRecord {
    /// Whether a request with this access may act for the session.
    #[must_use]
    pub fn admits(&self, access: Access) -> bool {
        access.admits(self.browser, self.bound)
    }
}
