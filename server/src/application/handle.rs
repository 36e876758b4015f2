//! The application's way to the engines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bayeux_core::{
    Call, CallResult, ChannelName, ChannelPattern, Counters, Decider, DeciderId, Extensions,
    Laziness, Payload, Position, Role, SessionId, SessionView,
};
use futures_channel::oneshot;

use super::decider::{Decide, DynDecide};
use super::local::{LocalEnd, Subscription};
use super::page::Cursor;
use crate::inbox::Fact;
use crate::router::{Gateway, Place, Router};
use crate::tally::Tally;

/// How many sessions or channels are asked for at a time.
const PAGE: u32 = 1_000;

/// Decider names are given out by the process.
static NEXT_DECIDER: AtomicU32 = AtomicU32::new(1);

/// A server as the application in the same process sees it. Cloning it is cheap.
///
/// What is published through one handle and its clones keeps its order.
#[derive(Clone)]
pub struct Handle {
    router: Arc<Router>,
    /// The shard that carries what belongs to no session.
    shard: u32,
}

/// An event that is to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// To which channel: none of `/meta` or `/service`, since nobody can be subscribed to those.
    pub channel: ChannelName,
    /// Its data.
    pub data: Payload,
    /// Its extensions, which subscribers see as they are.
    pub ext: Option<Extensions>,
}

/// Why a call was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such session.
    Unknown,
    /// A limit forbids it.
    Limited,
    /// The store is away, or did not answer in time.
    Unavailable,
    /// The server has stopped.
    Stopped,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such session",
            Self::Limited => "a limit forbids it",
            Self::Unavailable => "the store is away",
            Self::Stopped => "the server has stopped",
        })
    }
}

impl std::error::Error for CallError {}

impl Handle {
    pub(crate) fn new(router: Arc<Router>, shard: u32) -> Self {
        Self { router, shard }
    }

    /// Sends an event to all who are subscribed to `channel`, on every node; resolves once the log
    /// has it.
    ///
    /// # Errors
    ///
    /// If the log did not take it.
    pub async fn publish(
        &self,
        channel: ChannelName,
        data: Payload,
    ) -> Result<Position, CallError> {
        let publication = Publication {
            channel,
            data,
            ext: None,
        };
        self.submit(publication).await
    }

    /// Publishes one after the other, in this order, without waiting in between; the results are in the
    /// same order. Each is on its own: one that fails does not keep the next from being published.
    pub async fn publish_all(
        &self,
        publications: impl IntoIterator<Item = Publication>,
    ) -> Vec<Result<Position, CallError>> {
        let under_way: Vec<_> = publications
            .into_iter()
            .map(|publication| self.submit(publication))
            .collect();
        let mut results = Vec::with_capacity(under_way.len());
        for result in under_way {
            results.push(result.await);
        }
        results
    }

    /// Sends an event to one session, whatever it is subscribed to.
    ///
    /// # Errors
    ///
    /// If there is no such session, or the log did not take it.
    pub async fn deliver(
        &self,
        session: SessionId,
        channel: ChannelName,
        data: Payload,
    ) -> Result<Position, CallError> {
        self.deliver_with(session, channel, data, Laziness::Prompt)
            .await
    }

    /// Sends an event to one session that is in no hurry: it leaves with the next one that is, or
    /// with the next response, or after `max_lazy_timeout` (QU-6).
    ///
    /// # Errors
    ///
    /// As [`deliver`](Self::deliver).
    pub async fn deliver_lazily(
        &self,
        session: SessionId,
        channel: ChannelName,
        data: Payload,
    ) -> Result<Position, CallError> {
        self.deliver_with(session, channel, data, Laziness::Lazy)
            .await
    }

    /// The events of all channels that `pattern` matches, from now on.
    ///
    /// # Errors
    ///
    /// If a limit forbids it, or the store is away.
    pub async fn subscribe(&self, pattern: ChannelPattern) -> Result<Subscription, CallError> {
        let gateway = Gateway {
            router: Arc::clone(&self.router),
            place: Place::Mounted(self.shard),
        };
        let connection = self.router.name(self.shard);
        let end = Arc::new(LocalEnd::default());
        let (answer, answered) = oneshot::channel();
        let fact = Fact::OpenLocal(connection, Arc::clone(&end), answer);
        let engagement = gateway.engage(self.shard, connection, fact);
        let opened = answered.await.map_err(|_| CallError::Stopped)?;
        let CallResult::Opened(session) = opened else {
            return Err(refused(&opened));
        };

        let router = Arc::clone(&self.router);
        let subscription = Subscription::new(router, session, end, engagement);
        self.done(self.shard, Call::Subscribe { session, pattern })
            .await?;
        Ok(subscription)
    }

    /// Ends a session; its client is told.
    ///
    /// # Errors
    ///
    /// If there is no such session.
    pub async fn disconnect(&self, session: SessionId) -> Result<(), CallError> {
        self.done(self.home(session), Call::Disconnect { session })
            .await
    }

