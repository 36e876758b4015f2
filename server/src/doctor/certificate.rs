//! The certificate, and the key that is to be its own.

use std::time::SystemTime;

use super::Finding;
use crate::tls::{self, TlsFiles};

/// Fewer days than this are worth a warning: those who renew certificates for ninety days do it a month
/// before they run out.
const FEW_DAYS: u64 = 21;

/// Whether a server could show what is in these files today.
pub(super) fn check(files: &TlsFiles, now: SystemTime) -> Finding {
    match tls::check(files).map(|certificate| certificate.days_left(now)) {
        Ok(Some(days)) if days >= FEW_DAYS => {
            Finding::fine(format!("tls: the certificate is good for {days} days"))
        }
        Ok(Some(days)) => Finding::warning(
            format!("tls: the certificate is good for {days} days only"),
            "renew it, and send the server SIGHUP to have it read again",
        ),
        Ok(None) => Finding::warning(
            "tls: the certificate is not good today: clients refuse it",
            "look at its dates and at the clock of this machine",
        ),
        Err(error) => Finding::problem(
            format!("tls: {error}"),
            "--tls-cert takes the chain in PEM, the server's own first; --tls-key the key of that",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::Severity;
    use super::*;

    #[test]
    fn a_certificate_that_runs_out_or_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        assert_eq!(check(&files, UNIX_EPOCH).severity, Severity::Problem);

        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 3, 1);
        let text = params.self_signed(&key).unwrap().pem();
        std::fs::write(&files.certificate, text).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        // 2020-01-01.
        let start = UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        let day = |number: u32| start + Duration::from_secs(86_400) * number;

        for (now, severity) in [
            (day(30), Severity::Fine),
            (day(50), Severity::Warning),
            (day(70), Severity::Warning),
        ] {
            assert_eq!(check(&files, now).severity, severity);
        }
    }
}
