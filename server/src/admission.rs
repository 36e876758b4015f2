//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use bayeux_core::http::counted_as;

use crate::config::Sockets;
use crate::guarded::Guarded;
use crate::router::Router;

/// Counts connections against the limits. Loopback and trusted proxies are exempt from
/// the one per address. An IPv6 client counts by its /64, as it does in the engine.
pub(crate) struct Admission {
    limits: Sockets,
    open: Guarded<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Admission {
    pub(crate) fn new(limits: Sockets) -> Self {
        Self {
            limits,
            open: Guarded::default(),
        }
    }

    /// A place for a connection on `shard`, unless there is none left.
    pub(crate) fn admit(router: &Arc<Router>, address: IpAddr, shard: u32) -> Option<Admitted> {
        let this = &router.site.admission;
        let address = Some(address.to_canonical())
            .filter(|address| !address.is_loopback() && !router.site.proxies.contains(*address))
            .map(counted_as);
        this.take(address).then(|| {
            router.socket_opened(shard);
            Admitted {
                router: Arc::clone(router),
                address,
                shard,
            }
        })
    }

    fn take(&self, address: Option<IpAddr>) -> bool {
        let mut open = self.open.lock();
        if open.total >= self.limits.total {
            return false;
        }
        if let Some(address) = address {
            let count = open.by_address.entry(address).or_default();
            if *count >= self.limits.per_address {
                return false;
            }
            *count += 1;
        }
        open.total += 1;
        true
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
pub struct Admitted {
    router: Arc<Router>,
    address: Option<IpAddr>,
    shard: u32,
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
        self.router.site.admission.give_back(self.address);
        self.router.socket_closed(self.shard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_in_all_and_for_each_address_and_places_come_back() {
        let admission = Admission::new(Sockets {
            total: 3,
            per_address: 1,
        });
        let first = Some(IpAddr::from([192, 0, 2, 1]));
        let second = Some(IpAddr::from([192, 0, 2, 2]));

        assert!(admission.take(first));
        assert!(!admission.take(first), "one of this address");
        assert!(admission.take(second));
        assert!(admission.take(None), "loopback");
        assert!(!admission.take(None), "three in all");

        admission.give_back(first);
        assert!(admission.take(first));
        assert_eq!(admission.open.lock().by_address.len(), 2);
    }
}
