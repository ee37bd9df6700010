//! Lists of users and groups.
//!
//! A filter on one name is a look-up; any other goes through all of them, off the threads that serve
//! calls.

use std::sync::Arc;

use axum::response::Response;
use scim_v2::filter::Filter;
use serde_json::Value;
use uuid::Uuid;

use super::{
    answer,
    attributes::Document,
    error::Result,
    filter::{demanded, matches},
    group::{self, Group},
    query::Query,
    shared::Shared,
    user,
    write::Request,
};
use crate::{catalog::Catalog, domain::directory::User};

/// A page while it is made.
struct Page<'a> {
    query: &'a Query,
    total: usize,
    resources: Vec<Value>,
}

impl<'a> Page<'a> {
    fn new(query: &'a Query) -> Self {
        Self { query, total: 0, resources: Vec::new() }
    }

    /// Counts a resource that is asked for; its document is made if it is on the page.
    fn take(&mut self, document: impl FnOnce() -> Document) {
        self.total += 1;
        if self.total >= self.query.start_index && self.resources.len() < self.query.count {
            let document = self.query.selection.apply(document());
            self.resources.push(Value::Object(document));
        }
    }

    fn answer(self) -> Response {
        answer::list(self.resources, self.total, self.query.start_index)
    }
}

/// The users of a query.
pub(super) async fn users(shared: &Arc<Shared>, request: Request) -> Result<Response> {
    let catalog = shared.ledger.catalog();
    if let Some(found) = request.query.filter.as_ref().and_then(|f| named(shared, &catalog, f)) {
        return Ok(users_of(&request, found.into_iter()));
    }
    shared
        .scan(move |_| {
            let users = catalog.users().map(|seated| seated.user());
            users_of(&request, users)
        })
        .await
}

fn users_of(request: &Request, users: impl Iterator<Item = Arc<User>>) -> Response {
    let mut page = Page::new(&request.query);
    for found in users {
        let document = || user::document(&found, &request.locations);
        match &request.query.filter {
            None => page.take(document),
            Some(filter) => {
                let document = document();
                if matches(filter, &document) {
                    page.take(|| document);
                }
            }
        }
    }
    page.answer()
}

/// The users among whom those of a filter are, where it demands one name or id.
fn named(shared: &Shared, catalog: &Catalog, filter: &Filter) -> Option<Vec<Arc<User>>> {
    if let Some(id) = demanded(filter, "id") {
        let user = Uuid::try_parse(id).ok().and_then(|uid| shared.user(catalog, uid));
        return Some(user.into_iter().collect());
    }
    let name = demanded(filter, "userName").or_else(|| demanded(filter, "externalId"))?;
    Some(shared.candidates(catalog, name))
}

/// The groups of a query. Members are read only where they are shown or asked about.
pub(super) async fn groups(shared: &Arc<Shared>, request: Request) -> Result<Response> {
    shared
        .scan(move |shared| {
            let catalog = shared.ledger.catalog();
            let found = request.query.filter.as_ref().and_then(|f| teams(shared, &catalog, f));
            match found {
                Some(found) => groups_of(&request, &catalog, found.into_iter()),
                None => groups_of(&request, &catalog, group::all(&catalog, &shared.settings)),
            }
        })
        .await
}

/// The groups among which those of a filter are, where it demands an id or an external id.
fn teams(shared: &Shared, catalog: &Catalog, filter: &Filter) -> Option<Vec<Group>> {
    if let Some(id) = demanded(filter, "id") {
        let found = Uuid::try_parse(id)
            .ok()
            .and_then(|uid| Group::find(catalog, &shared.index, &shared.settings, uid));
        return Some(found.into_iter().collect());
    }
    let ids = shared.index.teams_of(demanded(filter, "externalId")?);
    let teams = ids.iter().filter_map(|id| catalog.team(id));
    Some(teams.map(|team| Group::Team(team.into_owned())).collect())
}

fn groups_of(
    request: &Request,
    catalog: &Catalog,
    groups: impl Iterator<Item = Group>,
) -> Response {
    let Query { filter, selection, .. } = &request.query;
    let shows_members = selection.shows("members");
    let asks_members = filter.as_ref().is_some_and(|filter| filter.to_string().contains("members"));
    let mut page = Page::new(&request.query);
    for group in groups {
        let document = |with_members| group.document(catalog, &request.locations, with_members);
        let fits = filter.as_ref().is_none_or(|filter| matches(filter, &document(asks_members)));
        if fits {
            page.take(|| document(shows_members));
        }
    }
    page.answer()
}
