//! What can be said by flag, by variable and in `[server]` of the file.

use core::num::NonZeroU32;

use bayeux_core::http::{ForwardedBy, Mount, Network, Origin, Origins, TrustedProxies};

use super::admin;
use super::draft::{Draft, Endpoint};
use super::slot::quoted;
use super::{Conformance, LogFormat, Store, mounts};

/// The most engines of one process.
pub(crate) const MOST_SHARDS: NonZeroU32 = match NonZeroU32::new(1_024) {
    Some(most) => most,
    None => NonZeroU32::MIN,
};

/// One flag.
pub(crate) struct Flag {
    /// Its long name, also its key in `[server]`.
    pub(crate) name: &'static str,
    /// What stands for its value in the help; nothing for a switch.
    pub(crate) value: &'static str,
    /// How often it may be given.
    pub(crate) times: Times,
    pub(crate) meaning: &'static str,
    pub(crate) default: &'static str,
    apply: fn(&mut Draft, &[Given]) -> Result<(), String>,
}

/// How often a flag may be given, and with what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Times {
    Once,
    Often,
    /// Often, but not on the command line, which everybody on the machine can read; its value is never shown.
    Secret,
    /// Once and without a value; elsewhere than on the command line its value is true or false.
    Switch,
}

/// A value with the place where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) source: String,
    pub(crate) text: String,
}

impl Given {
    fn refused(&self, why: impl core::fmt::Display) -> String {
        format!("{}: {why}, got {}", self.source, quoted(&self.text))
    }
}

impl Flag {
    /// The flag with its value, as it is written.
    pub(crate) fn usage(&self) -> String {
        match self.times {
            Times::Switch => format!("--{}", self.name),
            Times::Once | Times::Often | Times::Secret => format!("--{} {}", self.name, self.value),
        }
    }

    /// The environment variable that says the same.
    pub(crate) fn variable(&self) -> String {
        format!("BAYEUX_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// Takes these values instead of any before; one or more.
    pub(crate) fn apply(&self, draft: &mut Draft, given: &[Given]) -> Result<(), String> {
        (self.apply)(draft, given)?;
        let values = given.iter().map(|given| given.text.as_str());
        draft.settings.said.note(self.name, values);
        Ok(())
    }
}

/// All flags but those that are about flags: `--config`, `--help` and `--version`.
pub(crate) static FLAGS: [Flag; 17] = [
    Flag {
        name: "listen",
        value: "ADDR",
        times: Times::Often,
        meaning: "Address and port to listen at; of a name, its first IPv4 address",
        default: "127.0.0.1:8080",
        apply: listen,
    },
    Flag {
        name: "tls-cert",
        value: "FILE",
        times: Times::Once,
        meaning: "Certificate in PEM, with its chain: speak TLS at all addresses; read again at SIGHUP",
        default: "none",
        apply: |draft, given| {
            draft.tls_certificate = given.last().cloned();
            Ok(())
        },
    },
    Flag {
        name: "tls-key",
        value: "FILE",
        times: Times::Once,
        meaning: "Private key of the certificate in PEM: PKCS#8, PKCS#1 or SEC1",
        default: "none",
        apply: |draft, given| {
            draft.tls_key = given.last().cloned();
            Ok(())
        },
    },
    Flag {
        name: "path",
        value: "PATH",
        times: Times::Often,
        meaning: "Path at which Bayeux is spoken, with everything below it",
        default: "/bayeux, /faye, /cometd",
        apply: path,
    },
    Flag {
        name: "store",
        value: "STORE",
        times: Times::Once,
        meaning: "Where messages and sessions are kept: memory; or in Redis, for all servers with the same: \
                  redis://[user:password@]host[:port][/database], rediss:// for TLS, \
                  redis+sentinel://[user:password@]host[:port],…/name[/database]. Give a password by the \
                  variable or the file: everybody on the machine can read a command line",
        default: "memory",
        apply: store,
    },
    Flag {
        name: "redis-prefix",
        value: "NAME",
        times: Times::Once,
        meaning: "What all keys in Redis begin with, in braces: letters, digits, and - . : _",
        default: "bayeux",
        apply: |draft, given| {
            for given in given {
                draft.settings.redis_prefix = name(given)?;
            }
            Ok(())
        },
    },
    Flag {
        name: "node-name",
        value: "NAME",
        times: Times::Once,
        meaning: "What this server is called in Redis; a number that is drawn at each start is added",
        default: "node",
        apply: |draft, given| {
            for given in given {
                draft.settings.node_name = name(given)?;
            }
            Ok(())
        },
    },
    Flag {
        name: "shards",
        value: "N",
        times: Times::Once,
        meaning: "Engines to run, each on a thread of its own: 1 to 1024",
        default: "one for each core",
        apply: shards,
    },
    Flag {
        name: "allow-origin",
        value: "ORIGIN",
        times: Times::Often,
        meaning: "Origin such as https://chat.example whose pages may use the server, besides its own; \
                  * for any",
        default: "none",
        apply: allow_origin,
    },
    Flag {
        name: "trusted-proxy",
        value: "CIDR",
        times: Times::Often,
        meaning: "Address or network such as 10.0.0.0/8 whose X-Forwarded-For and X-Forwarded-Proto count",
        default: "none",
        apply: trusted_proxy,
    },
    Flag {
        name: "client-file",
        value: "FILE",
        times: Times::Once,
        meaning: "Faye's client for browsers, to be served below each path as client.js",
        default: "none: a page that says where to get it",
        apply: client_file,
    },
    Flag {
        name: "log",
        value: "FILTER",
        times: Times::Once,
        meaning: "What to log: off, error, warn, info, debug or trace, also by target: info,hyper=warn",
        default: "info",
        apply: log,
    },
    Flag {
        name: "admin-listen",
        value: "ADDR",
        times: Times::Often,
        meaning: "Address and port to listen at for backends: HTTP API, probes, metrics",
        default: "127.0.0.1:8081 if there is a key, else none",
        apply: admin::listen,
    },
    Flag {
        name: "admin-key-file",
        value: "FILE",
        times: Times::Once,
        meaning: "File with the keys of the HTTP API, one a line; empty lines and those with # do not count; read again at SIGHUP",
        default: "none",
        apply: admin::key_file,
    },
    Flag {
        name: "admin-key",
        value: "KEY",
        times: Times::Secret,
        meaning: "Key of the HTTP API, of 16 characters or more, besides those of the file",
        default: "none",
        apply: admin::keys,
    },
    Flag {
        name: "log-format",
        value: "FORMAT",
        times: Times::Once,
        meaning: "How to log: text, to standard error; or json, to standard output, one object a line",
        default: "text",
        apply: log_format,
    },
    Flag {
        name: "conformance",
        value: "",
        times: Times::Switch,
        meaning: "Help test suites: clients may ask to be sent events, to be refused and to be disconnected",
        default: "off",
        apply: conformance,
    },
];

fn listen(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    draft.listen = Endpoint::parse_all(given)?;
    Ok(())
}

fn path(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    let mut paths: Vec<Box<str>> = Vec::new();
    for given in given {
        given
            .text
            .parse::<Mount>()
            .map_err(|error| given.refused(error))?;
        let path = match given.text.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        if paths.iter().any(|other| **other == *path) {
            return Err(format!("{}: {path} is given twice", given.source));
        }
        paths.push(path.into());
    }
    draft.settings.http.mounts = mounts(paths.iter().map(|path| &**path));
    draft.settings.paths = paths;
    Ok(())
}

fn store(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        draft.settings.store = match given.text.as_str() {
            "memory" => Store::Memory,
            // There may be a password in it: it is not said again.
            url => Store::Redis(url.parse().map_err(|error| {
                format!(
                    "{}: must be memory, or where Redis is: {error}",
                    given.source
                )
            })?),
        };
    }
    Ok(())
}

fn name(given: &Given) -> Result<Box<str>, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte);
    let text = &*given.text;
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
        return Err(given.refused("must be 1 to 64 letters, digits, - . : or _"));
    }
    Ok(text.into())
}

