//! What can be asked for, and where.

use http::{Method, request};

use super::answer::Refusal;
use crate::probe::Probe;

/// The description of all of it, in the words of OpenAPI.
pub(super) const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

/// One thing that can be asked for.
pub(super) struct Route {
    /// `GET`, which means `HEAD` too, or `POST`.
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) operation: Operation,
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Who shows a key.
    Key,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Publish,
    PublishBatch,
    Deliver,
    Disconnect,
    Inspect,
    Subscriptions,
    Sessions,
    Channels,
    Subscribers,
    Counters,
    Describe,
}

const fn route(method: Method, path: &'static str, access: Access, operation: Operation) -> Route {
    Route {
        method,
        path,
        access,
        operation,
    }
}

/// All of it, the probes apart.
pub(super) static ROUTES: [Route; 11] = {
    use Access::{Key, Open};
    use Operation as To;
    [
        route(Method::POST, "/api/v1/publish", Key, To::Publish),
        route(Method::POST, "/api/v1/publish/batch", Key, To::PublishBatch),
        route(Method::POST, "/api/v1/deliver", Key, To::Deliver),
        route(Method::POST, "/api/v1/disconnect", Key, To::Disconnect),
        route(Method::POST, "/api/v1/inspect", Key, To::Inspect),
        route(
            Method::POST,
            "/api/v1/subscriptions",
            Key,
            To::Subscriptions,
        ),
        route(Method::GET, "/api/v1/sessions", Key, To::Sessions),
        route(Method::GET, "/api/v1/channels", Key, To::Channels),
        route(Method::GET, "/api/v1/subscribers", Key, To::Subscribers),
        route(Method::GET, "/api/v1/counters", Key, To::Counters),
        route(Method::GET, "/api/v1/openapi.json", Open, To::Describe),
    ]
};

/// Whether everybody may ask here. Who has no key does not learn what else the API has.
pub(super) fn is_open(path: &str) -> bool {
    let mut here = ROUTES.iter().filter(|route| route.path == path);
    !path.starts_with("/api/") || here.any(|route| route.access == Access::Open)
}

/// What is asked for here; probes have been answered.
pub(super) fn find(head: &request::Parts) -> Result<&'static Route, Refusal> {
    let path = head.uri.path();
    if Probe::is_at(path) {
        return Err(Refusal::method_not_allowed(&[&Method::GET]));
    }
    let mut here = ROUTES.iter().filter(|route| route.path == path).peekable();
    if here.peek().is_none() {
        return Err(Refusal::route_unknown(path));
    }
    let methods: Vec<_> = here.clone().map(|route| &route.method).collect();
    here.find(|route| route.answers(&head.method))
        .ok_or_else(|| Refusal::method_not_allowed(&methods))
}

impl Route {
    fn answers(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
        let paths = description["paths"].as_object().expect("paths");
        let described = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").iter();
            methods.map(move |(method, operation)| {
                let access = if operation["security"].is_null() {
                    Access::Key
                } else {
                    Access::Open
                };
                format!("{} {path} {access:?}", method.to_uppercase())
            })
        });
        let routes = ROUTES
            .iter()
            .map(|route| format!("{} {} {:?}", route.method, route.path, route.access));

        assert_eq!(routes.collect::<BTreeSet<_>>(), described.collect());
    }
}
