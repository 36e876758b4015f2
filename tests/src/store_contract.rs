//! The contract of a store as a suite of tests: one test per promise, for any store.
//!
//! A store is tested through [`StoreUnderTest`]: nodes come and go, each is asked something and then told
//! something. How time passes, and whether a call waits for a network, is the implementation's affair. Then
//! one line makes a test of every promise:
//!
//! ```
//! # use bayeux_tests::store_contract::{Setup, StoreUnderTest};
//! # fn my_store(_setup: &Setup) -> Option<Box<dyn StoreUnderTest>> { None }
//! bayeux_tests::store_contract!(my_store);
//! # fn main() {}
//! ```
//!
//! What is promised, beyond the words of [`StoreRequest`] and [`Notice`](bayeux_core::Notice):
//!
//! - The first thing a node is told is `Up` with the position it begins at.
//! - A node is told the reply to its own append before the entry. Each request is answered once.
//! - A session is opened under fence 1, whatever its record says, and opened once: the second time is
//!   `Fenced`. Each change of its owner raises the fence by one. A claim by the owner changes nothing and
//!   gives the same record again.
//! - A write is `Fenced` under any fence but the current one, and for a session that is not there; but to
//!   end a session that is not there is `Done`.
//! - A claim that the record does not admit is `Unknown` and changes nothing, whoever asks and whoever has the
//!   session.
//! - `released` is what the last owner said when it let go: it is in every answer to a claim until the
//!   session changes hands once more or its owner dies. A store that asks the owner before it answers, and hears nothing,
//!   says `end` instead: what came while it waited is not to be missed.
//! - `Read` goes by subscriptions and destination alone. Whether a session receives what it published itself
//!   is for the reader to see to.
//! - A forward is answered by the owner; by `Unowned` if the owner dies before it has seen it; by `Failed` if
//!   the owner dies later, has too many of them, or says nothing for too long.
//! - `end` is where the log ended when the session was claimed.
//! - A node that lost entries to the bounds of the log is told `Reset`, and goes on from that position
//!   without a hole. It never loses one silently.

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a broken promise panics"
)]

mod bounds;
mod cookies;
mod forwards;
mod log;
mod outages;
mod reading;
mod sessions;
mod trial;

use std::time::Duration;

use bayeux_core::{Input, StoreRequest, StoreTicket};

/// A store, as the suite sees it.
///
/// Nothing here returns before what it says has happened or, for [`submit`](Self::submit), has been handed
/// over in order.
pub trait StoreUnderTest {
    /// A node joins. It is numbered by the nodes before it, from 0.
    fn attach(&mut self) -> Node;

    /// A node dies without a word. When this returns, every other node finds it dead.
    fn kill(&mut self, node: Node);

    /// A node asks for something.
    fn submit(&mut self, node: Node, ticket: StoreTicket, request: StoreRequest);

    /// The next thing that a node is told: [`Input::Stored`] or [`Input::Notified`]. `None` if there is
    /// nothing, after having waited as `wait` says if the store is one that has to be waited for.
    fn next(&mut self, node: Node, wait: Wait) -> Option<Input>;

    /// Time passes.
    fn pass(&mut self, time: Duration);

    /// A node no longer reaches the store, nor the store it, for less time than a node needs to be taken
    /// for dead. Called only if [`Setup::outages`] was accepted.
    fn cut(&mut self, node: Node) {
        unreachable!("{node:?} cannot be cut off");
    }

    /// A node that was cut off reaches the store again.
    fn restore(&mut self, node: Node) {
        unreachable!("{node:?} was not cut off");
    }

    /// The connection of a node to the store breaks in the middle of the next answer with this text, and can be made
    /// anew at once. Called only if [`Setup::outages`] and [`Setup::losses`] were accepted.
    fn cut_inside(&mut self, node: Node, text: &str) {
        unreachable!("{node:?} cannot be cut off inside {text:?}");
    }

    /// What the store knows now outlives [`lose`](Self::lose). Called only if [`Setup::losses`] was accepted.
    fn keep(&mut self) {
        unreachable!("nothing can be lost");
    }

    /// The store loses its log and its sessions, but for what it was to keep. Called only if [`Setup::losses`] was
    /// accepted.
    fn lose(&mut self) {
        unreachable!("the log cannot be lost");
    }
}

/// A node, by the number of nodes that joined before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Node(pub usize);

/// For how long [`StoreUnderTest::next`] waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Something is expected: up to the time after which a store counts as broken.
    Long,
    /// Nothing is expected: long enough to be told what was on its way.
    Short,
}

/// What a promise needs of the store; `None` and `false`: whatever it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Setup {
    /// About how many entries are kept. Ten times as many are appended.
    pub max_entries: Option<usize>,
    /// About how many bytes of entries are kept. Ten times as many are appended.
    pub max_bytes: Option<usize>,
    /// How long entries are kept.
    pub retention: Option<Duration>,
    /// How long a session without an owner is kept.
    pub session_ttl: Option<Duration>,
    /// How many sessions are kept, exactly.
    pub max_sessions: Option<usize>,
    /// How many forwards one node may leave unanswered, exactly.
    pub max_inbox: Option<usize>,
    /// How long a forward waits for its answer.
    pub forward_timeout: Option<Duration>,
    /// Nodes can be cut off.
    pub outages: bool,
    /// The log can be lost, or the end of it, or an answer.
    pub losses: bool,
}

/// Makes an empty store; `None` if it cannot be made so, and the promise is skipped. What asks for nothing
/// cannot be refused.
pub type Make<'a> = &'a dyn Fn(&Setup) -> Option<Box<dyn StoreUnderTest>>;

