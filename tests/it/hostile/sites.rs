//! Where a request holds values: every field that its descriptor has, however deep.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, MethodDescriptor, Value,
};

/// One place of a request: the fields that lead to it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    path: Vec<FieldDescriptor>,
    /// The key, not the value, of a map.
    key: bool,
}

/// Parts of a resource that the server writes, and texts that are only compared: whatever is sent
/// there has no effect.
const IGNORED: &[&str] = &[
    "uid",
    "bundle",
    "bundle_version",
    "revision",
    "create_time",
    "update_time",
    "created_by",
    "updated_by",
    "origin",
    "unmatched_roles",
    "default_set_time",
    "team_roles",
    "synced_roles",
    "direct",
    "secret_states",
    "health",
    "family",
    "org_gate",
    "required_role",
    "if_digest_matches",
    "if_changed_since",
    "resume_token",
    "digest",
];

/// Of these the server does take notice in requests about the past.
const NOTICED: &[&str] = &["revision"];

/// One write of a list, which may be any: each is attacked as the request of its own method.
const OPERATION: &str = "deskplane.v1.Operation";

/// The write that is attacked as one of a list, too. The requests of the table hold it.
const OF_LISTS: &str = "add_users";

/// Every place in messages of a type.
pub(super) fn sites(message: &MessageDescriptor) -> Vec<Site> {
    let mut found = Vec::new();
    walk(message, &mut Vec::new(), &mut found);
    found
}

fn walk(message: &MessageDescriptor, path: &mut Vec<FieldDescriptor>, found: &mut Vec<Site>) {
    for field in message.fields() {
        // A message that may hold others like itself is entered once by each of its fields.
        if path.contains(&field) {
            continue;
        }
        if message.full_name() == OPERATION && field.name() != OF_LISTS {
            continue;
        }
        path.push(field.clone());
        if field.is_map() {
            found.extend([true, false].map(|key| Site { path: path.clone(), key }));
        } else if let Kind::Message(inner) = field.kind() {
            walk(&inner, path, found);
        } else {
            found.push(Site { path: path.clone(), key: false });
        }
        path.pop();
    }
}

impl Site {
    /// The last field.
    pub(super) fn last(&self) -> &FieldDescriptor {
        &self.path[self.path.len() - 1]
    }

    /// What the place holds.
    pub(super) fn kind(&self) -> Kind {
        match self.last().kind() {
            Kind::Message(entry) if self.last().is_map() => {
                let part = if self.key { "key" } else { "value" };
                entry.get_field_by_name(part).unwrap().kind()
            }
            kind => kind,
        }
    }

    /// Whether the server takes no notice of the place.
    pub(super) fn is_ignored(&self, rpc: &MethodDescriptor) -> bool {
        let created = rpc.name().starts_with("Create")
            && matches!(self.path[1..], [ref field] if matches!(field.name(), "name" | "etag"));
        // A caller who names another user learns no more than that it is another.
        let own = rpc.name() == "ReportProfileStatus" && self.last().name() == "user";
        let noticed = self.path.len() == 1 && NOTICED.contains(&self.last().name());
        let ignored = self.path.iter().any(|field| IGNORED.contains(&field.name()));
        created || own || (ignored && !noticed)
    }

    /// Whether it is the revision that a Rollback goes back to.
    pub(super) fn is_of_a_rollback(&self) -> bool {
        self.is_of_the_past() && self.last().parent_message().name() == "RollbackRequest"
    }

    /// Whether it is a revision that a request about the past names.
    pub(super) fn is_of_the_past(&self) -> bool {
        self.path.len() == 1 && self.last().name().ends_with("revision")
    }

    /// Which field it is, wherever it stands: those that many requests have in common are one.
    pub(super) fn id(&self) -> (String, bool) {
        let common = self.path.len() == 1 && !self.last().is_list();
        let field = if common { self.last().name() } else { self.last().full_name() };
        (field.to_owned(), self.key)
    }

    /// `profile.pane.tools.tool`.
    pub(super) fn name(&self) -> String {
        let names: Vec<_> = self.path.iter().map(FieldDescriptor::name).collect();
        names.join(".")
    }

