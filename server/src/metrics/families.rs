//! All metrics: their names, their meaning, and where their numbers come from.

use Source::{Count, Counts, Of};

use super::{Number, Scrape};
use crate::measure::LogMeasure;

/// One metric, with all its labels.
pub(super) struct Family {
    /// Without the `_total` of counters, which is added as the text is written.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It never goes down while the process lives.
    Counter,
    Gauge,
}

/// Where the numbers come from.
pub(super) enum Source {
    /// The count of this name, of the engines or of the tally.
    Count(&'static str),
    /// Several of them, told apart by a label: its name, then each of its values with the count.
    Counts(&'static str, &'static [(&'static str, &'static str)]),
    /// Elsewhere. Without samples the metric is left out.
    Of(fn(&Scrape) -> Vec<Sample>),
}

/// A number with its labels.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) number: Number,
}

impl Sample {
    pub(super) const fn new(number: u64) -> Self {
        Self {
            labels: Vec::new(),
            number: Number::Whole(number),
        }
    }

    pub(super) fn of_count(count: usize) -> Self {
        Self::new(u64::try_from(count).unwrap_or(u64::MAX))
    }

    pub(super) fn by(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    fn known(number: Option<u64>) -> Vec<Self> {
        number.map(Self::new).into_iter().collect()
    }

    fn real(number: Option<f64>) -> Vec<Self> {
        let sample = |number| Self {
            labels: Vec::new(),
            number: Number::Real(number),
        };
        number.map(sample).into_iter().collect()
    }
}

/// Counts that are told by a metric of another source: why sessions ended.
#[cfg(test)]
pub(super) const ELSEWHERE: [(&str, &str); 5] = [
    ("sessions_removed", "bayeux_sessions_ended"),
    ("sessions_expired", "bayeux_sessions_ended"),
    ("sessions_lapsed", "bayeux_sessions_ended"),
    ("sessions_overflowed", "bayeux_sessions_ended"),
    ("sessions_taken", "bayeux_sessions_ended"),
];

const fn counter(name: &'static str, source: Source, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind: Kind::Counter,
        source,
    }
}

const fn gauge(
    name: &'static str,
    samples: fn(&Scrape) -> Vec<Sample>,
    help: &'static str,
) -> Family {
    Family {
        name,
        help,
        kind: Kind::Gauge,
        source: Of(samples),
    }
}

