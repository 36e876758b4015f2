//! Several servers with one Redis, behind a balancer that sends each request to the next.
#![expect(clippy::indexing_slicing, reason = "a test that fails panics")]

mod audience;
mod cookies;
mod costs;
mod crowd;
mod failover;
mod guarded;
mod held;
mod losses;
mod outages;
mod remains;
mod stale;

use bayeux_tests::live::Cluster;

/// A number from the environment, for those who have more time.
fn number_from<T: std::str::FromStr>(variable: &str, usual: T) -> T {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => usual,
    }
}
