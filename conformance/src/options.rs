//! What the suite is told.

use std::fmt::{Display, Formatter};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use http::Uri;

use crate::check::Transport;
use crate::tls::Trust;

/// What the suite is told about the server and about what to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub target: Target,
    /// Whom it may be, if TLS is spoken.
    pub trust: Option<Trust>,
    /// Which server's known differences are put up with.
    pub profile: Profile,
    /// If any: rules, groups or transports that alone are checked.
    pub only: Vec<String>,
    /// Rules, groups or transports that are not checked.
    pub skip: Vec<String>,
    /// The transports that the server has to offer.
    pub required: Vec<Transport>,
    /// How many checks run at a time.
    pub jobs: usize,
    /// How long what must happen may take.
    pub patience: Duration,
    /// How long nothing must come where nothing may come.
    pub quiet: Duration,
    /// The longest hold, if the server's advice does not say so.
    pub timeout: Option<Duration>,
    /// How long a session that does not connect lives, if that is known.
    pub max_interval: Option<Duration>,
    /// The greatest message that is taken, in bytes.
    pub max_message_size: usize,
    /// An origin that may use the server, if there is one.
    pub origin: Option<String>,
    /// What the server offers to a suite.
    pub helpers: Helpers,
}

/// A server's URL, resolved.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// What stands in `Host`.
    pub host: String,
    /// The path, without a slash at its end.
    pub path: String,
    /// Whether it speaks TLS.
    pub secure: bool,
}

/// Whose known differences are put up with: checks of what such a server is known to do otherwise are not done, and its
/// own numbers of errors count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Nobody's: every rule to the letter, where servers differ too.
    #[default]
    Strict,
    /// CometD's, 6 to 8.
    CometD,
    /// Faye's, 1.4.
    Faye,
}

/// Channels with which a client can ask the server for help; none of them unless the server is said to have it.
#[derive(Clone, Debug, Default)]
pub struct Helpers {
    /// Delivers its data `{"channel", "data", "lazy"}` back to the sender.
    pub deliver: Option<String>,
    /// Has the server disconnect the sender.
    pub disconnect: Option<String>,
    /// Answers a remote call with the data that it was given.
    pub echo: Option<String>,
    /// Channels below it are lazy.
    pub lazy: Option<String>,
    /// Whether `ext.conformance` of a handshake is heard: `deny` and `welcome`.
    pub handshake: bool,
}

/// Why a URL names no server that can be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError(String);

impl Target {
    /// Reads a URL such as `http://127.0.0.1:8080/bayeux` or `https://chat.example/bayeux` and looks up its host.
    ///
    /// # Errors
    ///
    /// If it is not such a URL, or its host has no address.
    pub fn resolve(url: &str) -> Result<Self, TargetError> {
        let wrong = |why: &str| TargetError(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong("neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let name = authority.host().trim_matches(['[', ']']);
        let address = (name, port)
            .to_socket_addrs()
            .map_err(|error| wrong(&error.to_string()))?
            .next()
            .ok_or_else(|| wrong("the host has no address"))?;
        Ok(Self {
            address,
            host: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            secure,
        })
    }

    /// The origin of its own pages.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// The name of its host, or its address.
    pub(crate) fn name(&self) -> &str {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => &self.host,
        };
        name.trim_matches(['[', ']'])
    }

    /// The path of requests to the base.
    pub fn base(&self) -> &str {
        if self.path.is_empty() {
            "/"
        } else {
            &self.path
        }
    }
}

impl Options {
    /// The usual ones.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            trust: None,
            profile: Profile::Strict,
            only: Vec::new(),
            skip: Vec::new(),
            required: Vec::new(),
            jobs: 8,
            patience: Duration::from_secs(15),
            quiet: Duration::from_millis(300),
            timeout: None,
            max_interval: None,
            max_message_size: 1024 * 1024,
            origin: None,
            helpers: Helpers::default(),
        }
    }

    /// Whether a check with these rules of that group is to be done over that transport.
    pub fn wants(&self, group: &str, rules: &[&str], transport: Transport) -> bool {
        let named = |names: &[String]| {
            names.iter().any(|name| {
                name == group || name == transport.name() || rules.contains(&name.as_str())
            })
        };
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

impl Helpers {
    /// Those of this project's servers, started with `--conformance`.
    pub fn usual() -> Self {
        let named = |name: &str| Some(format!("/service/conformance/{name}"));
        Self {
            deliver: named("deliver"),
            disconnect: named("disconnect"),
            echo: named("echo"),
            lazy: Some("/conformance/lazy".to_owned()),
            handshake: true,
        }
    }
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Strict, Self::CometD, Self::Faye];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::CometD => "cometd",
            Self::Faye => "faye",
        }
    }
}

impl Display for TargetError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_what_to_ask_for() {
        let target = Target::resolve("http://127.0.0.1:81/a/b/").unwrap_or_else(|_| panic!());

        assert_eq!(target.address, SocketAddr::from(([127, 0, 0, 1], 81)));
        assert_eq!((&*target.host, target.base()), ("127.0.0.1:81", "/a/b"));
        assert_eq!(target.origin(), "http://127.0.0.1:81");
    }

    #[test]
    fn the_name_of_a_secure_server_has_no_port_and_no_brackets() {
        let names = [
            ("https://[::1]:81/a", 81, "::1"),
            ("https://[::1]/a", 443, "::1"),
            ("wss://127.0.0.1/", 443, "127.0.0.1"),
        ];
        for (url, port, name) in names {
            let target = Target::resolve(url).unwrap_or_else(|_| panic!());
            assert_eq!((target.address.port(), target.name()), (port, name));
            assert!(target.secure);
        }
    }

    #[test]
    fn what_cannot_be_checked_is_said() {
        for url in ["", "/x", "ftp://127.0.0.1/"] {
            assert!(Target::resolve(url).is_err(), "{url}");
        }
    }
}
