//! Whole histories: the engine does what the model says.

use crate::history;
use crate::play::play;
use crate::rig::Rig;

/// More steps than this say nothing new.
const MAX_STEPS: usize = 60;

/// A setting, and what clients, the network, the application, the store and time do under it.
///
/// After every step the engine has sent what the model of the protocol wants to be sent, and has kept every promise that
/// needs no model to be seen; once everybody has left, it holds what a new one holds.
pub fn histories(input: &[u8]) {
    let mut history = history::of_bytes(input);
    history.steps.truncate(MAX_STEPS);
    let rig = Rig::in_memory(history.setting);

    let outcome = rig.map(|mut rig| play(&history, &mut rig));

    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => panic!("{failure}"),
        Err(broken) => panic!("{broken}"),
    }
}