    /// Whether the path of a violation means this place or what holds it.
    pub(super) fn is_named_by(&self, violation: &str) -> bool {
        let plain = violation.split('[').next().unwrap_or_default();
        let last = violation.rsplit('.').next().unwrap_or_default();
        let last = last.split('[').next().unwrap_or_default();
        let names: Vec<_> = self.path.iter().map(FieldDescriptor::name).collect();
        // SetCopilot merges into the field that profiles call `copilot`.
        let merged = plain == "copilot" && names.contains(&"features");
        // A mask that names a field is wrong about that field.
        let masked = names.contains(&"update_mask");
        // An object has one identity, under two names.
        let identity = ["name", "unique_name", "id"];
        let same =
            identity.contains(&last) && names.last().is_some_and(|name| identity.contains(name));
        same || merged || masked || names.contains(&last) || names.contains(&plain)
    }

    /// The text that a request has in the place.
    pub(super) fn text(&self, request: &DynamicMessage) -> String {
        let mut message = request.clone();
        for field in &self.path[..self.path.len() - 1] {
            let value = message.get_field(field).into_owned();
            let inner = match value {
                Value::List(mut list) if !list.is_empty() => list.swap_remove(0),
                value => value,
            };
            let Value::Message(inner) = inner else { return String::new() };
            message = inner;
        }
        match message.get_field(self.last()).as_ref() {
            Value::String(text) => text.clone(),
            Value::List(list) => {
                list.first().and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Value::Map(map) => {
                let entry = map.iter().next();
                let (key, value) = (
                    entry.and_then(|(key, _)| key.as_str()),
                    entry.and_then(|(_, value)| value.as_str()),
                );
                (if self.key { key } else { value }).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// Repeats what the list in the place holds first.
    pub(super) fn fill(&self, request: &mut DynamicMessage, count: usize) {
        let (last, holders) = (self.last(), &self.path[..self.path.len() - 1]);
        let mut message = request;
        for field in holders {
            message = match message.get_field_mut(field) {
                Value::List(list) => list[0].as_message_mut().unwrap(),
                value => value.as_message_mut().unwrap(),
            };
        }
        let Value::List(list) = message.get_field_mut(last) else { panic!("{last:?}") };
        list.resize(count, list[0].clone());
    }

    /// Puts a value in the place; lists keep what else they have.
    pub(super) fn put(&self, request: &mut DynamicMessage, value: Value) {
        put(request, &self.path, self.key, value);
    }
}

fn put(message: &mut DynamicMessage, path: &[FieldDescriptor], key: bool, value: Value) {
    let (field, rest) = (&path[0], &path[1..]);
    if field.is_map() {
        let Value::Map(map) = message.get_field_mut(field) else { panic!("{field:?}") };
        if key {
            let Kind::Message(entry) = field.kind() else { panic!("{field:?}") };
            let kept = Value::default_value_for_field(&entry.map_entry_value_field());
            let kept = map.drain().next().map_or(kept, |(_, value)| value);
            let text = value.as_str().unwrap().to_owned();
            map.insert(MapKey::String(text), kept);
        } else {
            let kept = map.drain().next().map(|(key, _)| key);
            map.insert(kept.unwrap_or(MapKey::String("key".into())), value);
        }
    } else if rest.is_empty() && field.is_list() {
        let Value::List(list) = message.get_field_mut(field) else { panic!("{field:?}") };
        match list.first_mut() {
            Some(first) => *first = value,
            None => list.push(value),
        }
    } else if rest.is_empty() {
        message.set_field(field, value);
    } else {
        let inner = message.get_field_mut(field);
        let inner = match inner {
            Value::List(list) => {
                if list.is_empty() {
                    let Kind::Message(kind) = field.kind() else { panic!("{field:?}") };
                    list.push(Value::Message(DynamicMessage::new(kind)));
                }
                &mut list[0]
            }
            inner => inner,
        };
        let Value::Message(inner) = inner else { panic!("{field:?}") };
        put(inner, rest, key, value);
    }
}
