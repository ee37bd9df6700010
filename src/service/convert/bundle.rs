//! Bundles: the JSON form of resources, options, and the answer of an import.

use deskplane_proto::v1;
use prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::{
    Answer, Reader, Resource as _, ResourceContext, library::Entry, resource_name,
    table::descriptor, writes,
};
use crate::{
    command::{
        UninstallBundle,
        bundle::{
            Assignment, ImportOptions, ImportResult, Incoming, OnDefaultConflict, OnExisting,
            OnPinnedUrl, OnRankConflict, OnUnknownRole, Sent,
        },
    },
    content::wire::{Coded as _, coded},
    domain::{
        Kind, Object, Reason, Refusal, State, UniqueName, Violations, check,
        field::{Access, COMMON},
        named_kinds,
        provider::WIDGET,
    },
    transfer::{Header, MAX_VERSION, Resource, Selection},
};

coded! {
    OnExisting => OnExisting { Fail, Skip, Overwrite }
    OnRankConflict => OnRankConflict { Fail, Rerank, Keep }
    OnDefaultConflict => OnDefaultConflict { KeepIncumbent, Replace, KeepBoth, Fail }
    OnUnknownRole => OnUnknownRole { Report, Fail }
    OnPinnedUrl => OnPinnedUrl { Keep, Fail }
    ImportResult => ImportResult { Created, Updated, Unchanged, Skipped }
}

/// Most profiles that an export names.
const MAX_PROFILES: usize = 1_000;

/// Whether a field of a resource is part of a bundle: those that callers may set, here or by an
/// action, except secrets.
fn travels(kind: Kind, field: &str) -> bool {
    let set = |access: Access| access != Access::Output;
    let common = COMMON.iter().filter(|info| set(info.access) && info.path != "name");
    let own = kind.fields().filter(|info| set(info.access) && info.path != "secrets");
    let first = |path: &'static str| path.split_once('.').map_or(path, |(first, _)| first);
    common.chain(own).any(|info| first(info.path) == field)
}

// ===== writing =====

/// Expands to [`encoded`].
macro_rules! encoding {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// The message of an object with a unique name, encoded.
        fn encoded(object: &Object, context: ResourceContext<'_>) -> Vec<u8> {
            match object.kind() {
                $(Kind::$variant => {
                    v1::$message::of(object, context).unwrap_or_default().encode_to_vec()
                })+
                Kind::User | Kind::Team | Kind::Settings => Vec::new(),
            }
        }
    };
}

named_kinds!(encoding);

/// The JSON form of an object in a bundle.
pub(in crate::service) fn bundled(
    object: &Object,
    context: ResourceContext<'_>,
) -> Result<Value, Refusal> {
    let kind = object.kind();
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("{} {} cannot be exported: {error}.", kind.as_str(), object.name());
        Refusal::new(Reason::Internal, message)
    };
    let descriptor = descriptor(kind);
    let bytes = encoded(object, context);
    let mut message = DynamicMessage::decode(descriptor.clone(), bytes.as_slice())
        .map_err(|error| failed(&error))?;
    // What an adapter can do is known wherever the adapter is.
    let derived = matches!(object, Object::Provider(provider) if provider.adapter != WIDGET);
    for field in descriptor.fields() {
        if !travels(kind, field.name()) || derived && field.name() == "capabilities" {
            message.clear_field(&field);
        }
    }
    let options = SerializeOptions::new().use_proto_field_name(true);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| failed(&error))
}

// ===== reading =====

/// Names that the vendor gave built-in tools earlier, and what they mean today (SPEC §4.7).
const OLDER_TOOLS: &[(&str, &[&str])] =
    &[("Microsoft Teams", &["msdyn_tool_teams_chats", "msdyn_tool_join_teams_call"])];

