//! The store in Redis keeps the contract, on both runtimes, with real redis-server processes.
#![expect(clippy::indexing_slicing, reason = "a test that fails panics")]

mod redis_rig;

/// The contract on tokio.
mod on_tokio {
    use bayeux_tests::store_contract::{Setup, StoreUnderTest};

    bayeux_tests::store_contract!(store);

    fn store(setup: &Setup) -> Option<Box<dyn StoreUnderTest>> {
        crate::redis_rig::store(setup, crate::redis_rig::Runtime::Tokio)
    }
}

/// The contract on smol.
mod on_smol {
    use bayeux_tests::store_contract::{Setup, StoreUnderTest};

    bayeux_tests::store_contract!(store);

    fn store(setup: &Setup) -> Option<Box<dyn StoreUnderTest>> {
        crate::redis_rig::store(setup, crate::redis_rig::Runtime::Smol)
    }
}
