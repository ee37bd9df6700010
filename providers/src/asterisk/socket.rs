//! The WebSocket with the events of Asterisk.

use std::fmt;

use http::header::AUTHORIZATION;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error as Failure,
        client::IntoClientRequest as _,
        error::{CapacityError, ProtocolError},
        protocol::WebSocketConfig,
    },
};

use super::client::Client;
use crate::{
    Effect, Error, ErrorKind, Result,
    http::{Answer, MAX_ANSWER_BYTES},
};

/// A connection, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Where events come from.
pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Listens to the application.
///
/// The password goes into a header, never into the address.
pub(super) async fn open(client: &Client, app: &str) -> Result<Socket> {
    let mut url = client.url(&["events"], &[("app", app), ("subscribeAll", "false")]);
    let secure = url.scheme() == "https";
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let tcp = client.network().connect(&host, port).await?;
    let wire: Box<dyn Wire> = match secure {
        true => Box::new(encrypt(client, &host, tcp).await?),
        false => Box::new(tcp),
    };
    let defect = |what: &dyn fmt::Display| Error::new(ErrorKind::Internal, what.to_string());
    url.set_scheme(if secure { "wss" } else { "ws" }).map_err(|()| defect(&"no such scheme"))?;
    let mut request = url.as_str().into_client_request().map_err(|error| defect(&error))?;
    request.headers_mut().insert(AUTHORIZATION, client.authorization().clone());
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_ANSWER_BYTES))
        .max_frame_size(Some(MAX_ANSWER_BYTES));
    match client_async_with_config(request, wire, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Failure::Http(response)) if response.status().as_u16() >= 400 => {
            let (head, body) = response.into_parts();
            let body = body.unwrap_or_default().into();
            Err(client.refusal(&Answer { status: head.status, headers: head.headers, body }, true))
        }
        Err(failure) => Err(broken(&failure)),
    }
}

async fn encrypt<W: Wire>(client: &Client, host: &str, wire: W) -> Result<impl Wire + use<W>> {
    let host = host.trim_matches(['[', ']']).to_owned();
    let invalid = |_| Error::new(ErrorKind::InvalidConfig, "the host has no name for TLS");
    let name = ServerName::try_from(host).map_err(invalid)?;
    let connector = TlsConnector::from(client.network().tls());
    connector
        .connect(name, wire)
        .await
        .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no connection: {error}")))
}

/// Why a connection is of no use any more.
pub(super) fn broken(failure: &Failure) -> Error {
    let (kind, what) = match failure {
        Failure::Capacity(CapacityError::MessageTooLong { .. }) => {
            (ErrorKind::Protocol, "an event is larger than 1 MiB")
        }
        Failure::Io(_) | Failure::ConnectionClosed | Failure::AlreadyClosed => {
            (ErrorKind::Unavailable, "the connection for events broke")
        }
        Failure::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            (ErrorKind::Unavailable, "the connection for events broke")
        }
        _ => (ErrorKind::Protocol, "what comes as events is no WebSocket"),
    };
    Error::new(kind, what).with_effect(Effect::None)
}
