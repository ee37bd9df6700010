//! The requests on users.

use std::sync::Arc;

use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    answer,
    attributes::{self, Document},
    error::{Error, Result},
    list, patch,
    query::Selection,
    shared::Shared,
    user::{self, Wanted},
    write::{Change, Request, TRIES, too_busy, uid},
};
use crate::{
    catalog::Catalog,
    command::DeleteUser,
    domain::{UserId, directory::User},
};

/// A request on `/Users` or on one user.
pub(super) async fn handle(
    shared: &Arc<Shared>,
    request: Request,
    id: Option<&str>,
) -> Result<Response> {
    match (&request.method, id) {
        (&Method::GET, None) => list::users(shared, request).await,
        (&Method::POST, None) => create(shared, &request).await,
        (&Method::GET, Some(id)) => {
            let catalog = shared.ledger.catalog();
            let user = find(shared, &catalog, id)?;
            if request.has_state(Some(&user.stamp.etag())) {
                return Ok(answer::empty(StatusCode::NOT_MODIFIED));
            }
            Ok(shown(StatusCode::OK, &request, &user))
        }
        (&Method::PUT | &Method::PATCH, Some(id)) => change(shared, &request, id).await,
        (&Method::DELETE, Some(id)) => delete(shared, &request, id).await,
        _ => Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, None, "The method is not allowed.")),
    }
}

fn find(shared: &Shared, catalog: &Catalog, id: &str) -> Result<Arc<User>> {
    let found = shared.user(catalog, uid("User", id)?);
    found.ok_or_else(|| Error::not_found(&format!("User {id}")))
}

/// The answer with a user, as much of him as was asked for.
fn shown(status: StatusCode, request: &Request, user: &User) -> Response {
    resource(status, &request.query.selection, user::document(user, &request.locations))
}

/// The answer with a resource.
pub(super) fn resource(status: StatusCode, selection: &Selection, document: Document) -> Response {
    let meta = document.get("meta").cloned();
    answer::resource(status, selection.apply(document), meta.as_ref())
}

/// The body of a request as a document.
pub(super) fn body(request: &Request) -> Result<Document> {
    serde_json::from_slice(&request.body).map_err(|error| {
        let detail = format!("The body is no JSON object: {error}.");
        Error::bad(scim_v2::models::errors::ScimType::InvalidSyntax, detail)
    })
}

async fn create(shared: &Arc<Shared>, request: &Request) -> Result<Response> {
    let wanted = Wanted::read(&body(request)?)?;
    let id = wanted.id(shared.settings.user_id)?;
    let _names = shared.names.lock(&[&wanted.user_name, id.as_str()]).await;
    let catalog = shared.ledger.catalog();
    free(shared, &catalog, &wanted.user_name, None)?;
    if catalog.user(&id).is_some() {
        return Err(Error::taken(format!("User {id} exists.")));
    }
    let command = wanted.create(id.clone());
    let change = Change { commands: vec![Box::new(command)], losing: 0 };
    let state = catalog.revision.to_string();
    drop(catalog);
    let accepted = shared.commit(request, &state, change).await?.ok_or_else(too_busy)?;
    let user = stored(&accepted.catalog, &id)?;
    Ok(shown(StatusCode::CREATED, request, &user))
}

/// Refuses a `userName` that another user has.
fn free(shared: &Shared, catalog: &Catalog, name: &str, own: Option<&UserId>) -> Result<()> {
    let holder = shared.user_named(catalog, name).filter(|holder| Some(&holder.id) != own);
    match holder {
        Some(holder) => {
            Err(Error::taken(format!("userName {name} is that of user {}.", holder.id)))
        }
        None => Ok(()),
    }
}

fn stored(catalog: &Catalog, id: &UserId) -> Result<Arc<User>> {
    let found = catalog.user(id).map(|seated| seated.user());
    found.ok_or_else(|| Error::not_found(&format!("User {id}")))
}

/// What a request makes of a user.
fn wanted(request: &Request, user: &User) -> Result<Wanted> {
    if request.method == Method::PUT {
        return Wanted::read(&body(request)?);
    }
    let mut document = user::document(user, &request.locations);
    let active = document.get("active").cloned();
    patch::apply(&mut document, &request.body)?;
    // Its removal says nothing of whether he may call.
    if attributes::get(&document, "active").is_none() {
        document.insert("active".to_owned(), active.unwrap_or(Value::Bool(true)));
    }
    Wanted::read_patched(&document, user)
}

async fn change(shared: &Arc<Shared>, request: &Request, id: &str) -> Result<Response> {
    for _ in 0..TRIES {
        let catalog = shared.ledger.catalog();
        let user = find(shared, &catalog, id)?;
        let etag = user.stamp.etag();
        request.expects(Some(&etag))?;
        let wanted = wanted(request, &user)?;
        let renames = wanted.user_name.to_lowercase() != user::names(&user).0.to_lowercase();
        let _names = match renames {
            true => shared.names.lock(&[&wanted.user_name]).await,
            false => Vec::new(),
        };
        if renames {
            free(shared, &shared.ledger.catalog(), &wanted.user_name, Some(&user.id))?;
        }
        let losing = wanted.takes(&user).into();
        let commands = wanted.change(&user)?;
        if commands.is_empty() {
            return Ok(shown(StatusCode::OK, request, &user));
        }
        drop(catalog);
        let change = Change { commands, losing };
        if let Some(accepted) = shared.commit(request, &etag, change).await? {
            let user = stored(&accepted.catalog, &user.id)?;
            return Ok(shown(StatusCode::OK, request, &user));
        }
    }
    Err(too_busy())
}

async fn delete(shared: &Arc<Shared>, request: &Request, id: &str) -> Result<Response> {
    for _ in 0..TRIES {
        let catalog = shared.ledger.catalog();
        let user = find(shared, &catalog, id)?;
        let etag = user.stamp.etag();
        request.expects(Some(&etag))?;
        let command = DeleteUser { user: user.id.clone(), etag: Some(etag.clone()) };
        drop(catalog);
        let change = Change { commands: vec![Box::new(command)], losing: 1 };
        if shared.commit(request, &etag, change).await?.is_some() {
            return Ok(answer::empty(StatusCode::NO_CONTENT));
        }
    }
    Err(too_busy())
}
