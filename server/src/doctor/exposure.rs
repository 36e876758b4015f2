//! Who can come, and what they may do.

use std::net::SocketAddr;

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
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

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
}
