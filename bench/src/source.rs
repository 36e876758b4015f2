//! Where connections come from, and how many there can be.
//!
//! An address has about 28,000 ports for connections to one server. Loopback has more addresses than one, so that
//! connections beyond those of the first come from 127.0.0.2, 127.0.0.3 and so on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::Failure;

/// How many connections come from one address, those that have just ended included.
const EACH: usize = 20_000;
const ADDRESSES: usize = 250;
/// Descriptors for everything but connections.
const RESERVE: u64 = 64;

/// Begins a connection: the so-manieth of this process.
pub(crate) fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source(address.ip(), number) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// `None`: wherever the system has it from.
fn source(to: IpAddr, number: usize) -> Option<IpAddr> {
    let place = number / EACH % ADDRESSES;
    let last = u8::try_from(place + 1).ok()?;
    (to.is_ipv4() && place > 0).then_some(Ipv4Addr::new(127, 0, 0, last).into())
}

/// Raises this process's limit of descriptors to what so many connections need.
pub(crate) fn allow(connections: usize) -> Result<(), Failure> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = connections as u64 + RESERVE;
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: maximum.map(|maximum| maximum.max(wanted)),
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        let most = maximum.unwrap_or(wanted);
        let most = most.saturating_sub(RESERVE);
        format!(
            "{connections} connections need {wanted} descriptors, and the hard limit (ulimit -Hn) leaves {most}"
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_used_up_before_the_next_begins() {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let from = |number| source(loopback, number).map(|address| address.to_string());

        assert_eq!((from(0), from(EACH - 1)), (None, None));
        assert_eq!(from(EACH).as_deref(), Some("127.0.0.2"));
        assert_eq!(from(5 * EACH - 1).as_deref(), Some("127.0.0.5"));
        assert_eq!(from(EACH * ADDRESSES), None);
        assert_eq!(source("::1".parse().unwrap(), EACH), None);
    }

    #[test]
    fn more_connections_than_the_machine_allows_are_refused_in_words() {
        let refused = allow(usize::MAX / 4).unwrap_err().to_string();

        assert!(refused.contains("descriptors"), "{refused}");
    }
}
