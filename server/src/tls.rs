//! TLS, by rustls: the certificate that a server shows, and the handshake of one connection.
//!
//! Invariant: there always is a certificate that can be shown. New files take the place of the old
//! ones only once they are found to be right; connections that are open keep what they began with.

mod files;
mod stream;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::TryFutureExt;
use hyper::rt::{Read, Write};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::TlsAcceptor;

use crate::guarded::Guarded;

pub use self::files::{Certificate, TlsError, TlsFiles, check};
pub(crate) use self::stream::TlsStream;

/// What is spoken inside, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// In how many days a certificate must run out to be warned of.
const SOON: u64 = 14;

/// What a server begins its connections with.
pub(crate) struct Tls {
    now: Guarded<Shown>,
}

struct Shown {
    files: TlsFiles,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Of a certificate and a key that are right.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            now: Guarded::new(Shown::load(files)?),
        })
    }

    /// From now on shows what is in these files, if it is right.
    pub(crate) fn replace(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let shown = Shown::load(files)?;
        *self.now.lock() = shown;
        Ok(())
    }

    /// Where the certificate came from.
    pub(crate) fn files(&self) -> TlsFiles {
        self.now.lock().files.clone()
    }

    /// A handshake over `io`.
    pub(crate) fn handshake<T>(
        &self,
        io: T,
    ) -> impl Future<Output = io::Result<TlsStream<T>>> + Unpin + use<T>
    where
        T: Read + Write + Unpin,
    {
        let config = Arc::clone(&self.now.lock().config);
        TlsAcceptor::from(config)
            .accept(stream::Below(io))
            .map_ok(TlsStream::new)
    }
}

impl Shown {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let (key, certificate) = files::load(files, &provider)?;
        let shown = Self {
            files: files.clone(),
            config: config(key, provider)?,
        };
        announce(files, &certificate);
        Ok(shown)
    }
}

/// Another certificate is another configuration: tickets that were given with the old one are no
/// longer taken, so that every new connection sees the new one.
fn config(
    key: CertifiedKey,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
    // What a peer needs to come back cheaply is kept by the peer.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(Arc::new(config))
}

fn announce(files: &TlsFiles, certificate: &Certificate) {
    let file = files.certificate.display();
    match certificate.days_left(SystemTime::now()) {
        None => tracing::warn!("{file}: {}", certificate.trouble(SystemTime::now())),
        Some(days) if days <= SOON => tracing::warn!("{file}: the certificate ends in {days} days"),
        Some(days) => tracing::info!("{file}: the certificate is good for {days} days"),
    }
}
