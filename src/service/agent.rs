//! AgentService: the profile of a user, once and as a stream (SPEC §10).

use std::collections::BTreeSet;

use bytes::Bytes;
use deskplane_proto::{codec, v1};
use futures_util::StreamExt as _;
use http::Response;
use tonic::Status;

use super::{
    EventStream, Service,
    body::AnswerBody,
    context::{Admitted, CallContext, MessageAttributes},
    convert::{self, Reader, ResolveAnswer},
    fast_path::{FastPathLayer, Handlers},
    no_user,
    page::{self, Position},
};
use crate::{
    catalog::{Catalog, Seated},
    domain::{App, Refusal, UserId},
    live::{self, ProfileStream, Subscription},
    read::{self, Resolved},
};

/// The calls that are answered in front of the methods.
const FAST: Handlers<Service> = &[
    ("deskplane.v1.AgentService/ResolveProfile", Service::resolve_profile_framed),
    ("deskplane.v1.AgentService/WatchProfile", Service::watch_profile_framed),
];

impl Service {
    /// The layer that answers [`FAST`] calls.
    pub(super) fn fast_path(&self) -> FastPathLayer<Self> {
        FastPathLayer::new(FAST, self.clone())
    }

    /// The user that a call is about: the named one, or the caller's own.
    pub(super) fn about(call: &Admitted, reader: &mut Reader<'_>, text: &str) -> Option<UserId> {
        if text.is_empty() {
            if call.actor.user.is_none() {
                let text = "is required: the caller stands for no user";
                reader.v.invalid("user", text);
            }
            return call.actor.user.clone();
        }
        Some(reader.user("user", text))
    }

    /// The user that a call is about, and the app, with all bad fields refused.
    pub(super) fn user_and_app(
        call: &Admitted,
        mut reader: Reader<'_>,
        user: &str,
        app: i32,
    ) -> Result<(UserId, App), Refusal> {
        let found = Self::about(call, &mut reader, user);
        let app = reader.choice("app", app).unwrap_or_default();
        reader.v.finish()?;
        Ok((found.ok_or_else(|| no_user(user))?, app))
    }

    fn resolved(
        &self,
        catalog: &Catalog,
        user: &UserId,
        app: App,
    ) -> Result<Option<Resolved>, Refusal> {
        read::resolved(catalog, &self.contents, user, app)
    }

    fn message(&self, resolved: &Resolved) -> v1::ResolvedProfile {
        convert::resolved_profile(resolved, &self.hub, self.clock.now())
    }

    fn subscription(
        &self,
        context: &CallContext,
        call: &Admitted,
        q: v1::WatchProfileRequest,
    ) -> Result<Subscription, Refusal> {
        let mut reader = Reader::new(&call.catalog);
        let user = Self::about(call, &mut reader, &q.user);
        let app = reader.choice("app", q.app).unwrap_or_default();
        let client_id = convert::client(&q, &mut reader);
        reader.v.finish()?;
        let user = user.ok_or_else(|| no_user(&q.user))?;
        Ok(Subscription {
            own_credential: call.actor.user.is_some(),
            expires: self.expiry(context),
            caller: call.actor.clone(),
            recheck: Box::new(self.data.recheck(context, user.as_str().to_owned())),
            user,
            app,
            client_id,
            resume_token: q.resume_token,
            digest: q.digest,
        })
    }

    /// Resolves the named users, or all, page by page.
    pub(super) async fn bulk_resolve(
        &self,
        context: &CallContext,
        q: v1::BulkResolveRequest,
    ) -> Result<v1::BulkResolveResponse, Refusal> {
        let path = context.rpc().path;
        self.scan(context, move |service, scan| {
            let catalog = scan.catalog;
            let mut reader = Reader::new(catalog);
            let query = convert::bulk(&q, &mut reader);
            let (app_text, view) = (q.app.to_string(), q.view.to_string());
            let mut arguments = vec![path, &app_text, &view];
            arguments.extend(q.users.iter().map(String::as_str));
            let asked = service.page_request(&arguments, q.page_size, &q.page_token);
            let (size, after) = page::read(&asked, reader.v)?;
            let users = users(catalog, &query.named, after.as_ref())?;
            let rows = scan.rows(users).filter_map(|seated| {
                let id = &seated.id();
                // Every user here exists, so resolving refuses none.
                let resolved = service.resolved(catalog, id, query.app).ok()?;
                let whole = resolved.as_ref().filter(|_| query.full);
                let whole = whole.map(|found| service.message(found));
                let row = convert::bulk_result(id.as_str(), resolved.as_ref(), whole);
                Some((Position::named(id.as_str()), row))
            });
            let page = page::cut(&asked, size, rows);
            Ok(v1::BulkResolveResponse {
                results: page.rows,
                next_page_token: page.next,
                revision: catalog.revision,
            })
        })
        .await
    }

    /// Resolves one user.
    pub(super) async fn resolve_profile(
        &self,
        context: &CallContext,
        q: v1::ResolveProfileRequest,
    ) -> Result<v1::ResolveProfileResponse, Refusal> {
        let answer = self.resolve(context, &q)?;
        Ok(convert::resolve_response(&answer, &self.hub, self.clock.now()))
    }