/// All there are, in the order of the text: what is done for clients; what is refused, cut off or
/// dropped; connections; the store; shards; the application; the process.
pub(super) static FAMILIES: &[Family] = &[
    gauge(
        "bayeux_sessions",
        sessions,
        "Sessions by what they are doing (held: a connect waits for something to say; away: between two \
         connects) and by the transport that they came by last (none: the application's own)",
    ),
    counter(
        "bayeux_handshakes",
        Count("handshakes"),
        "Handshakes that succeeded",
    ),
    counter(
        "bayeux_handshakes_refused",
        Count("handshakes_refused"),
        "Handshakes that were refused, for whatever reason",
    ),
    counter(
        "bayeux_sessions_opened",
        Of(|scrape| scrape.sum_noted(|noted| noted.opened)),
        "Sessions that began, those of the application among them",
    ),
    counter(
        "bayeux_sessions_connected",
        Of(|scrape| scrape.sum_noted(|noted| noted.connected)),
        "Sessions whose first connect was accepted",
    ),
    counter(
        "bayeux_sessions_claimed",
        Count("sessions_claimed"),
        "Sessions that were taken over from another node",
    ),
    counter(
        "bayeux_sessions_ended",
        Of(|scrape| scrape.sums("reason", |measure| measure.noted.endings())),
        "Sessions that ended. Many by expired: clients vanish without a word; by queue_full: clients read \
         too slowly; by gap: the log is too short for them",
    ),
    counter(
        "bayeux_connects_held",
        Count("connects_held"),
        "Connects that were held until there was something to say",
    ),
    counter(
        "bayeux_connects_overtaken",
        Count("connects_overtaken"),
        "Connects that a newer one of the same session replaced",
    ),
    counter(
        "bayeux_connects_multiple",
        Count("connects_multiple"),
        "Connects answered at once because their browser holds others already",
    ),
    counter(
        "bayeux_messages_received",
        Count("messages_received"),
        "Messages received from clients",
    ),
    counter(
        "bayeux_messages_refused",
        Count("messages_refused"),
        "Messages that were answered with an error",
    ),
    counter(
        "bayeux_published",
        Count("published"),
        "Events published, by clients and by the application",
    ),
    counter(
        "bayeux_events_queued",
        Count("events_queued"),
        "Events queued for sessions: one for each event and receiver",
    ),
    counter(
        "bayeux_events_written",
        Count("events_written"),
        "Events written to connections",
    ),
    counter(
        "bayeux_events_resent",
        Count("events_resent"),
        "Events sent again because they were not acknowledged",
    ),
    counter(
        "bayeux_events_requeued",
        Count("events_requeued"),
        "Events returned to their queue because the connection closed before they were written",
    ),
    counter(
        "bayeux_events_dropped",
        Count("events_dropped"),
        "Events dropped because a session's queue was full, or by an extension",
    ),
    counter(
        "bayeux_events_discarded",
        Count("events_discarded"),
        "Events that were still queued when their session ended",
    ),
    gauge(
        "bayeux_channels",
        |scrape| scrape.sum(|measure| measure.load.channels),
        "Channels in use, counted on each shard that uses them",
    ),
    counter(
        "bayeux_channels_opened",
        Of(|scrape| scrape.sum_noted(|noted| noted.channels_created)),
        "Channels that came into being on a shard",
    ),
    counter(
        "bayeux_channels_vanished",
        Of(|scrape| scrape.sum_noted(|noted| noted.channels_removed)),
        "Channels that vanished from a shard because nobody used them",
    ),
    gauge(
        "bayeux_subscriptions",
        |scrape| scrape.sum(|measure| measure.load.subscriptions),
        "Subscriptions of all sessions",
    ),
    counter(
        "bayeux_subscribed",
        Of(|scrape| scrape.sum_noted(|noted| noted.subscribed)),
        "Subscriptions made",
    ),
    counter(
        "bayeux_unsubscribed",
        Of(|scrape| scrape.sum_noted(|noted| noted.unsubscribed)),
        "Subscriptions taken back by their session; those of sessions that end are not counted",
    ),
    counter(
        "bayeux_refused",
        Counts("reason", REFUSED),
        "What the server did not take, because of a limit (see [limits] in the configuration) or because \
         it was malformed",
    ),
    counter(
        "bayeux_cut_off",
        Counts("reason", CUT_OFF),
        "Connections that the server ended because the peer took too long",
    ),
    counter(
        "bayeux_connections_closed",
        Of(|scrape| scrape.sums("reason", |measure| measure.noted.closings())),
        "Requests and websockets that an engine ended before their time",
    ),
    gauge(
        "bayeux_sockets",
        |scrape| vec![Sample::of_count(scrape.sockets)],
        "Sockets of clients that are open",
    ),
    gauge(
        "bayeux_sockets_max",
        |scrape| vec![Sample::of_count(scrape.most_sockets)],
        "How many there may be (limits.maxSockets)",
    ),
    gauge(
        "bayeux_websockets",
        |scrape| vec![Sample::of_count(scrape.websockets)],
        "Websockets that are open",
    ),
    gauge(
        "bayeux_connections",
        |scrape| scrape.sum(|measure| measure.load.connections),
        "Requests that wait for an answer, held connects among them, and websockets that were used",
    ),
    gauge(
        "bayeux_connections_writing",
        |scrape| scrape.sum(|measure| measure.writing),
        "Connections to which something is being written; many for long: clients or the network are slow",
    ),
    gauge(
        "bayeux_store_up",
        |scrape| {
            let is_up = scrape.answering().all(|measure| measure.has_store);
            vec![Sample::new(is_up.into())]
        },
        "1 if all shards can reach the store, else 0",
    ),
    counter(
        "bayeux_store_requests_late",
        Count("store_late"),
        "Requests that the store did not answer in time (limits.storeTimeout)",
    ),
    counter(
        "bayeux_store_requests_failed",
        Count("store_failed"),
        "Requests that the store refused or failed",
    ),
    gauge(
        "bayeux_store_sessions",
        |scrape| log(scrape, |log| log.sessions),
        "Sessions that the store knows, those on no shard among them",
    ),
    gauge(
        "bayeux_log_position",
        |scrape| {
            let ends = scrape.answering().map(|measure| measure.log.end.number());
            Sample::known(ends.max())
        },
        "Position of the newest entry of the log",
    ),
    gauge(
        "bayeux_log_entries",
        |scrape| log(scrape, |log| log.entries),
        "Entries that the log keeps for sessions that come back",
    ),
    gauge(
        "bayeux_log_bytes",
        |scrape| log(scrape, |log| log.bytes),
        "About how much memory these take",
    ),
    gauge(
        "bayeux_redis_lag",
        |scrape| redis(scrape, |counts| counts.lag),
        "Entries of the log in Redis that had not come here when that was last looked at",
    ),
    counter(
        "bayeux_redis_connects",
        Of(|scrape| redis(scrape, |counts| counts.connects)),
        "Times that Redis was connected to",
    ),
    counter(
        "bayeux_redis_disconnects",
        Of(|scrape| redis(scrape, |counts| counts.disconnects)),
        "Times that it was lost",
    ),
    counter(
        "bayeux_redis_leases_lapsed",
        Of(|scrape| redis(scrape, |counts| counts.leases_lapsed)),
        "Times that this server said nothing to Redis for so long that others took it for dead",
    ),
    counter(
        "bayeux_redis_resets",
        Of(|scrape| redis(scrape, |counts| counts.resets)),
        "Times that Redis had lost the log, and all sessions began anew",
    ),
    counter(
        "bayeux_redis_sessions_claimed",
        Of(|scrape| redis(scrape, |counts| counts.claims)),
        "Sessions that came here from another server, or came back",
    ),
    counter(
        "bayeux_redis_takeovers",
        Of(|scrape| redis(scrape, |counts| counts.takeovers)),
        "Those of them that the other server had not let go of",
    ),
    counter(
        "bayeux_redis_sessions_taken",
        Of(|scrape| redis(scrape, |counts| counts.taken)),
        "Sessions that another server claimed from here",
    ),
    counter(
        "bayeux_redis_forwards_sent",
        Of(|scrape| redis(scrape, |counts| counts.forwards_sent)),
        "Requests that were sent on to the server that has their session",
    ),
    counter(
        "bayeux_redis_forwards_received",
        Of(|scrape| redis(scrape, |counts| counts.forwards_received)),
        "Requests that came that way",
    ),
    counter(
        "bayeux_redis_fenced",
        Of(|scrape| redis(scrape, |counts| counts.fenced)),
        "Writes that Redis refused, the session being another server's",
    ),
    counter(
        "bayeux_redis_errors",
        Of(|scrape| redis(scrape, |counts| counts.errors)),
        "Commands that Redis refused for another reason",
    ),
    counter(
        "bayeux_redis_unreadable",
        Of(|scrape| redis(scrape, |counts| counts.unreadable)),
        "Entries and letters in Redis that could not be read, and were passed over",
    ),
    counter(
        "bayeux_log_entries_seen",
        Count("entries_seen"),
        "Entries of the log that shards have read: each shard reads all of them",
    ),
    gauge(
        "bayeux_shards",
        |scrape| vec![Sample::of_count(scrape.shards.len())],
        "Shards, each an engine on a thread of its own",
    ),
    gauge(
        "bayeux_shards_answering",
        |scrape| vec![Sample::of_count(scrape.answering().count())],
        "Shards that answered this scrape in time; fewer than bayeux_shards: one is stuck or gone",
    ),
    gauge(
        "bayeux_shard_sessions",
        |scrape| {
            let sessions = |load: &bayeux_core::Load| u64::try_from(load.sessions);
            scrape.of_each_shard(|measure| sessions(&measure.load).unwrap_or(u64::MAX))
        },
        "Sessions of each shard",
    ),
    gauge(
        "bayeux_shard_log_position",
        |scrape| scrape.of_each_shard(|measure| measure.seen.number()),
        "How far each shard has read the log; far behind bayeux_log_position: it is overloaded",
    ),
    counter(
        "bayeux_shard_facts",
        Of(|scrape| scrape.counted_by_each_shard(|measure| measure.counters.facts)),
        "Facts that the engine of each shard has handled: how busy it is",
    ),
    counter(
        "bayeux_facts",
        Count("facts"),
        "Facts that the engines have handled",
    ),
    counter(
        "bayeux_facts_ignored",
        Count("facts_ignored"),
        "Facts about something that was gone already",
    ),
    counter(
        "bayeux_facts_crossed",
        Of(|scrape| vec![Sample::new(scrape.crossed)]),
        "Facts that one shard told another",
    ),
    gauge(
        "bayeux_facts_waiting",
        |scrape| vec![Sample::of_count(scrape.waiting)],
        "Facts that wait for their shard",
    ),
    counter(
        "bayeux_messages_forwarded",
        Count("forwarded"),
        "Messages forwarded to the node that has their session",
    ),
    gauge(
        "bayeux_requests_open",
        |scrape| scrape.sum(|measure| measure.load.requests),
        "Bodies and frames from clients that are being worked on",
    ),
    gauge(
        "bayeux_tickets_open",
        |scrape| scrape.sum(|measure| measure.load.tickets),
        "Requests to the store and questions to deciders that are not answered",
    ),
    counter(
        "bayeux_decisions",
        Count("decisions"),
        "Questions asked of deciders: policies, extensions, handlers",
    ),
    counter(
        "bayeux_decisions_late",
        Count("decisions_late"),
        "Questions that were not answered in time (limits.decisionTimeout)",
    ),
    counter(
        "bayeux_faults",
        Of(|scrape| scrape.sum_noted(|noted| noted.broken)),
        "Faults that the server found in itself: more than none is worth a bug report",
    ),
    counter(
        "bayeux_lines_lost",
        Of(|scrape| vec![Sample::new(scrape.lost_lines)]),
        "Lines that were not logged because nobody took them in time",
    ),
    gauge(
        "bayeux_draining",
        |scrape| vec![Sample::new(scrape.is_draining.into())],
        "1 while the server lets go of its clients, to stop",
    ),
    gauge(
        "bayeux_build_info",
        build,
        "The version that runs; always 1",
    ),
    counter(
        "process_cpu_seconds",
        Of(|scrape| Sample::real(scrape.process.cpu_seconds)),
        "Time that the process has computed",
    ),
    gauge(
        "process_start_time_seconds",
        |scrape| Sample::real(scrape.process.started_seconds),
        "When the process began, since 1970",
    ),
    gauge(
        "process_resident_memory_bytes",
        |scrape| Sample::known(scrape.process.resident_bytes),
        "Memory that the process occupies",
    ),
    gauge(
        "process_virtual_memory_bytes",
        |scrape| Sample::known(scrape.process.virtual_bytes),
        "Address space that the process has reserved",
    ),
    gauge(
        "process_threads",
        |scrape| Sample::known(scrape.process.threads),
        "Threads of the process",
    ),
    gauge(
        "process_open_fds",
        |scrape| Sample::known(scrape.process.open_descriptors),
        "Files and sockets that the process has open (not known before Linux 6.2)",
    ),
    gauge(
        "process_max_fds",
        |scrape| Sample::known(scrape.process.most_descriptors),
        "How many it may have open",
    ),
];

