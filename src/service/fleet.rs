//! FleetService (SPEC §10.8).

use std::sync::Arc;

use deskplane_proto::v1;

use super::{
    Service,
    context::{CallContext, MessageAttributes},
    convert::{self, FLEET_FIELDS, FleetRow},
    filter::Filter,
    page,
    queue::Caller,
};
use crate::{
    catalog::Catalog,
    domain::{Refusal, Violations},
    live::{ClientStatus, Mark, Place, Summary},
};

/// Most clients that are examined for a page, so that it takes the same time however few of them fit.
const EXAMINED: usize = 10_000;
/// What separates the mark of an answer from the arguments that it is bound to.
const BOUND: char = '.';

/// Whether a client is one of those that are counted and asked for.
fn fits(catalog: &Catalog, filter: &Filter, status: &ClientStatus) -> bool {
    let counted = catalog.user(&status.user).is_some_and(|seated| seated.is_counted());
    counted && filter.matches(&FleetRow(status))
}

/// The first clients that fit, one more than a page holds, among the first `most`; and where the next
/// page begins when these were not all.
fn rows(
    statuses: impl Iterator<Item = ClientStatus>,
    size: usize,
    most: usize,
    fits: impl Fn(&ClientStatus) -> bool,
) -> (Vec<(page::Position, v1::ClientStatus)>, Option<page::Position>) {
    let (mut rows, mut last) = (Vec::new(), None);
    for (at, status) in statuses.enumerate() {
        if at == most {
            return (rows, last.as_ref().map(convert::position));
        }
        if fits(&status) {
            rows.push((convert::position(&status), convert::client_status(&status)));
            if rows.len() > size {
                break;
            }
        }
        last = Some(status);
    }
    (rows, None)
}

impl Service {
    /// The mark of an answer to these arguments.
    fn mark(&self, compared: i64, arguments: &[&str]) -> String {
        let mark = self.hub.fleet().mark(compared);
        format!("{mark}{BOUND}{}", page::fingerprint(arguments))
    }

    /// Whether a sent mark says that the answer to these arguments is the same as before.
    fn unchanged(&self, sent: &str, compared: i64, arguments: &[&str]) -> bool {
        let Some((mark, bound)) = sent.rsplit_once(BOUND) else { return false };
        let mark = Mark::parse(mark).filter(|_| bound == page::fingerprint(arguments));
        mark.is_some_and(|mark| !self.hub.fleet().changed_since(&mark, compared))
    }

    /// Lists clients.
    pub(super) async fn list_fleet_status(
        &self,
        context: &CallContext,
        q: v1::ListFleetStatusRequest,
    ) -> Result<v1::ListFleetStatusResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut v = Violations::new();
        let filter = page::filter(&mut v, &q.filter, FLEET_FIELDS);
        let arguments = [context.rpc().path, &q.filter];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let (size, after) = page::read(&asked, v)?;
        let page_size = size.to_string();
        let marked = [context.rpc().path, &q.filter, &page_size, &q.page_token];
        // Before anything is read: what comes later counts as a change.
        let compared = self.hub.compared();
        let answer = v1::ListFleetStatusResponse { revision: compared, ..Default::default() };
        if self.unchanged(&q.if_changed_since, compared, &marked) {
            return Ok(v1::ListFleetStatusResponse {
                unchanged: true,
                mark: q.if_changed_since,
                ..answer
            });
        }
        let mark = self.mark(compared, &marked);
        let after: Option<Place> = after.as_ref().and_then(convert::place);
        let (fleet, catalog) = (self.hub.fleet().clone(), Arc::clone(&call.catalog));
        let turn = self.scans.turn(context.subject()).await?;
        let scan = move |caller: &Caller| {
            let statuses = fleet.statuses(after, compared).take_while(|_| !caller.is_gone());
            rows(statuses, size, EXAMINED, |status| fits(&catalog, &filter, status))
        };
        let (rows, examined) = turn.run(scan).await?;
        let page = page::cut(&asked, size, rows.into_iter()).or_behind(&asked, examined);
        Ok(v1::ListFleetStatusResponse {
            clients: page.rows,
            next_page_token: page.next,
            mark,
            ..answer
        })
    }

    /// Counts clients.
    pub(super) async fn get_fleet_summary(
        &self,
        context: &CallContext,
        q: v1::GetFleetSummaryRequest,
    ) -> Result<v1::GetFleetSummaryResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut v = Violations::new();
        let filter = page::filter(&mut v, &q.filter, FLEET_FIELDS);
        convert::check_revision(&mut v, "on_revision", q.on_revision, 0);
        v.finish()?;
        let on_text = q.on_revision.to_string();
        let arguments = [context.rpc().path, &q.filter, &on_text];
        let compared = self.hub.compared();
        if self.unchanged(&q.if_changed_since, compared, &arguments) {
            return Ok(v1::GetFleetSummaryResponse {
                unchanged: true,
                mark: q.if_changed_since,
                revision: compared,
                ..Default::default()
            });
        }
        let mark = self.mark(compared, &arguments);
        let revision = if q.on_revision == 0 { compared } else { q.on_revision };
        let (fleet, catalog) = (self.hub.fleet().clone(), Arc::clone(&call.catalog));
        let turn = self.scans.turn(context.subject()).await?;
        let scan = move |caller: &Caller| {
            let statuses = fleet.statuses(None, compared).take_while(|_| !caller.is_gone());
            let mut summary = Summary::default();
            let fitting = statuses.filter(|status| fits(&catalog, &filter, status));
            fitting.for_each(|status| summary.add(&status, revision));
            summary
        };
        let summary = turn.run(scan).await?;
        let counted = convert::fleet_summary(&summary, revision);
        Ok(v1::GetFleetSummaryResponse { revision: compared, mark, ..counted })
    }
}

#[cfg(test)]
mod tests;
