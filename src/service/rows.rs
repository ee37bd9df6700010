//! What lists of each kind can be filtered and ordered by (SPEC §2.4).

use std::borrow::Cow;

use super::filter::{
    FieldType::{self, Bool, Name, Names, Number, Text, Time},
    Fields,
};
use crate::{
    catalog::Catalog,
    domain::{
        Common, Kind, Object, Origin, Stamp, UniqueName, UserId,
        directory::UserKind,
        field::{self, Value},
    },
};

/// Fields of one list: name and what it holds.
type Schema = Vec<(&'static str, FieldType)>;

/// The fields that a list of this kind can be filtered by.
pub(super) fn schema(kind: Kind) -> Schema {
    match kind {
        Kind::User => vec![
            ("id", Name(Kind::User)),
            ("display_name", Text),
            ("create_time", Time),
            ("update_time", Time),
            ("direct", Names(Kind::Profile)),
            ("roles", Names(Kind::Role)),
            ("teams", Names(Kind::Team)),
            ("kind", Text),
            ("disabled", Bool),
            ("email", Text),
            ("business_unit", Text),
        ],
        Kind::Team => vec![
            ("id", Name(Kind::Team)),
            ("display_name", Text),
            ("create_time", Time),
            ("update_time", Time),
        ],
        // There is one.
        Kind::Settings => Vec::new(),
        _ => {
            let common = [
                ("unique_name", Name(kind)),
                ("display_name", Text),
                ("state", Text),
                ("origin", Text),
                ("bundle", Text),
                ("owner", Text),
                ("create_time", Time),
                ("update_time", Time),
            ];
            let own = kind.fields().filter(|info| info.filter);
            let own = own.filter_map(|info| Some((info.path, compared(info.holds)?)));
            common.into_iter().chain(own).collect()
        }
    }
}

/// How filters compare a field; none where they cannot.
fn compared(holds: field::FieldType) -> Option<FieldType> {
    Some(match holds {
        field::FieldType::Text | field::FieldType::Lines | field::FieldType::Choice(_) => Text,
        field::FieldType::List => FieldType::List,
        field::FieldType::Number => Number,
        field::FieldType::Bool => Bool,
        field::FieldType::Time => Time,
        field::FieldType::Name(kind) => Name(kind),
        field::FieldType::Names(kind) => Names(kind),
        field::FieldType::User => Name(Kind::User),
        field::FieldType::UniqueName
        | field::FieldType::UniqueNames
        | field::FieldType::Map
        | field::FieldType::Records(_)
        | field::FieldType::Other => return None,
    })
}

/// The fields that a list of this kind can be ordered by.
pub(super) fn orders(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Profile => &["unique_name", "display_name", "create_time", "update_time", "rank"],
        Kind::User | Kind::Team => &["id", "display_name", "create_time", "update_time"],
        _ => &["unique_name", "display_name", "create_time", "update_time"],
    }
}

/// Every object of a kind, ascending by name, from behind the given name on where one is given.
pub(super) fn rows<'a>(
    catalog: &'a Catalog,
    kind: Kind,
    after: Option<&str>,
) -> Box<dyn Iterator<Item = Object> + 'a> {
    match kind {
        Kind::User => match after.and_then(|id| UserId::parse(id).ok()) {
            Some(id) => Box::new(catalog.users_after(&id).map(|s| Object::User(s.user()))),
            None => Box::new(catalog.users().map(|s| Object::User(s.user()))),
        },
        Kind::Team => Box::new(catalog.teams().map(|team| Object::Team(team.into_owned()))),
        Kind::Settings => Box::new(std::iter::once(Object::Settings(catalog.settings.clone()))),
        _ => {
            catalog.tables.after(kind, after.and_then(|name| UniqueName::parse(name).ok()).as_ref())
        }
    }
}

/// One object in a list.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The object.
    pub object: Object,
    /// For what is derived.
    pub catalog: &'a Catalog,
}

fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::Text(Cow::Borrowed(text)))
}

fn names<'a>(names: impl IntoIterator<Item = &'a UniqueName>) -> Option<Value<'a>> {
    Some(Value::Names(names.into_iter().map(|name| Cow::Borrowed(name.as_str())).collect()))
}

