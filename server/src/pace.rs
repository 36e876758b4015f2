//! What the peer of a socket is waited for, and until when.
//!
//! A head that has begun must be whole soon; between two requests a connection may rest for long,
//! lest a client that polls meets its end halfway (HT-6, HT-10, DE-19).

use std::time::Duration;

use bayeux_core::Instant;

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the first head, and for the rest of one that has begun.
    pub(crate) head: Duration,
    /// For the next request.
    pub(crate) idle: Duration,
    /// For any byte to be taken of what is being written.
    pub(crate) write: Duration,
}

/// The clocks of one socket.
#[derive(Debug)]
pub(crate) struct Pace {
    awaited: Awaited,
    /// How many requests have come whose responses have not been handed over.
    open: u32,
    /// Since when a write is blocked.
    stalled: Option<Instant>,
    /// How many responses were handed over and not taken whole, and when something was last taken of
    /// any. Over HTTP/2 the peer says what it takes of each, and no write is blocked.
    handed_over: u32,
    taken: Instant,
    /// Whether what is read need not be the beginning of a request.
    is_http2: bool,
}

/// What a socket is waited for.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// Nothing, ever: it does not carry requests.
    Never,
    /// Nothing: a request is not answered yet.
    Nothing,
    /// A head, since then.
    Head(Instant),
    /// The next request, since then.
    Request(Instant),
}

/// What a peer took too long for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Late {
    /// A head.
    Head,
    /// The next request.
    Request,
    /// Taking anything of what is being written.
    Write,
}

impl Pace {
    /// For a socket that carries no requests: only its writes are watched.
    pub(crate) const fn of_writes() -> Self {
        Self {
            awaited: Awaited::Never,
            open: 0,
            stalled: None,
            handed_over: 0,
            taken: Instant::from_millis(0),
            is_http2: false,
        }
    }

    /// For a socket that carries requests, the first of them due from now on.
    pub(crate) const fn of_requests(now: Instant) -> Self {
        let mut pace = Self::of_writes();
        pace.awaited = Awaited::Head(now);
        pace
    }

    /// From now on what is read may be something else than requests.
    pub(crate) const fn speaks_http2(&mut self) {
        self.is_http2 = true;
    }

    /// Something was read. While a response is not through it may belong to the last request still.
    pub(crate) const fn read(&mut self, now: Instant) {
        if let Awaited::Request(_) = self.awaited
            && !self.is_http2
        {
            self.awaited = Awaited::Head(now);
        }
    }

    /// A request has come.
    pub(crate) const fn asked(&mut self) {
        self.open += 1;
        self.awaited = Awaited::Nothing;
    }

    /// A response is handed over from now on.
    pub(crate) const fn handing_over(&mut self, now: Instant) {
        self.handed_over += 1;
        self.taken = now;
    }

    /// Something was taken of a response.
    pub(crate) const fn took(&mut self, now: Instant) {
        self.taken = now;
    }

    /// A response that was being handed over was taken whole, or will not be.
    pub(crate) const fn handed_over(&mut self, now: Instant) {
        self.handed_over = self.handed_over.saturating_sub(1);
        self.taken = now;
    }

    /// A response was handed over, or will not be.
    pub(crate) const fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// All that was handed over has left.
    pub(crate) const fn flushed(&mut self, now: Instant) {
        if let Awaited::Nothing = self.awaited
            && self.open == 0
        {
            self.awaited = Awaited::Request(now);
        }
    }

    /// A write did not get through.
    pub(crate) fn stalled(&mut self, now: Instant) {
        self.stalled.get_or_insert(now);
    }

    /// A write got through.
    pub(crate) const fn moved(&mut self) {
        self.stalled = None;
    }

    /// When patience is over; `None` if nothing is waited for.
    pub(crate) fn due(&self, patience: Patience) -> Option<Instant> {
        self.first_due(patience).map(|(at, _)| at)
    }

    /// What has taken too long; `None` if patience is not over.
    pub(crate) fn late(&self, now: Instant, patience: Patience) -> Option<Late> {
        let (at, late) = self.first_due(patience)?;
        (at <= now).then_some(late)
    }

