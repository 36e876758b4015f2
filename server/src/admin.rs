//! The HTTP API for backends, on listeners of its own: publish, deliver, disconnect, list, inspect.
//!
//! Whoever shows a key may do everything here, so nothing is done before the key was checked; without a
//! key in the settings the API stays closed. The probes and the description are open.

mod answer;
mod gate;
mod route;

use std::sync::Arc;

use bayeux_core::Config;
use http::{Method, Request, Response, request};

use self::answer::{Answer, Refusal};
use self::route::Operation;
use crate::admission::Admission;
use crate::config::{AdminKeys, AdminOptions, Sockets};
use crate::http::{Body, Caller};
use crate::probe;

/// How many connections backends may have. They are few and keep them, and the crowd at the other
/// entrance takes nothing from them.
const CONNECTIONS: usize = 4_096;

/// What backends are served by.
pub(crate) struct Admin {
    pub(crate) admission: Admission,
    keys: AdminKeys,
}

impl Admin {
    pub(crate) fn new(options: AdminOptions, _config: &Config) -> Self {
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

async fn answer<B>(caller: &Caller, head: request::Parts, _body: B) -> Result<Answer, Refusal>
where
    B: http_body::Body + Unpin,
{
    let site = &caller.gateway.router.site;
    if !route::is_open(head.uri.path()) {
        gate::admit(&head, &site.admin.keys, &site.tally)?;
    }
    match route::find(&head)?.operation {
        Operation::Describe => Ok(Answer::document(route::DESCRIPTION)),
    }
}
