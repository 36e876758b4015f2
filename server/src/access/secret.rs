//! Secrets that publishers share with the server.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use bayeux_core::ChannelPattern;

use super::Template;

/// A secret, of which only the digest is kept: nothing here can give it away.
#[derive(Clone)]
pub(crate) struct Secret(Digest);

impl Secret {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self(digest(&SHA256, text))
    }

    /// Whether `text` is the secret; how long that takes to say does not depend on where it differs.
    pub(crate) fn is(&self, text: &str) -> bool {
        let other = digest(&SHA256, text.as_bytes());
        verify_slices_are_equal(self.0.as_ref(), other.as_ref()).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Those who know this secret may publish here, whatever the rules say.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) secret: Secret,
    pub(crate) channels: Template,
}

impl Publisher {
    pub(crate) fn may_publish(&self, pattern: &ChannelPattern) -> bool {
        self.channels.covers(pattern, None)
    }
}
