//! Where plug-ins may be, and how both sides know each other.

use std::{io, path::PathBuf};

use futures_util::stream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::Server;

use super::{
    plugin::{example, setup},
    *,
};
use crate::http::Policy;

#[tokio::test]
async fn nothing_was_carried_out_where_no_connection_was_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let external = provider(&config(&format!("http://{closed}")));
    for _ in 0..2 {
        let error = external.start_call(&second(), start()).await.unwrap_err();
        let expected = (ErrorKind::Unavailable, Effect::None);
        assert_eq!((error.kind(), error.effect()), expected, "{error}");
    }
}

#[tokio::test]
async fn a_private_address_needs_an_allowance() {
    let plugin = Running::start("").await;
    let network = Network::new(Policy::default(), &[]).unwrap();
    let error = connect(&plugin.endpoint, None, &network).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().contains("--allow-provider-net"), "{error}");
    assert_eq!(plugin.asked("Info"), 0);
}

#[tokio::test]
async fn what_speaks_something_else_was_asked_for_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let error = provider(&config(&endpoint)).start_call(&second(), start()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
        task.abort();
    }
}

/// A path for a socket that is gone when the test is.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_socket_of_this_machine_needs_an_allowance() {
    let name = format!("deskplane-{}.sock", uuid::Uuid::new_v4());
    let socket = Socket(std::env::temp_dir().join(name));
    let listener = UnixListener::bind(&socket.0).unwrap();
    let accepted = stream::unfold(listener, async |listener| {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    let server = Server::builder().add_service(example(""));
    let task = tokio::spawn(server.serve_with_incoming(accepted));
    let endpoint = format!("unix:{}", socket.0.display());

    let error = connect(&endpoint, None, &loopback()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    let network = Network::new(Policy::default().allowing_unix(true), &[]).unwrap();
    let external = connect(&endpoint, None, &network).await.unwrap();
    assert!(external.start_call(&second(), start()).await.is_ok());
    let nobody = connect("unix:/nonexistent/socket", None, &network).await.unwrap_err();
    assert_eq!((nobody.kind(), nobody.effect()), (ErrorKind::Unavailable, Effect::None));
    task.abort();
}

/// An authority with a certificate of each side.
struct Pki {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn pki() -> Pki {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
    };
    let (server, client) = (issue("plugin.example.com"), issue("deskplane.example.com"));
    Pki { ca: ca.pem(), server, client }
}

/// The example behind TLS; it knows only callers whom the authority knows.
async fn secured(pki: &Pki) -> u16 {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&pki.ca)).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_slice(pki.server.1.as_bytes()).unwrap();
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate(&pki.server.0)], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let accepted = stream::unfold((listener, acceptor), async |(listener, acceptor)| {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                return Some((Ok::<_, io::Error>(Accepted(stream)), (listener, acceptor)));
            }
        }
    });
    tokio::spawn(Server::builder().add_service(example("")).serve_with_incoming(accepted));
    port
}

/// A connection behind TLS, as the library wants it.
struct Accepted(TlsStream<tokio::net::TcpStream>);

mod accepted {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tonic::transport::server::Connected;

    use super::Accepted;

    impl Connected for Accepted {
        type ConnectInfo = ();

        fn connect_info(&self) {}
    }

    impl AsyncRead for Accepted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Accepted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
}

#[tokio::test]
async fn behind_tls_both_sides_must_know_each_other() {
    let (ours, theirs) = (pki(), pki());
    let port = secured(&ours).await;
    let build = |ca: &str, name: &str, client: Option<&(String, String)>| {
        let config = serde_json::json!({
            "endpoint": format!("https://127.0.0.1:{port}"),
            "capabilities": ["DIAL"],
            "ca_pem": ca,
            "server_name": name,
        });
        let secrets = client.map(|(certificate, key)| {
            [(CLIENT_CERTIFICATE, certificate.as_str()), (CLIENT_KEY, key.as_str())]
        });
        let setup = setup(secrets.into_iter().flatten());
        Registry::builtin().find(KIND).unwrap().build(&config.to_string(), setup).unwrap()
    };
    let (name, client) = ("plugin.example.com", Some(&ours.client));
    let good = build(&ours.ca, name, client);
    good.start_call(&second(), start()).await.unwrap();
    let strangers = [
        build(&theirs.ca, name, client),
        build(&ours.ca, "other.example.com", client),
        build(&ours.ca, name, None),
        build(&ours.ca, name, Some(&theirs.client)),
    ];
    for (at, stranger) in strangers.iter().enumerate() {
        let error = stranger.start_call(&second(), start()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None), "{at}");
    }
}
