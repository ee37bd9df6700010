//! The service: the protocol in terms of the vendor.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use deskplane_proto::provider::v1::{
    self, CallRef, CallState, Capability, Cause, Verdict,
    channel_provider_plugin_server::ChannelProviderPlugin,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::vendor::{Call, NOBODY, Vendor};

/// What the example can do.
const OFFERS: [Capability; 7] = [
    Capability::ClientToken,
    Capability::Dial,
    Capability::End,
    Capability::Hold,
    Capability::TransferBlind,
    Capability::PresenceSync,
    Capability::ClickToAct,
];
/// Longest life of a token, in seconds.
const LONGEST_TTL: i64 = 86_400;
/// Silence after which a sign of life is sent.
const SILENCE: Duration = Duration::from_secs(20);

/// The plug-in.
pub(crate) struct Plugin {
    /// The vendor behind it.
    pub(crate) vendor: Arc<Vendor>,
    /// What callers must show; nothing when it is empty.
    pub(crate) token: String,
    /// Key of the signatures of webhooks; none are accepted when it is empty.
    pub(crate) webhook_key: String,
}

type Answer<T> = Result<Response<T>, Status>;

/// An error by which Deskplane knows that nothing was carried out.
fn refusal(code: Code, reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "deskplane.provider", []);
    Status::with_error_details(code, message, details)
}

impl Plugin {
    /// Turns away callers who do not show the token.
    fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
        let expected = format!("Bearer {}", self.token);
        let same =
            |shown| aws_lc_rs::constant_time::verify_slices_are_equal(shown, expected.as_bytes());
        if self.token.is_empty() || shown.is_some_and(|shown| same(shown).is_ok()) {
            return Ok(request.into_inner());
        }
        Err(Status::unauthenticated("the token is missing or wrong"))
    }

    fn find(&self, call: Option<CallRef>) -> Option<Call> {
        let call = call?;
        self.vendor.find(&call.call_id, &call.provider_call_id)
    }

    /// A call that both parties are in.
    fn live(&self, call: Option<CallRef>) -> Result<Call, Status> {
        match self.find(call) {
            Some(call) if call.state == CallState::Ended => {
                Err(refusal(Code::FailedPrecondition, "CALL_OVER", "the call is over"))
            }
            Some(call) => Ok(call),
            None => Err(Status::not_found("no such call")),
        }
    }

    fn verify(&self, webhook: &v1::VerifyAndParseWebhookRequest) -> Verdict {
        let signature = webhook.headers.iter().find(|header| header.name == "x-example-signature");
        let Some(signature) = signature else { return Verdict::Unsigned };
        let Some(signature) = unhex(&signature.value) else { return Verdict::BadSignature };
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.webhook_key.as_bytes());
        match hmac::verify(&key, &webhook.body, &signature) {
            Ok(()) if !self.webhook_key.is_empty() => Verdict::Accepted,
            _ => Verdict::BadSignature,
        }
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let pair = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

fn word<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}

#[tonic::async_trait]
impl ChannelProviderPlugin for Plugin {
    type StreamEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::StreamEventsResponse, Status>> + Send>>;

