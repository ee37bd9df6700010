//! The fields of an encoded content, and which of them differ.

/// Fields of the encoded content by number, from 1 on.
const SECTIONS: [&str; 15] = [
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
    "workstreams",
    "generic_session_templates",
    "scripts",
    "macros",
    "notification_templates",
];

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
