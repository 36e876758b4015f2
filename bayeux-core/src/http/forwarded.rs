//! Who sent a request that came through proxies: what they say counts only as far as they are
//! trusted.

use alloc::{boxed::Box, vec::Vec};
use core::net::{IpAddr, SocketAddr};

use super::{Network, RequestHead, Scheme, head::elements};

/// Which headers the trusted proxies write. It is one kind only: a proxy that writes one passes the
/// other through as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies whose word counts.
///
/// ```
/// # use bayeux_core::http::{ForwardedBy, RequestHead, Scheme, TrustedProxies};
/// let trusted = TrustedProxies::new(["10.0.0.0/8".parse()?], ForwardedBy::XForwarded);
/// let hops: (&str, &[u8]) = ("X-Forwarded-For", b"6.6.6.6, 192.0.2.7");
/// let scheme: (&str, &[u8]) = ("X-Forwarded-Proto", b"https");
/// let head = RequestHead::new("POST", "/bayeux", [hops, scheme]);
///
/// let client = trusted.client([10, 0, 0, 1].into(), &head);
///
/// assert_eq!(client.address.to_string(), "192.0.2.7");
/// assert_eq!(client.scheme, Some(Scheme::Https));
/// # Ok::<(), bayeux_core::http::NetworkError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Box<[Network]>,
    by: ForwardedBy,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address nearest to the client that can be believed; IPv4 even where it came mapped into
    /// IPv6.
    pub address: IpAddr,
    /// How the client reached the outermost trusted proxy; `None` if none said, so that the socket
    /// tells.
    pub scheme: Option<Scheme>,
}

impl TrustedProxies {
    /// Trusts the proxies of `networks`, which write the headers `by`.
    pub fn new(networks: impl IntoIterator<Item = Network>, by: ForwardedBy) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            by,
        }
    }

    /// Whether a proxy at this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// Who sent the request that came from the socket address `peer`.
    ///
    /// The hops are walked from the nearest on, while the one that reported the next is trusted:
    /// what stands further left was the client's own to invent. A hop that cannot be read ends the
    /// walk at the proxy that wrote it.
    pub fn client(&self, peer: IpAddr, head: &RequestHead<'_>) -> Client {
        let mut client = Client {
            address: peer.to_canonical(),
            scheme: None,
        };
        if !self.contains(client.address) {
            return client;
        }
        for hop in hops(head, self.by) {
            client.scheme = hop.scheme.or(client.scheme);
            let Some(address) = hop.address else { break };
            client.address = address;
            if !self.contains(address) {
                break;
            }
        }
        client
    }
}

/// What one proxy says of the one before it.
struct Hop {
    address: Option<IpAddr>,
    scheme: Option<Scheme>,
}

/// The hops from the nearest to the furthest.
fn hops(head: &RequestHead<'_>, by: ForwardedBy) -> Vec<Hop> {
    match by {
        ForwardedBy::XForwarded => {
            let mut schemes = elements(&head.forwarded_proto).rev().map(scheme);
            let mut hops: Vec<_> = elements(&head.forwarded_for)
                .rev()
                .map(|text| Hop {
                    address: address(text),
                    scheme: schemes.next().flatten(),
                })
                .collect();
            if hops.is_empty() {
                hops.push(Hop {
                    address: None,
                    scheme: schemes.next().flatten(),
                });
            }
            hops
        }
        ForwardedBy::Forwarded => elements(&head.forwarded).rev().map(forwarded_hop).collect(),
    }
}

/// One element of `Forwarded`. Commas and semicolons are taken to separate even inside quotes: no
/// address has any, and a quote that a client left open then cannot swallow what the proxy wrote
/// behind it.
fn forwarded_hop(element: &str) -> Hop {
    let mut hop = Hop {
        address: None,
        scheme: None,
    };
    for (name, value) in element.split(';').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim_ascii().trim_matches('"');
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case("for") {
            hop.address = address(value);
        } else if name.eq_ignore_ascii_case("proto") {
            hop.scheme = scheme(value);
        }
    }
    hop
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .ok()
        .or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))?;
    Some(address.to_canonical())
}

