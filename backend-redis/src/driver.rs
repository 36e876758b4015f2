//! What carries commands to Redis and brings back what it says: two connections, made again when they break.
//!
//! One is for commands, of which all that have gathered while others were under way are sent at once. On the
//! other the store waits for the log and for letters; a command behind that one would wait too.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bayeux_core::Instant;
use futures_util::future::{Either, select};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, TlsMode, Value};

use crate::script::{Names, Script};
use crate::shared::SharedStore;
use crate::store::Unfit;
use crate::surroundings::{Sleep, Surroundings, Timer};
use crate::target::{Place, Target, tcp};

/// How long Redis may take to be connected to, and to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long what it was asked is waited for all the same: a Redis that hesitates, or a machine that does, is to make
/// nobody's request fail. Within a lease, so that this node is alive for the others as long.
const LONGEST: Duration = Duration::from_secs(3);

/// How long to wait before Redis is tried again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Serves a store from the Redis at `target` until the store is [closed](SharedStore::close): to be run on
/// tokio or on smol, whichever of the features of these names there is.
pub async fn drive(store: Arc<SharedStore>, target: Target, surroundings: Surroundings) {
    let driver = Driver {
        store,
        surroundings,
    };
    let mut pause = PAUSES.0;
    let mut is_told = false;
    while !driver.store.lock().has_left() {
        match driver.serve(&target, &mut pause, &mut is_told).await {
            Ok(()) => return,
            Err(error) => {
                // Once, not at each attempt.
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(redis = %target, %error, "Redis is away");
                }
            }
        }
        let now = driver.now();
        driver.store.lock().lost(now);
        driver.wake();
        driver.sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether the Redis at `target` would do: its version, or why not. `timer` is of the runtime that this is
/// awaited on.
///
/// # Errors
///
/// In plain words.
pub async fn probe(target: &Target, timer: &Timer) -> Result<String, String> {
    let probing = async {
        let mut connection = connect(target, PATIENCE).await?;
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INFO").arg("server");
        pipeline.cmd("CONFIG").arg("GET").arg("maxmemory-policy");
        Ok::<_, Error>(connection.req_packed_commands(&pipeline, 0, 2).await?)
    };
    let values = within(timer(PATIENCE * 3), probing)
        .await
        .map_err(|error| error.to_string())?;
    let mut values = values.into_iter();
    let info = match values.next() {
        Some(Value::BulkString(info)) => String::from_utf8_lossy(&info).into_owned(),
        Some(Value::ServerError(error)) => return Err(error.to_string()),
        _ => return Err("it does not say what it is".into()),
    };
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    let version = version.unwrap_or_default().trim();
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        return Err(format!("it is of version {version}; 7.0 is needed"));
    }
    let policy = match values.next() {
        Some(Value::Array(pair)) => pair.into_iter().nth(1),
        _ => None,
    };
    if let Some(Value::BulkString(policy)) = policy
        && *policy != *b"noeviction"
    {
        return Err(format!(
            "its maxmemory-policy is {}: it may drop what is needed; it has to be noeviction",
            String::from_utf8_lossy(&policy)
        ));
    }
    Ok(version.into())
}

struct Driver {
    store: Arc<SharedStore>,
    surroundings: Surroundings,
}

impl Driver {
    /// Connects, and serves until the store is closed, or something breaks.
    async fn serve(
        &self,
        target: &Target,
        pause: &mut Duration,
        is_told: &mut bool,
    ) -> Result<(), Error> {
        let beat = self.store.lock().beat();
        let connecting = async {
            let mut commands = connect(target, LONGEST).await?;
            let log = connect(target, beat + LONGEST).await?;
            let names = load(&mut commands).await?;
            Ok::<_, Error>((commands, log, names))
        };
        let (commands, log, names) = within(self.sleep(PATIENCE * 3), connecting).await?;
        tracing::info!(redis = %target, "Redis is there");
        *pause = PAUSES.0;
        *is_told = false;
        let now = self.now();
        self.store.lock().connected(now, names);
        match select(pin!(self.carry(commands)), pin!(self.read(log))).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    }

