//! What a Bayeux server can be tried with: strategies for all that comes to it, and whole histories.
//!
//! - [`channel`], [`frame`], [`http`]: strategies for [`proptest`], each from the valid over the nearly valid
//!   to the hostile.
//! - [`history`]: what clients, the network, the application and time do, as a list of steps. Steps name
//!   actors by small numbers and have no preconditions: any list of any steps is a history, so a failing one
//!   shrinks to the shortest story.
//! - [`model`]: the protocol, written naively from its rules, which uses nothing of the engine.
//! - [`play`]: a history played to the model and to a [`Server`](play::Server), which have to agree after every
//!   step; [`search`] plays as many as one likes, and shortens the first that goes wrong.
//! - [`rig`]: an engine as such a server, over a [`Store`](rig::Store) of anybody's.
//! - [`invariants`]: what is always true of an engine, beside any driver.
//!
//! A coverage-guided fuzzer has bytes instead of a strategy: [`history::of_bytes`] makes a history of any, and
//! [`targets`] has what such a fuzzer runs, for which [`naive`] reads the grammars of the protocol a second time.
#![forbid(unsafe_code)]

pub mod channel;
pub mod deciders;
pub mod facts;
pub mod frame;
pub mod history;
pub mod http;
pub mod invariants;
pub mod model;
pub mod naive;
pub mod play;
pub mod rig;
pub mod search;
pub mod seen;
pub mod targets;
