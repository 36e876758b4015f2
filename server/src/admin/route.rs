//! What can be asked for, and where.

use http::{Method, request};

use super::answer::Refusal;

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
    #[expect(dead_code, reason = "the operations come next")]
    Key,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
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
pub(super) static ROUTES: [Route; 1] = [route(
    Method::GET,
    "/api/v1/openapi.json",
    Access::Open,
    Operation::Describe,
)];

/// Whether everybody may ask here. Who has no key does not learn what else the API has.
pub(super) fn is_open(path: &str) -> bool {
    let mut here = ROUTES.iter().filter(|route| route.path == path);
    !path.starts_with("/api/") || here.any(|route| route.access == Access::Open)
}

/// What is asked for here.
pub(super) fn find(head: &request::Parts) -> Result<&'static Route, Refusal> {
    let path = head.uri.path();
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
