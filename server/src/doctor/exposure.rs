//! Who can come, and what they may do.

#[cfg(unix)]
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use bayeux_core::Transport;
use bayeux_core::http::Origins;

use super::Finding;
use crate::config::{Conformance, Settings};

/// What is open that may not be meant to be.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    let beyond = settings.listen.iter().find(|address| !is_local(address));
    if let Some(address) = beyond.filter(|_| settings.access.is_open()) {
        findings.push(Finding::warning(
            format!(
                "access: there are no [[rules]], so whoever reaches {address} may subscribe and publish to \
                 every channel"
            ),
            "say in [[rules]] who may do what, or let a firewall keep others away",
        ));
    }
    if settings.conformance == Conformance::On {
        findings.push(Finding::warning(
            "access: the helpers for test suites are on",
            "leave out --conformance where others than tests can come",
        ));
    }
    if settings.http.origins == Origins::Any {
        findings.push(Finding::warning(
            "access: pages of any origin may use the server in the name of whoever looks at them",
            "name the origins that are meant: --allow-origin https://chat.example",
        ));
    }
    if settings.admin.leaves_the_machine() && settings.tls.is_none() {
        findings.push(Finding::warning(
            "access: the key of the HTTP API goes in clear text beyond this machine",
            "set --tls-cert and --tls-key, or leave --admin-listen at loopback",
        ));
    }
    if settings.tls.is_some() && !settings.cookie.secure {
        findings.push(Finding::warning(
            "access: the server speaks TLS, and browsers would send its cookie without",
            "set browserCookieSecure = true",
        ));
    }
    let transports = &settings.engine.allowed_transports;
    if settings.access.sources.cookie.is_some()
        && settings.tls.is_none()
        && transports.contains(&Transport::CallbackPolling)
    {
        findings.push(Finding::warning(
            "access: tokens come in a cookie, which browsers send with callback-polling from any page, and \
             without TLS they hardly say which page that is",
            "leave callback-polling out of allowedTransports, or see that all comes over TLS and that a proxy in \
             front hands on Origin, Referer and Sec-Fetch-Site",
        ));
    }
    let key = settings.tls.iter().map(|files| &files.key);
    let secrets = settings.secret_files.iter().chain(key);
    findings.extend(secrets.filter(|file| is_readable_by_others(file)).map(|file| {
        Finding::warning(
            format!("access: everybody on this machine can read {}", file.display()),
            "chmod o= FILE; LoadCredential= in the unit of systemd gives the server a copy of its own",
        )
    }));
    findings
}

/// Whether users can that are neither its owner nor in its group.
#[cfg(unix)]
fn is_readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    const READ: u32 = 0o004;
    fs::metadata(file).is_ok_and(|found| found.permissions().mode() & READ != 0)
}

/// What rights are elsewhere is not looked at.
#[cfg(not(unix))]
const fn is_readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;
    use crate::command_line::parse_with;
    use crate::tls::TlsFiles;

    #[test]
    fn what_stands_open_is_said() {
        let mut settings = Settings::default();
        assert_eq!(check(&settings), []);

        settings.conformance = Conformance::On;
        settings.http.origins = Origins::Any;
        settings.listen.push(([0, 0, 0, 0], 8080).into());
        settings.admin.listen.push(([0, 0, 0, 0], 8081).into());
        let key = "a-key-that-nobody-has-guessed";
        settings.admin.keys.add(key).expect("a key");

        let findings = check(&settings);
        assert_eq!(findings.len(), 4, "{findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning)
        );
    }

    #[test]
    fn cookies_that_go_astray_are_said() {
        let mut settings = Settings::default();
        settings.access.sources.cookie = Some("token".into());
        let findings = check(&settings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].text.contains("callback-polling"),
            "{findings:?}"
        );

        settings.tls = Some(TlsFiles {
            certificate: "nowhere/cert.pem".into(),
            key: "nowhere/key.pem".into(),
        });
        let findings = check(&settings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let advice = findings[0].advice.as_deref();
        assert_eq!(advice, Some("set browserCookieSecure = true"));

        settings.cookie.secure = true;
        assert_eq!(check(&settings), []);
        settings.tls = None;
        let all = &mut settings.engine.allowed_transports;
        all.retain(|transport| *transport != Transport::CallbackPolling);
        assert_eq!(check(&settings), []);
    }

    #[cfg(unix)]
    #[test]
    fn secrets_that_everybody_can_read_are_said() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let long = "thirty-two-bytes-and-more-of-a-secret";
        for (mode, said) in [(0o640, 0), (0o644, 4)] {
            let [keys, token, publisher] =
                ["keys", "token", "publisher"].map(|name| write(name, long, mode));
            let text = format!(
                "[server]\nadmin-key = '{long}'\nadmin-key-file = {keys:?}\n\
                 [[keys]]\nfile = {token:?}\nalgorithm = 'HS256'\n\
                 [[publishers]]\nfile = {publisher:?}\n[[rules]]\npattern = '/**'\n"
            );
            let file = write("bayeux.toml", &text, mode);
            let arguments = ["server".into(), "--config".into(), file.into_os_string()];
            let read = parse_with("server", "Serves.", arguments.into_iter(), |_| None);
            let settings = read.unwrap();

            let findings = check(&settings);
            assert_eq!(findings.len(), said, "{findings:?}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
