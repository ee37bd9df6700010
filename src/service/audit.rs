//! AuditService: who did what, and what agents saw (SPEC §11.3).

use deskplane_proto::v1;

use super::{
    Service,
    context::{CallContext, MessageAttributes},
    convert::{self, Reader},
    page::{self, Position},
};
use crate::{audit::Cursor, domain::Refusal};

impl Service {
    /// Lists writes, audited reads and refusals by scope, newest first.
    pub(super) async fn list_audit_entries(
        &self,
        context: &CallContext,
        q: v1::ListAuditEntriesRequest,
    ) -> Result<v1::ListAuditEntriesResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let query = convert::audit_query(&q, &mut reader);
        let bounds = convert::bounds(q.start_time, q.end_time, None);
        let outcome = q.outcome.to_string();
        let arguments =
            [context.rpc().path, &bounds, &q.actor, &q.resource, &q.operation, &outcome];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let (size, after) = page::read(&asked, reader.v)?;
        let from = after.as_ref().and_then(cursor);
        let rows = self.audit.reader.audit(query, from, size).await?;
        let position = |at: Cursor| Position::numbered(at.revision, &at.sequence.to_string());
        Ok(v1::ListAuditEntriesResponse {
            entries: rows.items.into_iter().map(convert::audit_entry).collect(),
            next_page_token: rows.next.map(|at| asked.token(position(at))).unwrap_or_default(),
            revision: call.catalog.revision,
        })
    }

    /// Lists what clients were sent, newest first.
    pub(super) async fn list_resolution_log(
        &self,
        context: &CallContext,
        q: v1::ListResolutionLogRequest,
    ) -> Result<v1::ListResolutionLogResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let query = convert::delivery_query(&q, &mut reader);
        let bounds = convert::bounds(q.start_time, q.end_time, q.as_of_time);
        let app = q.app.to_string();
        let arguments = [context.rpc().path, &bounds, &q.user, &app, &q.client_id];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let (size, after) = page::read(&asked, reader.v)?;
        let as_of = q.as_of_time.is_some();
        let from = after.as_ref().and_then(|at| at.name().parse().ok());
        let rows = self.audit.reader.deliveries(query, from, if as_of { 1 } else { size }).await?;
        // One entry is all that was seen at a time.
        let next = rows.next.filter(|_| !as_of || rows.items.is_empty());
        let next = next.map(|below| asked.token(Position::named(&below.to_string())));
        Ok(v1::ListResolutionLogResponse {
            entries: rows.items.into_iter().map(convert::resolution_log_entry).collect(),
            next_page_token: next.unwrap_or_default(),
            revision: call.catalog.revision,
        })
    }
}

/// Where the page before ended in both lists.
fn cursor(at: &Position) -> Option<Cursor> {
    Some(Cursor { revision: at.number()?, sequence: at.name().parse().ok()? })
}