/// Puts the tools of today in the place of those that a pane names as they were called earlier.
fn rename_older_tools(profile: &mut Value) {
    let tools = profile.pointer_mut("/pane/tools").and_then(Value::as_array_mut);
    let Some(tools) = tools else { return };
    for entry in std::mem::take(tools) {
        let older = OLDER_TOOLS.iter().find(|(older, _)| entry["tool"] == *older);
        let Some((_, newer)) = older else {
            tools.push(entry);
            continue;
        };
        for tool in *newer {
            let mut entry = entry.clone();
            entry["tool"] = Value::from(*tool);
            tools.push(entry);
        }
    }
}

/// The object of a resource of a bundle; what is wrong with it is noted.
pub(in crate::service) fn incoming(
    resource: &Resource<'_>,
    mut value: Value,
    r: &mut Reader<'_>,
) -> Option<Box<dyn Incoming>> {
    let (kind, path) = (resource.kind, resource.path());
    if kind == Kind::Profile {
        rename_older_tools(&mut value);
    }
    let encoded = decoded(kind, &path, value, &mut r.v)?;
    let mut own = Reader::new(r.catalog);
    let at = (path.clone(), resource.name.clone());
    let read = of_kind(kind, &encoded, at, &mut own, &mut r.v);
    for bad in own.v.finish().err().into_iter().flat_map(|refusal| refusal.violations) {
        r.v.add(bad.reason, format!("{path}.{}", bad.field), bad.description);
    }
    read
}

/// The encoded message of a resource in JSON.
fn decoded(kind: Kind, path: &str, value: Value, v: &mut Violations) -> Option<Vec<u8>> {
    let descriptor = descriptor(kind);
    let Value::Object(fields) = &value else {
        v.invalid(path, "must be an object");
        return None;
    };
    let before = fields.keys().filter(|key| is_left_behind(&descriptor, kind, key));
    let mut complete = true;
    for key in before {
        complete = false;
        v.invalid(format!("{path}.{key}"), "never travels; leave it out");
    }
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    match DynamicMessage::deserialize_with_options(descriptor, value, &options) {
        Ok(message) => complete.then(|| message.encode_to_vec()),
        Err(error) => {
            v.invalid(path, error.to_string().chars().take(300).collect::<String>());
            None
        }
    }
}

/// Whether a key names a field that only the server writes, in one of its two spellings.
fn is_left_behind(descriptor: &MessageDescriptor, kind: Kind, key: &str) -> bool {
    let mut fields = descriptor.fields();
    let field = fields.find(|field| field.name() == key || field.json_name() == key);
    field.is_some_and(|field| !travels(kind, field.name()))
}

/// The object of a message.
fn sent<E: Entry + 'static>(
    encoded: &[u8],
    at: (String, UniqueName),
    r: &mut Reader<'_>,
    v: &mut Violations,
) -> Option<Box<dyn Incoming>> {
    let message = E::decode(encoded).ok()?;
    let (.., state) = message.identity();
    let state = r.choice::<State>("state", state).unwrap_or_default();
    let patch = message.patch(r, &super::mask::Mask::All);
    let assignment = message.assignment(r);
    Some(Box::new(Sent::<E::Object>::new(at, state, patch, assignment, v)))
}

/// Expands to the reading of one kind; roles never travel.
macro_rules! of_one_kind {
    (Role $message:ident $encoded:ident $at:ident $r:ident $v:ident) => {
        None
    };
    ($variant:ident $message:ident $encoded:ident $at:ident $r:ident $v:ident) => {
        sent::<v1::$message>($encoded, $at, $r, $v)
    };
}

/// Expands to [`of_kind`].
macro_rules! reading {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// The object of a message of a kind.
        fn of_kind(
            kind: Kind,
            encoded: &[u8],
            at: (String, UniqueName),
            r: &mut Reader<'_>,
            v: &mut Violations,
        ) -> Option<Box<dyn Incoming>> {
            match kind {
                $(Kind::$variant => of_one_kind! { $variant $message encoded at r v },)+
                Kind::User | Kind::Team | Kind::Settings => None,
            }
        }
    };
}

named_kinds!(reading);

