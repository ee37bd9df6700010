//! VoiceService, and the methods of ProviderService that use adapters (SPEC §14).

use std::sync::Arc;

use deskplane_proto::v1;
use deskplane_providers::{Context, layers::MAX_VENDOR_WAIT};
use futures_util::StreamExt as _;
use tonic::Status;
use uuid::Uuid;

use super::{
    EventStream, Service,
    context::{Admitted, CallContext, MessageAttributes},
    convert::{self, Reader},
    missing, no_user,
    page::{self, Position},
};
use crate::{
    domain::{Kind, ObjectKey, Reason, Refusal, UserId},
    live::Access,
    voice::{self, Start},
};

/// The deadline of a request to a vendor, within that of the call.
fn deadline(context: &CallContext) -> Context {
    Context::within(context.time_for_vendor(MAX_VENDOR_WAIT))
}

fn no_call(id: Uuid) -> Refusal {
    let name = format!("calls/{id}");
    let message = format!("There is no call {name}.");
    Refusal::new(Reason::CallNotFound, message).resource("Call", &name, "does not exist")
}

impl Service {
    /// Admits a call on behalf of a user, and reads its fields.
    fn acting<T>(
        &self,
        context: &CallContext,
        user: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Result<(Admitted, UserId, T), Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(user))?;
        let mut reader = Reader::new(&call.catalog);
        let about = Self::about(&call, &mut reader, user);
        let asked = read(&mut reader);
        reader.v.finish()?;
        let about = about.ok_or_else(|| no_user(user))?;
        let seated = call.catalog.user(&about).ok_or_else(|| no_user(about.as_str()))?;
        let id = seated.id();
        Ok((call, id, asked))
    }

    /// Admits a call on a phone call, and reads its fields. To an agent, the phone calls of other users do
    /// not exist.
    fn on_call<T>(
        &self,
        context: &CallContext,
        name: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Result<(Arc<voice::Call>, T), Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let id = convert::call_id(name, &mut reader);
        let asked = read(&mut reader);
        reader.v.finish()?;
        let id = id.unwrap_or_default();
        let found = self.voice.call(id).ok_or_else(|| no_call(id))?;
        match self.data.admit(context, MessageAttributes::about(found.user.as_str())) {
            Err(refusal) if refusal.reason == Reason::SelfOnly => Err(no_call(id)),
            Err(refusal) => Err(refusal),
            Ok(_) => Ok((found, asked)),
        }
    }

    /// Lists calls, the newest first.
    pub(super) async fn list_calls(
        &self,
        context: &CallContext,
        q: v1::ListCallsRequest,
    ) -> Result<v1::ListCallsResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let mut reader = Reader::new(&call.catalog);
        let of_all = q.user.is_empty() && call.about_anybody(context);
        let user = match of_all {
            true => None,
            false => Self::about(&call, &mut reader, &q.user),
        };
        let provider = convert::list_calls(&q, &mut reader);
        let live = q.live.to_string();
        let own = user.as_ref().map(UserId::as_str).unwrap_or_default();
        let arguments = [context.rpc().path, own, &q.provider, &live];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
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
        let page = page::cut(&asked, size, page::after(rows, after));
        Ok(v1::ListCallsResponse { calls: page.rows, next_page_token: page.next })
    }

    /// Checks a provider at its vendor.
    pub(super) async fn verify_provider(
        &self,
        context: &CallContext,
        q: v1::VerifyProviderRequest,
    ) -> Result<v1::VerifyProviderResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let name = reader.name("name", Kind::Provider, &q.name);
        reader.v.finish()?;
        let stored = call.catalog.tables.providers.get(&name);
        let stored =
            stored.ok_or_else(|| missing(&ObjectKey::new(Kind::Provider, name.as_str())))?;
        let checks = self.voice.verify(stored, deadline(context)).await;
        let checks: Vec<_> = checks.into_iter().map(convert::check).collect();
        let ok = checks.iter().all(|check| check.outcome() != v1::CheckOutcome::Failed);
        Ok(v1::VerifyProviderResponse { checks, ok })
    }

    /// Lists the adapters of this server.
    pub(super) async fn list_adapters(
        &self,
        context: &CallContext,
        _: v1::ListAdaptersRequest,
    ) -> Result<v1::ListAdaptersResponse, Refusal> {
        self.data.admit(context, MessageAttributes::default())?;
        let adapters = self.voice.adapters().iter().map(convert::adapter).collect();
        Ok(v1::ListAdaptersResponse { adapters })
    }

    pub(super) async fn mint_client_token(
        &self,
        context: &CallContext,
        q: v1::MintClientTokenRequest,
    ) -> Result<v1::MintClientTokenResponse, Refusal> {
        use deskplane_providers::ExposeSecret as _;
        let (_, user, (provider, ttl)) = self.acting(context, &q.user, |r| convert::mint(&q, r))?;
        let made = self.voice.mint_client_token(&user, &provider, ttl, deadline(context)).await?;
        Ok(v1::MintClientTokenResponse {
            token: made.token.expose_secret().to_owned(),
            expire_time: Some(convert::timestamp_of(made.expire_time)),
            parameters: made.parameters,
        })
    }

    pub(super) async fn start_call(
        &self,
        context: &CallContext,
        q: v1::StartCallRequest,
    ) -> Result<v1::StartCallResponse, Refusal> {
        let named = q.user.clone();
        let (call, user, asked) = self.acting(context, &named, |r| convert::start(q, r))?;
        let to = asked.to.ok_or_else(|| Refusal::new(Reason::AddressInvalid, "to is required."))?;
        let start = Start {
            user,
            provider: asked.provider,
            to,
            from: asked.from,
            context: asked.context,
            request: voice::Request {
                caller: call.actor.subject,
                id: asked.request_id,
                payload: asked.payload,
            },
        };
        context.mark_dispatched();
        let call = self.voice.start_call(start, deadline(context)).await?;
        Ok(v1::StartCallResponse { call: Some(convert::call(&call)) })
    }

    pub(super) async fn end_call(
        &self,
        context: &CallContext,
        q: v1::EndCallRequest,
    ) -> Result<v1::EndCallResponse, Refusal> {
        let (found, ()) = self.on_call(context, &q.name, |_| ())?;
        context.mark_dispatched();
        let (call, changed) = self.voice.end_call(&found, deadline(context)).await?;
        Ok(v1::EndCallResponse { call: Some(convert::call(&call)), changed })
    }

    pub(super) async fn hold_call(
        &self,
        context: &CallContext,
        q: v1::HoldCallRequest,
    ) -> Result<v1::HoldCallResponse, Refusal> {
        let (found, ()) = self.on_call(context, &q.name, |_| ())?;
        context.mark_dispatched();
        let (call, changed) = self.voice.hold_call(&found, true, deadline(context)).await?;
        Ok(v1::HoldCallResponse { call: Some(convert::call(&call)), changed })
    }

    pub(super) async fn resume_call(
        &self,
        context: &CallContext,
        q: v1::ResumeCallRequest,
    ) -> Result<v1::ResumeCallResponse, Refusal> {
        let (found, ()) = self.on_call(context, &q.name, |_| ())?;
        context.mark_dispatched();
        let (call, changed) = self.voice.hold_call(&found, false, deadline(context)).await?;
        Ok(v1::ResumeCallResponse { call: Some(convert::call(&call)), changed })
    }

    pub(super) async fn transfer_call(
        &self,
        context: &CallContext,
        q: v1::TransferCallRequest,
    ) -> Result<v1::TransferCallResponse, Refusal> {
        let (found, to) = self.on_call(context, &q.name, |r| convert::transfer(&q, r))?;
        let to = to.ok_or_else(|| Refusal::new(Reason::AddressInvalid, "to is required."))?;
        context.mark_dispatched();
        let call = self.voice.transfer_call(&found, to, q.blind, deadline(context)).await?;
        Ok(v1::TransferCallResponse { call: Some(convert::call(&call)) })
    }

    pub(super) async fn set_presence(
        &self,
        context: &CallContext,
        q: v1::SetPresenceRequest,
    ) -> Result<v1::SetPresenceResponse, Refusal> {
        let (_, user, (provider, presence)) =
            self.acting(context, &q.user, |r| convert::presence(&q, r))?;
        let presence =
            presence.ok_or_else(|| Refusal::new(Reason::FieldInvalid, "presence is required."))?;
        context.mark_dispatched();
        self.voice.set_presence(&user, &provider, presence, deadline(context)).await?;
        Ok(v1::SetPresenceResponse {})
    }

    pub(super) async fn get_call(
        &self,
        context: &CallContext,
        q: v1::GetCallRequest,
    ) -> Result<v1::Call, Refusal> {
        let (found, ()) = self.on_call(context, &q.name, |_| ())?;
        Ok(convert::call(&found))
    }

    /// Streams the live calls of a user, and every change of one.
    pub(super) async fn watch_calls(
        &self,
        context: &CallContext,
        q: v1::WatchCallsRequest,
    ) -> Result<EventStream<v1::WatchCallsResponse>, Refusal> {
        let (call, user, ()) = self.acting(context, &q.user, |_| ())?;
        let newest = self.data.newest(&call);
        let access = Access {
            own_credential: call.actor.user.is_some(),
            expires: self.expiry(context),
            caller: call.actor,
            recheck: Box::new(self.data.recheck(context, user.as_str().to_owned())),
            user,
        };
        let stream = self.voice.watch(newest, access)?;
        Ok(Box::pin(stream.map(|message| match message {
            Ok(message) => Ok(convert::call_event(&message)),
            Err(refusal) => Err(Status::from(refusal)),
        })))
    }
}

/// The id with its order turned round.
fn reversed(id: Uuid) -> String {
    Uuid::from_u128(!id.as_u128()).to_string()
}
