//! Where Redis is.

use std::fmt;
use std::str::FromStr;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Where Redis is, by URL:
///
/// - `redis://[user:password@]host[:port][/database]`, or `rediss://…` with TLS;
/// - `redis+sentinel://[user:password@]host[:port],…/name[/database]`, or `rediss+sentinel://…`: the master of that
///   name, as these Sentinels know it.
///
/// Neither `Debug` nor `Display` shows a user or a password.
#[derive(Clone)]
pub struct Target {
    pub(crate) place: Place,
    shown: Box<str>,
}

#[derive(Clone)]
pub(crate) enum Place {
    Server(Box<ConnectionInfo>),
    Sentinel {
        sentinels: Vec<ConnectionAddr>,
        name: Box<str>,
        settings: Box<RedisConnectionInfo>,
        is_secure: bool,
    },
}

/// Why a URL says of no Redis where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetError(&'static str);

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TargetError {}

const WANTED: TargetError = TargetError(
    "expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or \
     redis+sentinel://[user:password@]host[:port],…/name[/database]",
);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.split_once("://").ok_or(WANTED)?;
        match scheme {
            "redis" | "rediss" => {
                let info = parse(url)?;
                Ok(Self {
                    shown: shown(scheme, rest),
                    place: Place::Server(Box::new(info.set_tcp_settings(tcp()))),
                })
            }
            "redis+sentinel" => Self::sentinel(scheme, "redis", rest),
            "rediss+sentinel" => Self::sentinel(scheme, "rediss", rest),
            _ => Err(WANTED),
        }
    }
}

impl Target {
    fn sentinel(scheme: &str, plain: &str, rest: &str) -> Result<Self, TargetError> {
        let (credentials, hosts) = match rest.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), rest),
        };
        let (hosts, path) = hosts.split_once('/').ok_or(WANTED)?;
        let (name, database) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(WANTED);
        }
        let mut sentinels = Vec::new();
        let mut settings = RedisConnectionInfo::default();
        for host in hosts.split(',') {
            // A Sentinel listens elsewhere than Redis does.
            let has_port = host
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.ends_with(']'));
            let port = if has_port { "" } else { ":26379" };
            let info = parse(&format!("{plain}://{credentials}{host}{port}/{database}"))?;
            sentinels.push(info.addr().clone());
            settings = info.redis_settings().clone();
        }
        Ok(Self {
            shown: shown(scheme, rest),
            place: Place::Sentinel {
                sentinels,
                name: name.into(),
                settings: Box::new(settings),
                is_secure: plain == "rediss",
            },
        })
    }
}

/// The last of its hosts is taken for where Redis is.
fn parse(url: &str) -> Result<ConnectionInfo, TargetError> {
    url.into_connection_info().map_err(|_| WANTED)
}

/// Without waiting for company: most of what is said is short.
pub(crate) fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Neither who nor with what, nor what else may stand behind the path.
fn shown(scheme: &str, rest: &str) -> Box<str> {
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let end = place.find(['?', '#']).unwrap_or(place.len());
    let place = place.get(..end).unwrap_or_default();
    format!("{scheme}://{place}").into()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.shown).finish()
    }
}

impl PartialEq for Target {
    /// Whether it is the same place, with the same user and password.
    fn eq(&self, other: &Self) -> bool {
        let settings = |target: &Self| match &target.place {
            Place::Server(info) => info.redis_settings().clone(),
            Place::Sentinel { settings, .. } => (**settings).clone(),
        };
        let (one, two) = (settings(self), settings(other));
        self.shown == other.shown
            && one.username() == two.username()
            && one.password() == two.password()
    }
}

impl Eq for Target {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_redis_is_is_shown_and_its_password_is_not() {
        for (url, expected) in [
            ("redis://localhost", "redis://localhost"),
            ("redis://:secret@h:1/3", "redis://h:1/3"),
            ("rediss://user:sec%40ret@h", "rediss://h"),
            ("redis://h/0?password=secret", "redis://h/0"),
            (
                "redis+sentinel://:se@cret@a,b:7/main/2",
                "redis+sentinel://a,b:7/main/2",
            ),
        ] {
            let target: Target = url.parse().unwrap();

            assert_eq!(target.to_string(), expected);
            assert_eq!(format!("{target:?}"), format!("Target({expected:?})"));
        }
    }

    #[test]
    fn a_sentinel_url_names_all_that_is_needed() {
        let target: Target = "redis+sentinel://u:p%40@a,b:7,[::1]/main/2"
            .parse()
            .unwrap();
        let Place::Sentinel {
            sentinels,
            name,
            settings,
            ..
        } = target.place
        else {
            panic!("no Sentinel");
        };

        let expected = [("a", 26379), ("b", 7), ("::1", 26379)];
        let expected = expected.map(|(host, port)| ConnectionAddr::Tcp(host.into(), port));
        assert_eq!(sentinels, expected);
        assert_eq!(&*name, "main");
        assert_eq!(
            (settings.username(), settings.password()),
            (Some("u"), Some("p@"))
        );
        assert_eq!(settings.db(), 2);
    }

    #[test]
    fn what_names_no_redis_is_refused() {
        for url in [
            "",
            "memory",
            "http://h",
            "redis://",
            "redis://h/x",
            "redis+sentinel://h",
            "redis+sentinel://h/",
            "redis+sentinel://h/main/x",
        ] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }
}
