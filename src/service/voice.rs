//! VoiceService, and what ProviderService asks of adapters (SPEC §14).

use std::{pin::Pin, sync::Arc, time::Duration};

use deskplane_proto::v1;
use deskplane_providers::Context;
use futures_core::Stream;
use futures_util::StreamExt as _;
use tonic::{Request, Response, Status, metadata::MetadataMap};
use uuid::Uuid;

use super::{
    Credential, Service,
    convert::{self, Reader},
    missing, no_user,
    page::{self, Asked, Position},
};
use crate::{
    auth,
    domain::{Actor, Kind, ObjectKey, Reason, Refusal, UserId},
    voice::{self, Start, Watcher},
};

const MINT: &str = "deskplane.v1.VoiceService/MintClientToken";
const START: &str = "deskplane.v1.VoiceService/StartCall";
const END: &str = "deskplane.v1.VoiceService/EndCall";
const HOLD: &str = "deskplane.v1.VoiceService/HoldCall";
const RESUME: &str = "deskplane.v1.VoiceService/ResumeCall";
const TRANSFER: &str = "deskplane.v1.VoiceService/TransferCall";
const PRESENCE: &str = "deskplane.v1.VoiceService/SetPresence";
const GET: &str = "deskplane.v1.VoiceService/GetCall";
const LIST: &str = "deskplane.v1.VoiceService/ListCalls";
const WATCH: &str = "deskplane.v1.VoiceService/WatchCalls";

/// Longest that a vendor is waited for when the caller names no time.
const LONGEST: Duration = Duration::from_secs(10);

/// When the caller wants its answer (gRPC over HTTP/2: `grpc-timeout`).
fn deadline(metadata: &MetadataMap) -> Context {
    let asked = metadata.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    Context::within(asked.map_or(LONGEST, |asked| asked.min(LONGEST)))
}

/// At most eight digits and a unit: H, M, S, m, u or n.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = digits.parse::<u64>().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

fn no_call(id: Uuid) -> Refusal {
    let name = format!("calls/{id}");
    let message = format!("There is no call {name}.");
    Refusal::new(Reason::CallNotFound, message).resource("Call", &name, "does not exist")
}