fn shards(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        let number = given
            .text
            .parse::<NonZeroU32>()
            .ok()
            .filter(|number| *number <= MOST_SHARDS);
        let refused = || given.refused(format_args!("must be between 1 and {MOST_SHARDS}"));
        draft.settings.shards = number.ok_or_else(refused)?;
    }
    Ok(())
}

fn allow_origin(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    if let Some(any) = given.iter().find(|given| given.text == "*") {
        if given.len() > 1 {
            return Err(format!(
                "{}: * allows any origin and must stand alone",
                any.source
            ));
        }
        draft.settings.http.origins = Origins::Any;
        return Ok(());
    }
    let origins = given
        .iter()
        .map(|given| {
            given
                .text
                .parse::<Origin>()
                .map_err(|error| given.refused(error))
        })
        .collect::<Result<Box<[_]>, _>>()?;
    draft.settings.http.origins = if origins.is_empty() {
        Origins::Own
    } else {
        Origins::Listed(origins)
    };
    Ok(())
}

fn trusted_proxy(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    let networks = given
        .iter()
        .map(|given| {
            given
                .text
                .parse::<Network>()
                .map_err(|error| given.refused(error))
        })
        .collect::<Result<Vec<_>, _>>()?;
    draft.settings.trusted_proxies = TrustedProxies::new(networks, ForwardedBy::XForwarded);
    Ok(())
}

fn client_file(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        let text = std::fs::read(&given.text)
            .map_err(|error| given.refused(format_args!("cannot be read: {error}")))?;
        draft.settings.client_file = Some(text.into());
    }
    Ok(())
}

fn log(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        if !given.text.split(',').all(is_directive) {
            return Err(given.refused(
                "must be off, error, warn, info, debug or trace, or target=level, separated by commas",
            ));
        }
        draft.settings.log = given.text.as_str().into();
    }
    Ok(())
}

fn log_format(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        draft.settings.log_format = match given.text.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(given.refused("must be text or json")),
        };
    }
    Ok(())
}

fn conformance(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    for given in given {
        draft.settings.conformance = match given.text.as_str() {
            "true" => Conformance::On,
            "false" => Conformance::Off,
            _ => return Err(given.refused("must be true or false")),
        };
    }
    Ok(())
}

/// Whether `text` is a level, or a target, `=` and a level.
fn is_directive(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_target = |target: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-');
        !target.is_empty() && target.bytes().all(fits)
    };
    match text.split_once('=') {
        Some((target, level)) => is_target(target) && LEVELS.contains(&level),
        None => LEVELS.contains(&text),
    }
}
