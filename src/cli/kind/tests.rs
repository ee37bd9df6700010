use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::*;

fn message(kind: &Kind) -> MessageDescriptor {
    descriptors::api().get_message_by_name(&format!("deskplane.v1.{}", kind.name)).unwrap()
}

fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_message().parent_file();
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
    let location = info.location.iter().find(|location| location.path == field.path()).unwrap();
    location.leading_comments().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_method_and_field_of_the_table_exists() {
    for kind in KINDS.iter() {
        let service = descriptors::api()
            .get_service_by_name(&format!("deskplane.v1.{}", kind.service))
            .unwrap();
        let method = |name: &str| service.methods().find(|m| m.name() == name).unwrap();
        assert!(method(&kind.get).input().get_field_by_name("name").is_some());
        let full_name = message(kind).full_name().to_owned();
        assert_eq!(method(&kind.get).output().full_name(), full_name);
        let write = method(&kind.write);
        for end in [write.input(), write.output()] {
            let field = end.get_field_by_name(&kind.field).unwrap();
            assert_eq!(field.kind().as_message().unwrap().full_name(), full_name);
        }
        assert!(write.input().get_field_by_name("update_mask").is_some());
        if let Some((list, rows)) = &kind.list {
            let rows = method(list).output().get_field_by_name(rows).unwrap();
            assert_eq!(rows.kind().as_message().unwrap().full_name(), full_name);
        }
        let fields = kind.read_only.iter().chain(&kind.actions).chain(&kind.immutable);
        for name in fields.chain(kind.id.as_ref()) {
            assert!(message(kind).get_field_by_name(name).is_some(), "{}.{name}", kind.name);
        }
        for (_, path) in &kind.columns {
            let mut at = message(kind);
            for part in path.split('.') {
                let field = at.get_field_by_name(part);
                let field = field.unwrap_or_else(|| panic!("{}.{path}", kind.name));
                if let Some(inner) = field.kind().as_message() {
                    at = inner.clone();
                }
            }
        }
        if kind.actions.contains(&"state") {
            for verb in ["Activate", "Deactivate"] {
                method(&format!("{verb}{}", kind.name));
            }
        }
    }
}

/// Whatever the API reads and writes by name has a row.
#[test]
fn every_resource_that_can_be_written_is_a_kind() {
    let mut missing = Vec::new();
    for service in descriptors::api().services() {
        for method in service.methods().filter(|method| method.name().starts_with("Get")) {
            let resource = method.output().full_name().to_owned();
            let holds = |field: FieldDescriptor| {
                field.kind().as_message().is_some_and(|message| message.full_name() == resource)
            };
            let written = service.methods().any(|write| {
                let verb = ["Update", "Upsert"].iter().any(|verb| write.name().starts_with(verb));
                verb && write.input().fields().any(holds)
            });
            if written && !KINDS.iter().any(|kind| method.output().name() == kind.name) {
                missing.push(resource);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The API says in the comment of a field who sets it; the table must say the same.
#[test]
fn the_table_agrees_with_the_comments_of_the_api() {
    for kind in KINDS.iter() {
        for field in message(kind).fields() {
            let (name, comment) = (field.name(), comment(&field));
            let action = kind.actions.contains(&name);
            assert_eq!(
                kind.is_read_only(name) || action,
                comment.starts_with("*Output only") || action,
                "{}.{name}: {comment}",
                kind.name
            );
            assert_eq!(
                kind.immutable.contains(&name) || kind.id == Some(name),
                comment.contains("*Immutable.*"),
                "{}.{name}: {comment}",
                kind.name
            );
            assert_eq!(kind.is_secret(name), comment.contains("*Input only*"), "{comment}");
        }
    }
}

#[test]
fn kinds_are_found_by_every_name_and_no_name_means_two() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in KINDS.iter() {
        for name in &kind.names {
            assert!(seen.insert(name), "{name} is taken twice");
            assert_eq!(Kind::find(&name.to_uppercase()).unwrap(), kind);
        }
        assert_eq!(Kind::find(kind.name).unwrap(), kind);
    }
    let error = Kind::find("profil").unwrap_err().to_string();
    assert!(error.contains("session-template"), "{error}");
}

#[test]
fn names_are_taken_bare_or_whole() {
    let profile = Kind::find("profile").unwrap();
    assert_eq!(profile.resource_name("contoso_rep"), "profiles/contoso_rep");
    assert_eq!(profile.resource_name("profiles/contoso_rep"), "profiles/contoso_rep");
    // A bare id is literal, a resource name is percent-encoded.
    let user = Kind::find("user").unwrap();
    assert_eq!(user.resource_name("a%41#"), "users/a%2541#");
    assert_eq!(user.resource_name("users/a%2541#"), "users/a%2541#");
    assert_eq!(Kind::find("settings").unwrap().resource_name(""), "organizationSettings");
}
