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
    let broken =
        |why: &dyn fmt::Display| TlsError::BadCertificate(certificate.clone(), why.to_string());
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
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        if is_encrypted(&text) {
            return TlsError::EncryptedKey(file.into());
        }
        if matches!(error, pem::Error::NoItemsFound) {
            return TlsError::NoKey(file.into());
        }
        not_pem(file, &error)
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        PKCS_RSA_SHA256, SignatureAlgorithm, date_time_ymd,
    };
    use tempfile::TempDir;
    use x509_cert::der::asn1::{AnyRef, OctetStringRef};
    use x509_cert::der::{Reader, SliceReader};

    use super::*;

    fn files(folder: &TempDir, certificate: &str, key: &str) -> TlsFiles {
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        TlsFiles {
            certificate: write("cert.pem", certificate),
            key: write("key.pem", key),
        }
    }

    fn certificate(key: &KeyPair) -> String {
        let params = CertificateParams::new(["localhost".into()]).unwrap();
        params.self_signed(key).unwrap().pem()
    }

    fn pair(algorithm: &'static SignatureAlgorithm) -> (String, KeyPair) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        (certificate(&key), key)
    }

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(str::from_utf8).collect();
        let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
        let body = lines.join("\n");
        format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
    }

    /// The key within PKCS#8, which has a form of its own for each kind of key.
    fn inner(key: &KeyPair) -> Vec<u8> {
        let mut reader = SliceReader::new(key.serialized_der()).unwrap();
        let inner = reader.sequence(|reader| {
            reader.decode::<u8>()?;
            reader.decode::<AnyRef<'_>>()?;
            let inner = reader.decode::<OctetStringRef<'_>>()?.as_bytes().to_vec();
            // What may follow is of no matter.
            reader.read_slice(reader.remaining_len())?;
            Ok(inner)
        });
        inner.unwrap()
    }

    #[test]
    fn keys_of_all_kinds_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        for algorithm in [
            &PKCS_RSA_SHA256,
            &PKCS_ECDSA_P256_SHA256,
            &PKCS_ECDSA_P384_SHA384,
            &PKCS_ED25519,
        ] {
            let (certificate, key) = pair(algorithm);
            check(&files(&folder, &certificate, &key.serialize_pem())).unwrap();
        }
        for (algorithm, kind) in [
            (&PKCS_RSA_SHA256, "RSA PRIVATE KEY"),
            (&PKCS_ECDSA_P256_SHA256, "EC PRIVATE KEY"),
        ] {
            let (certificate, key) = pair(algorithm);
            let files = files(&folder, &certificate, &pem(kind, &inner(&key)));
            check(&files).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
    }

    #[test]
    fn one_file_may_hold_the_chain_and_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let (first, key) = pair(&PKCS_ED25519);
        let (second, _) = pair(&PKCS_ED25519);
        let all = format!("a comment\n{}{first}{second}", key.serialize_pem());

        let (certified, _) = load(&files(&folder, &all, &all), &default_provider()).unwrap();

        assert_eq!(certified.cert.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file_that_it_is_wrong_with() {
        let folder = tempfile::tempdir().unwrap();
        let (good, key) = pair(&PKCS_ED25519);
        let good_key = key.serialize_pem();
        let (_, other) = pair(&PKCS_ED25519);
        let cut: String = good.chars().take(100).collect();
        let garbled = good.replace("MI", "M!");
        let table = [
            ("", &*good_key, "cert.pem: holds no certificate in PEM"),
            (
                &good_key,
                &good_key,
                "cert.pem: holds no certificate in PEM",
            ),
            (
                &cut,
                &good_key,
                "cert.pem: is not PEM: a section does not end",
            ),
            (
                &garbled,
                &good_key,
                "cert.pem: is not PEM: a section is not base64",
            ),
            (
                &pem("CERTIFICATE", b"nonsense"),
                &good_key,
                "cert.pem: the certificate is broken: ",
            ),
            (
                &good,
                "",
                "key.pem: holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)",
            ),
            (&good, &good, "key.pem: holds no private key in PEM"),
            (
                &good,
                &pem("ENCRYPTED PRIVATE KEY", b"x"),
                "key.pem: the private key is encrypted",
            ),
            (
                &good,
                &pem("PRIVATE KEY", b"x"),
                "key.pem: the private key is of no use",
            ),
            (
                &good,
                &other.serialize_pem(),
                "key.pem is not the one of the first certificate in ",
            ),
        ];
        for (certificate, key, complaint) in table {
            let error = check(&files(&folder, certificate, key))
                .unwrap_err()
                .to_string();
            assert!(error.contains(complaint), "{complaint}: {error}");
            assert!(
                error.contains(&folder.path().display().to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(&folder, "", "");
        files.certificate = folder.path().join("nowhere.pem");

        let error = check(&files).unwrap_err().to_string();

        let begin = format!("cannot read {}: ", files.certificate.display());
        assert!(error.starts_with(&begin), "{error}");
    }

    #[test]
    fn what_a_broken_key_file_holds_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let (good, _) = pair(&PKCS_ED25519);
        let broken = "-----BEGIN PRIVATE KEYsecret\nsecret!\n-----END PRIVATE KEY-----\n";

        let error = check(&files(&folder, &good, broken)).unwrap_err();

        assert!(
            !format!("{error} {error:?}").contains("secret!"),
            "{error:?}"
        );
    }

    #[test]
    fn the_days_that_a_certificate_has_left_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".into()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        let text = params.self_signed(&key).unwrap().pem();
        let known = check(&files(&folder, &text, &key.serialize_pem())).unwrap();

        assert_eq!(known.days_left(known.not_before), Some(31));
        assert_eq!(known.days_left(known.not_after - DAY / 2), Some(0));
        assert_eq!(known.days_left(known.not_before - DAY), None);
        assert_eq!(known.days_left(known.not_after + DAY), None);
        assert!(known.trouble(known.not_after + DAY).contains("run out"));
        assert!(
            known
                .trouble(known.not_before - DAY)
                .contains("not good yet")
        );
    }
}