/// Reasons of `bayeux_refused`, and what counts them.
const REFUSED: &[(&str, &str)] = &[
    ("body_broken", "bodies_broken"),
    ("channels", "channels_limited"),
    ("connections", "connections_limited"),
    ("frame", "frames_refused"),
    ("frame_unasked", "frames_unasked"),
    ("handshakes", "handshakes_limited"),
    ("head_too_large", "heads_too_large"),
    ("host", "hosts_refused"),
    ("http2", "http2_misused"),
    ("key", "keys_refused"),
    ("not_accepted", "accepts_failed"),
    ("not_http", "not_http"),
    ("not_messages", "not_messages"),
    ("origin", "origins_refused"),
    ("request", "requests_refused"),
    ("sockets", "sockets_refused"),
    ("sockets_per_address", "sockets_refused_per_address"),
    ("subscriptions", "subscriptions_limited"),
    ("tls_handshake", "tls_handshakes_failed"),
    ("too_deep", "too_deep"),
    ("too_large", "too_large"),
    ("too_many_messages", "too_many_messages"),
];

/// Reasons of `bayeux_cut_off`, and what counts them.
const CUT_OFF: &[(&str, &str)] = &[
    ("body", "bodies_late"),
    ("head", "heads_late"),
    ("idle_connection", "connections_idle"),
    ("idle_websocket", "websockets_idle"),
    ("message", "messages_late"),
    ("tls_handshake", "tls_handshakes_late"),
    ("write", "writes_late"),
];

