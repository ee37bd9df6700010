//! The requests on groups.

use std::sync::Arc;

use axum::response::Response;
use http::{Method, StatusCode};

use super::{
    answer,
    error::{Error, Result},
    group::{Group, Wanted},
    list, patch,
    query::Query,
    shared::Shared,
    users::{body, resource},
    write::{Change, Request, TRIES, too_busy, uid},
};
use crate::{
    catalog::Catalog,
    command::{Command, DeleteTeam},
    domain::TeamId,
};

/// A request on `/Groups` or on one group.
pub(super) async fn handle(
    shared: &Arc<Shared>,
    request: Request,
    id: Option<&str>,
) -> Result<Response> {
    match (&request.method, id) {
        (&Method::GET, None) => list::groups(shared, request).await,
        (&Method::POST, None) => create(shared, request).await,
        (&Method::GET, Some(id)) => {
            let group = find(shared, &shared.ledger.catalog(), id)?;
            if request.has_state(group.etag().as_deref()) {
                return Ok(answer::empty(StatusCode::NOT_MODIFIED));
            }
            shown(shared, StatusCode::OK, request, group, shared.ledger.catalog()).await
        }
        (&Method::PUT | &Method::PATCH, Some(id)) => {
            let judge = |shared: &Shared, catalog: &Catalog, request: &Request, group: &Group| {
                Ok(group.change(catalog, wanted(shared, catalog, request, group)?))
            };
            let (group, catalog) = change(shared, &request, id, judge).await?;
            shown(shared, StatusCode::OK, request, group, catalog).await
        }
        (&Method::DELETE, Some(id)) => {
            change(shared, &request, id, |_, catalog, _, group| Ok(removal(catalog, group)))
                .await?;
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, None, "The method is not allowed.")),
    }
}

/// A command, if the group is not as wanted, and how many users lose something by it.
type Judged = (Option<Box<dyn Command>>, usize);

fn find(shared: &Shared, catalog: &Catalog, id: &str) -> Result<Group> {
    let found = Group::find(catalog, &shared.index, &shared.settings, uid("Group", id)?);
    found.ok_or_else(|| Error::not_found(&format!("Group {id}")))
}

/// The answer with a group, as much of it as was asked for.
async fn shown(
    shared: &Arc<Shared>,
    status: StatusCode,
    request: Request,
    group: Group,
    catalog: Arc<Catalog>,
) -> Result<Response> {
    let Request { locations, query: Query { selection, .. }, .. } = request;
    let with_members = selection.shows("members");
    let document = shared.scan(move |_| group.document(&catalog, &locations, with_members)).await?;
    Ok(resource(status, &selection, document))
}

/// What a request makes of a group.
fn wanted(shared: &Shared, catalog: &Catalog, request: &Request, group: &Group) -> Result<Wanted> {
    let document = match request.method {
        Method::PUT => body(request)?,
        _ => {
            let mut document = group.document(catalog, &request.locations, true);
            patch::apply(&mut document, &request.body)?;
            document
        }
    };
    Wanted::read(&document, catalog, &shared.index)
}

/// A team goes; a role stays, and those who have it from a sync lose it.
fn removal(catalog: &Catalog, group: &Group) -> Judged {
    match group {
        Group::Team(team) => {
            let (id, etag) = (team.id.clone(), Some(team.stamp.etag()));
            (Some(Box::new(DeleteTeam { id, etag })), 0)
        }
        Group::Role(..) => group.change(catalog, Wanted::nobody()),
    }
}

/// Changes a group; answers it as it is afterwards, or as it was when it is gone.
async fn change<J>(
    shared: &Arc<Shared>,
    request: &Request,
    id: &str,
    judge: J,
) -> Result<(Group, Arc<Catalog>)>
where
    J: Fn(&Shared, &Catalog, &Request, &Group) -> Result<Judged> + Send + Copy + 'static,
{
    for _ in 0..TRIES {
        let catalog = shared.ledger.catalog();
        let group = find(shared, &catalog, id)?;
        let etag = group.etag();
        request.expects(etag.as_deref())?;
        let state = etag.unwrap_or_else(|| catalog.revision.to_string());
        let (command, losing) = {
            let (request, group, catalog) = (request.clone(), group.clone(), Arc::clone(&catalog));
            shared.scan(move |shared| judge(shared, &catalog, &request, &group)).await??
        };
        let Some(command) = command else { return Ok((group, catalog)) };
        drop(catalog);
        let change = Change { commands: vec![command], losing };
        if let Some(accepted) = shared.commit(request, &state, change).await? {
            let group = find(shared, &accepted.catalog, id).unwrap_or(group);
            return Ok((group, accepted.catalog));
        }
    }
    Err(too_busy())
}

/// Makes a team; a group that is a role is there already, and gets the members.
async fn create(shared: &Arc<Shared>, request: Request) -> Result<Response> {
    let copy = request.clone();
    let read =
        move |shared: &Shared| Wanted::read(&body(&copy)?, &shared.ledger.catalog(), &shared.index);
    let wanted = shared.scan(read).await??;
    let mapped = shared.settings.role_of(wanted.external_id.as_deref(), &wanted.display_name);
    if let Some((_, role)) = mapped {
        let catalog = shared.ledger.catalog();
        let role = catalog.tables.roles.get(role).ok_or_else(|| {
            Error::value("displayName", format!("is mapped to role {role}, which does not exist"))
        })?;
        let id = role.stamp.uid.to_string();
        let join = |shared: &Shared, catalog: &Catalog, request: &Request, group: &Group| {
            let wanted = Wanted::read(&body(request)?, catalog, &shared.index)?;
            Ok(group.change(catalog, wanted.joined_by(catalog, group)))
        };
        let (group, catalog) = change(shared, &request, &id, join).await?;
        return shown(shared, StatusCode::CREATED, request, group, catalog).await;
    }
    create_team(shared, request, wanted).await
}

async fn create_team(shared: &Arc<Shared>, request: Request, wanted: Wanted) -> Result<Response> {
    let id = wanted.team_id()?;
    let _names = shared.names.lock(&[id.as_str()]).await;
    let catalog = shared.ledger.catalog();
    if catalog.team(&id).is_some() {
        return Err(Error::taken(format!("Group {id} exists.")));
    }
    let state = catalog.revision.to_string();
    drop(catalog);
    let change = Change { commands: vec![Box::new(wanted.create(id.clone()))], losing: 0 };
    let accepted = shared.commit(&request, &state, change).await?.ok_or_else(too_busy)?;
    let group = team(&accepted.catalog, &id)?;
    shown(shared, StatusCode::CREATED, request, group, accepted.catalog).await
}

fn team(catalog: &Catalog, id: &TeamId) -> Result<Group> {
    let found = catalog.team(id).map(|team| Group::Team(team.into_owned()));
    found.ok_or_else(|| Error::not_found(&format!("Group {id}")))
}