macro_rules! promises {
    ($dollar:tt $($module:ident: $($name:ident)*;)*) => {
        /// Every promise, by name.
        pub const PROMISES: &[(&str, fn(Make<'_>))] = &[$($((stringify!($name), $module::$name)),*),*];

        /// Keeps promise `name`, or panics.
        pub fn prove(name: &str, make: Make<'_>) {
            let promise = PROMISES.iter().find(|(known, _)| *known == name);
            promise.expect("a promise of this name").1(make);
        }

        /// A test for every promise, of the stores that a `fn(&Setup) -> Option<Box<dyn StoreUnderTest>>`
        /// makes.
        #[macro_export]
        macro_rules! store_contract {
            ($dollar make:expr) => {
                $($(
                    #[test]
                    fn $name() {
                        $dollar crate::store_contract::prove(stringify!($name), &$dollar make);
                    }
                )*)*
            };
        }
    };
}

promises! { $
    log:
        the_first_thing_a_node_is_told_is_where_it_begins
        positions_have_no_holes
        every_node_sees_every_entry_in_the_same_order
        a_node_sees_what_follows_on_where_it_began
        appends_of_one_node_keep_their_order
        the_reply_to_an_append_comes_before_its_entry
        entries_are_told_as_they_were_appended
        a_node_that_did_not_look_catches_up_in_order
        a_delivery_to_one_session_is_an_entry_for_all_nodes
        every_request_is_answered_once
        what_a_dead_node_appended_is_kept;
    reading:
        a_read_gives_what_the_patterns_match
        a_read_gives_deliveries_to_its_session_only
        a_read_begins_after_and_ends_with_what_was_asked
        a_subscription_covers_nothing_up_to_its_since
        what_two_subscriptions_cover_is_read_once
        a_read_beyond_the_end_gives_what_there_is
        a_read_of_nothing_gives_nothing
        a_read_gives_entries_as_they_were_appended
        a_read_gives_what_a_session_published_itself
        a_new_node_reads_what_was_there_before_it
        a_read_of_more_than_is_worth_having_is_a_gap;
    sessions:
        a_session_keeps_its_record
        a_session_is_opened_under_the_first_fence
        a_session_is_opened_once
        a_session_that_nobody_opened_is_unknown
        a_claim_raises_the_fence_and_tells_the_former_owner
        a_claim_says_where_the_log_ends
        a_former_owner_is_told_before_what_comes_after_the_claim
        a_claim_that_is_answered_late_says_where_it_was_made
        a_claim_by_the_owner_gives_the_same_record_again
        claims_are_all_answered_though_the_former_owner_is_silent
        a_session_goes_back_and_forth
        of_many_claims_the_last_one_counts
        a_write_under_another_fence_changes_nothing
        a_fenced_append_takes_no_position
        fenced_appends_among_others_are_told_apart
        an_append_without_a_fence_is_not_refused
        writes_to_a_session_that_is_not_there_are_fenced
        the_new_owner_writes_under_its_fence
        subscriptions_go_with_their_session
        a_repeated_subscription_keeps_the_older_position
        unsubscribing_takes_away_what_it_names
        a_released_session_remembers_how_far_it_came
        a_release_tells_nobody
        a_release_is_forgotten_with_the_next_owner
        the_session_of_a_dead_node_can_be_claimed
        an_ended_session_is_unknown
        ending_again_is_no_mistake;
    cookies:
        a_claim_without_the_right_cookie_leaves_the_session_where_it_is
        a_binding_goes_with_its_session;
    forwards:
        messages_reach_the_owner_and_replies_come_back
        messages_for_an_unknown_session_are_unknown
        messages_for_a_released_session_are_unowned
        messages_for_the_session_of_a_dead_node_are_unowned
        messages_whose_owner_dies_are_unowned_unless_it_has_seen_them
        messages_reach_the_owner_in_order
        messages_go_to_the_owner_that_the_last_claim_made
        replies_find_who_asked
        the_first_answer_counts
        only_the_owner_answers
        an_answer_to_nothing_is_done
        an_owner_may_answer_after_it_let_go
        what_an_owner_refuses_is_unowned;
    bounds:
        too_many_entries_are_trimmed_from_the_front
        too_many_bytes_are_trimmed_from_the_front
        old_entries_are_trimmed
        trimming_leaves_the_newest_entries
        a_node_never_loses_an_entry_silently
        a_session_without_an_owner_is_forgotten_in_time
        a_session_with_an_owner_is_not_forgotten
        a_claim_stops_the_clock
        too_many_sessions_fail_until_one_ends
        too_many_forwards_fail_until_one_is_answered
        a_forward_that_nobody_answers_fails;
    outages:
        a_node_is_told_when_the_store_is_down_and_up
        what_was_appended_during_an_outage_comes_after_it
        requests_during_an_outage_fail
        what_was_taken_during_an_outage_is_told_before_it_is_over
        a_claim_that_failed_leaves_the_session_without_an_owner
        a_lost_log_is_a_reset_to_a_position_never_given
        the_lost_end_of_the_log_is_a_reset_that_leaves_no_session_to_claim
        what_follows_a_lost_log_outlives_who_joins_later
        what_follows_the_lost_end_of_the_log_outlives_who_joins_later
        who_comes_back_late_takes_nothing_from_a_newer_log
        who_knows_of_no_loss_is_told_of_it_by_others
        a_session_whose_last_change_is_lost_is_gone
        a_session_whose_binding_is_lost_is_bound_again
        a_store_that_kept_all_it_was_told_goes_on;
}
