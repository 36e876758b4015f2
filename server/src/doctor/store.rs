//! Whether Redis is there, and would do.

use super::Finding;
use crate::config::{Settings, Store};
use crate::stack::Stack;
use crate::store::sleep;

/// What Redis says of itself, if that is where the store is to be.
pub(super) fn check<S: Stack>(settings: &Settings) -> Option<Finding> {
    let Store::Redis(target) = &settings.store else {
        return None;
    };
    let stack = match S::new() {
        Ok(stack) => stack,
        Err(error) => {
            let text = format!("store: {target} was not looked at: {error}");
            return Some(Finding::warning(text, "see what the system lacks"));
        }
    };
    let runtime = stack.runtime();
    let mut said = Err("nothing was heard of it".to_owned());
    stack.run(async {
        said = S::probe_store(target, &move |time| sleep(&runtime, time)).await;
    });
    Some(match said {
        Ok(version) => Finding::fine(format!("store: {target} is Redis {version}")),
        Err(why) => Finding::problem(
            format!("store: {target} will not do: {why}"),
            "start Redis 7.0 or newer there, or say with --store where it is",
        ),
    })
}
