//! The ports to listen at.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use super::Finding;
use crate::server::bind;

/// Whether one can listen there. It is let go of at once.
pub(super) fn check(address: SocketAddr) -> Finding {
    match bind(address) {
        Ok(_) => Finding::fine(format!("port: {address} is free")),
        Err(error) => cannot(address, &error, holder(address.port())),
    }
}

/// Who has a port.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Holder {
    id: u32,
    /// The name of its program, as far as the system keeps it: 15 bytes.
    name: String,
}

fn cannot(address: SocketAddr, error: &io::Error, holder: Option<Holder>) -> Finding {
    match (error.kind(), holder) {
        (ErrorKind::AddrInUse, Some(holder)) if holder.name.starts_with("bayeux-server") => {
            let Holder { id, name } = holder;
            Finding::warning(
                format!("port: {address} is in use by {name}, process {id}"),
                "if that is this server, it runs already, and all is well; else stop it first",
            )
        }
        (ErrorKind::AddrInUse, holder) => {
            let by = holder.map(|Holder { id, name }| format!(" by {name}, process {id}"));
            Finding::problem(
                format!("port: {address} is in use{}", by.unwrap_or_default()),
                "stop what uses it, or choose another port with --listen",
            )
        }
        (ErrorKind::PermissionDenied, _) => Finding::problem(
            format!("port: this user may not listen at {address}"),
            "ports below 1024 are for the superuser: AmbientCapabilities=CAP_NET_BIND_SERVICE, the same \
             in CapabilityBoundingSet= and PrivateUsers=no in the unit of systemd, a port from 1024 on, or a proxy in front",
        ),
        (ErrorKind::AddrNotAvailable, _) => Finding::problem(
            format!(
                "port: this machine does not have the address {}",
                address.ip()
            ),
            "see what it has (ip address), or listen everywhere: --listen 0.0.0.0:PORT",
        ),
        _ => Finding::problem(
            format!("port: cannot listen at {address}: {error}"),
            "choose another address with --listen",
        ),
    }
}

/// The process that listens at `port`, if this user may see it.
fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let text = |name: &&str| fs::read_to_string(name).unwrap_or_default();
    let inodes: Vec<_> = tables
        .iter()
        .map(text)
        .flat_map(|table| inodes(&table, port))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        has_one_of(&entry.path(), &inodes).then(|| Holder {
            id,
            name: fs::read_to_string(entry.path().join("comm"))
                .map_or_else(|_| "?".into(), |name| name.trim().into()),
        })
    })
}

/// The sockets that listen at `port`, in a table of the kernel.
fn inodes(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let rows = table.lines().skip(1).filter_map(|row| {
        let mut fields = row.split_whitespace();
        let (_, at) = fields.nth(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(at, 16) == Ok(port) && fields.nth(1)? == LISTENING;
        let inode = fields.nth(5)?;
        is_it.then(|| inode.to_owned())
    });
    rows.collect()
}

/// Whether the process in this folder of `/proc` has one of these sockets open.
fn has_one_of(process: &Path, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    files.flatten().any(|file| {
        let Ok(target) = fs::read_link(file.path()) else {
            return false;
        };
        let target = target.to_string_lossy();
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.iter().any(|other| other == inode))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::Severity;
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_a_problem_and_its_holder_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();

        let finding = check(address);

        assert_eq!(finding.severity, Severity::Problem, "{finding:?}");
        let process = format!("process {}", std::process::id());
        assert!(finding.text.ends_with(&process), "{finding:?}");
        drop(listener);
        assert_eq!(check(address).severity, Severity::Fine);
    }

    #[test]
    fn what_stands_in_the_way_is_told_apart() {
        let address = "192.0.2.1:80".parse().unwrap();
        let holder = |name: &str| {
            Some(Holder {
                id: 7,
                name: name.into(),
            })
        };
        for (kind, holder, severity, word) in [
            (ErrorKind::AddrInUse, None, Severity::Problem, "in use"),
            (
                ErrorKind::AddrInUse,
                holder("nginx"),
                Severity::Problem,
                "nginx, process 7",
            ),
            (
                ErrorKind::AddrInUse,
                holder("bayeux-server-t"),
                Severity::Warning,
                "bayeux-server-t",
            ),
            (
                ErrorKind::PermissionDenied,
                None,
                Severity::Problem,
                "may not",
            ),
            (
                ErrorKind::AddrNotAvailable,
                None,
                Severity::Problem,
                "does not have",
            ),
            (
                ErrorKind::OutOfMemory,
                None,
                Severity::Problem,
                "cannot listen",
            ),
        ] {
            let finding = cannot(address, &kind.into(), holder);

            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(finding.text.contains(word), "{finding:?}");
            let is_forbidden = kind == ErrorKind::PermissionDenied;
            let advice = finding.advice.unwrap();
            assert_eq!(advice.contains("PrivateUsers=no"), is_forbidden, "{advice}");
        }
    }

    #[test]
    fn sockets_that_listen_are_found_in_the_table_of_the_kernel() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n\
             \x20  1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4343 1 0 100 0 0 10 0\n\
             \x20  2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4444 1 0 100 0 0 10 0\n";

        assert_eq!(inodes(table, 8_080), ["4242"]);
        assert_eq!(inodes("", 8_080), [""; 0]);
    }
}
