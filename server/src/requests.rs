//! The requests of one HTTP/1 connection.
//!
//! hyper keeps 8 KiB to read into for as long as a connection lasts, and its state besides. Most
//! connections there are wait for the answer to a held request, with nothing to read or to write. So
//! hyper is let go of when a request has waited for long: the request, which the engine has, is kept with the
//! bare socket. When it is answered hyper is given the socket anew, and a head that is as short as can be to
//! answer in its place. That takes time, which polls that are answered soon are spared.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, Write};
use hyper::server::conn::http1::{self, Parts, UpgradeableConnection};

use crate::http::{Caller, Clerk};
use crate::socket::Socket;
use crate::wait::Wait;

/// How large the whole head of a request may be, and the buffer that it is read into: a long URL (CB-7)
/// and the cookies of a large site fit.
const HEAD: usize = 64 << 10;

/// Serves a socket to its end, or until it is a websocket's.
pub(crate) struct Requests<T: Read + Write + Unpin> {
    clerk: Clerk,
    stage: Stage<T>,
}

enum Stage<T: Read + Write + Unpin> {
    /// Requests are read, and responses written.
    Served(Box<Served<T>>),
    /// One is held, and has been for long.
    Held(Socket<T>),
    Over,
}

struct Served<T: Read + Write + Unpin> {
    connection: UpgradeableConnection<Socket<T>, Clerk>,
    wait: Arc<Wait>,
}

impl<T: Read + Write + Unpin + Send + 'static> Requests<T> {
    pub(crate) fn new(socket: Socket<T>, caller: Caller) -> Self {
        let clerk = Clerk::new(caller);
        let stage = Stage::served(socket, &clerk);
        Self { clerk, stage }
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Stage<T> {
    fn served(socket: Socket<T>, clerk: &Clerk) -> Self {
        // Its timer would run between two requests too: the line's are better.
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .half_close(false)
            .max_buf_size(HEAD)
            .serve_connection(socket, clerk.clone())
            .with_upgrades();
        Self::Served(Box::new(Served {
            connection,
            wait: Wait::new(clerk.caller().gateway.clone()),
        }))
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Served<T> {
    /// The socket, if it is better kept without hyper.
    fn let_go(self) -> Stage<T> {
        let Some(parts) = self.connection.into_parts() else {
            return Stage::Over;
        };
        let Parts {
            io: mut socket,
            read_buf,
            ..
        } = parts;
        socket.unread(&read_buf);
        Stage::Held(socket)
    }

    /// Whether a request has waited for long, and goes on waiting.
    fn is_held(&self, clerk: &Clerk, cx: &mut Context<'_>) -> bool {
        self.wait.is_long()
            && clerk.has_waiting()
            && clerk.caller().is_quiet()
            && clerk.poll_answered(cx).is_pending()
    }

    /// Notes whether a request waits.
    fn note(&self, clerk: &Clerk, cx: &Context<'_>) {
        if clerk.has_waiting() && clerk.caller().is_quiet() {
            self.wait.goes_on(cx.waker());
        } else {
            self.wait.ends();
        }
    }
}

impl<T: Read + Write + Unpin + Send + 'static> Future for Requests<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            this.stage = match std::mem::replace(&mut this.stage, Stage::Over) {
                Stage::Served(mut served) => {
                    if served.is_held(&this.clerk, cx) {
                        this.stage = served.let_go();
                        continue;
                    }
                    if served.wait.is_long() {
                        // It is answered, or cannot be let go of now: what waits from here on begins anew.
                        served.wait.ends();
                    }
                    if let Poll::Ready(result) = Pin::new(&mut served.connection).poll(cx) {
                        if let Err(error) = result {
                            this.clerk.caller().broken(&error);
                        }
                        return Poll::Ready(());
                    }
                    served.note(&this.clerk, cx);
                    this.stage = Stage::Served(served);
                    return Poll::Pending;
                }
                Stage::Held(mut socket) => match this.clerk.poll_answered(cx) {
                    Poll::Ready(alike) => {
                        socket.unread(alike);
                        Stage::served(socket, &this.clerk)
                    }
                    Poll::Pending if is_gone(&mut socket, cx) => Stage::Over,
                    Poll::Pending => {
                        this.stage = Stage::Held(socket);
                        return Poll::Pending;
                    }
                },
                Stage::Over => return Poll::Ready(()),
            };
        }
    }
}

