//! Certificates of a test's own, and connections that trust them.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::Wire;

/// Issues certificates for servers on the loopback interface, which are files in a folder of its own.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
    der: CertificateDer<'static>,
}

/// How a client begins.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// What it would speak, the better first.
    pub protocols: &'a [&'a str],
    /// The versions of TLS that it knows.
    pub versions: &'a [&'static SupportedProtocolVersion],
}

impl Default for Hello<'_> {
    fn default() -> Self {
        Self {
            protocols: &["http/1.1"],
            versions: rustls::ALL_VERSIONS,
        }
    }
}

impl Authority {
    /// One of its own kind, in a new folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for certificates");
        let mut params = CertificateParams::default();
        // A server's certificate with the same name as its issuer's would seem to have issued itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority for tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let authority = Self { issuer, folder };
        std::fs::write(authority.file(), authority.issuer.pem()).expect("a file in that folder");
        authority
    }

    /// The file of its own certificate, for clients that are to trust it.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A file of that name in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a certificate for 127.0.0.1 and puts it into the files NAME.pem and NAME.key, in place of what was there.
    pub fn issue(&self, name: &str) -> Identity {
        let params = CertificateParams::new(["127.0.0.1".into()]).expect("an address as a name");
        let key = KeyPair::generate().expect("a key");
        let issued = params.signed_by(&key, &self.issuer).expect("a certificate");
        let identity = Identity {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            der: issued.der().clone(),
        };
        std::fs::write(&identity.certificate, issued.pem()).expect("a file in that folder");
        std::fs::write(&identity.key, key.serialize_pem()).expect("a file in that folder");
        identity
    }

    /// Connects to a server that this authority has issued a certificate for, and shakes hands; anything else is a
    /// failure.
    #[track_caller]
    pub fn connect(&self, address: SocketAddr, hello: Hello<'_>) -> Wire {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.issuer.der().clone())
            .expect("a certificate of an authority");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(hello.versions)
            .expect("versions that there are")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = hello.protocols.iter().map(|name| (*name).into()).collect();
        let name = ServerName::IpAddress(IpAddr::from(address.ip()));
        let mut session = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut socket = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("{address} does not accept: {error}"));
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut socket) {
                panic!("no handshake with {address}: {error}");
            }
        }
        Wire::over_tls(StreamOwned::new(session, socket))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Whether that is what the server at the other end showed.
    pub fn is_shown_on(&self, wire: &Wire) -> bool {
        let shown = wire.tls().and_then(|session| session.peer_certificates());
        shown.and_then(<[_]>::first) == Some(&self.der)
    }
}
