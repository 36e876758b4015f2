//! The names of the keys. All begin alike, in braces, so that they would share a slot of a cluster.

use bayeux_core::SessionId;

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Box<str>,
    pub(crate) log: Box<str>,
    pub(crate) meta: Box<str>,
    /// What the name of a node is put behind.
    pub(crate) leases: Box<str>,
    pub(crate) inboxes: Box<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        let key = |rest: &str| format!("{{{prefix}}}:{rest}").into_boxed_str();
        Self {
            prefix: prefix.into(),
            log: key("log"),
            meta: key("meta"),
            leases: key("node:"),
            inboxes: key("in:"),
        }
    }

    pub(crate) fn session(&self, session: SessionId) -> String {
        format!("{{{}}}:s:{}", self.prefix, session.text())
    }

    pub(crate) fn lease(&self, node: &str) -> String {
        format!("{}{node}", self.leases)
    }

    pub(crate) fn inbox(&self, node: &str) -> String {
        format!("{}{node}", self.inboxes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        let keys = Keys::new("b");
        let session = SessionId::parse(&"7".repeat(25)).unwrap();

        assert_eq!((&*keys.log, &*keys.meta), ("{b}:log", "{b}:meta"));
        assert_eq!(keys.lease("n"), "{b}:node:n");
        assert_eq!(keys.inbox("n"), "{b}:in:n");
        assert_eq!(keys.session(session), format!("{{b}}:s:{}", "7".repeat(25)));
    }
}
