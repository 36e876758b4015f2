//! What the process tells of itself: as text for people, or as one JSON object a line for machines.
//!
//! Lines are handed to a thread that writes them, so that a reader who is slow or gone holds back no
//! shard: what it does not take in time is dropped and counted. Whatever a line shows of a client stays
//! within that line.

mod escaped;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic;
use std::sync::OnceLock;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use self::escaped::Escaped;
use crate::command_line::{Stop, WARNING};
use crate::config::{LogFormat, Settings};

/// How many lines wait to be written at the most.
const WAITING: usize = 8_192;

/// Knows how many lines were dropped. There is one log in a process.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines were dropped because nobody took them in time.
pub(crate) fn lost_lines() -> u64 {
    let lost = LOST.get().map_or(0, ErrorCounter::dropped_lines);
    u64::try_from(lost).unwrap_or(u64::MAX)
}

/// The log of a process. Dropped, it writes what still waits, if somebody takes it within a second.
pub(crate) struct Log {
    format: LogFormat,
    _writing: WorkerGuard,
}

impl Log {
    /// Has everything logged that is asked for, from now on and to the end of the process: text to
    /// standard error, JSON to standard output.
    pub(crate) fn start(settings: &Settings) -> Self {
        let builder = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(WAITING)
            .thread_name("log");
        let (lines, writing) = match settings.log_format {
            LogFormat::Text => builder.finish(io::stderr()),
            LogFormat::Json => builder.finish(io::stdout()),
        };
        let _ = LOST.set(lines.error_counter());
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(directives(&settings.log)))
            .with_ansi(false);
        match settings.log_format {
            LogFormat::Text => subscriber
                .with_writer(move || Escaped(lines.clone()))
                .init(),
            LogFormat::Json => subscriber
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(lines)
                .init(),
        }
        log_panics();
        Self {
            format: settings.log_format,
            _writing: writing,
        }
    }

    /// Tells the operator something that does not depend on what is to be logged, line by line: as text,
    /// on standard output.
    pub(crate) fn say(&self, text: &str) {
        match self.format {
            // Nobody may be there to read it.
            LogFormat::Text => {
                let mut out = io::stdout().lock();
                let _ = writeln!(out, "{text}").and_then(|()| out.flush());
            }
            LogFormat::Json => {
                for line in text.lines() {
                    match line.strip_prefix(WARNING) {
                        Some(warning) => tracing::warn!("{warning}"),
                        None => tracing::info!("{line}"),
                    }
                }
            }
        }
    }

    /// Why the process ends: where everything else is, or nowhere yet.
    pub(crate) fn stop(&self, stop: Stop) -> Stop {
        if self.format == LogFormat::Text {
            return stop;
        }
        tracing::error!("{}", stop.text);
        Stop {
            text: String::new(),
            ..stop
        }
    }
}

/// A panic is a line like any other.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        let backtrace = backtrace.map(tracing::field::display);
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = panic.location().map(tracing::field::display);
        let what = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(thread, place, backtrace, what, "a panic");
    }));
}

/// What to log, with the libraries below kept to their warnings unless they are named; and without the
/// one that would log what peers send to the letter, the secrets among it, though it be named.
fn directives(asked: &str) -> String {
    let is_fit = |one: &&str| !one.trim().starts_with(INDISCREET);
    let asked = Vec::from_iter(asked.split(',').filter(is_fit)).join(",");
    let asked_for = || asked.split(',').map(str::trim);
    let is_chatty = |level: &str| {
        level
            .parse()
            .is_ok_and(|level: LevelFilter| level > LevelFilter::WARN)
    };
    // A target stands for all that begin like it.
    let takes_in = |one: &str| INDISCREET.starts_with(one.split(['=', '[']).next().unwrap_or(one));
    if !asked_for().any(is_chatty) {
        return if !asked.is_empty() && asked_for().any(takes_in) {
            format!("{asked},{INDISCREET}=warn")
        } else {
            asked
        };
    }
    let is_named = |target: &str| asked_for().any(|one| one.split('=').next() == Some(target));
    let quiet = ["h2", "hyper", "hyper_util", INDISCREET]
        .into_iter()
        .filter(|target| !is_named(target));
    quiet.fold(asked.clone(), |all, target| format!("{all},{target}=warn"))
}

/// It logs every frame, with all that stands in it.
const INDISCREET: &str = "tungstenite";

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        for (asked, all) in [
            ("off", "off"),
            ("warn", "warn"),
            (
                "info",
                "info,h2=warn,hyper=warn,hyper_util=warn,tungstenite=warn",
            ),
            (
                "debug, h2=trace",
                "debug, h2=trace,hyper=warn,hyper_util=warn,tungstenite=warn",
            ),
            ("warn,hyper=debug", "warn,hyper=debug"),
            ("warn,tungstenite=trace", "warn"),
            ("warn, tungstenite::protocol=trace", "warn"),
            ("warn,tung=trace", "warn,tung=trace,tungstenite=warn"),
            ("t", "t,tungstenite=warn"),
            ("tungstenite=trace", ""),
        ] {
            assert_eq!(directives(asked), all);
        }
    }
}