    fn first_due(&self, patience: Patience) -> Option<(Instant, Late)> {
        let Patience { head, idle, write } = patience;
        let read = match self.awaited {
            Awaited::Never | Awaited::Nothing => None,
            Awaited::Head(since) => Some((since + head, Late::Head)),
            Awaited::Request(since) => Some((since + idle, Late::Request)),
        };
        let is_untaken = self.is_http2 && self.handed_over > 0;
        let untaken = is_untaken.then_some(self.taken);
        let written = self.stalled.into_iter().chain(untaken);
        let written = written.map(|since| (since + write, Late::Write));
        read.into_iter().chain(written).min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(100),
        write: Duration::from_secs(20),
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// Its first request came after a second, and was answered after two.
    fn served() -> Pace {
        let mut pace = Pace::of_requests(at(0));
        pace.read(at(1));
        pace.asked();
        pace.answered();
        pace.flushed(at(2));
        pace
    }

    #[test]
    fn the_first_head_is_due_from_the_beginning() {
        let mut pace = Pace::of_requests(at(0));

        assert_eq!(pace.due(PATIENCE), Some(at(10)));
        pace.flushed(at(5));
        pace.read(at(9));
        assert_eq!(pace.due(PATIENCE), Some(at(10)));
    }

    #[test]
    fn nothing_is_due_while_a_request_is_held_or_its_response_is_on_its_way() {
        let mut pace = Pace::of_requests(at(0));
        pace.asked();
        pace.read(at(5));
        pace.flushed(at(5));
        assert_eq!(pace.due(PATIENCE), None);

        pace.answered();
        assert_eq!(pace.due(PATIENCE), None);
    }

    #[test]
    fn between_two_requests_a_connection_may_rest_for_long() {
        let mut pace = served();
        assert_eq!(pace.due(PATIENCE), Some(at(102)));
        assert_eq!(pace.late(at(102), PATIENCE), Some(Late::Request));

        pace.flushed(at(50));
        assert_eq!(pace.due(PATIENCE), Some(at(102)));
    }

    #[test]
    fn a_head_that_has_begun_is_due_soon_however_slowly_it_trickles() {
        let mut pace = served();

        pace.read(at(60));
        pace.read(at(69));
        assert_eq!(pace.due(PATIENCE), Some(at(70)));
        assert_eq!(pace.late(at(70), PATIENCE), Some(Late::Head));
        pace.asked();
        assert_eq!(pace.due(PATIENCE), None);
    }

    #[test]
    fn over_http2_no_byte_begins_a_head_and_all_responses_must_be_through() {
        let mut pace = Pace::of_requests(at(0));
        pace.speaks_http2();
        pace.asked();
        pace.asked();
        pace.answered();
        pace.flushed(at(1));
        assert_eq!(pace.due(PATIENCE), None);

        pace.answered();
        pace.flushed(at(2));
        pace.read(at(3));
        assert_eq!(pace.due(PATIENCE), Some(at(102)));
    }

    #[test]
    fn a_blocked_write_is_due_until_it_moves() {
        let mut pace = Pace::of_writes();
        pace.flushed(at(0));
        assert_eq!(pace.due(PATIENCE), None);

        pace.stalled(at(1));
        pace.stalled(at(2));
        assert_eq!(pace.due(PATIENCE), Some(at(21)));
        assert_eq!(pace.late(at(20), PATIENCE), None);
        assert_eq!(pace.late(at(21), PATIENCE), Some(Late::Write));
        pace.moved();
        assert_eq!(pace.due(PATIENCE), None);
    }

    #[test]
    fn over_http2_something_must_be_taken_of_what_is_handed_over() {
        let mut pace = Pace::of_requests(at(0));
        pace.speaks_http2();
        for _ in 0..2 {
            pace.asked();
            pace.handing_over(at(1));
        }
        assert_eq!(pace.due(PATIENCE), Some(at(21)));

        pace.took(at(5));
        assert_eq!(pace.late(at(25), PATIENCE), Some(Late::Write));
        pace.handed_over(at(6));
        assert_eq!(pace.due(PATIENCE), Some(at(26)));
        pace.handed_over(at(7));
        assert_eq!(pace.due(PATIENCE), None);
    }

    #[test]
    fn over_http1_a_blocked_write_tells_that_nothing_is_taken() {
        let mut pace = Pace::of_requests(at(0));
        pace.asked();
        pace.handing_over(at(1));

        assert_eq!(pace.due(PATIENCE), None);
    }
}
