//! Connections that break, and who comes to know of it.

use std::time::Duration;

use super::super::world::{Happening, World};

impl World {
    /// Nothing comes through any more; each end may see it, or not.
    pub(in crate::sim) fn breaks(&mut self, link: u64) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        if entry.broken || (!entry.node_open && !entry.client_open) {
            return;
        }
        entry.broken = true;
        let (client, node) = (entry.client, entry.node);
        let chance = if self.is_peaceful { 1_000 } else { 600 };
        let (client_sees, node_sees) = (self.dice.permille(chance), self.dice.permille(chance));
        self.story.tell(self.now, || {
            format!("BREAKS   connection {link} of client {client} with node {node}")
        });
        if client_sees {
            let after = self.dice.millis(0..500);
            self.after(after, Happening::ClientSees { link, why: "reset" });
        }
        let late = Duration::from_secs(60);
        let after = if node_sees {
            self.dice.millis(0..500)
        } else {
            late
        };
        self.after(after, Happening::NodeSees { link });
    }

    /// Clients come to know which of their connections are broken: two connects in a row that are waited for in vain
    /// would take longer than the calm.
    pub(in crate::sim) fn end_half_open_links(&mut self) {
        let links = self.links.iter();
        let half_open = links.filter(|(_, link)| link.broken && link.client_open);
        for link in Vec::from_iter(half_open.map(|(link, _)| *link)) {
            let after = self.dice.millis(0..500);
            self.after(after, Happening::ClientSees { link, why: "reset" });
        }
    }

    /// A node is gone, and with it its connections.
    pub(in crate::sim) fn lose_links(&mut self, number: usize, life: u64) {
        let links: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| link.node == number && link.life == life)
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            let was_open = self.links.get(&link).is_some_and(|entry| entry.node_open);
            if was_open && self.links.get(&link).is_some_and(|entry| entry.known) {
                self.may_have_let_go(link);
            }
            let Some(entry) = self.links.get_mut(&link) else {
                continue;
            };
            if !was_open {
                // Its answer is on the wire already.
                continue;
            }
            entry.node_open = false;
            entry.broken = true;
            if self.dice.permille(700) {
                let after = self.dice.millis(0..500);
                self.after(after, Happening::ClientSees { link, why: "reset" });
            }
            self.forget_link(link);
        }
    }
}
