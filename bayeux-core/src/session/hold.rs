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
    /// The browser whose hold this is, if it counts (BR-7).
    pub(crate) browser: Option<BrowserId>,
    answer: Kept,
}

/// How it will be answered, but for what is known only then.
enum Kept {
    /// As nearly all are: that it succeeded, with its id.
    Success(Option<MessageId>),
    Other(Box<Answer>),
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
        let answer = if *answer == success(session) {
            Kept::Success(id)
        } else {
            answer.reply.id = id;
            Kept::Other(answer)
        };
        Self {
            connection,
            until,
            browser,
            answer,
        }
    }

    /// The answer, now that the connect of `session` is not held any longer.
    pub(crate) fn into_answer(self, session: SessionKey) -> Box<Answer> {
        match self.answer {
            Kept::Success(id) => {
                let mut answer = success(session);
                answer.reply.id = id;
                Box::new(answer)
            }
            Kept::Other(answer) => answer,
        }
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
