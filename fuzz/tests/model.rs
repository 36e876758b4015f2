//! The engine against the model, step by step.

#![expect(clippy::panic, reason = "a failing test has to fail")]

use bayeux_fuzz::history::{self, Step};
use bayeux_fuzz::play::Play;
use bayeux_fuzz::rig::{InMemory, Rig};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = (history::Setting, Play);
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

struct EngineAgrees;

impl StateMachineTest for EngineAgrees {
    type SystemUnderTest = Rig<InMemory>;
    type Reference = Reference;

    fn init_test((setting, _): &(history::Setting, Play)) -> Rig<InMemory> {
        Rig::in_memory(*setting).unwrap_or_else(|broken| panic!("{broken}"))
    }

    fn apply(
        mut rig: Rig<InMemory>,
        (_, play): &(history::Setting, Play),
        step: Step,
    ) -> Rig<InMemory> {
        if let Err(difference) = play.compare(&mut rig) {
            panic!("{step}\n{difference}");
        }
        rig
    }

    fn teardown(mut rig: Rig<InMemory>, _: (history::Setting, Play)) {
        if let Err(broken) = rig.everybody_leaves() {
            panic!("{broken}");
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn the_engine_does_what_the_model_says(sequential 1..40 => EngineAgrees);
}