/// Whether the peer has left. Once the beginning of its next request has come, nothing is read: as in hyper.
fn is_gone<T: Read + Write + Unpin>(socket: &mut Socket<T>, cx: &mut Context<'_>) -> bool {
    let line = socket.line();
    line.waits(cx.waker());
    if line.check_alive().is_err() {
        return true;
    }
    while !socket.has_early() {
        match socket.poll_ahead(cx, 1) {
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0) | Err(_)) => return true,
            Poll::Pending => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use bayeux_core::CloseReason;
    use bayeux_core::http::Scheme;
    use hyper::rt::ReadBufCursor;

    use super::*;
    use crate::config::Settings;
    use crate::entrance::Entrance;
    use crate::inbox::Fact;
    use crate::line::Line;
    use crate::node::{Extras, Node};
    use crate::router::{Gateway, Place};
    use crate::runtime::Runtime;
    use crate::websocket::take_over_opaque;

    /// What a peer has sent and not been read, and what it was sent.
    #[derive(Clone, Default)]
    struct Peer(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

    impl Peer {
        fn send(&self, bytes: &str) {
            self.0.lock().unwrap().0.extend_from_slice(bytes.as_bytes());
        }

        fn received(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap().1)).unwrap()
        }
    }

    impl Read for Peer {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            let sent = &mut self.0.lock().unwrap().0;
            if sent.is_empty() {
                return Poll::Pending;
            }
            let length = sent.len().min(buffer.remaining());
            buffer.put_slice(&sent.drain(..length).collect::<Vec<_>>());
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Peer {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(self.0.lock().unwrap().1.write(bytes))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A connection to a shard that is not run, and its peer.
    fn connection() -> (Gateway, Requests<Peer>, Peer) {
        let node = Node::new(Settings::default(), Extras::default()).unwrap();
        let gateway = node.gateway(Place::Shard(0));
        let line = Line::of_requests(gateway.clone());
        let peer = Peer::default();
        let caller = Caller {
            gateway: gateway.clone(),
            runtime: Runtime::of_nothing(),
            line: Some(Arc::clone(&line)),
            address: None,
            scheme: Scheme::Http,
            entrance: Entrance::Clients,
            take_over: take_over_opaque,
        };
        let requests = Requests::new(Socket::new(peer.clone(), line, None), caller);
        (gateway, requests, peer)
    }

    fn poll(requests: &mut Requests<Peer>) {
        let polled = Pin::new(requests).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    /// Polls, and again when what waits has waited for long.
    fn hold(gateway: &Gateway, requests: &mut Requests<Peer>) {
        poll(requests);
        let mut facts = Vec::new();
        let inbox = gateway.router.inbox(0).unwrap();
        inbox.take(&mut facts);
        for fact in facts {
            if let Fact::Watch(at, what) = fact {
                let look = |at: &_| what.upgrade().and_then(|watched| watched.check(*at));
                std::iter::successors(Some(at), look).for_each(drop);
            } else {
                inbox.push(fact);
            }
        }
        poll(requests);
    }

    /// Refuses every request that has come to the shard.
    fn refuse(gateway: &Gateway) {
        let mut facts = Vec::new();
        let inbox = gateway.router.inbox(0).unwrap();
        inbox.take(&mut facts);
        for fact in facts {
            if let Fact::Opened(opening) = fact {
                let carrier = opening.carrier;
                carrier.close(opening.connection, CloseReason::Duplicate);
            } else {
                inbox.push(fact);
            }
        }
    }

    const MESSAGE: &str = r#"[{"channel":"/meta/connect","connectionType":"long-polling"}]"#;

    /// A request with the first line of `version`, and these headers.
    fn request(version: &str, headers: &str) -> String {
        let length = MESSAGE.len();
        format!(
            "POST /bayeux {version}\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n{MESSAGE}"
        )
    }

    #[test]
    fn what_is_answered_soon_stays_with_hyper_and_what_is_held_for_long_does_not() {
        let (gateway, mut requests, peer) = connection();

        peer.send(&request("HTTP/1.1", ""));
        poll(&mut requests);
        poll(&mut requests);
        refuse(&gateway);
        poll(&mut requests);
        assert!(matches!(requests.stage, Stage::Served(_)));
        assert!(peer.received().starts_with("HTTP/1.1 500"));

        peer.send(&request("HTTP/1.1", ""));
        hold(&gateway, &mut requests);
        assert!(matches!(requests.stage, Stage::Held(_)));
        refuse(&gateway);
        poll(&mut requests);
        assert!(matches!(requests.stage, Stage::Served(_)));
        assert!(peer.received().starts_with("HTTP/1.1 500"));
    }

    #[test]
    fn the_answer_is_the_same_whether_a_request_was_held_or_not() {
        let closing = "Connection: Upgrade, close\r\n";
        let table = [
            ("HTTP/1.1", ""),
            ("HTTP/1.1", closing),
            ("HTTP/1.0", ""),
            ("HTTP/1.0", "Connection: keep-alive\r\n"),
            (
                "HTTP/1.0",
                "Connection: keep-alive\r\nConnection: close\r\n",
            ),
        ];
        let answer = |version: &str, headers: &str, is_held: bool| {
            let (gateway, mut requests, peer) = connection();
            peer.send(&request(version, headers));
            if is_held {
                hold(&gateway, &mut requests);
            } else {
                poll(&mut requests);
            }
            assert_eq!(matches!(requests.stage, Stage::Held(_)), is_held);
            refuse(&gateway);
            let polled = Pin::new(&mut requests).poll(&mut Context::from_waker(Waker::noop()));
            let answer = peer.received();
            let lines = answer.lines().filter(|line| !line.starts_with("date:"));
            (
                lines.map(String::from).collect::<Vec<_>>(),
                polled.is_ready(),
            )
        };

        for (version, headers) in table {
            let answers = [false, true].map(|is_held| answer(version, headers, is_held));

            assert!(answers[0].0.len() > 1, "{answers:?}");
            assert_eq!(answers[0], answers[1], "{version} {headers:?}");
        }
    }

    #[test]
    fn what_comes_behind_a_held_request_is_answered_behind_it() {
        let (gateway, mut requests, peer) = connection();
        let next = request("HTTP/1.0", "");
        let (first, second) = next.split_at(100);

        peer.send(&request("HTTP/1.1", ""));
        hold(&gateway, &mut requests);
        peer.send(first);
        poll(&mut requests);
        assert!(matches!(requests.stage, Stage::Held(_)));
        peer.send(second);
        refuse(&gateway);
        poll(&mut requests);
        refuse(&gateway);
        let polled = Pin::new(&mut requests).poll(&mut Context::from_waker(Waker::noop()));

        let answers = peer.received();
        assert!(
            answers.starts_with("HTTP/1.1 500") && answers.contains("HTTP/1.0 500"),
            "{answers}"
        );
        assert!(polled.is_ready());
    }

    #[test]
    fn a_line_that_is_killed_ends_though_the_beginning_of_a_next_request_has_come() {
        let (gateway, mut requests, peer) = connection();
        peer.send(&request("HTTP/1.1", ""));
        hold(&gateway, &mut requests);
        peer.send("POST");
        poll(&mut requests);
        assert!(matches!(requests.stage, Stage::Held(_)));

        requests.clerk.caller().line.as_ref().unwrap().kill();

        let polled = Pin::new(&mut requests).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    }

    #[test]
    fn a_body_that_nobody_has_read_is_not_taken_for_a_request() {
        let length = request("HTTP/1.1", "").len();
        let message = r"%5B%7B%22channel%22:%22/meta/connect%22%7D%5D";

        for framing in [
            format!("Content-Length: {length}"),
            "Transfer-Encoding: chunked".into(),
        ] {
            let (gateway, mut requests, peer) = connection();
            let target = format!("/bayeux?jsonp=f&message={message}");
            peer.send(&format!(
                "GET {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"
            ));
            hold(&gateway, &mut requests);
            assert!(matches!(requests.stage, Stage::Served(_)), "{framing}");
        }
    }
}
