//! A certificate and its key, as they lie in files.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::der::Decode;

const DAY: Duration = Duration::from_secs(86_400);

/// Where a certificate and its key are, both in PEM. One file may hold both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
}

/// What is known of a certificate that can be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Certificate {
    /// From when on it is good.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
}

impl Certificate {
    /// How many whole days it is good for from `now`; `None` if it is not good now.
    #[must_use]
    pub fn days_left(&self, now: SystemTime) -> Option<u64> {
        if now < self.not_before {
            return None;
        }
        let left = self.not_after.duration_since(now).ok()?;
        Some(left.as_secs() / DAY.as_secs())
    }

    /// Why clients will not take it at `now`; what is said of one that is good means nothing.
    pub(super) fn trouble(&self, now: SystemTime) -> &'static str {
        if now < self.not_before {
            "the certificate is not good yet: clients refuse it"
        } else {
            "the certificate has run out: clients refuse it"
        }
    }
}

/// What is wrong with the files.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// This file cannot be read, or is not there.
    Unreadable(PathBuf, io::Error),
    /// This file is not PEM, or a section of it is broken.
    NotPem(PathBuf, String),
    /// No certificate is in this file.
    NoCertificate(PathBuf),
    /// The first certificate in this file is not one.
    BadCertificate(PathBuf, String),
    /// No private key is in this file.
    NoKey(PathBuf),
    /// The private key in this file is encrypted.
    EncryptedKey(PathBuf),
    /// The private key in this file is of no use.
    BadKey(PathBuf, String),
    /// The key is not that of the certificate.
    Mismatch(TlsFiles),
    /// The TLS library does not take them.
    Refused(Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, error) => {
                write!(f, "cannot read {}: {error}", file.display())
            }
            Self::NotPem(file, why) => write!(f, "{}: is not PEM: {why}", file.display()),
            Self::NoCertificate(file) => {
                write!(f, "{}: holds no certificate in PEM", file.display())
            }
            Self::BadCertificate(file, why) => {
                write!(f, "{}: the certificate is broken: {why}", file.display())
            }
            Self::NoKey(file) => write!(
                f,
                "{}: holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)",
                file.display()
            ),
            Self::EncryptedKey(file) => write!(
                f,
                "{}: the private key is encrypted, and nobody is there to type its passphrase",
                file.display()
            ),
            Self::BadKey(file, why) => {
                write!(f, "{}: the private key is of no use: {why}", file.display())
            }
            Self::Mismatch(files) => write!(
                f,
                "the key in {} is not the one of the first certificate in {}",
                files.key.display(),
                files.certificate.display()
            ),
            Self::Refused(error) => write!(f, "TLS cannot begin: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Whether a server could show what is in these files: both can be read, the chain and the key can
/// be parsed, and the key is that of the first certificate. Whether it is good today is in the
/// answer; whether clients trust it, or would take it for this server's name, is not looked at.
///
/// # Errors
///
/// What is wrong, with the file that it is wrong with.
pub fn check(files: &TlsFiles) -> Result<Certificate, TlsError> {
    load(files, &Arc::new(default_provider())).map(|(_, certificate)| certificate)
}

/// The same, with what is to be shown.
pub(super) fn load(
    files: &TlsFiles,
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, Certificate), TlsError> {
    let TlsFiles { certificate, key } = files;
    let chain = chain(certificate)?;
    let broken = |why: &dyn fmt::Display| {
        TlsError::BadCertificate(certificate.clone(), why.to_string())
    };
    let Some(first) = chain.first() else {
        return Err(TlsError::NoCertificate(certificate.clone()));
    };
    let parsed = x509_cert::Certificate::from_der(first).map_err(|error| broken(&error))?;
    let validity = parsed.tbs_certificate.validity;
    let known = Certificate {
        not_before: validity.not_before.to_system_time(),
        not_after: validity.not_after.to_system_time(),
    };
    let signing = provider
        .key_provider
        .load_private_key(private_key(key)?)
        .map_err(|error| TlsError::BadKey(key.clone(), error.to_string()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok((certified, known)),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch(files.clone())),
        Err(error) => Err(broken(&error)),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::Unreadable(file.into(), error))
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| not_pem(file, &error))
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(&text) => TlsError::EncryptedKey(file.into()),
        pem::Error::NoItemsFound => TlsError::NoKey(file.into()),
        error => not_pem(file, &error),
    })
}

/// What the parser says of a broken line it says with the line, which may be of a key.
fn not_pem(file: &Path, error: &pem::Error) -> TlsError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is wrong with it"
    )]
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a section does not end",
        pem::Error::IllegalSectionStart { .. } => "a section begins with a broken line",
        pem::Error::Base64Decode(_) => "a section is not base64",
        pem::Error::SectionTooLarge => "a section is too large",
        _ => "it cannot be parsed",
    };
    TlsError::NotPem(file.into(), why.into())
}

fn is_encrypted(text: &[u8]) -> bool {
    const MARKS: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    MARKS
        .iter()
        .any(|mark| text.windows(mark.len()).any(|window| window == *mark))
}
