//! Who can come, and what they may do.

use bayeux_core::http::Origins;

use super::Finding;
use crate::config::{Conformance, Settings};

/// What is open that may not be meant to be.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
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

        let findings = check(&settings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning)
        );
    }
}
