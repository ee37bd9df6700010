//! Sockets that the service manager hands over (`LISTEN_FDS`, sd_listen_fds(3)).

use std::{io, path::Path};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::{Listener, Socket, tcp};
use crate::transport::endpoint::{Endpoint, is_loopback};

/// All sockets that were handed over; there must be one.
pub(super) fn listeners() -> io::Result<Vec<Listener>> {
    let mut given = ListenFd::from_env();
    let count = given.len();
    if count == 0 {
        return Err(io::Error::other("the service manager handed over no socket"));
    }
    (0..count).map(|place| listener(&mut given, place)).collect()
}

fn listener(given: &mut ListenFd, place: usize) -> io::Result<Listener> {
    let missing = || io::Error::other("a socket is gone");
    // A socket of another kind stays where it is.
    let Ok(unix) = given.take_unix_listener(place) else {
        let listener = given.take_tcp_listener(place)?.ok_or_else(missing)?;
        let address = listener.local_addr()?;
        if !is_loopback(address) {
            let text = format!("{address} can be reached from other machines");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        listener.set_nonblocking(true)?;
        return Ok(tcp(TcpListener::from_std(listener)?));
    };
    let listener = unix.ok_or_else(missing)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let path = address.as_pathname().unwrap_or(Path::new("")).to_owned();
    let socket = Socket::Unix(UnixListener::from_std(listener)?);
    Ok(Listener { socket, endpoint: Endpoint::Unix(path), _file: None })
}
