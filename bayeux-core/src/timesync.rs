//! Time synchronisation (EX-1) and timestamps (EX-2).

use alloc::boxed::Box;
use alloc::format;
use core::time::Duration;

use serde::Deserialize;

use crate::message::{Extensions, Payload};
use crate::time::Instant;

/// How far off a client's clock may be before it is told so, in milliseconds.
const ACCURACY_TARGET: i64 = 25;

/// What a client said of its clock, and when.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Timesync {
    request: Request,
    received: Instant,
}

/// `ext.timesync` of a request; numbers may have fractions.
#[derive(Clone, PartialEq, Debug, Deserialize)]
struct Request {
    tc: f64,
    #[serde(default)]
    l: Option<f64>,
    #[serde(default)]
    o: Option<f64>,
}

impl Timesync {
    /// What `ext` says, if it says something that can be answered.
    pub(crate) fn of(ext: Option<&Extensions>, received: Instant) -> Option<Box<Self>> {
        let value = ext?.get("timesync")?;
        let request: Request = serde_json::from_str(value.as_str()).ok()?;
        Some(Box::new(Self { request, received }))
    }

    /// The member of the reply that leaves `now`; `None` if the client's clock is near enough.
    pub(crate) fn answer(&self, now: Instant, wall_clock: Duration) -> Option<Payload> {
        let whole = |number: f64| number as i64;
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let tc = whole(self.request.tc);
        let ts = millis(wall_clock.saturating_add(self.received.since_epoch()));
        let p = millis(now.saturating_duration_since(self.received));
        let Some(lag) = self.request.l.map(whole) else {
            return Payload::parse(format!(r#"{{"tc":{tc},"ts":{ts},"p":{p}}}"#)).ok();
        };
        let offset = self.request.o.map_or(0, whole);
        let accuracy = tc
            .saturating_add(offset)
            .saturating_add(lag)
            .saturating_sub(ts);
        if lag != 0 && accuracy.unsigned_abs() < ACCURACY_TARGET.unsigned_abs() {
            return None;
        }
        Payload::parse(format!(r#"{{"tc":{tc},"ts":{ts},"p":{p},"a":{accuracy}}}"#)).ok()
    }
}

/// `since_1970` as an HTTP date: `Tue, 05 Mar 2024 10:11:12 GMT`.
pub(crate) fn http_date(since_1970: Duration) -> Box<str> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = since_1970.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years: the leap day is then the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 2
    } else {
        shifted_month - 10
    };
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let name = |names: &'static [&'static str], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or_default()
    };
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: EX-2
    #[test]
    fn a_timestamp_is_an_http_date() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_633_472, "Tue, 05 Mar 2024 10:11:12 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ];
        for (seconds, date) in table {
            assert_eq!(&*http_date(Duration::from_secs(seconds)), date);
        }
    }

    fn answer(ext: &str, received: u64, now: u64) -> Option<alloc::string::String> {
        let ext = Extensions::from_payload(Payload::parse(ext.as_bytes().to_vec()).unwrap());
        let sync = Timesync::of(ext.as_ref(), Instant::from_millis(received))?;
        let answer = sync.answer(Instant::from_millis(now), Duration::from_millis(5_000));
        answer.map(|payload| payload.as_str().into())
    }

    // Proves: EX-1
    #[test]
    fn a_client_learns_how_far_its_clock_is_off() {
        let first = answer(r#"{"timesync":{"tc":1000,"l":0,"o":0}}"#, 30, 32);
        assert_eq!(
            first.as_deref(),
            Some(r#"{"tc":1000,"ts":5030,"p":2,"a":-4030}"#)
        );

        let near = answer(r#"{"timesync":{"tc":1000,"l":10,"o":4010}}"#, 30, 32);
        assert_eq!(near, None, "10 ms off is near enough");

        let off = answer(r#"{"timesync":{"tc":1000,"l":10,"o":4045}}"#, 30, 32);
        assert_eq!(
            off.as_deref(),
            Some(r#"{"tc":1000,"ts":5030,"p":2,"a":25}"#)
        );

        let without_lag = answer(r#"{"timesync":{"tc":1000}}"#, 30, 32);
        assert_eq!(
            without_lag.as_deref(),
            Some(r#"{"tc":1000,"ts":5030,"p":2}"#)
        );

        assert_eq!(answer(r#"{"timesync":{"tc":"soon"}}"#, 30, 32), None);
    }
}
