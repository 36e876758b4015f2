//! What can change while a server runs.
//!
//! Nothing that is open is dropped: what is new holds for what begins from now on. What is wrong is
//! told, and stays as it was.

use std::fmt;

use crate::access::NeedsRestart;
use crate::command_line::Stop;
use crate::config::Settings;
use crate::node::Node;
use crate::tls::{TlsError, TlsFiles};

/// Why something stays as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// The certificate or its key is not right.
    Tls(TlsError),
    /// Access control cannot change so far.
    Access(NeedsRestart),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "the certificate stays as it is: {error}"),
            Self::Access(error) => write!(f, "access control stays as it is: {error}"),
        }
    }
}

impl std::error::Error for ReloadError {}

impl From<TlsError> for ReloadError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<NeedsRestart> for ReloadError {
    fn from(error: NeedsRestart) -> Self {
        Self::Access(error)
    }
}

impl Node {
    /// As [`Running::reload`](crate::Running::reload).
    pub(crate) fn reload(&self, settings: &Settings) -> Result<(), ReloadError> {
        let left = self.said().changed(settings);
        if !left.is_empty() {
            tracing::warn!(
                "changed, but not before the next start: {}",
                left.join(", ")
            );
        }
        self.reload_admin(&settings.admin);
        // The one does not wait for the other to be right.
        let access = self.reload_access(&settings.access);
        let tls = self.reload_tls(settings.tls.as_ref());
        let (access, tls) = (
            access.map_err(ReloadError::from),
            tls.map_err(ReloadError::from),
        );
        if let (Err(error), Err(_)) = (&access, &tls) {
            tracing::warn!("{error}");
        }
        tls.and(access)
    }

    /// As [`Running::reload_or_warn`](crate::Running::reload_or_warn).
    pub(crate) fn reload_or_warn(&self, again: Result<Settings, Stop>) {
        let settings = match again {
            Ok(settings) => settings,
            Err(stop) => {
                tracing::warn!("the configuration stays as it is: {stop}");
                return self.read_certificate_again();
            }
        };
        match self.reload(&settings) {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// All that can be done without a configuration that is right.
    fn read_certificate_again(&self) {
        let Some(tls) = self.tls() else { return };
        match tls.replace(&tls.files()) {
            Ok(()) => tracing::info!("reloaded the certificate, and nothing else"),
            Err(error) => tracing::warn!("{}", ReloadError::Tls(error)),
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
