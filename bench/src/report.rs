//! What a scenario found, as a table or as JSON.

use std::io::{self, Write as _};

use serde_json::{Map, Value};

/// Names and values, in the order in which they are to be read.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(&'static str, Value)>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.rows.push((name, value.into()));
    }

    /// A figure with as many decimals as mean something.
    pub(crate) fn add_figure(&mut self, name: &'static str, value: f64) {
        let digits = if value.abs() >= 100.0 { 1.0 } else { 1000.0 };
        self.add(name, (value * digits).round() / digits);
    }

    /// How many there were for each second of the server's CPU, and what one cost.
    pub(crate) fn add_cost(&mut self, per_second: &'static str, cpu: f64, count: u64) {
        self.add_figure("server_cpu_seconds", cpu);
        self.add_figure(per_second, count as f64 / cpu);
        self.add_figure("server_cpu_us_each", cpu * 1e6 / count as f64);
    }

    pub(crate) fn print(self, as_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if as_json {
            let rows = self.rows.into_iter();
            let object: Map<_, _> = rows.map(|(name, value)| (name.to_owned(), value)).collect();
            return writeln!(out, "{}", Value::Object(object));
        }
        for (name, value) in self.rows {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "{name:<32} {value:>14}")?;
        }
        Ok(())
    }
}
