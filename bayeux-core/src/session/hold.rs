//! A connect that is held, kept small: a server at rest holds one for each of its sessions.

use alloc::boxed::Box;

use crate::connection::{Answer, AnswerKind};
use crate::id::{BrowserId, ConnectionId};
use crate::message::{MessageId, Reply};
use crate::session::SessionKey;
use crate::time::Instant;

/// A connect that is held.
pub(crate) struct Hold {
    pub(crate) connection: ConnectionId,
    pub(crate) until: Instant,
    answer: Kept,
}

/// How it will be answered, but for what is known only then.
enum Kept {
    /// As nearly all are: that it succeeded, with its id.
    Success(Option<MessageId>),
    /// The same, of a hold that counts for its browser (BR-7).
    Counted(Box<(Option<MessageId>, BrowserId)>),
    Other(Box<(Answer, Option<BrowserId>)>),
}

impl Hold {
    /// The connect of `session` that `answer` is to, held on `connection`.
    pub(crate) fn new(
        session: SessionKey,
        mut answer: Box<Answer>,
        (connection, until): (ConnectionId, Instant),
        browser: Option<BrowserId>,
    ) -> Self {
        let id = answer.reply.id.take();
        let answer = if *answer != success(session) {
            answer.reply.id = id;
            Kept::Other(Box::new((*answer, browser)))
        } else if let Some(browser) = browser {
            Kept::Counted(Box::new((id, browser)))
        } else {
            Kept::Success(id)
        };
        Self {
            connection,
            until,
            answer,
        }
    }

    /// The answer, now that the connect of `session` is not held any longer, and the browser that it counts for.
    pub(crate) fn into_answer(self, session: SessionKey) -> (Box<Answer>, Option<BrowserId>) {
        let (id, browser) = match self.answer {
            Kept::Success(id) => (id, None),
            Kept::Counted(counted) => (counted.0, Some(counted.1)),
            Kept::Other(other) => return (Box::new(other.0), other.1),
        };
        let mut answer = success(session);
        answer.reply.id = id;
        (Box::new(answer), browser)
    }
}

/// That a connect of `session` without id succeeded.
fn success(session: SessionKey) -> Answer {
    Answer {
        reply: Reply::connected(),
        kind: AnswerKind::Connect(session),
        timesync: None,
    }
}