    /// Carries commands there, and the replies back.
    async fn carry(&self, mut connection: MultiplexedConnection) -> Result<(), Error> {
        loop {
            let (commands, due) = {
                let now = self.now();
                let mut store = self.store.lock();
                store.elapsed(now);
                if store.has_left() {
                    return Ok(());
                }
                (store.next_commands(), store.poll_timeout())
            };
            if let Some(commands) = commands {
                let count = commands.len();
                let asking = connection.req_packed_commands(&commands, 0, count);
                let replies = match select(asking, self.sleep(PATIENCE)).await {
                    Either::Left((replies, _)) => replies?,
                    Either::Right(((), asking)) => {
                        self.store.lock().is_silent(true);
                        asking.await?
                    }
                };
                let now = self.now();
                self.store.lock().is_silent(false);
                let outcome = self.store.lock().replied(now, replies);
                self.wake();
                self.store.reader.wake();
                outcome?;
                continue;
            }
            self.wake();
            let wait = due.map_or(PATIENCE, |due| due.saturating_duration_since(self.now()));
            let news = poll_fn(|cx| {
                self.store.carrier.register(cx.waker());
                let store = self.store.lock();
                if store.has_commands() || store.has_left() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            select(news, self.sleep(wait)).await;
        }
    }

    /// Waits for the log and for letters.
    async fn read(&self, mut connection: MultiplexedConnection) -> Result<(), Error> {
        loop {
            let command = poll_fn(|cx| {
                self.store.reader.register(cx.waker());
                match self.store.lock().tail_command() {
                    Some(command) => Poll::Ready(command),
                    None => Poll::Pending,
                }
            });
            let command = command.await;
            let came = connection.req_packed_command(&command).await?;
            let now = self.now();
            let outcome = self.store.lock().tailed(now, came);
            self.wake();
            self.store.carrier.wake();
            let pause = outcome?;
            if !pause.is_zero() {
                self.sleep(pause).await;
            }
        }
    }

    fn now(&self) -> Instant {
        (self.surroundings.now)()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        (self.surroundings.timer)(time)
    }

    /// Wakes the engines that have something to poll for.
    fn wake(&self) {
        while let Some(shard) = self.store.poll_wake() {
            (self.surroundings.wake)(shard);
        }
    }
}

async fn connect(target: &Target, patience: Duration) -> Result<MultiplexedConnection, Error> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(patience));
    match &target.place {
        Place::Server(info) => {
            let client = Client::open((**info).clone())?;
            Ok(client
                .get_multiplexed_async_connection_with_config(&config)
                .await?)
        }
        Place::Sentinel {
            sentinels,
            name,
            settings,
            is_secure,
        } => {
            let master = SentinelServerType::Master;
            let mut builder = SentinelClientBuilder::new(sentinels.iter().cloned(), name, master)?
                .set_client_to_redis_tcp_settings(tcp())
                .set_client_to_redis_db(settings.db());
            if let Some(username) = settings.username() {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = settings.password() {
                builder = builder.set_client_to_redis_password(password);
            }
            if *is_secure {
                builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            }
            let mut client = builder.build()?;
            Ok(client.get_async_connection_with_config(&config).await?)
        }
    }
}

async fn load(connection: &mut MultiplexedConnection) -> Result<Names, Error> {
    let mut pipeline = Pipeline::new();
    for script in Script::ALL {
        pipeline.add_command(script.load());
    }
    let replies = connection
        .req_packed_commands(&pipeline, 0, Script::ALL.len())
        .await?;
    let name = |reply: Value| {
        if let Value::ServerError(error) = &reply {
            return Err(Error(error.to_string()));
        }
        crate::reply::text(reply).map_err(Into::into)
    };
    let names: Result<Vec<_>, Error> = replies.into_iter().map(name).collect();
    Ok(Names::new(names?))
}

/// What comes first of the two; it is an error if that is the end of the time.
async fn within<T, E: Into<Error>>(
    end: Sleep,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match select(pin!(future), end).await {
        Either::Left((outcome, _)) => outcome.map_err(Into::into),
        Either::Right(_) => Err(Error("it takes too long".into())),
    }
}

/// Why a connection is worth no more.
#[derive(Debug)]
struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

impl From<Unfit> for Error {
    fn from(Unfit(why): Unfit) -> Self {
        Self(why)
    }
}

impl From<crate::codec::Unreadable> for Error {
    fn from(_: crate::codec::Unreadable) -> Self {
        Self("Redis gave an answer that makes no sense".into())
    }
}
