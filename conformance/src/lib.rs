//! Checks any Bayeux server, rule by rule, over real sockets.
//!
//! The rules are those of `docs/protocol.md`, by their ids. The suite knows nothing of the server but its URL: it speaks
//! HTTP and websocket by a client of its own, which chooses every byte and keeps every byte for the report.
//!
//! # How it is built
//!
//! - A [`Check`] is a promise (a sentence), the ids of the rules that it stands for, the transports over which it is
//!   tried, the servers known to differ, and a function. Checks of one subject are a [`Group`]; [`groups`] has all.
//! - That function gets a [`Scene`]: the server's address, what is known of the server, one transport, and names of
//!   channels that nobody else uses. A scene opens [`Client`]s, which speak Bayeux over the scene's transport, and
//!   [`HttpConnection`]s and [`WebSocket`]s for what lies below. Nothing of them panics: they give a [`Checked`].
//! - A check ends in one of three ways: it passes, it has [`Failed`](Stop::Failed), or it was
//!   [not checked](Stop::NotChecked), for a reason. What cannot be seen from outside, or needs help that the server does
//!   not offer, is never passed.
//! - [`run`] finds out which transports there are, tries each check over each transport that it is for, several at a
//!   time, and gives a [`Report`]: text as it runs, JUnit XML and JSON at its end.
//!
//! # Time
//!
//! No check sleeps to make something happen. What must happen has [`Options::patience`] to do so; that something does
//! *not* happen is seen by something else that happens after it, such as a later event of the same publisher. Only where
//! nothing follows, as with a connect that must be held, does a check listen for [`Options::quiet`].

mod check;
mod checks;
mod client;
mod frame;
mod http;
mod options;
mod report;
mod run;
mod scene;
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;
mod transcript;
mod unseen;
mod websocket;
mod wire;

pub use check::{Check, Checked, Difference, Group, Over, Stop, Transport};
pub use checks::groups;
pub use client::{Client, Hold, Reaction};
pub use frame::{Ending, Frame, Opcode};
pub use http::{HttpConnection, Request, Response};
pub use options::{Helpers, Options, Profile, Target, TargetError};
pub use report::{Finding, Report, Verdict};
pub use run::{Unreachable, run};
pub use scene::{Scene, ServerFacts};
pub use tls::Trust;
pub use transcript::Transcript;
pub use unseen::{Unseen, unseen};
pub use websocket::WebSocket;
pub use wire::{Lack, Source, Wire};
