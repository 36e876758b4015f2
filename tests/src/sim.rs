//! Sim: a cluster under faults, on one thread, in virtual time, from one seed.
//!
//! Several engines share one store, which they reach over a network; clients of different kinds reach
//! them by way of a load balancer without affinity. Things break while it lasts: connections, nodes,
//! the store. Then nothing breaks any more, and everything has to be as promised. A seed is a run: the
//! same seed gives the same bytes at the same time.

mod bounds;
mod browser;
mod client;
mod decider;
mod dice;
mod judge;
mod ledger;
mod link;
mod node;
mod parting;
mod plan;
mod store;
mod story;
mod thief;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use self::judge::Bias;
pub use self::story::Telling;

use self::story::Story;
use self::world::World;

/// What has come of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it came from.
    pub seed: u64,
    /// A digest of all that was sent, and when.
    pub digest: u64,
    /// The time that has passed in it.
    pub simulated: Duration,
    /// How many facts the engines have taken in.
    pub facts: u64,
    /// How many events the clients have got.
    pub delivered: u64,
    /// How many sessions were lost where that is allowed.
    pub sessions_lost: u64,
    /// The promise that was broken, if one was.
    pub failure: Option<String>,
    /// A line an event, if they were asked for.
    pub story: Vec<String>,
}

/// Lives through what a seed has in store.
#[must_use]
pub fn run(seed: u64, telling: Telling) -> Outcome {
    run_before(seed, telling, Bias::None)
}

/// The same before a judge who may be biased.
#[must_use]
pub fn run_before(seed: u64, telling: Telling, bias: Bias) -> Outcome {
    let mut world = World::new(seed, Story::new(telling), bias);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.fail(format!("a panic: {}", text.unwrap_or_default()));
    }
    Outcome {
        seed,
        digest: world.story.digest(),
        simulated: world.now.since_epoch(),
        facts: world.facts,
        delivered: world.judge.delivered,
        sessions_lost: world.judge.sessions_lost,
        failure: world.failure,
        story: world.story.lines,
    }
}
