//! Everything that a server counts, as text for Prometheus.
//!
//! A scrape asks each shard once, whatever that holds. Labels come from fixed sets: nothing that a client
//! chooses becomes one, so the number of time series is bounded.

mod families;

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use self::families::{FAMILIES, Family, Kind, Sample, Source};
use crate::measure::{Measure, Noted, measures};
use crate::process::Figures;
use crate::router::Router;
use crate::runtime::Runtime;

/// The type of the text, for its `Content-Type` header.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a server, in the text format of OpenMetrics. Shards that do not answer in time are
/// missing from the sums, and from `bayeux_shards_answering`.
pub(crate) async fn scrape(router: &Router, runtime: &Runtime) -> String {
    let measures = measures(router, runtime).await;
    Scrape::of(router, measures).text()
}

/// What a server had counted at a moment.
#[derive(Debug)]
struct Scrape {
    shards: Vec<Option<Measure>>,
    /// The counts of engines and tally, by their names.
    counts: BTreeMap<&'static str, u64>,
    sockets: usize,
    most_sockets: usize,
    websockets: usize,
    crossed: u64,
    waiting: usize,
    is_draining: bool,
    lost_lines: u64,
    process: Figures,
}

impl Scrape {
    fn of(router: &Router, shards: Vec<Option<Measure>>) -> Self {
        let mut counts: BTreeMap<_, _> = router.site.tally.iter().collect();
        for measure in shards.iter().flatten() {
            for (name, count) in measure.counters.iter() {
                *counts.entry(name).or_default() += count;
            }
        }
        let (sockets, most_sockets) = router.site.admission.fill();
        Self {
            shards,
            counts,
            sockets,
            most_sockets,
            websockets: router.websockets(),
            crossed: router.crossed(),
            waiting: router.waiting(),
            is_draining: router.is_draining(),
            lost_lines: 0,
            process: Figures::now(),
        }
    }

    fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    fn answering(&self) -> impl Iterator<Item = &Measure> {
        self.shards.iter().flatten()
    }

    fn sum(&self, number: impl Fn(&Measure) -> usize) -> Vec<Sample> {
        let sum: usize = self.answering().map(number).sum();
        vec![Sample::of_count(sum)]
    }

    fn sum_noted(&self, number: impl Fn(&Noted) -> u64) -> Vec<Sample> {
        let noted = self.answering().map(|measure| &measure.noted);
        vec![Sample::new(noted.map(number).sum())]
    }

    /// Sums by name, in the order of the first.
    fn sums<'a, I>(&'a self, label: &'static str, counts: impl Fn(&'a Measure) -> I) -> Vec<Sample>
    where
        I: Iterator<Item = (&'static str, u64)>,
    {
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (name, count) in self.answering().flat_map(counts) {
            *sums.entry(name).or_default() += count;
        }
        let labelled = |(name, count): (&'static str, _)| Sample::new(count).by(label, name);
        sums.into_iter().map(labelled).collect()
    }

    fn of_each_shard(&self, number: impl Fn(&Measure) -> u64) -> Vec<Sample> {
        let shards = self.shards.iter().enumerate();
        shards
            .filter_map(|(index, measure)| {
                let sample = Sample::new(number(measure.as_ref()?));
                Some(sample.by("shard", index.to_string()))
            })
            .collect()
    }

    fn samples(&self, source: &Source) -> Vec<Sample> {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or(0);
        match source {
            Source::Count(name) => vec![Sample::new(count(name))],
            Source::Counts(label, names) => names
                .iter()
                .map(|(value, name)| Sample::new(count(name)).by(label, *value))
                .collect(),
            Source::Of(samples) => samples(self),
        }
    }

    fn encode_family(&self, family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let samples = self.samples(&family.source);
        if samples.is_empty() {
            return Ok(());
        }
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
        for sample in &samples {
            if sample.labels.is_empty() {
                write(&mut metric, family.kind, sample.number)?;
                continue;
            }
            let labels = &*sample.labels;
            write(
                &mut metric.encode_family(&labels)?,
                family.kind,
                sample.number,
            )?;
        }
        Ok(())
    }
}

fn write(metric: &mut MetricEncoder<'_>, kind: Kind, number: Number) -> fmt::Result {
    match (kind, number) {
        (Kind::Counter, Number::Whole(number)) => {
            metric.encode_counter::<NoLabelSet, _, u64>(&number, None)
        }
        (Kind::Counter, Number::Real(number)) => {
            metric.encode_counter::<NoLabelSet, _, u64>(&number, None)
        }
        (Kind::Gauge, Number::Whole(number)) => metric.encode_gauge(&number),
        (Kind::Gauge, Number::Real(number)) => metric.encode_gauge(&number),
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(u64),
    Real(f64),
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        FAMILIES
            .iter()
            .try_for_each(|family| self.encode_family(family, &mut encoder))
    }
}
