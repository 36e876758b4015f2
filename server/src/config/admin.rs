//! The HTTP API for backends: where it listens, and who may use it.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use std::fs;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::draft::{Draft, Endpoint, resolved};
use super::flag::Given;
use super::slot::quoted;

/// The HTTP API for backends. Without an address there is none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AdminOptions {
    /// Where to listen for backends, in the order given.
    pub listen: Vec<SocketAddr>,
    /// Who may use the API.
    pub keys: AdminKeys,
}

impl AdminOptions {
    /// Whether clear text carries keys to other machines.
    pub(crate) fn leaves_the_machine(&self) -> bool {
        let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        !self.keys.is_empty() && !self.listen.iter().all(is_local)
    }
}

/// The keys that backends show, any of them. There may be several, so that they can be changed without a gap.
///
/// They are secrets: `Debug` says how many there are.
#[derive(Clone, Default)]
pub struct AdminKeys(Vec<Box<str>>);

impl AdminKeys {
    /// Fewer characters could be guessed.
    const SHORTEST: usize = 16;

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// If it is too short, or has characters that no `Authorization` header carries; the key is not in the
    /// text that says so.
    pub fn add(&mut self, key: &str) -> Result<(), String> {
        // RFC 6750, section 2.1.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if key.len() < Self::SHORTEST {
            return Err(format!(
                "a key must have {} characters or more",
                Self::SHORTEST
            ));
        }
        if !key.bytes().all(fits) {
            return Err("a key must be of the letters A to Z, digits and -._~+/=".into());
        }
        self.0.push(key.into());
        Ok(())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `shown` is one of them. The time that takes says nothing of the keys but their length.
    pub(crate) fn open_to(&self, shown: &[u8]) -> bool {
        let is_shown = |key: &str| verify_slices_are_equal(key.as_bytes(), shown).is_ok();
        self.0
            .iter()
            .fold(false, |is_one, key| is_one | is_shown(key))
    }
}

impl fmt::Debug for AdminKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminKeys({})", self.0.len())
    }
}

pub(super) fn listen(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    draft.admin_listen = Endpoint::parse_all(given)?;
    Ok(())
}

pub(super) fn key_file(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    draft.admin_key_file = given.last().cloned();
    Ok(())
}

pub(super) fn keys(draft: &mut Draft, given: &[Given]) -> Result<(), String> {
    let mut keys = AdminKeys::default();
    for given in given {
        keys.add(&given.text)
            .map_err(|why| format!("{}: {why}", given.source))?;
    }
    draft.settings.admin.keys = keys;
    Ok(())
}

impl Draft {
    /// A server with a key has an API, whether it was told where or not.
    pub(super) fn admit_backends(&mut self) -> Result<(), String> {
        self.read_key_file()?;
        let others = &self.settings.listen;
        let mut listen = resolved(&self.admin_listen, others)?;
        if listen.is_empty() && !self.settings.admin.keys.is_empty() {
            listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)));
        }
        self.settings.admin.listen = listen;
        Ok(())
    }

    fn read_key_file(&mut self) -> Result<(), String> {
        let Some(Given { source, text: path }) = &self.admin_key_file else {
            return Ok(());
        };
        let text = fs::read_to_string(path)
            .map_err(|error| format!("{source}: cannot read {}: {error}", quoted(path)))?;
        let lines = (1..).zip(text.lines().map(str::trim));
        let mut keys = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .peekable();
        if keys.peek().is_none() {
            return Err(format!("{source}: there is no key in {}", quoted(path)));
        }
        for (number, key) in keys {
            let failed = |why| format!("{source}: {path}:{number}: {why}");
            self.settings.admin.keys.add(key).map_err(failed)?;
        }
        self.settings.secret_files.push(path.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_keys_opens_and_nothing_else() {
        let mut keys = AdminKeys::default();
        assert!(!keys.open_to(b""));
        keys.add("0123456789abcdef").unwrap();
        keys.add("fedcba9876543210+/=").unwrap();

        assert!(keys.open_to(b"0123456789abcdef"));
        assert!(keys.open_to(b"fedcba9876543210+/="));
        for other in [
            "",
            "0123456789abcde",
            "0123456789abcdeg",
            "0123456789abcdef0",
        ] {
            assert!(!keys.open_to(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let mut keys = AdminKeys::default();
        keys.add("0123456789abcdef").unwrap();
        assert_eq!(format!("{keys:?}"), "AdminKeys(1)");

        for (bad, why) in [
            ("short", "16 characters"),
            ("0123456789abcdef ö", "letters"),
        ] {
            let error = keys.add(bad).unwrap_err();
            assert!(error.contains(why) && !error.contains(bad), "{error}");
        }
    }
}
