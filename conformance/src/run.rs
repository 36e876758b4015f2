//! Does the checks.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::fmt::{Display, Formatter};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::check::{Check, Checked, Stop, Transport};
use crate::client::Client;
use crate::options::Options;
use crate::report::{Finding, Report, Verdict};
use crate::scene::{Scene, ServerFacts};

/// What a server is known not to do is not waited for any longer.
const KNOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Why no check could be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable(String);

/// One check over one transport.
struct Task {
    group: &'static str,
    check: &'static Check,
    transport: Transport,
}

/// Does the checks that the options name, and tells each finding as soon as those before it are there.
///
/// # Errors
///
/// If no handshake succeeds over any transport, or over one that is required.
pub fn run(options: &Options, mut tell: impl FnMut(&Finding)) -> Result<Report, Unreachable> {
    let (facts, not_offered) = probe(options)?;
    let tasks = tasks(options, &facts);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();

    let mut slots: Vec<Option<Finding>> = tasks.iter().map(|_| None).collect();
    let mut told = 0;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (sender, next, tasks, facts) = (sender.clone(), &next, &tasks, &facts);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(number) else {
                        return;
                    };
                    let name = format!("suite-{seed}-{number}");
                    if sender
                        .send((number, task.done(options, facts, &name)))
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (number, finding) in receiver {
            if let Some(slot) = slots.get_mut(number) {
                *slot = Some(finding);
            }
            while let Some(Some(finding)) = slots.get(told) {
                tell(finding);
                told += 1;
            }
        }
    });
    Ok(Report {
        offered: facts.transports,
        not_offered,
        findings: slots.into_iter().flatten().collect(),
    })
}

fn tasks(options: &Options, facts: &ServerFacts) -> Vec<Task> {
    let mut tasks = Vec::new();
    for group in crate::groups() {
        for check in group.checks {
            for transport in check.over.of(&facts.transports) {
                if options.wants(group.name, check.rules, transport) {
                    tasks.push(Task {
                        group: group.name,
                        check,
                        transport,
                    });
                }
            }
        }
    }
    tasks
}

impl Task {
    fn done(&self, options: &Options, facts: &ServerFacts, name: &str) -> Finding {
        let known = self.check.known_difference(options.profile);
        let mut options = options.clone();
        if known.is_some() {
            options.patience = options.patience.min(KNOWN_PATIENCE);
        }
        let scene = Scene::new(&options, facts, self.transport, name);
        let start = Instant::now();
        let verdict = match ((self.check.run)(&scene), known) {
            (Ok(()), _) => Verdict::Passed,
            (Err(Stop::NotChecked(why)), _) => Verdict::NotChecked { why },
            (Err(Stop::Failed(why)), Some(_)) => Verdict::Known { why },
            (Err(Stop::Failed(why)), None) => Verdict::Failed {
                why,
                transcript: scene.transcript.to_string(),
            },
        };
        Finding {
            group: self.group,
            rules: self.check.rules,
            promise: self.check.promise,
            transport: self.transport,
            known,
            verdict,
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

/// Finds out which transports answer, and what the server advises; why the others do not.
fn probe(options: &Options) -> Result<(ServerFacts, Vec<(Transport, String)>), Unreachable> {
    let mut facts = ServerFacts {
        transports: Vec::new(),
        timeout: Duration::from_secs(30),
        interval: Duration::ZERO,
    };
    let mut not_offered = Vec::new();
    for transport in Transport::ALL {
        let blank = facts.clone();
        let scene = Scene::new(options, &blank, transport, "suite-probe");
        match greet(&scene) {
            Ok(greeting) => {
                facts.transports.push(transport);
                let advised = |name: &str| {
                    let number = greeting["advice"][name].as_u64();
                    number.map(Duration::from_millis)
                };
                facts.timeout = advised("timeout").unwrap_or(facts.timeout);
                facts.interval = advised("interval").unwrap_or(facts.interval);
            }
            Err(Stop::Failed(why) | Stop::NotChecked(why)) => not_offered.push((transport, why)),
        }
    }
    let is_missed = |(transport, _): &&(Transport, String)| options.required.contains(transport);
    if let Some((transport, why)) = not_offered.iter().find(is_missed) {
        return Err(Unreachable(format!("{transport} is required: {why}")));
    }
    if facts.transports.is_empty() {
        let mut reasons = Vec::from_iter(not_offered.into_iter().map(|(_, why)| why));
        reasons.dedup();
        let reasons = reasons.join("; ");
        return Err(Unreachable(format!(
            "no transport answers a handshake: {reasons}"
        )));
    }
    facts.timeout = options.timeout.unwrap_or(facts.timeout);
    Ok((facts, not_offered))
}

/// The reply to a handshake that names the transport, if the server offers it.
fn greet(scene: &Scene<'_>) -> Checked<Value> {
    let mut client = Client::open(scene, scene.transport)?;
    let mut message = client.handshake_message();
    message["supportedConnectionTypes"] = json!([scene.transport.name()]);
    let greeting = client.handshake_with(message)?;
    client.disconnect()?;
    let offered = greeting["supportedConnectionTypes"].as_array();
    let is_it = |name: &Value| *name == scene.transport.name();
    if offered.is_some_and(|names| names.iter().any(is_it)) {
        return Ok(greeting);
    }
    Err(Stop::failed("not offered"))
}

impl Display for Unreachable {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}
