//! Many histories played to one kind of server, until one goes wrong; that one is made as short as it gets.

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::history::{self, Setting};
use crate::invariants::Broken;
use crate::play::{Failure, Server, play};

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search {
    /// The same seed gives the same histories.
    pub seed: u64,
    /// How many histories.
    pub cases: u32,
    /// How many steps each has at the most.
    pub steps: usize,
}

impl Search {
    /// Plays histories to servers that `make` makes, one for each.
    ///
    /// A store of one's own, tried with an engine around it:
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use bayeux_core::{
    ///     Input, Instant, MemoryOptions, MemoryStore, NodeId, StoreRequest, StoreTicket,
    /// };
    /// use bayeux_fuzz::rig::{Rig, Store};
    /// use bayeux_fuzz::search::Search;
    ///
    /// /// One engine's end of a log that others share.
    /// struct Shared(Arc<Mutex<MemoryStore>>, NodeId);
    ///
    /// impl Store for Shared {
    ///     fn submit(&mut self, now: Instant, ticket: StoreTicket, request: StoreRequest) {
    ///         self.0.lock().unwrap().submit(self.1, now, ticket, request);
    ///     }
    ///
    ///     fn poll(&mut self, now: Instant) -> Option<Input> {
    ///         self.0.lock().unwrap().poll(self.1, now)
    ///     }
    /// }
    ///
    /// let search = Search { seed: 1, cases: 20, steps: 30 };
    /// let tried = search.run(|setting| {
    ///     let mut log = MemoryStore::new(MemoryOptions::default());
    ///     let node = log.attach();
    ///     Rig::new(setting, Shared(Arc::new(Mutex::new(log)), node))
    /// });
    /// if let Err(failure) = tried {
    ///     panic!("{failure}");
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The shortest history that was found to go wrong, and how it does.
    pub fn run<S: Server>(
        &self,
        make: impl Fn(Setting) -> Result<S, Broken>,
    ) -> Result<(), Box<Failure>> {
        let config = Config {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_iters: 50_000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().zip(self.seed.to_le_bytes()) {
            *place = byte;
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let once = |history: &history::History| match make(history.setting) {
            Ok(mut server) => play(history, &mut server),
            Err(broken) => Err(Failure::at_once(history.clone(), broken)),
        };
        let result = runner.run(&history::history(self.steps), |history| {
            once(&history).map_err(|failure| TestCaseError::fail(failure.to_string()))
        });
        match result {
            Err(TestError::Fail(_, history)) => once(&history),
            // No strategy here rejects anything.
            Ok(()) | Err(TestError::Abort(_)) => Ok(()),
        }
    }
}
