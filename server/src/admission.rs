//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use bayeux_core::http::counted_as;

use crate::complaints::Seldom;
use crate::config::Sockets;
use crate::entrance::Entrance;
use crate::guarded::Guarded;
use crate::router::Router;

/// Counts connections against the limits. Loopback and trusted proxies are exempt from
/// the one per address. An IPv6 client counts by its /64, as it does in the engine.
pub(crate) struct Admission {
    limits: Sockets,
    open: Guarded<Open>,
    full: Seldom,
    full_of_address: Seldom,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Which limit is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Full {
    InAll,
    OfAddress,
}

impl Admission {
    pub(crate) fn new(limits: Sockets) -> Self {
        Self {
            limits,
            open: Guarded::default(),
            full: Seldom::default(),
            full_of_address: Seldom::default(),
        }
    }

    /// A place for a connection on `shard`, unless there is none left.
    pub(crate) fn admit(
        router: &Arc<Router>,
        entrance: Entrance,
        address: IpAddr,
        shard: u32,
    ) -> Option<Admitted> {
        let this = router.site.admission(entrance);
        let address = Some(address.to_canonical())
            .filter(|address| !address.is_loopback() && !router.site.proxies.contains(*address))
            .map(counted_as);
        let tally = &router.site.tally;
        match this.take(address) {
            Ok(()) => {}
            Err(Full::InAll) => {
                tally.sockets_refused.up();
                if this.full.is_due(router.clock.now()) {
                    tracing::warn!("{} is reached: connections are refused", entrance.limit());
                }
                return None;
            }
            Err(Full::OfAddress) => {
                tally.sockets_refused_per_address.up();
                if this.full_of_address.is_due(router.clock.now()) {
                    tracing::warn!(
                        ?address,
                        "{} is reached: connections are refused",
                        entrance.limit_per_address()
                    );
                }
                return None;
            }
        }
        router.socket_opened(shard);
        Some(Admitted {
            router: Arc::clone(router),
            entrance,
            address,
            shard,
        })
    }

    /// How many sockets are open, and how many may be.
    pub(crate) fn fill(&self) -> (usize, usize) {
        (self.open.lock().total, self.limits.total)
    }

    fn take(&self, address: Option<IpAddr>) -> Result<(), Full> {
        let mut open = self.open.lock();
        if open.total >= self.limits.total {
            return Err(Full::InAll);
        }
        if let Some(address) = address {
            let count = open.by_address.entry(address).or_default();
            if *count >= self.limits.per_address {
                return Err(Full::OfAddress);
            }
            *count += 1;
        }
        open.total += 1;
        Ok(())
    }

    fn give_back(&self, address: Option<IpAddr>) {
        let mut open = self.open.lock();
        open.total = open.total.saturating_sub(1);
        let Some(address) = address else { return };
        if let Entry::Occupied(mut count) = open.by_address.entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A connection's place, given back when dropped.
pub(crate) struct Admitted {
    router: Arc<Router>,
    entrance: Entrance,
    address: Option<IpAddr>,
    shard: u32,
}

impl Admitted {
    /// Which way it came in.
    pub(crate) const fn entrance(&self) -> Entrance {
        self.entrance
    }
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admitted")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let admission = self.router.site.admission(self.entrance);
        admission.give_back(self.address);
        self.router.socket_closed(self.shard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::node::{Extras, Node};

    #[test]
    fn limits_hold_in_all_and_for_each_address_and_places_come_back() {
        let admission = Admission::new(Sockets {
            total: 3,
            per_address: 1,
        });
        let first = Some(IpAddr::from([192, 0, 2, 1]));
        let second = Some(IpAddr::from([192, 0, 2, 2]));

        assert_eq!(admission.take(first), Ok(()));
        assert_eq!(admission.take(first), Err(Full::OfAddress));
        assert_eq!(admission.take(second), Ok(()));
        assert_eq!(admission.take(None), Ok(()), "loopback");
        assert_eq!(admission.take(None), Err(Full::InAll));

        admission.give_back(first);
        assert_eq!(admission.take(first), Ok(()));
        assert_eq!(admission.open.lock().by_address.len(), 2);
    }

    fn node(total: usize, per_address: usize) -> Node {
        let settings = Settings {
            sockets: Sockets { total, per_address },
            ..Settings::default()
        };
        Node::new(settings, Extras::default()).unwrap()
    }

    // Proves: DE-16
    #[test]
    fn a_socket_beyond_either_limit_is_refused_and_counted() {
        let node = node(3, 1);
        let handle = node.handle();
        let refused = || {
            let tally = handle.tally();
            (
                tally.sockets_refused_per_address.get(),
                tally.sockets_refused.get(),
            )
        };

        let first = node.admit(Entrance::Clients, IpAddr::from([192, 0, 2, 1]));
        assert!(first.is_some());
        assert!(
            node.admit(Entrance::Clients, IpAddr::from([192, 0, 2, 1]))
                .is_none()
        );
        assert_eq!(refused(), (1, 0));

        let loopback =
            [(); 2].map(|()| node.admit(Entrance::Clients, IpAddr::from([127, 0, 0, 1])));
        assert!(loopback.iter().all(Option::is_some), "it has no such limit");
        assert!(
            node.admit(Entrance::Clients, IpAddr::from([192, 0, 2, 2]))
                .is_none()
        );
        assert_eq!(refused(), (1, 1));

        drop(first);
        assert!(
            node.admit(Entrance::Clients, IpAddr::from([192, 0, 2, 2]))
                .is_some()
        );
        assert_eq!(refused(), (1, 1));
    }

    #[test]
    fn one_backend_does_not_keep_others_out_nor_clients() {
        let node = node(10, 1);
        let admit = |address: [u8; 4]| node.admit(Entrance::Admin, IpAddr::from(address));
        let mut places = Vec::new();
        while let Some(place) = admit([192, 0, 2, 1]) {
            places.push(place);
        }

        assert_eq!(places.len(), 512);
        assert!(admit([192, 0, 2, 2]).is_some());
        let client = node.admit(Entrance::Clients, IpAddr::from([192, 0, 2, 1]));
        assert!(client.is_some());
        for (entrance, is_named) in [(Entrance::Clients, true), (Entrance::Admin, false)] {
            for limit in [entrance.limit(), entrance.limit_per_address()] {
                assert_eq!(limit.contains("limits.maxSockets"), is_named, "{limit}");
            }
        }
    }

    // Proves: DE-16
    #[test]
    fn all_addresses_of_an_ipv6_network_are_one() {
        let node = node(10, 1);
        let admit = |address: &str| node.admit(Entrance::Clients, address.parse().unwrap());

        let first = admit("2001:db8:0:1::1");
        assert!(first.is_some());
        assert!(admit("2001:db8:0:1:ffff::2").is_none());
        assert!(admit("2001:db8:0:2::1").is_some());
        drop(first);
        assert!(admit("2001:db8:0:1:ffff::2").is_some());
    }
}
