//! What can change while a server runs.
//!
//! Nothing that is open is dropped: what is new holds for what begins from now on. What is wrong is
//! told, and stays as it was.

use crate::command_line::Stop;
use crate::config::Settings;
use crate::node::Node;
use crate::tls::{TlsError, TlsFiles};

impl Node {
    /// As [`Running::reload`](crate::Running::reload).
    pub(crate) fn reload(&self, settings: &Settings) -> Result<(), TlsError> {
        let left = self.said().changed(settings);
        if !left.is_empty() {
            tracing::warn!(
                "changed, but not before the next start: {}",
                left.join(", ")
            );
        }
        if let Err(error) = self.reload_access(&settings.access) {
            tracing::warn!("access control stays as it is: {error}");
        }
        self.reload_tls(settings.tls.as_ref())
    }

    /// As [`Running::reload_or_warn`](crate::Running::reload_or_warn).
    pub(crate) fn reload_or_warn(&self, again: Result<Settings, Stop>) {
        let reloaded = match again {
            Ok(settings) => self.reload(&settings),
            Err(stop) => {
                tracing::warn!("the configuration stays as it is: {stop}");
                self.reload_tls(self.tls().map(|tls| tls.files()).as_ref())
            }
        };
        match reloaded {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => tracing::warn!("the certificate stays as it is: {error}"),
        }
    }

    fn reload_tls(&self, files: Option<&TlsFiles>) -> Result<(), TlsError> {
        match (self.tls(), files) {
            (Some(tls), Some(files)) => tls.replace(files),
            (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => {
                tracing::warn!("TLS is not switched on or off before the next start");
                Ok(())
            }
        }
    }
}
