//! Sockets that the service manager hands over (`LISTEN_FDS`, sd_listen_fds(3)).

use std::{
    io,
    path::{Path, PathBuf},
};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use crate::transport::endpoint::is_loopback;

/// A socket that was handed over.
#[derive(Debug)]
pub(super) enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// All sockets that were handed over; there must be one.
pub(super) fn sockets() -> io::Result<Vec<Inherited>> {
    let mut given = ListenFd::from_env();
    let count = given.len();
    if count == 0 {
        return Err(io::Error::other("the service manager handed over no socket"));
    }
    (0..count).map(|place| socket(&mut given, place)).collect()
}

fn socket(given: &mut ListenFd, place: usize) -> io::Result<Inherited> {
    let missing = || io::Error::other("a socket is gone");
    // A socket of another kind stays where it is.
    if let Ok(unix) = given.take_unix_listener(place) {
        let listener = unix.ok_or_else(missing)?;
        listener.set_nonblocking(true)?;
        let path = listener.local_addr()?.as_pathname().unwrap_or(Path::new("")).to_owned();
        return Ok(Inherited::Unix(UnixListener::from_std(listener)?, path));
    }
    let listener = given.take_tcp_listener(place)?.ok_or_else(missing)?;
    let address = listener.local_addr()?;
    if !is_loopback(address) {
        let text = format!("{address} can be reached from other machines");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Inherited::Tcp)
}
