//! From a document to the calls that make it so.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, ReflectMessage};
use serde_json::{Map, Value, json};

use super::{Flags, document::Document};
use crate::cli::{Api, Result, client, kind::Kind, output::cell};

/// One call of the API.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub service: &'static str,
    pub method: String,
    pub request: Value,
}

/// The calls for one document.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calls {
    /// The definition and what belongs to the resource alone.
    pub own: Vec<Call>,
    /// Links to what other documents may bring; made when all of those were sent.
    pub links: Vec<Call>,
}

/// Derives the calls; `existing` is what the server holds under that name, `later` are the names of
/// documents of the same kind that are sent later.
pub(super) fn plan(
    api: &Api,
    document: &Document,
    existing: Option<&DynamicMessage>,
    later: &BTreeSet<String>,
    flags: &Flags,
) -> Result<Calls> {
    let kind = document.kind;
    let mut fields = document.fields.clone();
    fields.retain(|name, _| !kind.actions.contains(&name.as_str()));
    // What leads to one of these is sent when it is there.
    let leads = |value: &Value| kind.refers_to_own && mentions(kind, value, later);
    let (ahead, fields): (Map<_, _>, Map<_, _>) = fields
        .into_iter()
        .partition(|(name, value)| !kind.immutable.contains(&name.as_str()) && leads(value));
    let mut own = definition(api, document, fields, existing, flags)?;
    let mut links = match document.kind.name {
        "Profile" => {
            own.extend(assignment(document, flags));
            links(&document.id, document.users.as_deref(), flags)
        }
        "User" => {
            own.extend(user(document));
            let one = document.profile.as_ref().filter(|name| !name.is_empty());
            let user = [document.id.clone()];
            one.map(|profile| links(profile, Some(&user), flags)).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    if !ahead.is_empty() {
        links.push(update(api, kind, &document.id, ahead)?);
    }
    own.extend(state(document, "INACTIVE", "Deactivate"));
    Ok(Calls { own, links })
}

/// Whether a value holds one of these names, bare or as a resource name.
fn mentions(kind: &Kind, value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.contains(&kind.bare(text).to_ascii_lowercase()),
        Value::Array(all) => all.iter().any(|value| mentions(kind, value, names)),
        Value::Object(all) => all.values().any(|value| mentions(kind, value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The change of some fields of a resource.
fn update(
    api: &Api,
    kind: &'static Kind,
    id: &str,
    mut fields: Map<String, Value>,
) -> Result<Call> {
    let descriptor = api.message(kind.name)?;
    let paths: Vec<_> = fields
        .keys()
        .filter_map(|name| descriptor.get_field_by_name(name))
        .map(|field| field.json_name().to_owned())
        .collect();
    fields.insert("name".to_owned(), json!(kind.resource_name(id)));
    let request = json!({ kind.field.as_str(): fields, "update_mask": paths.join(",") });
    Ok(Call { service: &kind.service, method: kind.write.clone(), request })
}

/// Creates the resource, or changes the fields that the document holds.
fn definition(
    api: &Api,
    document: &Document,
    mut fields: Map<String, Value>,
    existing: Option<&DynamicMessage>,
    flags: &Flags,
) -> Result<Vec<Call>> {
    let kind = document.kind;
    let mask = match existing {
        Some(existing) => Some(mask(api, kind, &fields, existing)?),
        None => None,
    };
    let mut calls = Vec::new();
    if mask.as_ref().is_none_or(|mask| !mask.is_empty()) {
        if let Some(etag) = document.etag.as_ref().filter(|_| flags.if_unchanged) {
            fields.insert("etag".to_owned(), json!(etag));
        }
        let mut request = Map::from_iter([(kind.field.to_owned(), Value::Object(fields))]);
        request.extend(mask.map(|mask| ("update_mask".to_owned(), json!(mask))));
        if api
            .message(&format!("{}Request", kind.write))?
            .get_field_by_name("allow_missing")
            .is_some()
        {
            request.insert("allow_missing".to_owned(), json!(true));
        }
        calls.push(Call {
            service: &kind.service,
            method: kind.write.to_owned(),
            request: Value::Object(request),
        });
    }
    // Only an active profile becomes the default, so this comes before and the opposite last.
    calls.extend(state(document, "ACTIVE", "Activate"));
    Ok(calls)
}

/// The fields to change, as a mask in JSON form. An immutable field is in it only when the document
/// wants another value, so that the server refuses it.
fn mask(
    api: &Api,
    kind: &Kind,
    fields: &Map<String, Value>,
    existing: &DynamicMessage,
) -> Result<String> {
    let wanted = client::message(&api.message(kind.name)?, Value::Object(fields.clone()))?;
    let descriptor = wanted.descriptor();
    let named = fields.keys().filter(|name| kind.id != Some(name.as_str()));
    let changed = named.filter(|name| {
        let same = || cell(&wanted, name).eq_ignore_ascii_case(&cell(existing, name));
        !(kind.immutable.contains(&name.as_str()) && same())
    });
    let paths = changed.filter_map(|name| descriptor.get_field_by_name(name));
    Ok(paths.map(|field| field.json_name().to_owned()).collect::<Vec<_>>().join(","))
}

fn state(document: &Document, state: &str, verb: &str) -> Option<Call> {
    let wanted = document.fields.get("state")?.as_str()?;
    (wanted.strip_prefix("STATE_") == Some(state))
        .then(|| action(document, &format!("{verb}{}", document.kind.name), []))
}

fn action<const N: usize>(document: &Document, method: &str, more: [(&str, Value); N]) -> Call {
    let name = document.kind.resource_name(&document.id);
    let mut request = Map::from_iter([("name".to_owned(), json!(name))]);
    request.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Call {
        service: &document.kind.service,
        method: method.to_owned(),
        request: Value::Object(request),
    }
}

/// Default flag, rank and roles, in the order in which one makes room for the other.
fn assignment(document: &Document, flags: &Flags) -> Vec<Call> {
    let mut calls = Vec::new();
    let is_default = document.fields.get("is_default").and_then(Value::as_bool);
    if is_default == Some(false) {
        calls.push(action(document, "RemoveDefault", []));
    }
    let (rank, roles) = (document.fields.get("rank"), document.fields.get("roles"));
    let given = |value: Option<&Value>| match value {
        Some(Value::Array(all)) => !all.is_empty(),
        value => value.is_some_and(|value| !value.is_null()),
    };
    if given(rank) || given(roles) {
        let displace = flags.displace.map(|displace| displace.name());
        calls.push(action(
            document,
            "SetRankAndRoles",
            [
                ("rank", rank.cloned().unwrap_or_default()),
                ("roles", roles.cloned().unwrap_or_default()),
                ("displace", json!(displace)),
                ("override_managed", json!(flags.override_managed)),
            ],
        ));
    } else if rank.is_some() || roles.is_some() {
        let more = [("override_managed", json!(flags.override_managed))];
        calls.push(action(document, "RemoveRankAndRoles", more));
    }
    if is_default == Some(true) {
        calls.push(action(
            document,
            "SetDefault",
            [
                ("replace_current", json!(flags.replace_current)),
                ("drop_rank_and_roles", json!(flags.drop_rank_and_roles)),
            ],
        ));
    }
    calls
}

fn user(document: &Document) -> Vec<Call> {
    let mut calls = Vec::new();
    if let Some(roles) = document.fields.get("roles") {
        calls.push(action(document, "SetUserRoles", [("roles", roles.clone())]));
    }
    if let Some(disabled) = document.fields.get("disabled").and_then(Value::as_bool) {
        let method = if disabled { "DisableUser" } else { "EnableUser" };
        calls.push(action(document, method, []));
    }
    calls
}

/// Links users to a profile, as many in one call as it takes.
fn links(profile: &str, users: Option<&[String]>, flags: &Flags) -> Vec<Call> {
    /// The most that AddUsers takes.
    const MOST: usize = 1000;
    let chunks = users.unwrap_or_default().chunks(MOST);
    let call = |users: &[String]| Call {
        service: "ProfileService",
        method: "AddUsers".to_owned(),
        request: json!({ "name": profile, "users": users, "move": flags.r#move }),
    };
    chunks.map(call).collect()
}
