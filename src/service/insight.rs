//! InsightService and the health report: explanations, search by user, findings (SPEC §6.4, §6.6,
//! §11.1).

use std::sync::Arc;

use deskplane_proto::v1;

use super::{
    Service, agent,
    context::{CallContext, MessageAttributes},
    convert::{self, Reader, Resource as _},
    missing, no_user,
    page::{self, Position},
};
use crate::{
    domain::{App, Kind, Object, ObjectKey, Refusal, provider::WIDGET},
    impact,
    resolve::{self, Outcome},
};

impl Service {
    /// Explains why a user gets a profile, and every route that lost.
    pub(super) async fn explain(
        &self,
        context: &CallContext,
        q: v1::ExplainRequest,
    ) -> Result<v1::ExplainResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::about(&q.user))?;
        let catalog = call.catalog.as_ref();
        let (user, app) = Self::user_and_app(&call, Reader::new(catalog), &q.user, q.app)?;
        let seated = catalog.user(&user).ok_or_else(|| no_user(user.as_str()))?;
        let explanation =
            resolve::explain(catalog, &user, app).ok_or_else(|| no_user(user.as_str()))?;
        let compiled = |profile: &_| self.contents.get(catalog, profile, seated.class);
        Ok(convert::explanation(&seated, &explanation, compiled, catalog.revision))
    }

    /// Finds users by the beginning of their id or name, with the profile of each.
    pub(super) async fn search_by_user(
        &self,
        context: &CallContext,
        q: v1::SearchByUserRequest,
    ) -> Result<v1::SearchByUserResponse, Refusal> {
        let path = context.rpc().path;
        self.scan(context, move |service, scan| {
            let catalog = scan.catalog;
            let mut reader = Reader::new(catalog);
            let query = convert::search(&q, &mut reader);
            let method_text = q.method.to_string();
            let arguments = [path, &q.text, &q.profile, &method_text];
            let asked = service.page_request(&arguments, q.page_size, &q.page_token);
            let (size, after) = page::read(&asked, reader.v)?;
            let users = scan.rows(agent::from(catalog, after.as_ref()));
            let rows = users.filter(|seated| query.names(seated)).filter_map(|seated| {
                let id = &seated.id();
                let Outcome::Resolved(found) = resolve::resolve(catalog, id, App::Unspecified)
                else {
                    return None;
                };
                let row = || (Position::named(id.as_str()), convert::user_match(&seated, &found));
                query.fits(&found).then(row)
            });
            let page = page::cut(&asked, size, rows);
            Ok(v1::SearchByUserResponse {
                results: page.rows,
                next_page_token: page.next,
                revision: catalog.revision,
            })
        })
        .await
    }

    /// Lists the findings of the whole organisation.
    pub(super) async fn list_findings(
        &self,
        context: &CallContext,
        q: v1::ListFindingsRequest,
    ) -> Result<v1::ListFindingsResponse, Refusal> {
        let path = context.rpc().path;
        self.scan(context, move |service, scan| {
            let arguments = [path];
            let asked = service.page_request(&arguments, q.page_size, &q.page_token);
            let (size, after) = page::read(&asked, Default::default())?;
            let rows = impact::all_findings(scan.catalog).into_iter().map(|found| {
                let position = format!("{} {}", found.code.as_str(), found.subject);
                (Position::named(&position), convert::finding(&found))
            });
            let page = page::cut(&asked, size, page::after(rows, after));
            Ok(v1::ListFindingsResponse {
                findings: page.rows,
                next_page_token: page.next,
                revision: scan.catalog.revision,
            })
        })
        .await
    }

    /// Accepts the health of a provider whose page measures it.
    pub(super) async fn report_provider_health(
        &self,
        context: &CallContext,
        q: v1::ReportProviderHealthRequest,
    ) -> Result<v1::ReportProviderHealthResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let (name, state, detail) = convert::report(&q, &mut reader);
        let stored = call.catalog.tables.providers.get(&name);
        if let Some(measured) = stored.filter(|provider| provider.adapter != WIDGET) {
            let text = format!("is measured for adapter {}, not reported", measured.adapter);
            reader.v.invalid("state", text);
        }
        reader.v.finish()?;
        let provider =
            stored.ok_or_else(|| missing(&ObjectKey::new(Kind::Provider, name.as_str())))?;
        // Watchers get the stored spelling.
        let name = &provider.common.unique_name;
        let changed = self.hub.report(name, state, detail, self.clock.now());
        let object = Object::Provider(Arc::clone(provider));
        let channel_provider =
            v1::ChannelProvider::of(&object, self.resource_context(&call.catalog));
        Ok(v1::ReportProviderHealthResponse { channel_provider, changed })
    }
}