/// Rank, roles and default flag of a profile in a bundle.
pub(super) fn assignment(profile: &v1::Profile, r: &mut Reader<'_>) -> Assignment {
    let rank = profile.rank.and_then(|rank| {
        let rank = u8::try_from(rank).ok().filter(|rank| *rank <= crate::domain::profile::MAX_RANK);
        if rank.is_none() {
            r.v.add(Reason::RankOutOfRange, "rank", "must be 0 to 100");
        }
        rank
    });
    let roles = r.names("roles", Kind::Role, &profile.roles);
    Assignment { rank, roles, is_default: profile.is_default }
}

// ===== options and answers =====

/// What an export is called and what it is to hold.
pub(in crate::service) fn export(q: &v1::ExportRequest, r: &mut Reader<'_>) -> (Header, Selection) {
    let name = bundle_name("bundle", &q.bundle, r);
    check::line(&mut r.v, "bundle_version", &q.bundle_version, 1..=MAX_VERSION);
    let version = q.bundle_version.clone();
    check::count(&mut r.v, "profiles", q.profiles.len(), MAX_PROFILES);
    let selection = match (q.profiles.is_empty(), q.installed_bundle.is_empty()) {
        (true, true) => Selection::All,
        (true, false) => {
            Selection::Installed(bundle_name("installed_bundle", &q.installed_bundle, r))
        }
        (false, installed) => {
            if !installed {
                r.v.invalid("installed_bundle", "must be empty where profiles are named");
            }
            Selection::Profiles(r.names("profiles", Kind::Profile, &q.profiles))
        }
    };
    (Header { name, version }, selection)
}

/// How a bundle is taken over.
pub(in crate::service) fn options(q: &v1::ImportOptions, r: &mut Reader<'_>) -> ImportOptions {
    ImportOptions {
        on_existing: r.choice("options.on_existing", q.on_existing).unwrap_or_default(),
        on_rank_conflict: r
            .choice("options.on_rank_conflict", q.on_rank_conflict)
            .unwrap_or_default(),
        on_default_conflict: r
            .choice("options.on_default_conflict", q.on_default_conflict)
            .unwrap_or_default(),
        on_unknown_role: r.choice("options.on_unknown_role", q.on_unknown_role).unwrap_or_default(),
        on_pinned_url: r.choice("options.on_pinned_url", q.on_pinned_url).unwrap_or_default(),
        adopt_built_in: q.adopt_built_in,
        managed: q.managed,
    }
}

/// The name of a bundle.
/// Objects that an UninstallBundle names at most.
const MAX_UNINSTALLED: usize = 1_000;

fn bundle_name(field: &str, text: &str, r: &mut Reader<'_>) -> UniqueName {
    UniqueName::parse(text).unwrap_or_else(|rule| {
        r.v.add(Reason::UniqueNameInvalid, field, rule);
        UniqueName::known("refused_bundle")
    })
}

writes! {
    UninstallBundleRequest => UninstallBundle, |q, r| {
        let count = q.names.len();
        if count > MAX_UNINSTALLED {
            let rule = format!("must name at most {MAX_UNINSTALLED} objects, names {count}");
            r.v.invalid("names", rule);
        }
        let named = q.names.iter().take(MAX_UNINSTALLED).enumerate();
        UninstallBundle {
            objects: named.map(|(at, name)| r.any_key(&format!("names[{at}]"), name)).collect(),
            bundle: bundle_name("bundle", &q.bundle, r),
            force: q.force,
        }
    };
}

impl From<Answer<'_>> for v1::ImportResponse {
    fn from(answer: Answer<'_>) -> Self {
        let did = answer.outcome.imported.clone().unwrap_or_default();
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let objects = did.objects.iter().map(|(kind, name, result)| v1::ImportedObject {
            name: resource_name(*kind, name),
            result: result.wire().into(),
        });
        Self {
            objects: objects.collect(),
            created: count(did.created),
            updated: count(did.updated),
            unchanged: count(did.unchanged),
            skipped: count(did.skipped),
            write: answer.write(),
            bundle: did.bundle,
            bundle_version: did.version,
        }
    }
}
