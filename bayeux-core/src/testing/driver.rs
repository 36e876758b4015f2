//! The driver: it does at once what the engine orders, and fails the test if that breaks a promise.
//!
//! When it is done, the engine has nothing to say and nothing that is due.

use super::{Script, Store, Writing};
use crate::{Input, Output, ReportKind};

impl Script {
    /// Does what the engine orders until it orders nothing more.
    pub(super) fn obey(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.obey_one(output);
            }
            let Store::Memory(store, node) = &mut self.store else {
                break;
            };
            let Some(news) = store.borrow_mut().poll(*node, self.now) else {
                break;
            };
            self.engine.handle(self.now, news);
        }
        let due = self.engine.poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now),
            "what is due was not done"
        );
    }

    fn obey_one(&mut self, output: Output) {
        match output {
            Output::Receive { connection } => {
                let entry = self.connection(connection);
                assert!(!entry.transport.is_exchange(), "an exchange has one body");
                assert_eq!(entry.credit, 0, "a frame was asked for twice");
                entry.credit += 1;
            }
            Output::Send { connection, batch } => {
                let by_hand = self.writing == Writing::ByHand;
                let entry = self.connection(connection);
                assert!(
                    !entry.over && entry.closed.is_none(),
                    "{connection:?} has had its end"
                );
                assert!(
                    !entry.unwritten,
                    "{connection:?} has a batch that is not written"
                );
                let exchange = entry.transport.is_exchange();
                assert!(
                    !exchange || batch.frames().len() == 1,
                    "an exchange has one body"
                );
                assert!(batch.frames().len() > 0, "a batch says something");
                entry.sent.extend(batch.frames().cloned());
                entry.cookie = entry.cookie.or(batch.cookie());
                entry.last |= batch.is_last();
                entry.unwritten = true;
                if !by_hand {
                    entry.unwritten = false;
                    entry.over |= exchange;
                    self.engine.handle(self.now, Input::Written { connection });
                }
            }
            Output::Close { connection, reason } => {
                let entry = self.connection(connection);
                assert_eq!(entry.closed, None, "{connection:?} was closed twice");
                entry.closed = Some(reason);
                if !core::mem::replace(&mut entry.over, true) {
                    self.engine.handle(self.now, Input::Closed { connection });
                }
            }
            Output::Store { ticket, request } => match &mut self.store {
                Store::Memory(store, node) => {
                    let mut store = store.borrow_mut();
                    store.submit(*node, self.now, ticket, request);
                }
                Store::Stalled(_, _, requests) => requests.push((ticket, request)),
                Store::Scripted(requests) => requests.push_back((ticket, request)),
            },
            Output::Decide { ticket, question } => self.questions.push_back((ticket, *question)),
            Output::Return { ticket, result } => {
                let before = self.results.insert(ticket, result);
                assert_eq!(before, None, "a call was answered twice");
            }
            Output::Report(report) => {
                if let ReportKind::Broken(what) = report.kind {
                    panic!("the engine is broken: {what}");
                }
                self.reports.push(report);
            }
        }
    }
}