    /// The same, from the bytes of the message to those of the answer.
    fn resolve_profile_framed(
        &self,
        context: &CallContext,
        message: Bytes,
    ) -> Result<Response<AnswerBody>, Status> {
        let answer = self.resolve(context, &codec::decode(message)?)?;
        let framed = convert::framed_resolve_response(&answer, &self.hub, self.clock.now());
        Ok(AnswerBody::message(framed))
    }

    fn resolve(
        &self,
        context: &CallContext,
        q: &v1::ResolveProfileRequest,
    ) -> Result<ResolveAnswer, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let mut reader = Reader::new(&call.catalog);
        let client_id = convert::client_id(&q.client_id, &mut reader);
        let (user, app) = Self::user_and_app(&call, reader, &q.user, q.app)?;
        let resolved = self.resolved(&call.catalog, &user, app)?;
        if let (Some(resolved), Some(client_id)) = (&resolved, client_id) {
            self.hub.fleet().answered(resolved, &client_id);
        }
        Ok(match resolved {
            None => ResolveAnswer::NotApplicable(call.catalog.revision),
            Some(resolved) if resolved.content.digest == q.if_digest_matches => {
                ResolveAnswer::NotModified(resolved)
            }
            Some(resolved) => ResolveAnswer::Resolved(resolved),
        })
    }

    /// Takes what became of a profile that was delivered to a client.
    pub(super) async fn report_profile_status(
        &self,
        context: &CallContext,
        q: v1::ReportProfileStatusRequest,
    ) -> Result<v1::ReportProfileStatusResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let mut reader = Reader::new(&call.catalog);
        let (user, app) = (q.user.clone(), q.app);
        let report = convert::status_report(q, &mut reader);
        let (user, app) = Self::user_and_app(&call, reader, &user, app)?;
        let current = self.resolved(&call.catalog, &user, app)?;
        let current = current.ok_or_else(|| live::not_applicable(app))?;
        let report = report.of(current.user, app);
        let (newest, current) = (call.catalog.revision, &current.content.id);
        let stale = self.hub.fleet().report(report, newest, Some(current))?;
        Ok(v1::ReportProfileStatusResponse { stale })
    }

    /// Renders the session of one event for a user.
    pub(super) async fn render_session(
        &self,
        context: &CallContext,
        q: v1::RenderSessionRequest,
    ) -> Result<v1::RenderSessionResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let mut reader = Reader::new(&call.catalog);
        let user = Self::about(&call, &mut reader, &q.user);
        let app = reader.choice("app", q.app).unwrap_or_default();
        let event = convert::session_event(&q, &mut reader);
        reader.v.finish()?;
        let user = user.ok_or_else(|| no_user(&q.user))?;
        let resolved = self.resolved(&call.catalog, &user, app)?;
        convert::rendered_session(&event, app, resolved.as_ref(), &call.catalog)
    }

    /// Streams the profile of one user, whenever it changes.
    pub(super) async fn watch_profile(
        &self,
        context: &CallContext,
        q: v1::WatchProfileRequest,
    ) -> Result<EventStream<v1::WatchProfileResponse>, Refusal> {
        let stream = self.watch(context, q)?;
        let (hub, clock) = (self.hub.clone(), self.clock.clone());
        Ok(Box::pin(stream.map(move |message| match message {
            Ok(message) => Ok(convert::event(message, &hub, clock.now())),
            Err(refusal) => Err(Status::from(refusal)),
        })))
    }

    /// The same, from the bytes of the message to those of the answers.
    fn watch_profile_framed(
        &self,
        context: &CallContext,
        message: Bytes,
    ) -> Result<Response<AnswerBody>, Status> {
        let stream = self.watch(context, codec::decode(message)?)?;
        Ok(AnswerBody::profile(stream, self.hub.clone(), self.clock.clone()))
    }

    fn watch(
        &self,
        context: &CallContext,
        q: v1::WatchProfileRequest,
    ) -> Result<ProfileStream, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let subscription = self.subscription(context, &call, q)?;
        self.hub.watch(self.data.newest(&call), subscription)
    }
}

/// The named users, or all that are counted, from behind a position on.
fn users<'a>(
    catalog: &'a Catalog,
    named: &BTreeSet<UserId>,
    after: Option<&Position>,
) -> Result<Box<dyn Iterator<Item = Seated<'a>> + 'a>, Refusal> {
    if named.is_empty() {
        return Ok(Box::new(from(catalog, after).filter(|seated| seated.is_counted())));
    }
    let known = |id: &UserId| catalog.user(id).ok_or_else(|| no_user(id.as_str()));
    let found = named.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let after = after.and_then(|position| UserId::parse(position.name()).ok());
    Ok(Box::new(found.into_iter().filter(move |s| after.as_ref().is_none_or(|a| s.id() > *a))))
}

/// All users from behind a position on, ascending by id.
pub(super) fn from<'a>(
    catalog: &'a Catalog,
    after: Option<&Position>,
) -> Box<dyn Iterator<Item = Seated<'a>> + 'a> {
    match after.and_then(|position| UserId::parse(position.name()).ok()) {
        Some(id) => Box::new(catalog.users_after(&id)),
        None => Box::new(catalog.users()),
    }
}
