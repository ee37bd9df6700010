//! Reads whose cost grows with what there is: lists, searches, reads in bulk, findings.
//!
//! They run on threads of their own, so no event loop waits for them; few at a time, the callers in
//! turn; and only while somebody waits for the answer.

use super::{
    Service,
    context::{CallContext, MessageAttributes},
    queue::Caller,
};
use crate::{catalog::Catalog, domain::Refusal};

/// A read that has its turn.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) caller: &'a Caller,
}

impl Scan<'_> {
    /// The rows for as long as the caller waits.
    pub(super) fn rows<R>(&self, rows: impl Iterator<Item = R>) -> impl Iterator<Item = R> {
        rows.take_while(|_| !self.caller.is_gone())
    }
}

impl Service {
    /// Admits a call that is about no user, and reads when it is its turn, from the newest catalog.
    ///
    /// # Errors
    /// SERVER_BUSY when too many wait, otherwise those of the read.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        context: &CallContext,
        read: impl FnOnce(&Self, Scan<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = self.scans.turn(context.subject()).await?;
        let call = self.data.admit(context, MessageAttributes::default())?;
        let service = self.clone();
        turn.run(move |caller| read(&service, Scan { catalog: &call.catalog, caller })).await?
    }
}