fn sessions(scrape: &Scrape) -> Vec<Sample> {
    let censuses = scrape.answering().map(|measure| measure.census);
    let census = censuses.reduce(|sum, census| sum.plus(&census));
    let census = census.unwrap_or_default();
    let kinds = census.iter().map(|(phase, transport, count)| {
        let transport = transport.map_or("none", bayeux_core::Transport::name);
        Sample::of_count(count)
            .by("phase", phase.name())
            .by("transport", transport)
    });
    kinds.collect()
}

/// A figure of the log, as the last shard to be asked has it: they share it.
fn log(scrape: &Scrape, figure: fn(&LogMeasure) -> usize) -> Vec<Sample> {
    let last = scrape.answering().last();
    let sample = last.map(|measure| Sample::of_count(figure(&measure.log)));
    sample.into_iter().collect()
}

/// A figure of the store in Redis, if that is where it is.
fn redis(scrape: &Scrape, figure: fn(&bayeux_backend_redis::Counts) -> u64) -> Vec<Sample> {
    let measures = scrape.counted.iter().flatten();
    let newest = measures.max_by_key(|measure| measure.at);
    let counts = newest.and_then(|measure| measure.log.redis.as_ref());
    Sample::known(counts.map(figure))
}

fn build(_: &Scrape) -> Vec<Sample> {
    vec![Sample::new(1).by("version", env!("CARGO_PKG_VERSION"))]
}