    async fn info(&self, request: Request<v1::InfoRequest>) -> Answer<v1::InfoResponse> {
        self.admit(request)?;
        Ok(Response::new(v1::InfoResponse {
            protocol_version: 1,
            title: "Example in Rust".to_owned(),
            vendor: "Nobody".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn capabilities(
        &self,
        request: Request<v1::CapabilitiesRequest>,
    ) -> Answer<v1::CapabilitiesResponse> {
        self.admit(request)?;
        let capabilities = OFFERS.iter().map(|&capability| capability.into()).collect();
        Ok(Response::new(v1::CapabilitiesResponse { capabilities }))
    }

    async fn check(&self, request: Request<v1::CheckRequest>) -> Answer<v1::CheckResponse> {
        self.admit(request)?;
        let account = v1::Check {
            name: "account".to_owned(),
            outcome: v1::CheckOutcome::Ok.into(),
            detail: "the vendor lives in this process".to_owned(),
            duration: None,
        };
        Ok(Response::new(v1::CheckResponse { checks: vec![account] }))
    }

    async fn mint_token(
        &self,
        request: Request<v1::MintTokenRequest>,
    ) -> Answer<v1::MintTokenResponse> {
        let request = self.admit(request)?;
        let ttl = request.ttl.map_or(3600, |ttl| ttl.seconds);
        if request.user.is_empty() || !(1..=LONGEST_TTL).contains(&ttl) {
            return Err(Status::invalid_argument("a user and a ttl of 1 to 86400 s are needed"));
        }
        let expire_time = SystemTime::now() + Duration::from_secs(ttl.unsigned_abs());
        Ok(Response::new(v1::MintTokenResponse {
            token: uuid::Uuid::new_v4().to_string(),
            expire_time: Some(expire_time.into()),
            parameters: [("identity".to_owned(), request.user)].into(),
        }))
    }

    async fn start_call(
        &self,
        request: Request<v1::StartCallRequest>,
    ) -> Answer<v1::StartCallResponse> {
        let request = self.admit(request)?;
        if request.to == NOBODY {
            return Err(refusal(Code::InvalidArgument, "ADDRESS", "nobody is there"));
        }
        let call = self.vendor.dial(&request);
        let (provider_call_id, state) = (call.id, call.state.into());
        Ok(Response::new(v1::StartCallResponse { provider_call_id, state }))
    }

    async fn end_call(&self, request: Request<v1::EndCallRequest>) -> Answer<v1::EndCallResponse> {
        let call = self.find(self.admit(request)?.call);
        let live = call.filter(|call| call.state != CallState::Ended);
        if let Some(call) = &live {
            self.vendor.change(call, CallState::Ended, Cause::Normal);
        }
        Ok(Response::new(v1::EndCallResponse { ended: live.is_some() }))
    }

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Answer<v1::HoldResponse> {
        let call = self.live(self.admit(request)?.call)?;
        self.vendor.change(&call, CallState::Held, Cause::Unspecified);
        Ok(Response::new(v1::HoldResponse {}))
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Answer<v1::ResumeResponse> {
        let call = self.live(self.admit(request)?.call)?;
        self.vendor.change(&call, CallState::Bridged, Cause::Unspecified);
        Ok(Response::new(v1::ResumeResponse {}))
    }

    async fn transfer(
        &self,
        request: Request<v1::TransferRequest>,
    ) -> Answer<v1::TransferResponse> {
        let request = self.admit(request)?;
        if !request.blind {
            return Err(Status::unimplemented("attended transfers are not offered"));
        }
        let call = self.live(request.call)?;
        if request.to == NOBODY {
            return Err(refusal(Code::InvalidArgument, "ADDRESS", "nobody is there"));
        }
        self.vendor.change(&call, CallState::Transferring, Cause::Unspecified);
        Ok(Response::new(v1::TransferResponse {}))
    }

    async fn set_presence(
        &self,
        request: Request<v1::SetPresenceRequest>,
    ) -> Answer<v1::SetPresenceResponse> {
        self.admit(request)?;
        Ok(Response::new(v1::SetPresenceResponse {}))
    }

    async fn get_call(&self, request: Request<v1::GetCallRequest>) -> Answer<v1::GetCallResponse> {
        let call = self.find(self.admit(request)?.call);
        let call = call.ok_or_else(|| Status::not_found("no such call"))?;
        Ok(Response::new(v1::GetCallResponse {
            provider_call_id: call.id,
            state: call.state.into(),
            cause: call.cause.into(),
            other_cause: String::new(),
        }))
    }

    async fn verify_and_parse_webhook(
        &self,
        request: Request<v1::VerifyAndParseWebhookRequest>,
    ) -> Answer<v1::VerifyAndParseWebhookResponse> {
        let webhook = self.admit(request)?;
        let verdict = self.verify(&webhook);
        let mut answer = v1::VerifyAndParseWebhookResponse::default();
        answer.set_verdict(verdict);
        if verdict != Verdict::Accepted {
            return Ok(Response::new(answer));
        }
        match serde_json::from_slice::<serde_json::Value>(&webhook.body) {
            Ok(posted) => answer.events.push(v1::CallEvent {
                provider_call_id: word(&posted, "call").to_owned(),
                key: word(&posted, "key").to_owned(),
                state: CallState::Ended.into(),
                cause: Cause::Other.into(),
                other_cause: word(&posted, "why").to_owned(),
                direction: v1::Direction::Outbound.into(),
                ..v1::CallEvent::default()
            }),
            Err(_) => answer.set_verdict(Verdict::Malformed),
        }
        Ok(Response::new(answer))
    }

    async fn stream_events(
        &self,
        request: Request<v1::StreamEventsRequest>,
    ) -> Answer<Self::StreamEventsStream> {
        self.admit(request)?;
        let opened = stream::iter([Ok(v1::StreamEventsResponse { event: None })]);
        let events = stream::unfold(self.vendor.listen(), async |mut events| {
            let event = match timeout(SILENCE, events.recv()).await {
                Ok(Ok(event)) => Some(event),
                // A subscriber that is too slow polls the calls that it knows.
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => return None,
                Err(_) => None,
            };
            Some((Ok(v1::StreamEventsResponse { event }), events))
        });
        Ok(Response::new(opened.chain(events).boxed()))
    }
}
