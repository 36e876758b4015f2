//! TLS below the wire, with certificates that are checked or not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};

use crate::check::{Checked, Stop};

/// Whom the suite believes that it is the server.
#[derive(Clone, Debug)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

/// A connection within which nobody reads along.
#[derive(Debug)]
pub(crate) struct Secured(Box<StreamOwned<ClientConnection, TcpStream>>);

impl Trust {
    /// Whoever has a certificate of an authority in that file, in PEM.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has no certificate.
    pub fn in_authorities(file: &Path) -> Result<Self, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
        let certificates = CertificateDer::pem_file_iter(file).map_err(|why| wrong(&why))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let certificate = certificate.map_err(|why| wrong(&why))?;
            roots.add(certificate).map_err(|why| wrong(&why))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"no certificate"));
        }
        Self::with(|config| config.with_root_certificates(roots))
    }

    /// Anybody.
    ///
    /// # Errors
    ///
    /// If there is no TLS to be spoken.
    pub fn in_anybody() -> Result<Self, String> {
        let verifier = Arc::new(Anybody(aws_lc_rs::default_provider()));
        Self::with(|config| {
            let config = config.dangerous();
            config.with_custom_certificate_verifier(verifier)
        })
    }

    fn with(
        verified: impl FnOnce(
            rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
        )
            -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    ) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = verified(config).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        Ok(Self { config })
    }

    /// Shakes hands with the server of that name.
    pub(crate) fn secured(&self, mut socket: TcpStream, name: &str) -> Checked<Secured> {
        let failed = |why: &dyn std::fmt::Display| Stop::failed(format!("no TLS: {why}"));
        let name = ServerName::try_from(name.to_owned()).map_err(|why| failed(&why))?;
        let session = ClientConnection::new(Arc::clone(&self.config), name);
        let mut session = session.map_err(|why| failed(&why))?;
        while session.is_handshaking() {
            session
                .complete_io(&mut socket)
                .map_err(|why| failed(&why))?;
        }
        Ok(Secured(Box::new(StreamOwned::new(session, socket))))
    }
}

impl Secured {
    pub(crate) const fn socket(&self) -> &TcpStream {
        &self.0.sock
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        self.0.conn.send_close_notify();
        self.0.flush().ok();
    }
}

impl Read for Secured {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Believes every certificate, and checks no more than that its key is there.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
