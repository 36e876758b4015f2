//! What a server's owner decides about its HTTP side.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{fmt, str::FromStr};

use super::{CallbackForm, Origins};

/// The options of [`route`](super::route).
///
/// ```
/// # use bayeux_core::http::Options;
/// let mut options = Options::default();
/// options.mounts = vec!["/bayeux".parse()?, "/cometd".parse()?];
/// options.callback_polling = false;
/// # Ok::<(), bayeux_core::http::MountError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The paths that are ours (HT-1): `/bayeux`.
    pub mounts: Vec<Mount>,
    /// Whether GET with a callback is answered (CB-9, DE-20): on.
    pub callback_polling: bool,
    /// Whether upgrades to websocket are: on.
    pub websocket: bool,
    /// The query parameter that names the callback (CB-2): `jsonp`.
    pub callback_parameter: Box<str>,
    /// The longest callback name (CB-2): 64.
    pub callback_parameter_max_length: usize,
    /// How scripts are written (CB-3): guarded.
    pub callback_form: CallbackForm,
    /// Which other origins are allowed (XO-4, DE-20): none.
    pub origins: Origins,
    /// The websocket subprotocol that clients must offer (WS-2): none, so that the first offer is
    /// taken.
    pub websocket_protocol: Option<Box<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mounts: vec![Mount(Box::from("/bayeux"))],
            callback_polling: true,
            websocket: true,
            callback_parameter: "jsonp".into(),
            callback_parameter_max_length: 64,
            callback_form: CallbackForm::default(),
            origins: Origins::default(),
            websocket_protocol: None,
        }
    }
}

/// A path at which the server is reached, with everything below it (HT-1). What stands below means
/// nothing.
///
/// ```
/// # use bayeux_core::http::Mount;
/// let mount: Mount = "/bayeux".parse()?;
/// assert!(mount.contains("/bayeux") && mount.contains("/bayeux/connect"));
/// assert!(!mount.contains("/bayeuxed"));
/// # Ok::<(), bayeux_core::http::MountError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount(Box<str>);

impl Mount {
    /// Whether a request for `path`, as it was sent, is for this mount.
    pub fn contains(&self, path: &str) -> bool {
        path.strip_prefix(&*self.0)
            .is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl FromStr for Mount {
    type Err = MountError;

    /// Takes a path that begins with `/`; slashes at its end do not count, and `/` alone is every
    /// path.
    fn from_str(text: &str) -> Result<Self, MountError> {
        let path = text.trim_end_matches('/');
        if !text.starts_with('/') {
            return Err(MountError::Slash);
        }
        if path
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#' | b'*'))
        {
            return Err(MountError::Character);
        }
        Ok(Self(path.into()))
    }
}

/// Why a text is no [`Mount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MountError {
    /// It does not begin with `/`.
    Slash,
    /// It has a character that paths do not have, or a wildcard, which is not needed.
    Character,
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slash => "a mount begins with /",
            Self::Character => {
                "a mount is a path as it is sent: printable ASCII without ?, # and *"
            }
        })
    }
}

impl core::error::Error for MountError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mount_is_its_path_and_everything_below_ht_1() {
        let table = [
            ("/bayeux", "/bayeux", true),
            ("/bayeux", "/bayeux/", true),
            ("/bayeux", "/bayeux/handshake", true),
            ("/bayeux/", "/bayeux", true),
            ("/a/b", "/a/b/c/d", true),
            ("/", "/", true),
            ("/", "/anything", true),
            ("/bayeux", "/", false),
            ("/bayeux", "/bayeuxx", false),
            ("/bayeux", "/Bayeux", false),
            ("/bayeux", "/x/bayeux", false),
            ("/bayeux", "*", false),
            ("/", "*", false),
        ];
        for (mount, path, expected) in table {
            assert_eq!(
                mount.parse::<Mount>().unwrap().contains(path),
                expected,
                "{mount} {path}"
            );
        }
    }

    #[test]
    fn what_is_no_mount_says_why() {
        let table = [
            ("", MountError::Slash),
            ("bayeux", MountError::Slash),
            ("/bayeux/*", MountError::Character),
            ("/a b", MountError::Character),
            ("/a?b", MountError::Character),
            ("/\u{e4}", MountError::Character),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Mount>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_judged(mount in "/.*", path in ".*") {
            if let Ok(mount) = mount.parse::<Mount>() {
                mount.contains(&path);
            }
        }
    }
}
