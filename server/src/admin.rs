//! The HTTP API for backends, on listeners of its own: publish, deliver, disconnect, list, inspect.
//!
//! Whoever shows a key may do everything here, so nothing is done before the key was checked; without a
//! key in the settings the API stays closed. The probes and the description are open.

mod answer;
mod gate;
mod list;
mod publish;
mod question;
mod route;
mod session;

use std::sync::Arc;

use bayeux_core::{Config, Grammar};
use http::{Method, Request, Response, request};

use self::answer::{Answer, Refusal};
use self::route::Operation;
use crate::admission::Admission;
use crate::application::Handle;
use crate::config::{AdminKeys, AdminOptions, Sockets};
use crate::http::{Body, Caller};
use crate::probe;
use crate::site::Site;

/// How many connections backends may have. They are few and keep them, and the crowd at the other
/// entrance takes nothing from them.
const CONNECTIONS: usize = 4_096;

/// What backends are served by.
pub(crate) struct Admin {
    pub(crate) admission: Admission,
    keys: AdminKeys,
    /// What channel names look like, for backends as for clients.
    grammar: Grammar,
}

impl Admin {
    pub(crate) fn new(options: AdminOptions, config: &Config) -> Self {
        let sockets = Sockets {
            total: CONNECTIONS,
            per_address: CONNECTIONS,
        };
        if options.keys.leave_the_machine(&options.listen) {
            tracing::warn!(
                "the HTTP API listens beyond loopback without TLS: whoever can listen on the way learns its key"
            );
        }
        Self {
            admission: Admission::new(sockets),
            keys: options.keys,
            grammar: config.grammar,
        }
    }
}

/// Answers a request.
pub(crate) async fn respond<B>(caller: Arc<Caller>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Data: Send,
{
    if let Some(response) = probe::respond(&request) {
        return response;
    }
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let response = match answer(&caller, head, body).await {
        Ok(answer) => answer.into(),
        Err(refusal) => refusal.into(),
    };
    if is_head {
        return answer::without_body(response);
    }
    response
}

async fn answer<B>(caller: &Caller, head: request::Parts, body: B) -> Result<Answer, Refusal>
where
    B: http_body::Body + Unpin,
{
    let router = &caller.gateway.router;
    let Site { admin, tally, .. } = &router.site;
    if !route::is_open(head.uri.path()) {
        gate::admit(&head, &admin.keys, tally)?;
    }
    let operation = route::find(&head)?.operation;
    let handle = Handle::new(Arc::clone(router), caller.gateway.place.shard());
    let grammar = &admin.grammar;
    let body = async || question::body(caller, &head.headers, body).await;
    match operation {
        Operation::Publish => publish::one(&handle, grammar, &body().await?).await,
        Operation::PublishBatch => {
            let most = router.site.decode.max_messages;
            publish::many(&handle, grammar, most, &body().await?).await
        }
        Operation::Deliver => publish::deliver(&handle, grammar, &body().await?).await,
        Operation::Disconnect => session::disconnect(&handle, &body().await?).await,
        Operation::Inspect => session::inspect(&handle, &body().await?).await,
        Operation::Subscriptions => session::subscriptions(&handle, &body().await?).await,
        Operation::Sessions => list::sessions(&handle, &head).await,
        Operation::Channels => list::channels(&handle, &head).await,
        Operation::Subscribers => list::subscribers(&handle, grammar, &head).await,
        Operation::Counters => list::counters(&handle).await,
        Operation::Describe => Ok(Answer::document(route::DESCRIPTION)),
    }
}
