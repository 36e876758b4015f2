//! Networks of addresses, as the owner of a server lists them.

use core::{fmt, net::IpAddr, str::FromStr};

/// One address, or a network in CIDR notation.
///
/// ```
/// # use bayeux_core::http::Network;
/// let network: Network = "192.168.0.0/16".parse()?;
/// assert!(network.contains([192, 168, 7, 7].into()));
/// # Ok::<(), bayeux_core::http::NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether it holds this address. An IPv4 address is the same when mapped into IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            prefix: width(address),
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let Some(prefix) = prefix else {
            return Ok(address.into());
        };
        match prefix.parse() {
            Ok(prefix) if prefix <= width(address) => Ok(Self { address, prefix }),
            _ => Err(NetworkError::Prefix),
        }
    }
}

/// What limits per address count a client by: an IPv4 address as it is, of an IPv6 address its /64, for
/// whoever has one address of that has them all (DE-16).
///
/// ```
/// # use bayeux_core::http::counted_as;
/// # use core::net::IpAddr;
/// let address: IpAddr = "2001:db8::1:2:3:4".parse()?;
/// assert_eq!(counted_as(address), "2001:db8::".parse::<IpAddr>()?);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Why a text is no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// No IPv4 or IPv6 address.
    Address,
    /// The prefix is no number, or longer than the address.
    Prefix,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "a network begins with an IPv4 or IPv6 address",
            Self::Prefix => "the prefix of a network is a number up to 32, or 128 for IPv6",
        })
    }
}

impl core::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_holds_what_its_prefix_says() {
        let table = [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.9.9.9/8", "10.0.0.1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("0.0.0.0/0", "6.6.6.6", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
        ];
        for (network, address, expected) in table {
            let network: Network = network.parse().unwrap();

            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
    }

    #[test]
    fn an_ipv6_client_counts_by_its_64_bit_network_and_no_other() {
        let table = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:0:1::", "2001:db8:0:1::"),
            ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::"),
            ("2001:db8:0:2::", "2001:db8:0:2::"),
        ];
        for (address, counted) in table {
            let counted: IpAddr = counted.parse().unwrap();

            assert_eq!(counted_as(address.parse().unwrap()), counted, "{address}");
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        let table = [
            ("", NetworkError::Address),
            ("proxy", NetworkError::Address),
            ("10.0.0.0/33", NetworkError::Prefix),
            ("::/129", NetworkError::Prefix),
            ("10.0.0.0/", NetworkError::Prefix),
            ("10.0.0.0/-1", NetworkError::Prefix),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_a_network(text in ".*") {
            let _ = text.parse::<Network>();
        }
    }
}
