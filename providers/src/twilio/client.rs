//! Requests to Twilio: forms out, JSON back, signed with the API key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use super::{
    config::Config,
    error::{self, Asked},
};
use crate::{Clock, Effect, Error, ErrorKind, ExposeSecret as _, Result, Secret, http::Network};

/// Names and values, some of them repeated.
pub(super) type Form<'a> = &'a [(&'a str, &'a str)];

/// The way to one account.
#[derive(Debug)]
pub(super) struct Client {
    network: Network,
    clock: Clock,
    authorization: HeaderValue,
    account: String,
    taskrouter: String,
}

impl Client {
    pub(super) fn new(
        config: &Config,
        key: &Secret,
        network: Network,
        clock: Clock,
    ) -> Result<Self> {
        let pair = STANDARD.encode(format!("{}:{}", config.api_key_sid, key.expose_secret()));
        let mut authorization = HeaderValue::try_from(format!("Basic {pair}"))
            .map_err(|_| Error::new(ErrorKind::Internal, "the credentials fit no header"))?;
        authorization.set_sensitive(true);
        let core = config.host("api", config.base_url.as_ref());
        let account = format!("{core}/2010-04-01/Accounts/{}", config.account_sid);
        let taskrouter = config.host("taskrouter", config.taskrouter_base_url.as_ref());
        let workspace = config.workspace_sid.as_deref().unwrap_or_default();
        let taskrouter = format!("{taskrouter}/v1/Workspaces/{workspace}");
        Ok(Self { network, clock, authorization, account, taskrouter })
    }

    /// URL of something of the account, e.g. `/Calls.json`.
    pub(super) fn account(&self, path: &str) -> String {
        format!("{}{path}", self.account)
    }

    /// URL of something of the workspace, e.g. `/Activities`.
    pub(super) fn workspace(&self, path: &str) -> String {
        format!("{}{path}", self.taskrouter)
    }

    /// Reads something; whatever goes wrong, nothing was done.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str, query: Form<'_>) -> Result<T> {
        let url = match encoded(query) {
            query if query.is_empty() => url.to_owned(),
            query => format!("{url}?{query}"),
        };
        let done = self.send(Request::get(url), Bytes::new(), Asked::Read).await;
        done.map_err(|error| error.with_effect(Effect::None))
    }

    /// Writes something, once.
    pub(super) async fn post<T: DeserializeOwned>(&self, url: &str, form: Form<'_>) -> Result<T> {
        let request = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, encoded(form).into(), Asked::Write).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Bytes,
        asked: Asked,
    ) -> Result<T> {
        let request = request
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(body)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let answer = self.network.send(request).await?;
        if answer.status.is_success() {
            return answer.json();
        }
        Err(error::of(&answer, asked, &self.clock))
    }
}

fn encoded(form: Form<'_>) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}
