//! The client that pages load from a Faye server, at the paths where they look for it.
//!
//! It is another project's file, so it is served if the operator gives it, and otherwise a page says where to
//! get it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use http::HeaderValue;

/// What Faye serves below its mount, and beside it in its early versions.
const NAMES: [&str; 3] = ["/client.js", "/client-min.js", ".js"];

const MISSING: &str = "\
This server does not come with Faye's client for browsers.

It is in the npm package `faye`, as client/faye-browser-min.js. Either let your pages load it from
where your other scripts are, or have it served here:

    --client-file node_modules/faye/client/faye-browser-min.js

CometD's client is not loaded from its server; it is in the npm package `cometd`.
";

/// What is served at the paths of Faye's client.
#[derive(Debug)]
pub(crate) struct ClientFile {
    paths: Vec<Box<str>>,
    script: Option<Script>,
}

/// The file, and what tells it from another version.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) text: Bytes,
    pub(crate) tag: HeaderValue,
}

impl ClientFile {
    /// For Bayeux at these paths.
    pub(crate) fn new(paths: &[Box<str>], text: Option<Bytes>) -> Self {
        let below = |path: &str| {
            let path = path.trim_end_matches('/').to_owned();
            NAMES.map(|name| format!("{path}{name}").into())
        };
        Self {
            paths: paths.iter().flat_map(|path| below(path)).collect(),
            script: text.map(Script::new),
        }
    }

    /// Whether a page that asks for `path` with `query` wants Faye's client. A query may be there to get
    /// round a cache; one with messages is a callback poll like any below a mount.
    pub(crate) fn is_at(&self, path: &str, query: Option<&str>) -> bool {
        self.paths.iter().any(|ours| **ours == *path)
            && query.is_none_or(|query| !query.contains("message="))
    }

    /// The file, or what to say instead.
    pub(crate) fn script(&self) -> Result<&Script, &'static str> {
        self.script.as_ref().ok_or(MISSING)
    }
}

impl Script {
    fn new(text: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { text, tag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_find_it_where_faye_has_it() {
        let file = ClientFile::new(&["/faye".into(), "/".into()], None);

        for (path, query, is_there) in [
            ("/faye/client.js", None, true),
            ("/faye/client-min.js", None, true),
            ("/faye.js", None, true),
            ("/client.js", None, true),
            ("/faye/client.js", Some("v=3"), true),
            ("/faye/client.js", Some("message=%5B%5D&jsonp=f"), false),
            ("/faye/client.js/", None, false),
            ("/faye", None, false),
            ("/bayeux/client.js", None, false),
        ] {
            assert_eq!(file.is_at(path, query), is_there, "{path} {query:?}");
        }
    }
}
