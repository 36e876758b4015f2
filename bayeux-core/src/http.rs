//! What a Bayeux server decides about an HTTP request, without IO and without an HTTP library.
//!
//! A server gives the head of a request to [`route`] and does as the [`Route`] says: read the body
//! and cut it up with [`body_texts`], take the messages out of a callback request, upgrade to a
//! websocket, or write a response that is complete already. Every text that comes out is a JSON
//! array or object of messages, still undecoded.
//!
//! Invariant: nothing of a request runs before its origin was found allowed, and nothing that the
//! peer sent comes back in a response unless it passed a grammar that keeps it harmless there.
//!
//! ```
//! use bayeux_core::http::{Options, RequestHead, ResponseHead, Route, body_texts, route};
//! use bytes::Bytes;
//!
//! let options = Options::default();
//! let host: (&str, &[u8]) = ("Host", b"chat.example");
//! let origin: (&str, &[u8]) = ("Origin", b"https://chat.example");
//! let head = RequestHead::new("POST", "/bayeux/connect", [host, origin]);
//!
//! let Route::Poll { cors } = route(&head, &options) else { panic!("a POST is a poll") };
//! let body = Bytes::from_static(b"[{\"channel\":\"/meta/connect\"}]");
//! assert_eq!(body_texts(head.content_type(), &body), Ok(vec![body]));
//! assert_eq!(ResponseHead::json(&cors).status, 200);
//! ```

mod callback;
mod charset;
mod cookie;
mod form;
mod forwarded;
mod head;
mod network;
mod options;
mod origin;
mod response;
mod route;

pub use self::{
    callback::{Callback, CallbackForm, CallbackNameError},
    cookie::{BrowserCookie, CookieError, CookieOptions, SameSite, browser_cookie},
    form::{BodyError, body_texts, fields},
    forwarded::{Client, ForwardedBy, TrustedProxies},
    head::RequestHead,
    network::{Network, NetworkError, counted_as},
    options::{Mount, MountError, Options},
    origin::{Origin, OriginError, Origins, Scheme},
    response::{Cors, Header, Refusal, ResponseHead},
    route::{Route, route, upgrade},
};
