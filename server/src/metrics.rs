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

/// All metrics of a server, in the text format of OpenMetrics. Of shards that do not answer in
/// time the counters are as they were last; they are missing from gauges, and from `bayeux_shards_answering`.
pub(crate) async fn scrape(router: &Router, runtime: Option<&Runtime>) -> String {
    let measures = measures(router, runtime).await;
    Scrape::of(router, measures).text()
}

/// What a server had counted at a moment.
#[derive(Debug)]
struct Scrape {
    /// Those that answer.
    shards: Vec<Option<Measure>>,
    /// What all have counted, as far as they have ever answered.
    counted: Vec<Option<Measure>>,
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
        let counted = router.latest.with(&shards);
        let mut counts: BTreeMap<_, _> = router.site.tally.iter().collect();
        for measure in counted.iter().flatten() {
            for (name, count) in measure.counters.iter() {
                *counts.entry(name).or_default() += count;
            }
        }
        let (sockets, most_sockets) = router.site.admission.fill();
        Self {
            shards,
            counted,
            counts,
            sockets,
            most_sockets,
            websockets: router.websockets(),
            crossed: router.crossed(),
            waiting: router.waiting(),
            is_draining: router.is_draining(),
            lost_lines: crate::log::lost_lines(),
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
        let noted = self.counted.iter().flatten().map(|measure| &measure.noted);
        vec![Sample::new(noted.map(number).sum())]
    }

