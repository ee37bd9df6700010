//! The exchange behind TLS: requests by `https`, events by `wss`.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{pbx::Phone, *};
use crate::{Effect, ErrorKind};

/// Who speaks TLS in front of the exchange: its address, and the certificate to be trusted.
async fn in_front_of(pbx: &Pbx, name: &str) -> (String, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/ari", listener.local_addr().unwrap());
    let exchange = pbx.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, exchange) = (acceptor.clone(), exchange.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(exchange).await.unwrap();
                // One side that goes ends the other.
                let _ended = copy_bidirectional(&mut stream, &mut plain).await;
            });
        }
    });
    (url, cert.der().clone())
}

/// The adapter, which trusts these certificates beside those of the machine.
fn trusting(url: &str, roots: &[CertificateDer<'static>]) -> Arc<Protected> {
    let policy = Policy::allowing(["127.0.0.0/8".parse().unwrap()]);
    let provider = made(&settings(url), Network::new(policy, roots).unwrap());
    Arc::new(Protected::new(provider, "pbx", secrets()))
}

#[tokio::test]
async fn events_come_encrypted_too() {
    let pbx = Pbx::start().await;
    pbx.phone("PJSIP/anna", Phone::Answers);
    pbx.phone("PJSIP/+14155550100@trunk", Phone::Answers);
    let (url, certificate) = in_front_of(&pbx, "127.0.0.1").await;
    let mut server = Server::listen(trusting(&url, &[certificate])).await;
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    assert_eq!(server.states(4).await.0.last(), Some(&CallState::Bridged));
    assert!(server.provider.end_call(&cx(), &call_ref(1)).await.unwrap());
    pbx.until_empty().await;
    pbx.drop_listener();
    let (states, cause) = server.states(1).await;
    assert_eq!((states, cause), (vec![CallState::Ended], Some(Cause::Normal)));
    let error = server.next().await.expect("an error").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn an_exchange_that_is_not_trusted_receives_nothing() {
    let pbx = Pbx::start().await;
    let (url, _) = in_front_of(&pbx, "127.0.0.1").await;
    let (elsewhere, of_another) = in_front_of(&pbx, "pbx.example.com").await;
    for provider in [trusting(&url, &[]), trusting(&elsewhere, &[of_another])] {
        let error = provider.events(&cx()).await.err().expect("refused");
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
        let error = provider.start_call(&cx(), dial(1, "anna")).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
    }
    assert!(pbx.state().requests.is_empty(), "and no password was sent");
    assert!(pbx.state().listener.is_none());
}
