//! Requests to the REST interface, and what its answers mean.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{
    config::{self, Config, DeviceState},
    message::{Bridge, Channel},
};
use crate::{
    Clock, Effect, Error, ErrorKind, ExposeSecret as _, Result, Secret,
    http::{Answer, Network},
};

/// Channel variable that marks a channel as on hold: Asterisk itself does not report it.
const HELD: &str = "DESKPLANE_HELD";

/// One user of one Asterisk.
#[derive(Clone)]
pub(super) struct Client {
    base: Url,
    app: String,
    authorization: HeaderValue,
    clock: Clock,
    network: Network,
}

/// A channel to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Originate<'a> {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) args: String,
    pub(super) caller_id: Option<&'a str>,
    pub(super) timeout_s: u32,
}

/// Where a channel goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Onward<'a> {
    /// Where the dial plan left it.
    Back,
    /// At the first priority of an extension.
    Extension { context: &'a str, extension: &'a str },
}

/// What Asterisk is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Info {
    pub(super) system: System,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct System {
    pub(super) version: String,
}

/// The words with which Asterisk refuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    error: String,
}

impl Client {
    /// A client; whether Asterisk agrees shows with the first request.
    pub(super) fn new(
        config: &Config,
        password: &Secret,
        clock: Clock,
        network: Network,
    ) -> Result<Self> {
        let invalid =
            |rule| Error::new(ErrorKind::InvalidConfig, format!("config.base_url {rule}"));
        let base = config::base_url(&config.base_url).map_err(invalid)?;
        let pair = format!("{}:{}", config.user, password.expose_secret());
        let mut authorization =
            HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
                .map_err(|_| Error::new(ErrorKind::Internal, "base64 is a header"))?;
        authorization.set_sensitive(true);
        Ok(Self { base, app: config.app.clone(), authorization, clock, network })
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Address of something, e.g. `["channels", id]`; what it is made of needs no escaping.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Sends a request; a refusal is an error.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer> {
        let repeatable = method == Method::GET;
        let request = Request::builder()
            .method(method)
            .uri(self.url(path, query).as_str())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let answer = self.network.send(request).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, repeatable)) }
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        self.send(Method::GET, path, &[]).await?.json()
    }

    async fn post(&self, path: &[&str], query: &[(&str, &str)]) -> Result<()> {
        self.send(Method::POST, path, query).await.map(drop)
    }

    /// Why a request was refused. A typing error in an endpoint or a device state is an internal
    /// error of Asterisk; it must not count as a failure of Asterisk.
    pub(super) fn refusal(&self, answer: &Answer, reads: bool) -> Error {
        use ErrorKind::{
            Conflict, InvalidArgument, NotFound, PermissionDenied, RateLimited, Refused,
            Unauthenticated, Unavailable,
        };
        let said: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let words = if said.message.is_empty() { said.error } else { said.message };
        let status = answer.status.as_u16();
        let argument = matches!(words.as_str(), "Allocation failed" | "Unknown device");
        let (kind, effect) = match status {
            400 | 422 => (InvalidArgument, Effect::None),
            401 => (Unauthenticated, Effect::None),
            403 => (PermissionDenied, Effect::None),
            404 => (NotFound, Effect::None),
            409 | 412 => (Conflict, Effect::None),
            429 => (RateLimited, Effect::None),
            500 if argument => (InvalidArgument, Effect::None),
            500.. if reads => (Unavailable, Effect::None),
            500.. => (Unavailable, Effect::Unknown),
            _ => (Refused, Effect::None),
        };
        let words = if words.is_empty() { "no reason given".to_owned() } else { words };
        Error::new(kind, format!("Asterisk answers {status}: {words}"))
            .with_effect(effect)
            .with_retry_after(answer.retry_after(self.clock.now()))
            .with_vendor_code(status.to_string())
    }

    pub(super) async fn ping(&self) -> Result<()> {
        let answer: serde_json::Value = self.get(&["asterisk", "ping"]).await?;
        match answer["ping"].as_str() {
            Some("pong") => Ok(()),
            _ => Err(Error::new(ErrorKind::Protocol, "the answer to a ping is no pong")),
        }
    }

    pub(super) async fn info(&self) -> Result<Info> {
        self.get(&["asterisk", "info"]).await
    }

    /// Whether the application has a subscriber; without one no channel can enter it.
    pub(super) async fn has_subscriber(&self) -> Result<bool> {
        found(self.send(Method::GET, &["applications", &self.app], &[]).await)
            .map(|there| there.is_some())
    }

    /// Proves that the user may write, by a request that cannot be carried out.
    pub(super) async fn may_write(&self) -> Result<()> {
        match self.post(&["channels"], &[("app", &self.app)]).await {
            Err(error) if error.vendor_code() == Some("400") => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                Err(Error::new(ErrorKind::Protocol, "a channel without an endpoint was made"))
            }
        }
    }

    /// Makes a channel. One that is there already was made by an attempt before.
    pub(super) async fn originate(&self, channel: &Originate<'_>) -> Result<()> {
        let timeout = channel.timeout_s.to_string();
        let mut query = vec![
            ("endpoint", channel.endpoint.as_str()),
            ("app", &self.app),
            ("appArgs", &channel.args),
            ("timeout", &timeout),
        ];
        query.extend(channel.caller_id.map(|id| ("callerId", id)));
        let answer = match self.send(Method::POST, &["channels", &channel.id], &query).await {
            Err(error) if error.vendor_code() == Some("409") => return Ok(()),
            answer => answer?,
        };
        let made: Channel = answer.json()?;
        if made.id == channel.id {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Protocol, "Asterisk made another channel than it was asked for"))
    }

    pub(super) async fn channel(&self, id: &str) -> Result<Option<Channel>> {
        found(self.send(Method::GET, &["channels", id], &[]).await)?.map(|a| a.json()).transpose()
    }

    pub(super) async fn channels(&self) -> Result<Vec<Channel>> {
        self.get(&["channels"]).await
    }

    pub(super) async fn bridge(&self, id: &str) -> Result<Option<Bridge>> {
        found(self.send(Method::GET, &["bridges", id], &[]).await)?.map(|a| a.json()).transpose()
    }

    pub(super) async fn bridges(&self) -> Result<Vec<Bridge>> {
        self.get(&["bridges"]).await
    }

    /// Ends a channel; false when there was none.
    pub(super) async fn hang_up(&self, id: &str) -> Result<bool> {
        found(self.send(Method::DELETE, &["channels", id], &[]).await).map(|there| there.is_some())
    }

    pub(super) async fn answer(&self, id: &str) -> Result<()> {
        self.post(&["channels", id, "answer"], &[]).await
    }

    /// Puts a channel on hold, or takes it back, and notes it at the channel.
    pub(super) async fn hold(&self, id: &str, on: bool) -> Result<()> {
        let method = if on { Method::POST } else { Method::DELETE };
        self.send(method, &["channels", id, "hold"], &[]).await?;
        let value = if on { "1" } else { "" };
        self.post(&["channels", id, "variable"], &[("variable", HELD), ("value", value)]).await
    }

    /// Whether a channel is on hold by us.
    pub(super) async fn is_held(&self, id: &str) -> Result<bool> {
        let path = ["channels", id, "variable"];
        let answer = found(self.send(Method::GET, &path, &[("variable", HELD)]).await)?;
        let value: Option<serde_json::Value> = answer.map(|a| a.json()).transpose()?;
        Ok(value.is_some_and(|value| value["value"] == "1"))
    }

    /// Lets the dial plan go on with a channel.
    pub(super) async fn proceed(&self, id: &str, onward: &Onward<'_>) -> Result<()> {
        let query = match onward {
            Onward::Back => vec![],
            Onward::Extension { context, extension } => {
                vec![("context", *context), ("extension", *extension), ("priority", "1")]
            }
        };
        self.post(&["channels", id, "continue"], &query).await
    }

    /// Has a channel's own device dial another address.
    pub(super) async fn redirect(&self, id: &str, endpoint: &str) -> Result<()> {
        self.post(&["channels", id, "redirect"], &[("endpoint", endpoint)]).await
    }

    /// Makes a bridge. Its name identifies the application.
    pub(super) async fn create_bridge(&self, id: &str) -> Result<()> {
        self.post(&["bridges", id], &[("type", "mixing"), ("name", &self.app)]).await
    }

    /// Puts channels into a bridge.
    pub(super) async fn join(&self, bridge: &str, channels: [&str; 2]) -> Result<()> {
        let channels = channels.join(",");
        self.post(&["bridges", bridge, "addChannel"], &[("channel", &channels)]).await
    }

    pub(super) async fn remove_bridge(&self, id: &str) -> Result<()> {
        found(self.send(Method::DELETE, &["bridges", id], &[]).await).map(drop)
    }

    pub(super) async fn set_device_state(&self, device: &str, state: DeviceState) -> Result<()> {
        let query = [("deviceState", state.as_str())];
        self.send(Method::PUT, &["deviceStates", device], &query).await.map(drop)
    }

    /// Whether all these channels are in a bridge.
    pub(super) async fn is_joined(&self, bridge: &str, channels: [&str; 2]) -> Result<bool> {
        let bridge = self.bridge(bridge).await?.unwrap_or_default();
        Ok(channels.iter().all(|wanted| bridge.channels.iter().any(|there| there == wanted)))
    }
}

/// What is not there is no failure.
fn found(answer: Result<Answer>) -> Result<Option<Answer>> {
    let missing = StatusCode::NOT_FOUND.as_str();
    match answer {
        Err(error) if error.vendor_code() == Some(missing) => Ok(None),
        answer => answer.map(Some),
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