    /// Sums of counters by name, in the order of the first.
    fn sums<'a, I>(&'a self, label: &'static str, counts: impl Fn(&'a Measure) -> I) -> Vec<Sample>
    where
        I: Iterator<Item = (&'static str, u64)>,
    {
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (name, count) in self.counted.iter().flatten().flat_map(counts) {
            *sums.entry(name).or_default() += count;
        }
        let labelled = |(name, count): (&'static str, _)| Sample::new(count).by(label, name);
        sums.into_iter().map(labelled).collect()
    }

    fn of_each_shard(&self, number: impl Fn(&Measure) -> u64) -> Vec<Sample> {
        by_shard(&self.shards, number)
    }

    /// The same of a counter.
    fn counted_by_each_shard(&self, number: impl Fn(&Measure) -> u64) -> Vec<Sample> {
        by_shard(&self.counted, number)
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

fn by_shard(shards: &[Option<Measure>], number: impl Fn(&Measure) -> u64) -> Vec<Sample> {
    let shards = shards.iter().enumerate();
    shards
        .filter_map(|(index, measure)| {
            let sample = Sample::new(number(measure.as_ref()?));
            Some(sample.by("shard", index.to_string()))
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bayeux_core::Counters;

    use super::families::ELSEWHERE;
    use super::*;
    use crate::config::Settings;
    use crate::node::{Extras, Node};
    use crate::router::Place;
    use crate::tally::Tally;

    /// The text of a server of two shards, none of which runs.
    fn text() -> String {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let router = node.gateway(Place::Mounted(0)).router;
        Scrape::of(&router, vec![Some(Measure::nothing()), None]).text()
    }

    fn counted() -> BTreeSet<&'static str> {
        let engine = Counters::default();
        let tally = Tally::default();
        let names = engine.iter().chain(tally.iter()).map(|(name, _)| name);
        names.collect()
    }

    #[test]
    fn each_count_of_engines_and_tally_is_told_once_by_a_metric() {
        let mut told: Vec<&str> = ELSEWHERE.iter().map(|(count, _)| *count).collect();
        for family in FAMILIES {
            match &family.source {
                Source::Count(name) => told.push(name),
                Source::Counts(_, names) => told.extend(names.iter().map(|(_, name)| *name)),
                Source::Of(_) => {}
            }
        }
        told.sort_unstable();

        assert_eq!(told, counted().into_iter().collect::<Vec<_>>());
        for (_, metric) in ELSEWHERE {
            assert!(
                FAMILIES.iter().any(|family| family.name == metric),
                "{metric}"
            );
        }
    }

    #[test]
    fn engines_and_tally_name_no_count_alike() {
        let both = Counters::default().iter().count() + Tally::default().iter().count();

        assert_eq!(counted().len(), both);
    }

    #[test]
    fn metrics_are_named_and_explained_as_is_usual() {
        let mut names = BTreeSet::new();
        for Family {
            name, help, kind, ..
        } in FAMILIES
        {
            assert!(names.insert(name), "{name} stands twice");
            assert!(
                name.starts_with("bayeux_") || name.starts_with("process_"),
                "{name}"
            );
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(fits), "{name}");
            assert!(
                !name.ends_with("_total") && !name.ends_with("_created"),
                "{name}"
            );
            assert!(
                !help.is_empty() && !help.ends_with('.') && !help.contains('\n'),
                "{name}"
            );
            assert!(*kind == Kind::Gauge || !name.ends_with("_max"), "{name}");
        }
    }

    #[test]
    fn the_text_is_one_that_prometheus_reads() {
        let text = text();

        let (body, end) = text.split_at(text.len() - "# EOF\n".len());
        assert_eq!(end, "# EOF\n");
        let mut family = ("", "");
        let mut seen = BTreeSet::new();
        for line in body.lines() {
            if line.starts_with("# HELP ") {
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split_once(' ').unwrap();
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(series), "{series} stands twice");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let suffix = if family.1 == "counter" { "_total" } else { "" };
            assert_eq!(name, format!("{}{suffix}", family.0), "{line}");
            let labels = labels.strip_suffix('}').unwrap();
            for label in labels.split_terminator(',') {
                let (key, value) = label.split_once('=').unwrap();
                let value = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'));
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                assert!(key.bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
                assert!(value.is_some_and(|value| value.bytes().all(fits)), "{line}");
            }
        }
        for series in [
            "bayeux_shards 2",
            "bayeux_shards_answering 1",
            "bayeux_refused_total{reason=\"too_large\"} 0",
            "bayeux_sessions_ended_total{reason=\"queue_full\"} 0",
            "bayeux_sessions{phase=\"held\",transport=\"websocket\"} 0",
        ] {
            assert!(body.lines().any(|line| line == series), "{series}\n{text}");
        }
    }

    #[test]
    fn counters_do_not_go_down_and_gauges_do_when_a_shard_is_late() {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let router = node.gateway(Place::Mounted(0)).router;
        let mut measure = Measure::nothing();
        measure.counters.facts = 5;
        measure.counters.handshakes = 3;
        measure.noted.opened = 3;
        measure.load.channels = 2;
        let series = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit_once(' '))
                .map(|(_, value)| value.to_owned())
        };
        let names = [
            ("bayeux_handshakes_total", "3"),
            ("bayeux_sessions_opened_total", "3"),
            ("bayeux_shard_facts_total{shard=\"0\"}", "5"),
        ];
        let earlier = Measure {
            counters: Counters::default(),
            ..measure.clone()
        };
        measure.at = bayeux_core::Instant::from_epoch(std::time::Duration::from_secs(1));

        let answers = [Some(measure), None, Some(earlier)];
        for (asked, answer) in answers.into_iter().enumerate() {
            let channels = answer.as_ref().map_or("0", |_| "2");
            let text = Scrape::of(&router, vec![answer, None]).text();

            for (name, value) in names {
                assert_eq!(
                    series(&text, name).as_deref(),
                    Some(value),
                    "{asked}: {name}"
                );
            }
            let gauge = series(&text, "bayeux_channels ");
            assert_eq!(gauge.as_deref(), Some(channels), "{asked}");
        }
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_exist() {
        let dashboard = include_str!("../../deploy/grafana.json");
        let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
        let text = text();
        let known: BTreeSet<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();

        let mut expressions = Vec::new();
        collect(&dashboard, &mut expressions);
        assert!(expressions.len() > 10, "{expressions:?}");
        for expression in expressions {
            let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let words = expression.split(|character| !is_part(character));
            let asked: Vec<_> = words
                .filter(|word| word.starts_with("bayeux_") || word.starts_with("process_"))
                .collect();
            assert!(!asked.is_empty(), "{expression}");
            for name in asked {
                assert!(known.contains(name), "{name} in {expression}");
            }
        }
    }

    /// All queries in `value`.
    fn collect<'a>(value: &'a serde_json::Value, into: &mut Vec<&'a str>) {
        match value {
            serde_json::Value::Object(members) => {
                into.extend(members.get("expr").and_then(serde_json::Value::as_str));
                members.values().for_each(|value| collect(value, into));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
}
