//! The engine against the model, step by step. What goes wrong is written to `recordings/`, in its shortest
//! form last.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing test has to fail"
)]

use std::{env, fs};

use bayeux_fuzz::history::{self, History, Setting, Step};
use bayeux_fuzz::play::{Play, play};
use bayeux_fuzz::rig::{InMemory, Rig};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// As many cases as `PROPTEST_CASES` says, or else so many that they take a few seconds.
fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig {
        failure_persistence: None, // recordings
        ..ProptestConfig::default()
    };
    match env::var_os("PROPTEST_CASES") {
        Some(_) => usual,
        None => ProptestConfig { cases, ..usual },
    }
}

/// Steps are drawn whatever the model says: nothing has a precondition.
struct Reference;

impl ReferenceStateMachine for Reference {
    type State = (Setting, Play);
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self::State> {
        let begin = |setting| (setting, Play::new(setting));
        history::setting().prop_map(begin).boxed()
    }

    fn transitions(_: &Self::State) -> BoxedStrategy<Step> {
        history::step().boxed()
    }

    fn apply(mut state: Self::State, step: &Step) -> Self::State {
        state.1.step(step);
        state
    }
}

/// An engine, and what has happened to it.
struct Engine {
    rig: Rig<InMemory>,
    history: History,
}

impl Engine {
    fn fail(&self, what: &str) -> ! {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/found.history");
        fs::write(file, self.history.to_string()).unwrap();
        panic!("{}{what}\nwritten to {file}", self.history);
    }
}

impl StateMachineTest for Engine {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test((setting, _): &(Setting, Play)) -> Self {
        let (setting, steps) = (*setting, Vec::new());
        Self {
            rig: Rig::in_memory(setting).unwrap(),
            history: History { setting, steps },
        }
    }

    fn apply(mut self_: Self, (_, play): &(Setting, Play), step: Step) -> Self {
        self_.history.steps.push(step);
        if let Err(difference) = play.compare(&mut self_.rig) {
            self_.fail(&difference.to_string());
        }
        self_
    }

    fn teardown(mut self_: Self, _: (Setting, Play)) {
        if let Err(broken) = self_.rig.everybody_leaves() {
            self_.fail(&broken);
        }
    }
}

prop_state_machine! {
    #![proptest_config(config(500))]

    #[test]
    fn the_engine_does_what_the_model_says(sequential 1..40 => Engine);
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn the_same_history_gives_the_same_orders(history in history::history(40)) {
        let orders = || {
            let mut rig = Rig::in_memory(history.setting).unwrap();
            play(&history, &mut rig).unwrap_or_else(|failure| panic!("{failure}"));
            rig.orders().to_owned()
        };
        prop_assert_eq!(orders(), orders());
    }
}
