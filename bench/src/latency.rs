//! How long things take, as distributions.
//!
//! With an open loop a time begins when the thing was due, not when the generator came to do it: while a server (or the
//! generator) stands still, the things that would have been done then count as late ones. Without that correction they
//! would not be counted at all, which is known as coordinated omission.

use std::time::Instant;

use hdrhistogram::Histogram;

use crate::Failure;
use crate::report::Report;

/// When something was to be done, and when it was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) due: Instant,
    pub(crate) at: Instant,
}

/// In microseconds, with three digits.
pub(crate) struct Latencies {
    corrected: Histogram<u32>,
    /// From when it was done.
    uncorrected: Histogram<u32>,
    /// From when it was due to when it was done.
    lateness: Histogram<u32>,
}

impl Latencies {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            corrected: Histogram::new(3)?,
            uncorrected: Histogram::new(3)?,
            lateness: Histogram::new(3)?,
        })
    }

    pub(crate) fn begin(&mut self, begun: Begun) -> Result<(), Failure> {
        record(&mut self.lateness, begun.due, begun.at)
    }

    pub(crate) fn end(&mut self, begun: Begun, now: Instant) -> Result<(), Failure> {
        record(&mut self.corrected, begun.due, now)?;
        record(&mut self.uncorrected, begun.at, now)
    }

    /// Adds its percentiles; those of an open loop with what the correction does.
    pub(crate) fn report(&self, report: &mut Report, is_open: bool) {
        report.add("loop", if is_open { "open" } else { "closed" });
        for (name, quantile) in [
            ("latency_p50_ms", 0.5),
            ("latency_p90_ms", 0.9),
            ("latency_p99_ms", 0.99),
            ("latency_p999_ms", 0.999),
            ("latency_max_ms", 1.0),
        ] {
            report.add_figure(name, milliseconds(&self.corrected, quantile));
        }
        if is_open {
            let uncorrected = milliseconds(&self.uncorrected, 0.99);
            report.add_figure("uncorrected_p99_ms", uncorrected);
            report.add_figure("lateness_p99_ms", milliseconds(&self.lateness, 0.99));
        }
    }
}

fn record(histogram: &mut Histogram<u32>, from: Instant, to: Instant) -> Result<(), Failure> {
    let micros = to.saturating_duration_since(from).as_micros();
    Ok(histogram.record(u64::try_from(micros)?)?)
}

fn milliseconds(histogram: &Histogram<u32>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pause_of_the_server_is_seen_though_nothing_was_sent_in_it() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut latencies = Latencies::new().unwrap();

        // One was due each 10 ms; the server stood still from 100 to 600, and so did the one that waited for it.
        for number in 0..100_u64 {
            let due = after(number * 10);
            let at = if (100..600).contains(&(number * 10)) {
                after(600)
            } else {
                due
            };
            let begun = Begun { due, at };
            latencies.begin(begun).unwrap();
            latencies.end(begun, at + Duration::from_millis(1)).unwrap();
        }

        let near = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 0.002;
        assert!(near(milliseconds(&latencies.corrected, 1.0), 501.0));
        assert!(near(milliseconds(&latencies.corrected, 0.75), 251.0));
        assert!(near(milliseconds(&latencies.corrected, 0.5), 1.0));
        assert!(near(milliseconds(&latencies.uncorrected, 1.0), 1.0));
        assert!(near(milliseconds(&latencies.lateness, 1.0), 500.0));
    }
}
