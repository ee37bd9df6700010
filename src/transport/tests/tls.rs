use std::{fs, os::unix::fs::PermissionsExt as _};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::secrets::file::tests::write_secret;

/// An authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// A folder with the files of a server that this authority knows.
struct Files {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() };
        files.write(&files.authority.issue());
        files
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, pair: &Pair) {
        fs::write(self.at("certificate"), &pair.certificate).unwrap();
        write_secret(self.at("key"), &pair.key);
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.at("certificate"),
            key: self.at("key"),
            client_ca: None,
            client_required: true,
            tls12: true,
        }
    }

    /// Settings that ask clients for certificates of an authority.
    fn asking(&self, clients: &Authority, client_required: bool) -> TlsSettings {
        fs::write(self.at("clients"), clients.0.pem()).unwrap();
        TlsSettings { client_ca: Some(self.at("clients")), client_required, ..self.settings() }
    }

    /// A client that trusts the authority of the server.
    fn client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        self.client_of(own, &[&TLS13, &TLS12])
    }

    fn client_of(
        &self,
        own: Option<&Pair>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let own = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![own], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// Asks for how many certificates the server saw; the connection and the answer.
async fn ask(
    running: &Running,
    client: &Arc<ClientConfig>,
) -> io::Result<(TlsStream<TcpStream>, String)> {
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, stream).await?;
    stream.write_all(b"GET /certificates HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = vec![0; 1_024];
    // With TLS 1.3 a refused certificate shows up here.
    let count = timeout(LONG, stream.read(&mut answer)).await.expect("no answer")?;
    let text = String::from_utf8_lossy(&answer[..count]).into_owned();
    Ok((stream, text.lines().last().unwrap_or_default().to_owned()))
}

async fn secured(settings: TlsSettings) -> (Running, Tls) {
    let tls = Tls::load(settings).unwrap();
    (Running::secured(Limits::default(), Some(tls.clone())).await, tls)
}

/// The certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn the_versions_that_are_set_are_spoken() {
    let files = Files::new();
    for (tls12, spoken12) in [(true, true), (false, false)] {
        let (running, _) = secured(TlsSettings { tls12, ..files.settings() }).await;
        let old = ask(&running, &files.client_of(None, &[&TLS12])).await;
        assert_eq!(old.is_ok(), spoken12);
        let (stream, answer) = ask(&running, &files.client_of(None, &[&TLS13])).await.unwrap();
        assert_eq!(answer, "0");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[tokio::test]
async fn clear_text_is_refused_where_tls_is_spoken() {
    let files = Files::new();
    let (running, _) = secured(files.settings()).await;
    let answer = running.ask("/certificates").await;
    timeout(LONG, closed(answer)).await.unwrap();
    ask(&running, &files.client(None)).await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_handshake_that_is_not_completed_ends_in_time() {
    let files = Files::new();
    let greeting = Duration::from_millis(100);
    let limits = Limits { greeting, ..Limits::default() };
    let tls = Tls::load(files.settings()).unwrap();
    let running = Running::secured(limits, Some(tls)).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    let mut half = TcpStream::connect(running.address).await.unwrap();
    // The head of a record that never comes.
    half.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
    timeout(LONG, closed(silent)).await.unwrap();
    timeout(LONG, closed(half)).await.unwrap();
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_old_ones_stay() {
    let files = Files::new();
    let (running, tls) = secured(files.settings()).await;
    let (mut old, _) = ask(&running, &files.client(None)).await.unwrap();
    let before = shown(&old);
    assert!(!tls.reload().unwrap(), "nothing has changed");
    files.write(&files.authority.issue());
    assert!(tls.reload().unwrap() && !tls.reload().unwrap());
    let (new, _) = ask(&running, &files.client(None)).await.unwrap();
    assert_ne!(shown(&new), before);
    old.write_all(b"GET /certificates HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(old.read(&mut [0; 1_024]).await.unwrap() > 0);
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let files = Files::new();
    let (running, tls) = secured(files.settings()).await;
    let next = files.authority.issue();
    // Another program writes one file behind the other.
    fs::write(files.at("certificate"), &next.certificate).unwrap();
    let error = tls.reload().unwrap_err();
    assert!(matches!(error, LoadError::Pair { .. }), "{error}");
    ask(&running, &files.client(None)).await.unwrap();
    for (name, text) in [("key", ""), ("certificate", ""), ("certificate", "-----BEGIN")] {
        write_secret(files.at(name), text);
        assert!(tls.reload().unwrap_err().to_string().contains(name));
    }
    for (name, mode) in [("key", 0o644), ("key", 0o660), ("certificate", 0o666)] {
        let usual = fs::metadata(files.at(name)).unwrap().permissions();
        fs::set_permissions(files.at(name), fs::Permissions::from_mode(mode)).unwrap();
        let refused = tls.reload().unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains(&format!("{mode:04o}")), "{refused}");
        fs::set_permissions(files.at(name), usual).unwrap();
    }
    fs::remove_file(files.at("key")).unwrap();
    assert!(matches!(tls.reload().unwrap_err(), LoadError::File(_)));
    ask(&running, &files.client(None)).await.unwrap();
    files.write(&next);
    assert!(tls.reload().unwrap());
}

#[tokio::test]
async fn only_clients_of_the_authority_are_served() {
    let (files, clients) = (Files::new(), Authority::new());
    let (running, _) = secured(files.asking(&clients, true)).await;
    ask(&running, &files.client(None)).await.unwrap_err();
    ask(&running, &files.client(Some(&Authority::new().issue()))).await.unwrap_err();
    let (_, answer) = ask(&running, &files.client(Some(&clients.issue()))).await.unwrap();
    assert_eq!(answer, "1");

    let (running, _) = secured(files.asking(&clients, false)).await;
    assert_eq!(ask(&running, &files.client(None)).await.unwrap().1, "0");
    assert_eq!(ask(&running, &files.client(Some(&clients.issue()))).await.unwrap().1, "1");
    ask(&running, &files.client(Some(&Authority::new().issue()))).await.unwrap_err();
}

#[tokio::test]
async fn a_client_whose_authority_went_does_not_come_back_by_resumption() {
    let (files, clients) = (Files::new(), Authority::new());
    let (running, tls) = secured(files.asking(&clients, true)).await;
    let client = files.client(Some(&clients.issue()));
    for _ in 0..2 {
        let (stream, _) = ask(&running, &client).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
    fs::write(files.at("clients"), Authority::new().0.pem()).unwrap();
    assert!(tls.reload().unwrap());
    ask(&running, &client).await.unwrap_err();
}

#[tokio::test]
async fn clients_without_certificates_resume_their_sessions() {
    let files = Files::new();
    let (running, _) = secured(files.settings()).await;
    let client = files.client(None);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (stream, _) = ask(&running, &client).await.unwrap();
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn an_answer_beyond_every_buffer_arrives_whole_over_tls() {
    let files = Files::new();
    let (running, _) = secured(files.settings()).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(files.client(None)).connect(name, stream).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let (mut left, mut bite) = (8 << 20, vec![0; 10_000]);
    while left > 0 {
        let count = timeout(LONG, stream.read(&mut bite)).await.expect("it hangs").unwrap();
        assert!(count > 0, "closed with {left} bytes to come");
        left -= count.min(left);
    }
    drop(stream);
    running.shared.dropped(1).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_over_tls_is_closed() {
    let files = Files::new();
    let write_stall = Duration::from_millis(200);
    let limits = Limits { loops: 1, write_stall, ..Limits::default() };
    let tls = Tls::load(files.settings()).unwrap();
    let running = Running::secured(limits, Some(tls)).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(files.client(None)).connect(name, stream).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    running.shared.dropped(1).await;
}
