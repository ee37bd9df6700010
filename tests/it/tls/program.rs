//! The program with these settings.

use std::{
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::files::Files;
use crate::{
    process::{Process, command},
    secret_file,
};

fn serve(folder: &tempfile::TempDir) -> Command {
    let mut serve = command(&["serve", "--data-dir"]);
    serve.arg(folder.path()).env("DESKPLANE_STORE__MIN_FREE_MIB", "0");
    serve
}

/// Whether the server at that port has a certificate of the authority of these files.
async fn is_known(port: u16, files: &Files) -> bool {
    let authority = Certificate::from_pem(files.authority.pem());
    let tls = ClientTlsConfig::new().domain_name("localhost").ca_certificate(authority);
    let uri = format!("https://localhost:{port}");
    Channel::from_shared(uri).unwrap().tls_config(tls).unwrap().connect().await.is_ok()
}

#[tokio::test]
async fn a_signal_has_the_certificate_read_again() {
    let (files, other) = (Files::new(), Files::new());
    let folder = tempfile::tempdir().unwrap();
    let mut serve = serve(&folder);
    serve
        .env("DESKPLANE_LISTEN", "127.0.0.1:0")
        .env("DESKPLANE_TLS__CERTIFICATE", files.at("server.certificate"))
        .env("DESKPLANE_TLS__KEY", files.at("server.key"));
    let server = Process::of(serve);
    let port = server.address().port();
    assert!(is_known(port, &files).await && !is_known(port, &other).await);
    files.write(&other.authority.issue());
    server.signal("HUP");
    server.says("TLS is reloaded");
    assert!(is_known(port, &other).await && !is_known(port, &files).await);
    files.write_as("server", &files.authority.issue());
    secret_file::write(files.at("server.key"), "no key");
    server.signal("HUP");
    server.says("TLS is not reloaded");
    assert!(is_known(port, &other).await);
    server.end();
}

#[tokio::test]
async fn a_start_without_usable_files_names_them() {
    let (files, folder) = (Files::new(), tempfile::tempdir().unwrap());
    std::fs::write(files.at("server.certificate"), "").unwrap();
    let mut serve = serve(&folder);
    serve
        .env("DESKPLANE_LISTEN", "127.0.0.1:0")
        .env("DESKPLANE_TLS__CERTIFICATE", files.at("server.certificate"))
        .env("DESKPLANE_TLS__KEY", files.at("server.key"));
    let ended = serve.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("server.certificate: holds no certificate"), "{said}");
}

#[tokio::test]
async fn several_endpoints_are_served_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("deskplane.sock");
    let mut serve = serve(&folder);
    serve.args(["--listen", &format!("127.0.0.1:0,[::1]:0,unix:{}", socket.display())]);
    let server = Process::of(serve);
    server.connect().await;
    server.says(&format!("address=unix:{}", socket.display()));
    let six = server.says("address=[::1]:");
    let six = six.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    Channel::from_shared(format!("http://{six}")).unwrap().connect().await.unwrap();
    UnixStream::connect(&socket).await.unwrap();
    server.end();
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_socket_of_the_service_manager_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut serve = serve(&folder);
    serve
        .args(["--listen", "systemd"])
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", "0")
        .stdin(Stdio::from(OwnedFd::from(socket)));
    let server = Process::of(serve);
    assert_eq!(server.address(), address);
    server.connect().await;
    server.end();

    let mut serve = self::serve(&folder);
    let ended = serve.args(["--listen", "systemd"]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        said.contains("listen on systemd: the service manager handed over no socket"),
        "{said}"
    );
}