fn scheme(text: &str) -> Option<Scheme> {
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    if is("https") || is("wss") {
        Some(Scheme::Https)
    } else if is("http") || is("ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use proptest::prelude::*;

    use super::*;

    fn client(by: ForwardedBy, peer: &str, headers: &[(&str, &str)]) -> (String, Option<Scheme>) {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let head = RequestHead::new("POST", "/", headers);
        let Client { address, scheme } =
            TrustedProxies::new(networks, by).client(peer.parse().unwrap(), &head);
        (format!("{address}"), scheme)
    }

    #[test]
    fn x_forwarded_for_is_walked_from_the_right_as_long_as_hops_are_trusted() {
        let table = [
            ("192.0.2.1", "6.6.6.6", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
            (
                "10.0.0.1",
                "6.6.6.6, 192.0.2.7 ,10.0.0.2,, fd00::3",
                "192.0.2.7",
            ),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("::ffff:10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.1", "6.6.6.6", "192.0.2.1"),
            ("fd00::1", "2001:db8::7", "2001:db8::7"),
            ("fd00::1", "[2001:db8::7]", "2001:db8::7"),
            ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
            ("10.0.0.1", "6.6.6.6, unknown", "10.0.0.1"),
            ("10.0.0.1", "6.6.6.6, unknown, 10.0.0.2", "10.0.0.2"),
        ];
        for (peer, value, expected) in table {
            let found = client(
                ForwardedBy::XForwarded,
                peer,
                &[("x-forwarded-for", value), ("forwarded", "for=7.7.7.7")],
            );

            assert_eq!(found, (expected.into(), None), "{peer}: {value}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let table = [
            ("for=192.0.2.7", "192.0.2.7", None),
            (
                "For=\"192.0.2.7:80\";Proto=https;by=10.0.0.1",
                "192.0.2.7",
                Some(Scheme::Https),
            ),
            (
                "for=6.6.6.6;proto=https, for=\"[2001:db8::7]:4711\" ; proto=http",
                "2001:db8::7",
                Some(Scheme::Http),
            ),
            (
                "for=192.0.2.7;proto=https, for=10.0.0.2;proto=http",
                "192.0.2.7",
                Some(Scheme::Https),
            ),
            (
                "for=192.0.2.7;proto=https, for=10.0.0.2",
                "192.0.2.7",
                Some(Scheme::Https),
            ),
            ("for=\"6.6.6.6, for=192.0.2.7", "192.0.2.7", None),
            (
                "for=\"6.6.6.6\\\", for=\"[2001:db8::7]\"",
                "2001:db8::7",
                None,
            ),
            (
                "for=6.6.6.6, for=_hidden;proto=https",
                "10.0.0.1",
                Some(Scheme::Https),
            ),
            ("for=6.6.6.6, proto=https", "10.0.0.1", Some(Scheme::Https)),
            ("", "10.0.0.1", None),
        ];
        for (value, address, scheme) in table {
            let found = client(
                ForwardedBy::Forwarded,
                "10.0.0.1",
                &[("forwarded", value), ("x-forwarded-for", "7.7.7.7")],
            );

            assert_eq!(found, (address.into(), scheme), "{value}");
        }
    }

    #[test]
    fn the_scheme_is_that_of_the_hop_the_client_was_found_at() {
        let table = [
            ("192.0.2.7", "https", Some(Scheme::Https)),
            ("192.0.2.7", "HTTPS", Some(Scheme::Https)),
            ("192.0.2.7", "https, http", Some(Scheme::Http)),
            ("192.0.2.7, 10.0.0.2", "https, http", Some(Scheme::Https)),
            ("192.0.2.7, 10.0.0.2", "https", Some(Scheme::Https)),
            ("6.6.6.6, 192.0.2.7", "https, http", Some(Scheme::Http)),
            ("", "https", Some(Scheme::Https)),
            ("192.0.2.7", "gopher", None),
        ];
        for (hops, schemes, expected) in table {
            let headers = [("x-forwarded-for", hops), ("x-forwarded-proto", schemes)];

            assert_eq!(
                client(ForwardedBy::XForwarded, "10.0.0.1", &headers).1,
                expected,
                "{hops}: {schemes}"
            );
            assert_eq!(
                client(ForwardedBy::XForwarded, "192.0.2.1", &headers).1,
                None,
                "{hops}: {schemes}"
            );
        }
    }

    #[test]
    fn a_list_may_be_spread_over_lines() {
        let headers = [
            ("X-Forwarded-For", "6.6.6.6"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-for", "10.0.0.2"),
        ];

        assert_eq!(
            client(ForwardedBy::XForwarded, "10.0.0.1", &headers).0,
            "192.0.2.7"
        );
    }

    proptest! {
        #[test]
        fn any_headers_lead_to_a_client(values: Vec<(bool, String)>, peer: IpAddr) {
            let name = |first| if first { "x-forwarded-for" } else { "forwarded" };
            let headers = values.iter().map(|(first, value)| (name(*first), value.as_bytes()));
            let head = RequestHead::new("GET", "/", headers);

            for by in [ForwardedBy::XForwarded, ForwardedBy::Forwarded] {
                TrustedProxies::new([peer.into()], by).client(peer, &head);
                let untrusted = TrustedProxies::default().client(peer, &head);
                prop_assert_eq!(untrusted.address, peer.to_canonical());
            }
        }

        #[test]
        fn what_a_client_invents_never_moves_what_a_proxy_saw(invented in "[ -~]*", seen: IpAddr) {
            let proxy = IpAddr::from([127, 0, 0, 1]);
            prop_assume!(seen.to_canonical() != proxy);
            let quoted = if seen.is_ipv4() { format!("{seen}") } else { format!("\"[{seen}]\"") };
            let plain = format!("{invented}, {seen}");
            let rfc = format!("{invented}, for={quoted}");
            let headers = [("x-forwarded-for", plain.as_bytes()), ("forwarded", rfc.as_bytes())];
            let head = RequestHead::new("GET", "/", headers);

            for by in [ForwardedBy::XForwarded, ForwardedBy::Forwarded] {
                let client = TrustedProxies::new([proxy.into()], by).client(proxy, &head);

                prop_assert_eq!(client.address, seen.to_canonical());
            }
        }
    }
}
