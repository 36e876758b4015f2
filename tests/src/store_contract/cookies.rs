//! Promises about browsers: a session goes to nobody who has not its cookie.

use bayeux_core::{
    Access, BrowserId, Fence, Position, SessionId, SessionRecord, StoreReply, StoreRequest,
};

use super::sessions::{expect_taken, expect_unknown};
use super::trial::{Trial, bind, browser, claim_with, record, release, subscribe};
use super::{Make, Node};

/// Opens the session `number` with that binding.
fn open_bound(
    trial: &mut Trial,
    node: Node,
    number: usize,
    browser: Option<BrowserId>,
    bound: bool,
) -> SessionId {
    let record = SessionRecord {
        browser,
        bound,
        ..record(number)
    };
    let session = record.session;
    trial.expect_done(node, StoreRequest::Open(Box::new(record)));
    session
}

pub(super) fn a_claim_without_the_right_cookie_leaves_the_session_where_it_is(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, other] = trial.nodes();
    let [mine, theirs] = ["a", "b"].map(browser);
    let every = [
        Access::Any,
        Access::Browser(mine),
        Access::Browser(theirs),
        Access::Unbound,
        Access::Browserless,
    ];
    // What the session is bound to, and which of these it admits.
    let kinds = [
        (None, false, [true; 5]),
        (Some(mine), false, [true, true, false, true, false]),
        (Some(mine), true, [true, true, false, false, false]),
    ];
    for (kind, (browser, bound, admits)) in kinds.into_iter().enumerate() {
        for (at, (access, admits)) in every.into_iter().zip(admits).enumerate() {
            let id = open_bound(&mut trial, owner, kind * every.len() + at, browser, bound);

            let reply = trial.ask(other, claim_with(id, access));

            if admits {
                assert!(
                    matches!(reply, StoreReply::Claimed(_)),
                    "{browser:?} {bound} {access:?}: {reply:?}"
                );
                expect_taken(&mut trial, owner, id, Fence(2));
                continue;
            }
            assert!(
                matches!(reply, StoreReply::Unknown),
                "{browser:?} {bound} {access:?}: {reply:?}"
            );
            // Not even its owner is given it for somebody else, nor is it when nobody has it.
            expect_unknown(&mut trial, owner, claim_with(id, access));
            trial.expect_done(owner, subscribe(id, Fence(1), &["/a"], 0));
            trial.expect_done(owner, release(id, Fence(1), 7));
            expect_unknown(&mut trial, other, claim_with(id, access));
            let claimed = trial.claim(other, id);
            assert_eq!(
                (claimed.fence, claimed.released),
                (Fence(2), Some(Position::new(7)))
            );
        }
    }
    trial.expect_silence(owner);
}

pub(super) fn a_binding_goes_with_its_session(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let cookie = browser("a");
    for (number, known) in [(1, None), (2, Some(cookie))] {
        let id = open_bound(&mut trial, one, number, known, false);

        trial.expect_done(one, bind(id, Fence(1), cookie));

        expect_unknown(&mut trial, two, claim_with(id, Access::Unbound));
        let reply = trial.ask(two, claim_with(id, Access::Browser(cookie)));
        let StoreReply::Claimed(record) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!((record.browser, record.bound), (Some(cookie), true));
        expect_taken(&mut trial, one, id, Fence(2));
    }
}
