//! The writes that all library objects share.

use deskplane_proto::v1;

use super::{
    Reader, Resource,
    mask::{Access, Mask},
    writes,
};
use crate::{
    catalog::Tabled as _,
    command::bundle::Assignment,
    command::library::{CloneObject, Create, Delete, SetState, Strategy, Update},
    domain::{Kind, State, meta::HasCommon as _},
};

/// The resource of a library object.
pub(in crate::service) trait Entry: Resource {
    /// The stored object.
    type Object: Strategy;

    /// Name, unique name, etag and state as sent.
    fn identity(&self) -> (&str, &str, &str, i32);

    /// The new values.
    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> <Self::Object as Strategy>::Patch;

    /// Rank, roles and default flag as a bundle gives them; only profiles have any.
    fn assignment(&self, _r: &mut Reader<'_>) -> Option<Assignment> {
        None
    }

    /// Notes the fields beside the state that only an action changes and that differ from what is
    /// stored, if anything is.
    fn changed_by_action(&self, _r: &mut Reader<'_>, _stored: Option<&Self::Object>) {}
}

/// The stored object of a resource.
type Stored<R> = <R as Entry>::Object;

/// The fields of a kind that a mask may name, and what a write may do with them.
pub(super) fn fields(kind: Kind) -> Vec<(&'static str, Access)> {
    kind.fields().map(|info| (info.path, info.access)).collect()
}

fn create<E: Entry>(r: &mut Reader<'_>, object: &E) -> Create<E::Object> {
    let (_, unique_name, _, state) = object.identity();
    by_action(r, object, None, state);
    let patch = object.patch(r, &Mask::Present);
    Create { unique_name: unique_name.to_owned(), patch }
}

fn update<E: Entry>(
    r: &mut Reader<'_>,
    object: &E,
    mask: Option<&prost_types::FieldMask>,
    allow_missing: bool,
) -> Update<E::Object> {
    let (name, unique_name, etag, state) = object.identity();
    let mask = r.mask(mask, &fields(E::KIND));
    let name = r.addressed(E::KIND, name, unique_name);
    let catalog = r.catalog;
    by_action(r, object, E::Object::table(&catalog.tables).get(&name).map(AsRef::as_ref), state);
    let etag = r.etag(etag);
    let patch = object.patch(r, &mask);
    Update { etag, allow_missing, ..Update::new(name, patch) }
}

fn by_action<E: Entry>(r: &mut Reader<'_>, object: &E, stored: Option<&E::Object>, state: i32) {
    let before = stored.map_or(State::Active, |stored| stored.common().state);
    if r.choice::<State>("state", state).is_some_and(|state| state != before) {
        r.changed_by_action("state", &fields(E::KIND));
    }
    object.changed_by_action(r, stored);
}

/// The name that the API gives a field of the generated code, where keywords are escaped.
fn field_name(identifier: &'static str) -> &'static str {
    identifier.strip_prefix("r#").unwrap_or(identifier)
}

/// Expands to the reading of one of the six writes of a library kind; to nothing for other methods.
macro_rules! library_write {
    (create [$resource:ident] [one $field:ident] $request:ident) => {
        writes! { $request => Create<Stored<v1::$resource>>, |q, r| {
            let object = r.required(field_name(stringify!($field)), q.$field);
            create(r, &object)
        }; }
    };
    (clone [$resource:ident] [one $field:ident] $request:ident) => {
        writes! { $request => CloneObject<Stored<v1::$resource>>, |q, r| {
            let source = r.name("name", v1::$resource::KIND, &q.name);
            CloneObject::new(source, q.unique_name, q.display_name)
        }; }
    };
    (update [$resource:ident] [one $field:ident] $request:ident) => {
        writes! { $request => Update<Stored<v1::$resource>>, |q, r| {
            let object = r.required(field_name(stringify!($field)), q.$field);
            update(r, &object, q.update_mask.as_ref(), q.allow_missing)
        }; }
    };
    (delete [$resource:ident] [none] $request:ident) => {
        writes! { $request => Delete<Stored<v1::$resource>>, |q, r| {
            let name = r.name("name", v1::$resource::KIND, &q.name);
            Delete::new(name, r.etag(&q.etag), q.force)
        }; }
    };
    (activate [$resource:ident] [one $field:ident] $request:ident) => {
        writes! { $request => SetState<Stored<v1::$resource>>, |q, r| {
            let name = r.name("name", v1::$resource::KIND, &q.name);
            SetState::new(name, r.etag(&q.etag), State::Active)
        }; }
    };
    (deactivate [$resource:ident] [one $field:ident] $request:ident) => {
        writes! { $request => SetState<Stored<v1::$resource>>, |q, r| {
            let name = r.name("name", v1::$resource::KIND, &q.name);
            SetState::new(name, r.etag(&q.etag), State::Inactive)
        }; }
    };
    ($verb:ident $noun:tt $detail:tt $request:ident) => {};
}

/// Expands to [`library_write!`] for every RPC.
macro_rules! library_writes {
    ($(service $service:ident {
        name: $name:literal,
        $(rpc $rpc:ident {
            path: $path:literal,
            method: $method:ident,
            way: $way:ident $detail:tt,
            verb: $verb:ident $noun:tt,
            request: $request:ident,
            response: $response:ident,
            access: $access:ident,
            audit: $audit:ident,
            secrets: $secrets:literal,
        })+
    })+) => {
        $($(library_write! { $verb $noun $detail $request })+)+
    };
}

deskplane_proto::for_each_service!(library_writes);
