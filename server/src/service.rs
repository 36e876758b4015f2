//! What systemd is told of how far the server is (`Type=notify`): a datagram to the socket that it names.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It takes clients.
    Ready,
    /// It lets go of them.
    Stopping,
}

/// Tells whoever started this process, if they asked for it.
pub(crate) fn tell(state: State) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let text = match state {
        State::Ready => "READY=1",
        State::Stopping => "STOPPING=1",
    };
    let told = address(&name).and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.send_to_addr(text.as_bytes(), &address)
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager could not be told: {text}");
    }
}

/// Where that is: a name that begins with @ is none of a file.
#[cfg(target_os = "linux")]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;

    match name.as_bytes().strip_prefix(b"@") {
        Some(abstracted) => SocketAddr::from_abstract_name(abstracted),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(name)
}