    /// All sessions of this process, in no order.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn sessions(&self) -> Result<Vec<SessionId>, CallError> {
        let mut all = Vec::new();
        let mut next = Some(Cursor::FIRST);
        while let Some(from) = next {
            let page = self.sessions_from(from, PAGE).await?;
            all.extend(page.items);
            next = page.next;
        }
        Ok(all)
    }

    /// All channels of this process, and how many sessions of it are subscribed to each.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn channels(&self) -> Result<BTreeMap<ChannelPattern, u32>, CallError> {
        let mut all = BTreeMap::new();
        for shard in 0..self.router.shards() {
            let mut next = Some(0);
            while let Some(from) = next {
                let call = Call::ListChannels { from, limit: PAGE };
                let (channels, further) = self.channels_of(shard, call).await?;
                for (channel, subscribers) in channels {
                    *all.entry(channel).or_default() += subscribers;
                }
                next = further;
            }
        }
        Ok(all)
    }

    /// Everything about one session.
    ///
    /// # Errors
    ///
    /// If there is no such session.
    pub async fn inspect(&self, session: SessionId) -> Result<SessionView, CallError> {
        let result = self
            .ask(self.home(session), Call::Inspect { session })
            .await?;
        let CallResult::Session(view) = result else {
            return Err(refused(&result));
        };
        Ok(*view)
    }

    /// What all engines of this process have counted.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn counters(&self) -> Result<Counters, CallError> {
        let mut sum = Counters::default();
        for shard in 0..self.router.shards() {
            let result = self.ask(shard, Call::Count).await?;
            let CallResult::Counters(counters) = result else {
                return Err(refused(&result));
            };
            sum = sum.plus(&counters);
        }
        Ok(sum)
    }

    /// What was refused or cut off before an engine heard of it; the counts go on while one looks.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.router.site.tally
    }

    /// All metrics of this process in the text format of OpenMetrics, for Prometheus; its content type is
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`. It waits for every shard.
    pub async fn metrics(&self) -> String {
        crate::metrics::scrape(&self.router, None).await
    }

    /// Has `decide` asked from now on, when this resolves; the name is for
    /// [`remove_decider`](Self::remove_decider).
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn add_decider(
        &self,
        role: Role,
        decide: impl Decide,
    ) -> Result<DeciderId, CallError> {
        let id = self.tell_decider(role, decide);
        self.heard().await?;
        Ok(id)
    }

    /// The same without waiting until all shards have heard of it.
    pub(crate) fn tell_decider(&self, role: Role, decide: impl Decide) -> DeciderId {
        let id = DeciderId(NEXT_DECIDER.fetch_add(1, Ordering::Relaxed));
        let decide: DynDecide = Arc::new(decide);
        self.router.decider_added();
        for shard in 0..self.router.shards() {
            let decider = Decider {
                id,
                role: role.clone(),
            };
            self.router
                .tell(shard, Fact::AddDecider(decider, Arc::clone(&decide)));
        }
        id
    }

    /// No longer asks a decider, when this resolves.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn remove_decider(&self, id: DeciderId) -> Result<(), CallError> {
        self.tell_no_decider(id);
        self.heard().await
    }

    pub(crate) fn tell_no_decider(&self, id: DeciderId) {
        for shard in 0..self.router.shards() {
            self.router.tell(shard, Fact::RemoveDecider(id));
        }
    }

    /// How many facts were told by one shard to another so far.
    #[must_use]
    pub fn crossed(&self) -> u64 {
        self.router.crossed()
    }

    async fn deliver_with(
        &self,
        session: SessionId,
        channel: ChannelName,
        data: Payload,
        laziness: Laziness,
    ) -> Result<Position, CallError> {
        let call = Call::Deliver {
            session,
            channel,
            data,
            laziness,
        };
        self.appended(self.home(session), call).await
    }

    /// Resolves when every shard has heard all that it was told before.
    async fn heard(&self) -> Result<(), CallError> {
        self.counters().await.map(drop)
    }

    /// Publishes at once; what is left to do is to wait for the log.
    fn submit(
        &self,
        publication: Publication,
    ) -> impl Future<Output = Result<Position, CallError>> + use<> {
        let Publication { channel, data, ext } = publication;
        let laziness = Laziness::Prompt;
        let call = Call::Publish {
            channel,
            data,
            ext,
            laziness,
        };
        let answered = self.router.submit(self.shard, call);
        async { position(answered.await.ok()) }
    }

    pub(super) fn shards(&self) -> u32 {
        self.router.shards()
    }

    fn home(&self, session: SessionId) -> u32 {
        session.shard(self.router.shards())
    }

    pub(super) async fn ask(&self, shard: u32, call: Call) -> Result<CallResult, CallError> {
        self.router.ask(shard, call).await.ok_or(CallError::Stopped)
    }

    async fn appended(&self, shard: u32, call: Call) -> Result<Position, CallError> {
        position(self.router.ask(shard, call).await)
    }

    async fn done(&self, shard: u32, call: Call) -> Result<(), CallError> {
        let result = self.ask(shard, call).await?;
        let CallResult::Done = result else {
            return Err(refused(&result));
        };
        Ok(())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("shards", &self.router.shards())
            .finish_non_exhaustive()
    }
}

fn position(result: Option<CallResult>) -> Result<Position, CallError> {
    match result {
        Some(CallResult::Appended(position)) => Ok(position),
        Some(result) => Err(refused(&result)),
        None => Err(CallError::Stopped),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer to another question is as good as none"
)]
pub(super) fn refused(result: &CallResult) -> CallError {
    match result {
        CallResult::Unknown => CallError::Unknown,
        CallResult::Limited => CallError::Limited,
        _ => CallError::Unavailable,
    }
}
