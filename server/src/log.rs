//! What the process tells of itself on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Has everything logged that is asked for, from now on and to the end of the process.
pub(crate) fn start(asked: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives(asked)))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}

/// What to log, with the libraries below kept to their warnings unless they are named.
fn directives(asked: &str) -> String {
    let asked_for = || asked.split(',').map(str::trim);
    let is_chatty = |level: &str| {
        level
            .parse()
            .is_ok_and(|level: LevelFilter| level > LevelFilter::WARN)
    };
    if !asked_for().any(is_chatty) {
        return asked.into();
    }
    let is_named = |target: &str| asked_for().any(|one| one.split('=').next() == Some(target));
    let quiet = ["h2", "hyper", "hyper_util"]
        .into_iter()
        .filter(|target| !is_named(target));
    quiet.fold(asked.into(), |all, target| format!("{all},{target}=warn"))
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        for (asked, all) in [
            ("off", "off"),
            ("warn", "warn"),
            ("info", "info,h2=warn,hyper=warn,hyper_util=warn"),
            (
                "debug, h2=trace",
                "debug, h2=trace,hyper=warn,hyper_util=warn",
            ),
            ("warn,hyper=debug", "warn,hyper=debug"),
        ] {
            assert_eq!(directives(asked), all);
        }
    }
}
