use super::*;
use crate::{cli::kind::KINDS, descriptors};

fn lists(message: &MessageDescriptor, found: &mut Vec<MessageDescriptor>) {
    for field in message.fields() {
        let Type::Message(inner) = field.kind() else { continue };
        // A message may hold others like itself.
        if field.is_list() && found.contains(&inner) {
            continue;
        }
        if field.is_list() {
            found.push(inner.clone());
        }
        if !field.is_map() && inner.package_name() != "google.protobuf" {
            lists(&inner, found);
        }
    }
}

/// A kind that is added brings the identity of its lists along.
#[test]
fn every_list_of_messages_knows_what_tells_its_elements_apart() {
    let mut found = Vec::new();
    for kind in KINDS.iter() {
        let message =
            descriptors::api().get_message_by_name(&format!("deskplane.v1.{}", kind.name));
        lists(&message.unwrap(), &mut found);
    }
    let mut names: Vec<_> = found.iter().map(|message| message.name().to_owned()).collect();
    let mut known: Vec<_> = IDENTITY.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    known.sort();
    assert_eq!(names, known);
    for (name, ways) in IDENTITY {
        let message = found.iter().find(|message| message.name() == *name).unwrap();
        for field in ways.iter().copied().flatten() {
            assert!(message.get_field_by_name(field).is_some(), "{name}.{field}");
        }
    }
}

fn texts_of_json(message: &MessageDescriptor, found: &mut Vec<(String, String)>) {
    for field in message.fields() {
        if let Type::Message(inner) = field.kind()
            && inner != *message
            && !field.is_map()
            && inner.package_name() != "google.protobuf"
        {
            texts_of_json(&inner, found);
        }
        let file = message.parent_file();
        let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
        let at = info.location.iter().find(|location| location.path == field.path()).unwrap();
        if at.leading_comments().replace('\n', " ").contains("as JSON text") {
            found.push((message.name().to_owned(), field.name().to_owned()));
        }
    }
}

#[test]
fn every_text_of_json_is_known() {
    let mut found = Vec::new();
    for kind in KINDS.iter() {
        let message =
            descriptors::api().get_message_by_name(&format!("deskplane.v1.{}", kind.name));
        texts_of_json(&message.unwrap(), &mut found);
    }
    assert!(found.len() >= 3, "{found:?}");
    for (message, field) in found {
        let pair = (message.as_str(), field.as_str());
        assert!(JSON_TEXT.contains(&pair), "{pair:?}");
    }
}
