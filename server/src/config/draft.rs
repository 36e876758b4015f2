//! Settings on their way: what a file, variables and flags have said so far.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::net::ToSocketAddrs;

use bayeux_core::http::{Origins, SameSite};
use bayeux_core::{Activity, ActivityMode, BrowserBinding};

use super::Settings;
use super::access::AccessDraft;
use super::flag::Given;
use super::slot::{in_milliseconds, milliseconds, quoted};
use crate::access::Access;
use crate::tls::TlsFiles;

/// Settings on their way. [`finish`](Draft::finish) checks what no single key can tell.
pub(crate) struct Draft {
    pub(crate) settings: Settings,
    /// Where to listen; names are looked up at the end, so that one which is overruled does not matter.
    pub(crate) listen: Vec<(String, Endpoint)>,
    /// The file of the certificate.
    pub(crate) tls_certificate: Option<Given>,
    /// The file of its key.
    pub(crate) tls_key: Option<Given>,
    /// The same for backends.
    pub(crate) admin_listen: Vec<(String, Endpoint)>,
    /// Where their keys are kept.
    pub(crate) admin_key_file: Option<Given>,
    /// What the activity extension does if it is on.
    pub(crate) activity: Activity,
    /// Whether it is.
    pub(crate) activity_on: bool,
    /// `trustClientSession`.
    pub(crate) trust_client_session: bool,
    /// Who may do what.
    pub(crate) access: AccessDraft,
    /// Where a key of the file was set: what to say in front of a complaint about it.
    pub(crate) sources: BTreeMap<String, String>,
}

/// A place to listen at.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Address(SocketAddr),
    Name(String, u16),
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            listen: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            admin_listen: Vec::new(),
            admin_key_file: None,
            activity: Activity {
                mode: ActivityMode::Client,
                max_inactivity: milliseconds(300_000),
            },
            activity_on: false,
            trust_client_session: false,
            access: AccessDraft::default(),
            sources: BTreeMap::new(),
        }
    }
}

impl Draft {
    /// The settings, if they agree with each other; else one line that says why not.
    pub(crate) fn finish(mut self) -> Result<Settings, String> {
        self.bind_sessions()?;
        self.check_cookie()?;
        self.check_idle()?;
        self.resolve()?;
        self.admit_backends()?;
        self.settings.access = self.control_access()?;
        self.settings
            .secret_files
            .append(&mut self.access.secret_files);
        self.pair_tls()?;
        self.settings.engine.activity = self.activity_on.then_some(self.activity);
        Ok(self.settings)
    }

    fn bind_sessions(&mut self) -> Result<(), String> {
        if !self.trust_client_session {
            return Ok(());
        }
        let binding = &mut self.settings.engine.browser_binding;
        if self.sources.contains_key("browserBinding") && *binding != BrowserBinding::Off {
            return Err(self.complaint(
                &["trustClientSession"],
                "contradicts browserBinding, which is to be \"off\" or left out",
            ));
        }
        *binding = BrowserBinding::Off;
        Ok(())
    }

    fn check_cookie(&self) -> Result<(), String> {
        let cookie = &self.settings.cookie;
        let crosses = cookie.same_site == Some(SameSite::None);
        if (crosses || cookie.partitioned) && !cookie.secure {
            let key = if crosses {
                "browserCookieSameSite"
            } else {
                "browserCookiePartitioned"
            };
            return Err(self.complaint(
                &[key],
                "browsers drop such a cookie unless browserCookieSecure is true",
            ));
        }
        Ok(())
    }

