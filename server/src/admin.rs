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
use crate::guarded::Guarded;
use crate::http::{Body, Caller};
use crate::probe::Probe;
use crate::site::Site;

/// How many connections backends may have. They are few and keep them, and the crowd at the other
/// entrance takes nothing from them.
const CONNECTIONS: usize = 4_096;

/// How many one of them may have, so that none keeps the others out.
const CONNECTIONS_PER_ADDRESS: usize = 512;

/// What backends are served by.
pub(crate) struct Admin {
    pub(crate) admission: Admission,
    keys: Guarded<AdminKeys>,
    /// Whether there is a listener.
    listens: bool,
    /// What channel names look like, for backends as for clients.
    grammar: Grammar,
}

impl Admin {
    pub(crate) fn new(options: AdminOptions, config: &Config, speaks_tls: bool) -> Self {
        let sockets = Sockets {
            total: CONNECTIONS,
            per_address: CONNECTIONS_PER_ADDRESS,
        };
        warn_of_exposure(&options, speaks_tls);
        Self {
            admission: Admission::new(sockets),
            keys: Guarded::new(options.keys),
            listens: !options.listen.is_empty(),
            grammar: config.grammar,
        }
    }

    /// Other keys from now on.
    pub(crate) fn reload(&self, options: &AdminOptions, speaks_tls: bool) {
        warn_of_exposure(options, speaks_tls);
        if self.listens == options.listen.is_empty() {
            tracing::warn!("the HTTP API is given or taken its listener only at the next start");
        }
        *self.keys.lock() = options.keys.clone();
    }
}

fn warn_of_exposure(options: &AdminOptions, speaks_tls: bool) {
    if options.leaves_the_machine() && !speaks_tls {
        tracing::warn!(
            "the HTTP API listens beyond loopback without TLS: whoever can listen on the way learns its key"
        );
    }
}

/// Answers a request.
pub(crate) async fn respond<B>(caller: Arc<Caller>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Data: Send,
{
    if let Some(probe) = Probe::of_operator(&request) {
        return probe.answer(&caller).await;
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
        gate::admit(&head, &admin.keys.lock(), tally)?;
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bayeux_core::http::Scheme;
    use bytes::Bytes;
    use http_body::Frame;

    use super::*;
    use crate::config::Settings;
    use crate::entrance::Entrance;
    use crate::node::{Extras, Node};
    use crate::router::Place;
    use crate::runtime::Runtime;

    const KEY: &str = "a-key-that-nobody-has-guessed";

    /// The body of a request: there at once.
    struct Whole(Option<Bytes>);

    impl http_body::Body for Whole {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|whole| Ok(Frame::data(whole))))
        }
    }

    /// A server whose engines have come and gone.
    fn stopped() -> Arc<Caller> {
        let mut settings = Settings::default();
        settings.admin.keys.add(KEY).unwrap();
        let node = Node::new(settings, Extras::default()).unwrap();
        let runtime = Runtime::of_nothing();
        for index in 0..node.shards() {
            drop(node.shard(index, runtime.clone()).unwrap());
        }
        Arc::new(Caller {
            gateway: node.gateway(Place::Shard(0)),
            runtime,
            line: None,
            address: None,
            scheme: Scheme::Http,
            entrance: Entrance::Admin,
            take_over: crate::websocket::take_over_opaque,
        })
    }

    fn ask(route: &route::Route) -> Response<Body> {
        let session = r#""clientId":"0000000000000000000000000""#;
        let body = match route.operation {
            Operation::Publish => r#"{"channel":"/a","data":1}"#.into(),
            Operation::PublishBatch => r#"[{"channel":"/a","data":1}]"#.into(),
            Operation::Deliver => format!(r#"{{{session},"channel":"/a","data":1}}"#),
            Operation::Disconnect | Operation::Inspect | Operation::Subscriptions => {
                format!("{{{session}}}")
            }
            Operation::Sessions
            | Operation::Channels
            | Operation::Subscribers
            | Operation::Counters
            | Operation::Describe => String::new(),
        };
        let query = if route.operation == Operation::Subscribers {
            "channel=/a"
        } else {
            ""
        };
        let request = Request::builder()
            .method(&route.method)
            .uri(format!("{}?{query}", route.path))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json; charset=utf-8")
            .body(Whole(Some(body.into())))
            .unwrap();
        let answer = pin!(respond(stopped(), request));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => response,
            Poll::Pending => panic!("{} waits for what never comes", route.path),
        }
    }

    fn text(response: Response<Body>) -> String {
        let body = pin!(response.into_body());
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = http_body::Body::poll_frame(body, &mut cx) else {
            panic!("no body");
        };
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn while_the_server_cannot_serve_it_says_so_and_when_to_come_back() {
        const STOPPED: &str = r#"{"code":"server_stopped","text":"the server has stopped"}"#;
        let description: serde_json::Value = serde_json::from_str(route::DESCRIPTION).unwrap();

        for route in &route::ROUTES {
            let response = ask(route);
            let method = route.method.as_str().to_lowercase();
            let described = &description["paths"][route.path][method]["responses"]["503"];
            if route.operation == Operation::Describe {
                assert_eq!(response.status(), 200);
            } else if route.operation == Operation::PublishBatch {
                assert!(described.is_null(), "each has a result of its own");
                assert_eq!(response.status(), 200);
                let results = format!(r#"{{"results":[{{"error":{STOPPED}}}]}}"#);
                assert_eq!(text(response), results);
            } else {
                assert!(!described.is_null(), "{}", route.path);
                assert_eq!(response.status(), 503, "{}", route.path);
                assert_eq!(response.headers()["retry-after"], "1");
                let error = format!(r#"{{"error":{STOPPED}}}"#);
                assert_eq!(text(response), error, "{}", route.path);
            }
        }
    }
}
