//! HistoryService: the feed of transactions, and the revisions of resources (SPEC §11.2).

mod feed;

use deskplane_proto::v1;

use self::feed::Feed;
use super::{
    EventStream, Service,
    context::{Admitted, CallContext, MessageAttributes},
    convert::{self, Reader},
    page::{self, Position},
};
use crate::{
    domain::{ObjectKey, Refusal, UserId, Violations},
    history::{self, ObjectRevision},
    live::Access,
};

/// Id by which streams about the organisation are counted. No stream is about a user through it.
const ORGANISATION: &str = "0";

impl Service {
    /// Lists transactions.
    pub(super) async fn list_changes(
        &self,
        context: &CallContext,
        q: v1::ListChangesRequest,
    ) -> Result<v1::ListChangesResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut v = Violations::new();
        convert::check_revision(&mut v, "from_revision", q.from_revision, 0);
        let from = q.from_revision.to_string();
        let arguments = [context.rpc().path, &from];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let (size, position) = page::read(&asked, v)?;
        let history = self.data.history(&call);
        let newest = history.newest().await?;
        let after = match position.and_then(|position| position.number()) {
            Some(after) => after,
            None => history.before(q.from_revision).await?,
        };
        let mut rows = page::Rows::new(size);
        let take = |record| {
            let row = convert::change_record(&record);
            rows.push(Position::numbered(row.revision, ""), row)
        };
        history.each_change(after, newest, take).await?;
        let page = rows.page(&asked);
        Ok(v1::ListChangesResponse {
            changes: page.rows,
            next_page_token: page.next,
            revision: newest,
        })
    }

    /// Streams transactions.
    pub(super) async fn watch_changes(
        &self,
        context: &CallContext,
        q: v1::WatchChangesRequest,
    ) -> Result<EventStream<v1::WatchChangesResponse>, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let history = self.data.history(&call);
        let from = convert::watch_from(&q, self.hub.store())?;
        let after = match from {
            None => history.newest().await?,
            Some(from) => history.before(from).await?,
        };
        let newest = self.data.newest(&call);
        // The stand-in is legal wherever ids of users are.
        let organisation = UserId::parse(ORGANISATION).map_err(convert::internal)?;
        let access = Access {
            own_credential: call.actor.user.is_some(),
            expires: self.expiry(context),
            caller: call.actor,
            recheck: Box::new(self.data.recheck(context, String::new())),
            user: organisation,
        };
        let stream = self.hub.watch_changes(newest, access, after)?;
        let store = self.hub.store().clone();
        Ok(Feed::new(stream, history, store, self.clock.clone(), after).into_stream())
    }

    /// Admits a call on the history of a resource, and reads which one.
    fn on_history(&self, context: &CallContext, name: &str) -> Result<OnHistory, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let key = reader.any_key("name", name);
        let v = std::mem::take(&mut reader.v);
        Ok(OnHistory { call, key, v })
    }

    /// Lists the revisions of a resource.
    pub(super) async fn list_revisions(
        &self,
        context: &CallContext,
        q: v1::ListRevisionsRequest,
    ) -> Result<v1::ListRevisionsResponse, Refusal> {
        let OnHistory { call, key, v } = self.on_history(context, &q.name)?;
        let arguments = [context.rpc().path, &q.name];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let (size, position) = page::read(&asked, v)?;
        let history = self.data.history(&call);
        let newest = history.newest().await?;
        let before = position.and_then(|position| position.number());
        let mut rows = page::Rows::new(size);
        let take = |found: ObjectRevision| {
            let row = convert::resource_revision(&found);
            rows.push(Position::numbered(row.revision, ""), row)
        };
        history.each_revision(&key, before, take).await?;
        let page = rows.page(&asked);
        if page.rows.is_empty() && before.is_none() && call.catalog.object(&key).is_none() {
            return Err(history::unknown(&key));
        }
        Ok(v1::ListRevisionsResponse {
            revisions: page.rows,
            next_page_token: page.next,
            revision: newest,
        })
    }

    /// Answers a resource as it was.
    pub(super) async fn get_revision(
        &self,
        context: &CallContext,
        q: v1::GetRevisionRequest,
    ) -> Result<v1::GetRevisionResponse, Refusal> {
        let OnHistory { call, key, mut v } = self.on_history(context, &q.name)?;
        convert::check_revision(&mut v, "revision", q.revision, 1);
        v.finish()?;
        let exists = call.catalog.object(&key).is_some();
        let found = self.data.history(&call).object_at(&key, q.revision, exists).await?;
        let context = self.resource_context(&call.catalog);
        Ok(v1::GetRevisionResponse {
            revision: Some(convert::resource_revision(&found)),
            resource: found.object.and_then(|object| convert::any_resource(&object, context)),
        })
    }

    /// Compares two revisions of a resource.
    pub(super) async fn diff_revisions(
        &self,
        context: &CallContext,
        q: v1::DiffRevisionsRequest,
    ) -> Result<v1::DiffRevisionsResponse, Refusal> {
        let OnHistory { call, key, mut v } = self.on_history(context, &q.name)?;
        convert::check_revision(&mut v, "old_revision", q.old_revision, 1);
        convert::check_revision(&mut v, "new_revision", q.new_revision, 0);
        v.finish()?;
        let history = self.data.history(&call);
        let exists = call.catalog.object(&key).is_some();
        let old = history.object_at(&key, q.old_revision, exists).await?;
        let new = match q.new_revision {
            0 => history.newest().await?,
            revision => revision,
        };
        let new = history.object_at(&key, new, exists).await?;
        let context = self.resource_context(&call.catalog);
        let resource = |found: &ObjectRevision| {
            found.object.as_ref().and_then(|object| convert::any_resource(object, context))
        };
        let differences = convert::differences(resource(&old).as_ref(), resource(&new).as_ref());
        Ok(v1::DiffRevisionsResponse {
            differences: differences.ok_or_else(|| convert::internal("no resource"))?,
            old_revision: Some(convert::resource_revision(&old)),
            new_revision: Some(convert::resource_revision(&new)),
        })
    }
}

/// An admitted call on the history of a resource.
struct OnHistory {
    call: Admitted,
    key: ObjectKey,
    /// The bad fields so far.
    v: Violations,
}