fn stamp_field<'a>(stamp: &'a Stamp, name: &str) -> Option<Value<'a>> {
    match name {
        "create_time" => Some(Value::Time(stamp.create_time.micros())),
        "update_time" => Some(Value::Time(stamp.update_time.micros())),
        _ => None,
    }
}

fn common_field<'a>(common: &'a Common, name: &str) -> Option<Value<'a>> {
    match name {
        "unique_name" => Some(Value::Name(Cow::Borrowed(common.unique_name.as_str()))),
        "display_name" => text(&common.display_name),
        "state" => text(if common.is_active() { "ACTIVE" } else { "INACTIVE" }),
        "origin" => text(match common.origin {
            Origin::BuiltIn => "BUILT_IN",
            Origin::Custom => "CUSTOM",
            Origin::Managed { .. } => "MANAGED",
        }),
        "bundle" => match &common.origin {
            Origin::Managed { bundle, .. } => text(bundle),
            Origin::BuiltIn | Origin::Custom => text(""),
        },
        "owner" => text(&common.owner),
        _ => None,
    }
}

impl Row<'_> {
    fn own_field(&self, name: &str) -> Option<Value<'_>> {
        match (&self.object, name) {
            (Object::User(o), "id") => Some(Value::Name(Cow::Borrowed(o.id.as_str()))),
            (Object::User(o), "display_name") => text(&o.display_name),
            (Object::User(o), "direct") => names(o.direct.iter().map(|link| &link.profile)),
            (Object::User(o), "roles") => names(&o.roles),
            (Object::User(o), "teams") => {
                let teams = self.catalog.teams_of(&o.id);
                let teams = teams.map(|team| Cow::Owned(team.id.as_str().to_owned()));
                Some(Value::Names(teams.collect()))
            }
            (Object::User(o), "kind") => text(match o.kind {
                UserKind::Human => "HUMAN",
                UserKind::Application => "APPLICATION",
            }),
            (Object::User(o), "disabled") => Some(Value::Bool(o.disabled)),
            (Object::User(o), "email") => text(&o.email),
            (Object::User(o), "business_unit") => text(&o.business_unit),
            (Object::Team(o), "id") => Some(Value::Name(Cow::Borrowed(o.id.as_str()))),
            (Object::Team(o), "display_name") => text(&o.display_name),
            (object, name) => object.field(name),
        }
    }
}

impl Fields for Row<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        stamp_field(self.object.stamp(), name)
            .or_else(|| self.own_field(name))
            .or_else(|| common_field(self.object.common()?, name))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::{
        catalog::builtin,
        domain::{Change, TeamId, Time, directory::Team},
    };

    /// An object of every kind.
    fn catalog() -> Catalog {
        let stamp = Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test");
        let user = serde_json::json!({"id": "jane", "stamp": stamp, "display_name": "Jane"});
        let team = Team {
            id: TeamId::parse("day").unwrap(),
            stamp,
            display_name: "Day".to_owned(),
            members: BTreeSet::new(),
            roles: BTreeSet::new(),
            external_id: None,
        };
        let mut objects = crate::command::library::samples("contoso_sample", |_| None);
        objects.extend([
            Object::User(Arc::new(serde_json::from_value(user).unwrap())),
            Object::Team(Arc::new(team)),
        ]);
        let catalog =
            Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
        let changes: Vec<_> = objects.into_iter().map(Change::Put).collect();
        catalog.apply(&changes, 2, Time::default())
    }

    #[test]
    fn every_field_that_a_filter_may_name_has_a_value() {
        let catalog = catalog();
        let mut seen = BTreeSet::new();
        for object in catalog.objects() {
            let kind = object.kind();
            seen.insert(kind);
            let row = Row { object, catalog: &catalog };
            for (field, _) in schema(kind) {
                assert!(row.field(field).is_some(), "{kind:?} has no value of {field}");
            }
            for order in orders(kind).iter().filter(|_| !schema(kind).is_empty()) {
                assert!(schema(kind).iter().any(|(field, _)| field == order), "{kind:?} {order}");
            }
        }
        let missing: Vec<_> = Kind::NAMED.iter().filter(|kind| !seen.contains(kind)).collect();
        assert!(missing.is_empty(), "nothing of {missing:?} was tried");
    }
}