impl Service {
    /// Lets in a caller who acts for a user, and reads what it asks for.
    fn acting<T>(
        &self,
        path: &'static str,
        metadata: &MetadataMap,
        user: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Result<(Actor, UserId, T), Refusal> {
        let call = self.enter(path, metadata, Some(user), false)?;
        let mut reader = Reader::new(&call.catalog);
        let about = Self::about(&call, &mut reader, user);
        let asked = read(&mut reader);
        reader.v.finish()?;
        let about = about.ok_or_else(|| no_user(user))?;
        let seated = call.catalog.user(&about).ok_or_else(|| no_user(about.as_str()))?;
        Ok((call.actor, seated.user.id.clone(), asked))
    }

    /// Lets in a caller who acts on a call. One of somebody else is not there for an agent.
    fn on_call<T>(
        &self,
        path: &'static str,
        metadata: &MetadataMap,
        name: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Result<(Arc<voice::Call>, T), Refusal> {
        let call = self.enter(path, metadata, None, false)?;
        let mut reader = Reader::new(&call.catalog);
        let id = convert::call_id(name, &mut reader);
        let asked = read(&mut reader);
        reader.v.finish()?;
        let id = id.unwrap_or_default();
        let found = self.voice.call(id).ok_or_else(|| no_call(id))?;
        match self.enter(path, metadata, Some(found.user.as_str()), false) {
            Err(refusal) if refusal.reason == Reason::SelfOnly => Err(no_call(id)),
            Err(refusal) => Err(refusal),
            Ok(_) => Ok((found, asked)),
        }
    }

    fn calls(
        &self,
        metadata: &MetadataMap,
        q: &v1::ListCallsRequest,
    ) -> Result<v1::ListCallsResponse, Refusal> {
        let call = self.enter(LIST, metadata, Some(&q.user), false)?;
        let mut reader = Reader::new(&call.catalog);
        let everybody = auth::about_anybody(LIST, &call.actor);
        let user = match q.user.is_empty() && everybody {
            true => None,
            false => Self::about(&call, &mut reader, &q.user),
        };
        let provider = convert::list_calls(q, &mut reader);
        let live = q.live.to_string();
        let own = user.as_ref().map(UserId::as_str).unwrap_or_default();
        let arguments = [LIST, own, &q.provider, &live];
        let asked = Asked {
            arguments: &arguments,
            size: q.page_size,
            token: &q.page_token,
            now: self.clock.now(),
        };
        let (size, after) = page::read(&asked, reader.v)?;
        let pass = |call: &voice::Call| {
            provider.as_ref().is_none_or(|name| *name == call.provider)
                && !(q.live && call.is_over())
        };
        let rows = self.voice.calls(user.as_ref(), pass).into_iter().map(|call| {
            // Newest first: what began later stands before.
            let position = Position::numbered(-call.start_time.micros(), &reversed(call.call_id));
            (position, convert::call(&call))
        });
        let page = page::cut(
            &asked,
            size,
            rows.filter(|(at, _)| after.as_ref().is_none_or(|after| at > after)),
        );
        Ok(v1::ListCallsResponse { calls: page.rows, next_page_token: page.next })
    }

    fn watcher(&self, metadata: &MetadataMap, user: &str) -> Result<(Watcher, usize), Refusal> {
        let (caller, user, ()) = self.acting(WATCH, metadata, user, |_| ())?;
        let credential = Credential::of(metadata)?.to_owned();
        let watched = user.clone();
        let recheck = Box::new(move |catalog: &crate::catalog::Catalog| {
            let call = auth::Call {
                subject: Some(watched.as_str()),
                validate_only: false,
                agent_explain: false,
            };
            let caller = credential.caller(catalog)?;
            auth::authorize(WATCH, &caller, &call).map_err(auth::revoked)
        });
        let per_user = usize::from(self.ledger.catalog().settings.max_streams_per_user);
        Ok((Watcher { caller, user, recheck }, per_user))
    }

    pub(super) async fn verify_provider(
        &self,
        path: &'static str,
        request: Request<v1::VerifyProviderRequest>,
    ) -> Result<Response<v1::VerifyProviderResponse>, Status> {
        let call = self.enter(path, request.metadata(), None, false)?;
        let mut reader = Reader::new(&call.catalog);
        let name = reader.name("name", Kind::Provider, &request.get_ref().name);
        reader.v.finish()?;
        let stored = call.catalog.tables.providers.get(&name);
        let stored =
            stored.ok_or_else(|| missing(&ObjectKey::new(Kind::Provider, name.as_str())))?;
        let checks = self.voice.verify(stored, deadline(request.metadata())).await;
        let checks: Vec<_> = checks.into_iter().map(convert::check).collect();
        let ok = checks.iter().all(|check| check.outcome() != v1::CheckOutcome::Failed);
        Ok(Response::new(v1::VerifyProviderResponse { checks, ok }))
    }

    #[allow(clippy::unused_async, reason = "all calls of the generated services are alike")]
    pub(super) async fn list_adapters(
        &self,
        path: &'static str,
        request: Request<v1::ListAdaptersRequest>,
    ) -> Result<Response<v1::ListAdaptersResponse>, Status> {
        self.enter(path, request.metadata(), None, false)?;
        let adapters = self.voice.adapters().iter().map(convert::adapter).collect();
        Ok(Response::new(v1::ListAdaptersResponse { adapters }))
    }
}

/// The id with its order turned round.
fn reversed(id: Uuid) -> String {
    Uuid::from_u128(!id.as_u128()).to_string()
}

#[tonic::async_trait]
impl v1::voice_service_server::VoiceService for Service {
    async fn mint_client_token(
        &self,
        request: Request<v1::MintClientTokenRequest>,
    ) -> Result<Response<v1::MintClientTokenResponse>, Status> {
        use deskplane_providers::ExposeSecret as _;
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (_, user, (provider, ttl)) =
            self.acting(MINT, metadata, &q.user, |r| convert::mint(q, r))?;
        let made = self.voice.mint_client_token(&user, &provider, ttl, deadline(metadata)).await?;
        Ok(Response::new(v1::MintClientTokenResponse {
            token: made.token.expose_secret().to_owned(),
            expire_time: Some(convert::timestamp_of(made.expire_time)),
            parameters: made.parameters,
        }))
    }

    async fn start_call(
        &self,
        request: Request<v1::StartCallRequest>,
    ) -> Result<Response<v1::StartCallResponse>, Status> {
        let (metadata, _, q) = request.into_parts();
        let named = q.user.clone();
        let (actor, user, asked) =
            self.acting(START, &metadata, &named, |r| convert::start(q, r))?;
        let to = asked.to.ok_or_else(|| Refusal::new(Reason::AddressInvalid, "to is required."))?;
        let start = Start {
            user,
            provider: asked.provider,
            to,
            from: asked.from,
            context: asked.context,
            request: voice::Request {
                caller: actor.subject,
                id: asked.request_id,
                payload: asked.payload,
            },
        };
        let call = self.voice.start_call(start, deadline(&metadata)).await?;
        Ok(Response::new(v1::StartCallResponse { call: Some(convert::call(&call)) }))
    }

    async fn end_call(
        &self,
        request: Request<v1::EndCallRequest>,
    ) -> Result<Response<v1::EndCallResponse>, Status> {
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (found, ()) = self.on_call(END, metadata, &q.name, |_| ())?;
        let (call, changed) = self.voice.end_call(&found, deadline(metadata)).await?;
        Ok(Response::new(v1::EndCallResponse { call: Some(convert::call(&call)), changed }))
    }

    async fn hold_call(
        &self,
        request: Request<v1::HoldCallRequest>,
    ) -> Result<Response<v1::HoldCallResponse>, Status> {
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (found, ()) = self.on_call(HOLD, metadata, &q.name, |_| ())?;
        let (call, changed) = self.voice.hold_call(&found, true, deadline(metadata)).await?;
        Ok(Response::new(v1::HoldCallResponse { call: Some(convert::call(&call)), changed }))
    }

    async fn resume_call(
        &self,
        request: Request<v1::ResumeCallRequest>,
    ) -> Result<Response<v1::ResumeCallResponse>, Status> {
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (found, ()) = self.on_call(RESUME, metadata, &q.name, |_| ())?;
        let (call, changed) = self.voice.hold_call(&found, false, deadline(metadata)).await?;
        Ok(Response::new(v1::ResumeCallResponse { call: Some(convert::call(&call)), changed }))
    }

    async fn transfer_call(
        &self,
        request: Request<v1::TransferCallRequest>,
    ) -> Result<Response<v1::TransferCallResponse>, Status> {
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (found, to) = self.on_call(TRANSFER, metadata, &q.name, |r| convert::transfer(q, r))?;
        let to = to.ok_or_else(|| Refusal::new(Reason::AddressInvalid, "to is required."))?;
        let call = self.voice.transfer_call(&found, to, q.blind, deadline(metadata)).await?;
        Ok(Response::new(v1::TransferCallResponse { call: Some(convert::call(&call)) }))
    }

    async fn set_presence(
        &self,
        request: Request<v1::SetPresenceRequest>,
    ) -> Result<Response<v1::SetPresenceResponse>, Status> {
        let (metadata, q) = (request.metadata(), request.get_ref());
        let (_, user, (provider, presence)) =
            self.acting(PRESENCE, metadata, &q.user, |r| convert::presence(q, r))?;
        let presence =
            presence.ok_or_else(|| Refusal::new(Reason::FieldInvalid, "presence is required."))?;
        self.voice.set_presence(&user, &provider, presence, deadline(metadata)).await?;
        Ok(Response::new(v1::SetPresenceResponse {}))
    }

    async fn get_call(
        &self,
        request: Request<v1::GetCallRequest>,
    ) -> Result<Response<v1::Call>, Status> {
        let (found, ()) = self.on_call(GET, request.metadata(), &request.get_ref().name, |_| ())?;
        Ok(Response::new(convert::call(&found)))
    }

    async fn list_calls(
        &self,
        request: Request<v1::ListCallsRequest>,
    ) -> Result<Response<v1::ListCallsResponse>, Status> {
        Ok(Response::new(self.calls(request.metadata(), request.get_ref())?))
    }

    type WatchCallsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchCallsResponse, Status>> + Send>>;

    async fn watch_calls(
        &self,
        request: Request<v1::WatchCallsRequest>,
    ) -> Result<Response<Self::WatchCallsStream>, Status> {
        let (watcher, per_user) = self.watcher(request.metadata(), &request.get_ref().user)?;
        let stream = self.voice.watch(watcher, per_user)?;
        let events = stream.map(|message| match message {
            Ok(message) => Ok(convert::call_event(&message)),
            Err(refusal) => Err(Status::from(refusal)),
        });
        Ok(Response::new(Box::pin(events)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_caller_is_read() {
        for (text, expected) in [
            ("5S", Some(Duration::from_secs(5))),
            ("100m", Some(Duration::from_millis(100))),
            ("2M", Some(Duration::from_secs(120))),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("5x", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }
}
