use std::os::unix::fs::PermissionsExt as _;

use tokio::net::{TcpStream, UnixStream};

use super::*;

fn unix_in(folder: &tempfile::TempDir) -> Endpoint {
    Endpoint::Unix(folder.path().join("deskplane.sock"))
}

async fn bind(endpoints: &[Endpoint]) -> Listeners {
    Listeners::bind(endpoints).await.unwrap()
}

#[tokio::test]
async fn connections_of_all_listeners_come_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let loopback = || "127.0.0.1:0".parse().unwrap();
    let endpoints = [loopback(), unix_in(&folder), loopback()];
    let mut listeners = bind(&endpoints).await;
    let bound: Vec<_> = listeners.iter().map(|l| l.endpoint().clone()).collect();
    assert_eq!(bound[1], endpoints[1]);
    let mut clients = (Vec::new(), Vec::new());
    for endpoint in bound.iter().chain(&bound) {
        match endpoint {
            Endpoint::Tcp(address) => clients.0.push(TcpStream::connect(address).await.unwrap()),
            Endpoint::Unix(path) => clients.1.push(UnixStream::connect(path).await.unwrap()),
            Endpoint::Systemd => unreachable!("none was asked for"),
        }
    }
    // All wait already, and no listener is asked twice in a row.
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(matches!(listeners.accept().await.unwrap(), Accepted::Unix(_)));
    }
    assert_eq!(order, [false, true, false, false, true, false]);
}

#[tokio::test]
async fn the_file_of_a_socket_goes_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let Endpoint::Unix(path) = unix_in(&folder) else { unreachable!() };
    let listeners = bind(&[unix_in(&folder)]).await;
    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let taken = Listeners::bind(&[unix_in(&folder)]).await.unwrap_err();
    assert_eq!(taken.why.kind(), io::ErrorKind::AddrInUse);
    drop(listeners);
    assert!(!path.exists());
    // What a process left behind that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listeners = bind(&[unix_in(&folder)]).await;
    UnixStream::connect(&path).await.unwrap();
    // Another one's file in its place is left alone.
    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(listeners);
    assert!(path.exists());
    drop(other);
}

#[tokio::test]
async fn what_is_no_socket_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let Endpoint::Unix(path) = unix_in(&folder) else { unreachable!() };
    std::fs::write(&path, "precious").unwrap();
    let error = Listeners::bind(&[unix_in(&folder)]).await.unwrap_err();
    assert_eq!(error.to_string(), "the path is no socket");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn without_a_service_manager_there_is_no_socket_to_take_over() {
    let error = Listeners::bind(&[Endpoint::Systemd]).await.unwrap_err();
    assert_eq!(error.to_string(), "the service manager handed over no socket");
}
