//! Several servers with one Redis, behind a balancer that sends each request to the next.
#![expect(clippy::indexing_slicing, reason = "a test that fails panics")]

mod costs;
mod crowd;
mod held;
mod outages;

use bayeux_tests::live::Cluster;
