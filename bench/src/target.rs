//! Where the server is. Parsing is the only way to get one, so that no load leaves the machine.

use std::net::SocketAddr;
use std::str::FromStr;

/// An address of loopback, and a path.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("ws://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or("must begin with ws:// or http://")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, "bayeux"));
        let address: SocketAddr = address
            .parse()
            .map_err(|_| "needs an address with a port, such as 127.0.0.1:8080")?;
        if !address.ip().is_loopback() {
            return Err("must be an address of loopback".into());
        }
        Ok(Self {
            address,
            path: format!("/{path}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_a_target() {
        let target: Target = "ws://127.0.0.1:8080/faye".parse().unwrap();

        assert_eq!((target.address.port(), &*target.path), (8080, "/faye"));
        assert!("ws://192.0.2.1:8080/faye".parse::<Target>().is_err());
        assert!("ws://example.org:80/".parse::<Target>().is_err());
    }
}
