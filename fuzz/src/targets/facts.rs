//! Facts from anybody: whatever a peer, the store, the application or the driver says, the engine keeps its promises.

use bayeux_core::Load;

use crate::facts::{World, config, of_bytes};

/// A history of facts, and then its end: the store is there, everybody has hung up, and time has passed.
///
/// - After each fact holds what [`World`] looks at.
/// - In the end the engine holds what a new one holds.
pub fn facts(input: &[u8]) {
    let facts = of_bytes(input);
    let mut world = World::new(config(facts.kind), 7);
    world.begin(facts.eager);
    for step in facts.steps.iter().take(MAX_STEPS) {
        world.take(step);
    }

    world.end();

    assert_eq!(world.engine().load(), Load::default(), "something is left");
}

/// More steps than this say nothing new.
const MAX_STEPS: usize = 120;
