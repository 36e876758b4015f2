//! Any history of facts, sensible or hostile: two engines with one seed give the same orders, byte for byte, and
//! after each fact holds what always has to hold.

use bayeux_fuzz::facts::{Eager, World, config, step};
use proptest::prelude::*;

proptest! {
    // Proves: ER-1, ER-3, ER-4, ER-5, AD-1
    #[test]
    fn two_engines_given_the_same_seed_and_facts_give_the_same_bytes(
        kind in any::<u8>(),
        seed in any::<u8>(),
        eager in any::<u8>().prop_map(Eager::of),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut worlds = [World::new(config(kind), seed), World::new(config(kind), seed)];
        for world in &mut worlds {
            world.orders();
            world.begin(eager);
        }
        for step in &steps {
            for world in &mut worlds {
                world.take(step);
            }
            let [one, other] = &mut worlds;
            prop_assert_eq!(one.orders(), other.orders());
            prop_assert_eq!(one.engine().poll_timeout(), other.engine().poll_timeout());
            prop_assert_eq!(one.engine().counters(), other.engine().counters());
            let census = one.engine().census();
            let counted: usize = census.iter().map(|(_, _, count)| count).sum();
            prop_assert_eq!(counted, one.engine().load().sessions);
        }
    }
}