    /// A websocket that is cut while its connect is held can never be idle in peace (WS-14).
    fn check_idle(&self) -> Result<(), String> {
        let engine = &self.settings.engine;
        let timeout = engine.websocket.timeout.unwrap_or(engine.timeout);
        let interval = engine.websocket.interval.unwrap_or(engine.interval);
        match self.settings.deadlines.websocket_idle {
            Some(idle) if idle <= timeout + interval => Err(self.complaint(
                &["ws.idleTimeout", "ws.timeout", "ws.interval", "timeout", "interval"],
                &format!(
                    "ws.idleTimeout ({}) must be longer than a websocket's timeout ({}) and interval ({}) \
                     together",
                    in_milliseconds(idle),
                    in_milliseconds(timeout),
                    in_milliseconds(interval)
                ),
            )),
            _ => Ok(()),
        }
    }

    fn control_access(&self) -> Result<Access, String> {
        let access = self.access.finish(&self.settings.engine.grammar)?;
        if access.tokens_required && access.tokens.is_none() {
            let why = "needs [[keys]] to check tokens with";
            return Err(self.complaint(&["access.requireToken"], why));
        }
        if access.sources.cookie.is_some() && self.settings.http.origins == Origins::Any {
            return Err(self.complaint(
                &["access.cookie"],
                "with allow-origin * every page could act for whoever visits it; name the origins",
            ));
        }
        Ok(access)
    }

    fn resolve(&mut self) -> Result<(), String> {
        if self.listen.is_empty() {
            return Ok(());
        }
        self.settings.listen = resolved(&self.listen, &[])?;
        Ok(())
    }

    fn pair_tls(&mut self) -> Result<(), String> {
        self.settings.tls = match (&self.tls_certificate, &self.tls_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.text.clone().into(),
                key: key.text.clone().into(),
            }),
            (Some(one), None) => return Err(format!("{}: needs tls-key too", one.source)),
            (None, Some(one)) => return Err(format!("{}: needs tls-cert too", one.source)),
        };
        Ok(())
    }

    /// `text` behind the place of the first of `keys` that was set.
    fn complaint(&self, keys: &[&str], text: &str) -> String {
        match keys.iter().find_map(|key| self.sources.get(*key)) {
            Some(source) => format!("{source}: {text}"),
            None => text.into(),
        }
    }
}

/// The addresses of `endpoints`, none of them twice or among `others`.
pub(super) fn resolved(
    endpoints: &[(String, Endpoint)],
    others: &[SocketAddr],
) -> Result<Vec<SocketAddr>, String> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for (source, endpoint) in endpoints {
        let address = endpoint
            .resolve()
            .map_err(|why| format!("{source}: {why}"))?;
        if address.port() != 0 && (addresses.contains(&address) || others.contains(&address)) {
            return Err(format!("{source}: {address} is given twice"));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

impl Endpoint {
    /// Reads them all, each with the place where it was given.
    pub(crate) fn parse_all(given: &[Given]) -> Result<Vec<(String, Self)>, String> {
        given
            .iter()
            .map(|given| match Self::parse(&given.text) {
                Ok(endpoint) => Ok((given.source.clone(), endpoint)),
                Err(why) => Err(format!("{}: {why}", given.source)),
            })
            .collect()
    }

    /// Reads `host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        text.rsplit_once(':')
            .filter(|(host, _)| !host.is_empty() && !host.contains([':', '/', '[', ']', ' ']))
            .and_then(|(host, port)| Some(Self::Name(host.into(), port.parse().ok()?)))
            .ok_or_else(|| {
                format!(
                    "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, got {}",
                    quoted(text)
                )
            })
    }

    /// The address: of a name the first of IPv4, or the first if it has none.
    fn resolve(&self) -> Result<SocketAddr, String> {
        let (name, port) = match self {
            Self::Address(address) => return Ok(*address),
            Self::Name(name, port) => (name.as_str(), *port),
        };
        let addresses: Vec<_> = (name, port)
            .to_socket_addrs()
            .map_err(|error| format!("cannot find the address of {}: {error}", quoted(name)))?
            .collect();
        let first = addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first());
        first
            .copied()
            .ok_or_else(|| format!("{} has no address", quoted(name)))
    }
}
