//! Which stored objects the content of a profile is made of, and which parts of it differ.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    catalog::{Catalog, Tables},
    domain::{Kind, Object, ObjectKey, profile::Profile},
};

/// Fields of the encoded content by number, from 1 on.
const SECTIONS: [&str; 10] = [
    "schema_version",
    "profile",
    "session_templates",
    "pane",
    "copilot",
    "inbox",
    "channels",
    "providers",
    "extension_libraries",
    "limits",
];

/// What the content of a profile was made of: equal inputs and gates give equal content.
#[derive(Debug, Clone)]
pub struct Inputs {
    profile: Arc<Profile>,
    /// Settings that close gates.
    switches: [bool; 4],
    /// The library as a whole: while it is the same, nothing has to look at single objects.
    tables: Tables,
    /// Every object that the profile leads to, and every one that it misses.
    objects: BTreeMap<ObjectKey, Option<Object>>,
}

impl Inputs {
    /// What the content of the profile is made of in this catalog.
    pub fn of(catalog: &Catalog, profile: &Arc<Profile>) -> Self {
        Self {
            profile: Arc::clone(profile),
            switches: switches(catalog),
            tables: catalog.tables.clone(),
            objects: objects(catalog, profile),
        }
    }

    /// Whether the content would be the same in that catalog.
    pub fn hold_in(&self, catalog: &Catalog) -> bool {
        let stored = catalog.tables.profiles.get(self.profile.name());
        stored.is_some_and(|stored| Arc::ptr_eq(stored, &self.profile))
            && self.switches == switches(catalog)
            && (is_library(&self.tables, &catalog.tables)
                || self.same(&objects(catalog, &self.profile)))
    }

    /// Whether no profile can have other inputs in the second catalog but by a change of its own.
    pub fn library_is_same(one: &Catalog, other: &Catalog) -> bool {
        switches(one) == switches(other) && is_library(&one.tables, &other.tables)
    }

    /// Whether the object, existing or not, is one of them.
    pub fn include(&self, key: &ObjectKey) -> bool {
        self.objects.contains_key(key)
    }

    fn same(&self, others: &BTreeMap<ObjectKey, Option<Object>>) -> bool {
        self.objects.len() == others.len()
            && self.objects.iter().zip(others).all(|(mine, other)| {
                mine.0 == other.0
                    && match (mine.1, other.1) {
                        (Some(mine), Some(other)) => mine.is(other),
                        (None, None) => true,
                        _ => false,
                    }
            })
    }
}

/// Whether every table but that of profiles is one and the same.
fn is_library(one: &Tables, other: &Tables) -> bool {
    one.differing(other).all(|kind| kind == Kind::Profile)
}

fn switches(catalog: &Catalog) -> [bool; 4] {
    let settings = &catalog.settings;
    [
        settings.channels_provisioned,
        settings.copilot_opt_in,
        settings.case_handling_time,
        settings.screen_recording,
    ]
}

/// The objects that a profile leads to through references that carry content, existing or not.
fn objects(catalog: &Catalog, profile: &Arc<Profile>) -> BTreeMap<ObjectKey, Option<Object>> {
    let mut found = BTreeMap::new();
    let mut open = read_by(catalog, &Object::Profile(Arc::clone(profile)));
    while let Some(key) = open.pop() {
        if found.contains_key(&key) {
            continue;
        }
        let object = catalog.object(&key);
        open.extend(object.iter().flat_map(|object| read_by(catalog, object)));
        found.insert(key, object);
    }
    found
}

/// What an object reads itself.
fn read_by(catalog: &Catalog, object: &Object) -> Vec<ObjectKey> {
    let mut found = Vec::new();
    object.references(&mut |reference| {
        if reference.content {
            found.push(ObjectKey::new(reference.kind, reference.name.as_str()));
        }
    });
    for kind in object.reads_every() {
        found.extend(catalog.tables.after(*kind, None).map(|object| object.key()));
    }
    found
}

/// Names of the fields that differ between two encoded contents, in the order of their numbers.
pub fn changed_sections(before: &[u8], after: &[u8]) -> Vec<&'static str> {
    let (before, after) = (sections(before), sections(after));
    let changed = SECTIONS.into_iter().zip(before.iter().zip(&after));
    changed.filter(|(_, (before, after))| before != after).map(|(name, _)| name).collect()
}

/// The parts of an encoded content by field. Fields come in number order, so each is one stretch.
fn sections(content: &[u8]) -> [&[u8]; SECTIONS.len()] {
    let mut found: [&[u8]; SECTIONS.len()] = [&[]; SECTIONS.len()];
    let mut starts = [0; SECTIONS.len()];
    let mut rest = content;
    while let Some((number, after)) = field(rest) {
        let at = content.len() - rest.len();
        rest = after;
        if let Some(index) = number.checked_sub(1).filter(|index| *index < SECTIONS.len()) {
            if found[index].is_empty() {
                starts[index] = at;
            }
            found[index] = &content[starts[index]..content.len() - rest.len()];
        }
    }
    found
}

/// Number of the first field, and what comes after it.
fn field(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let (number, wire) = decode_key(&mut bytes).ok()?;
    let value = decode_varint(&mut bytes).ok()?;
    let rest = match wire {
        WireType::Varint => bytes,
        WireType::LengthDelimited => bytes.get(usize::try_from(value).ok()?..)?,
        _ => return None,
    };
    Some((usize::try_from(number).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use deskplane_proto::v1;
    use prost::Message;

    use super::*;

    #[test]
    fn sections_are_the_fields_of_the_content() {
        let pool =
            prost_reflect::DescriptorPool::decode(deskplane_proto::FILE_DESCRIPTOR_SET).unwrap();
        let content = pool.get_message_by_name("deskplane.v1.ProfileContent").unwrap();
        let fields: Vec<_> =
            content.fields().map(|f| (f.number() as usize, f.name().to_owned())).collect();
        let named: Vec<_> =
            SECTIONS.iter().enumerate().map(|(at, name)| (at + 1, (*name).to_owned())).collect();
        assert_eq!(fields, named);
    }

    #[test]
    fn only_what_differs_is_named() {
        let template = |title: &str| v1::ResolvedSessionTemplate {
            title: title.to_owned(),
            ..v1::ResolvedSessionTemplate::default()
        };
        let before = v1::ProfileContent {
            schema_version: 1,
            session_templates: vec![template("a"), template("b")],
            pane: Some(v1::ResolvedPane { on: true, ..v1::ResolvedPane::default() }),
            extension_libraries: vec!["x".to_owned()],
            ..v1::ProfileContent::default()
        };
        let mut after = before.clone();
        let differ = |after: &v1::ProfileContent| {
            changed_sections(&before.encode_to_vec(), &after.encode_to_vec())
        };
        assert!(differ(&after).is_empty());
        after.session_templates[1].title = "c".to_owned();
        assert_eq!(differ(&after), ["session_templates"]);
        after.pane = None;
        after.limits = Some(v1::ClientLimits { max_sessions: 9, ..v1::ClientLimits::default() });
        assert_eq!(differ(&after), ["session_templates", "pane", "limits"]);
    }
}
