//! HTTP requests as the strategies make them, given to the target that the coverage-guided fuzzer runs: what
//! the engine's helpers say agrees with naive readers.

use std::collections::BTreeSet;

use bayeux_core::http::{Options, Route, route};
use bayeux_fuzz::http::{Request, any_request};
use bayeux_fuzz::targets;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A request below a line of options, as the target reads it.
fn written(options: &str, request: &Request) -> Vec<u8> {
    let first = format!("{options}\n{} {}\n", request.method, request.target);
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| [name.as_bytes(), b": ", value, b"\n"].concat());
    let headers: Vec<u8> = headers.flatten().collect();
    [first.as_bytes(), &headers, b"\n", &request.body].concat()
}

proptest! {
    #[test]
    fn no_request_breaks_a_promise_of_the_helpers(
        options in "[cwbalpmf]{0,3}",
        request in any_request(),
    ) {
        targets::http(&written(&options, &request));
    }
}

#[test]
fn requests_are_drawn_for_every_route() {
    let mut runner = TestRunner::deterministic();
    let mut routes = BTreeSet::new();
    for _ in 0..1_000 {
        let request = any_request().new_tree(&mut runner).unwrap().current();
        routes.insert(match route(&request.head(), &Options::default()) {
            Route::NotOurs => "not ours",
            Route::Refuse(_) => "refused",
            Route::Preflight(_) => "preflight",
            Route::Poll { .. } => "poll",
            Route::Callback { .. } => "callback",
            Route::WebSocket { .. } => "websocket",
        });
    }

    assert_eq!(routes.len(), 6, "{routes:?}");
}
