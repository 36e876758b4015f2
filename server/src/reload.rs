//! What can change while a server runs.
//!
//! Nothing that is open is dropped: what is new holds for what begins from now on. What is wrong is
//! told, and stays as it was.

use crate::command_line::Stop;
use crate::config::Settings;
use crate::node::Node;
use crate::tls::{TlsError, TlsFiles};

impl Node {
    /// Takes from `settings` what can change while a server runs:
    ///
    /// - the certificate and its key, read again from their files, wherever these are now. New
    ///   connections are shown the new certificate; those that are open go on.
    ///
    /// Everything else stays as it is until the next start. Keys of a configuration that were
    /// changed all the same are named in a warning.
    ///
    /// Reads files, and waits for them.
    ///
    /// # Errors
    ///
    /// If the certificate or its key is not right: the ones before are kept.
    pub fn reload(&self, settings: &Settings) -> Result<(), TlsError> {
        let left = self.said().changed(settings);
        if !left.is_empty() {
            tracing::warn!(
                "changed, but not before the next start: {}",
                left.join(", ")
            );
        }
        self.reload_tls(settings.tls.as_ref())
    }

    /// What a process does when it is told to reload: [`reload`](Self::reload) with the settings
    /// that were just read again. If they are wrong those before are kept, and the certificate is
    /// read again from where it was. Everything is told in the log.
    pub fn reload_or_warn(&self, again: Result<Settings, Stop>) {
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
