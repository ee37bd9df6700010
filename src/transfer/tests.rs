//! The form of bundles, right and wrong.

use serde_json::json;

use super::*;
use crate::domain::{Reason, Refusal};

fn header() -> Header {
    Header { name: UniqueName::known("contoso_base"), version: "1".to_owned() }
}

fn refused(text: &str) -> Refusal {
    match Document::read(text.as_bytes()) {
        Ok(document) => panic!("{text:.80} is read: {document:?}"),
        Err(refusal) => refusal,
    }
}

#[test]
fn the_canonical_form_is_written_piece_by_piece_and_read_again() {
    let mut canonical = Canonical::new(Vec::new(), &header()).unwrap();
    let named = |name: &str| json!({"unique_name": name, "a": 1});
    canonical.resource(Kind::Script, &named("abc_x")).unwrap();
    canonical.resource(Kind::Script, &named("abc_y")).unwrap();
    canonical.resource(Kind::Profile, &named("abc_z")).unwrap();
    let text = String::from_utf8(canonical.finish(&header()).unwrap()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"format_version":1,"name":"contoso_base","objects":{"#,
            r#""agentScripts":[{"a":1,"unique_name":"abc_x"},{"a":1,"unique_name":"abc_y"}],"#,
            r#""profiles":[{"a":1,"unique_name":"abc_z"}]},"version":"1"}"#
        )
    );
    let document = Document::read(text.as_bytes()).unwrap();
    assert_eq!(document.header, header());
    let read: Vec<_> = document.resources.iter().map(|r| (r.path(), r.name.as_str())).collect();
    assert_eq!(
        read,
        [
            ("objects.agentScripts[0]".to_owned(), "abc_x"),
            ("objects.agentScripts[1]".to_owned(), "abc_y"),
            ("objects.profiles[0]".to_owned(), "abc_z"),
        ]
    );
    assert_eq!(document.resources[2].value().unwrap(), named("abc_z"));
}

#[test]
fn an_empty_bundle_has_a_form_and_a_hash_stands_in_front() {
    let empty = Canonical::hashed(Vec::new(), &header(), "sha256:00").unwrap();
    let text = String::from_utf8(empty.finish(&header()).unwrap()).unwrap();
    let want = concat!(
        r#"{"content_hash":"sha256:00","format_version":1,"name":"contoso_base","objects":{},"#,
        r#""version":"1"}"#
    );
    assert_eq!(text, want);
    assert_eq!(Document::read(text.as_bytes()).unwrap().content_hash.as_deref(), Some("sha256:00"));
}

#[test]
fn resources_come_in_canonical_order_whatever_theirs_is() {
    let text = json!({"version": "1", "format_version": 1, "name": "contoso_base", "objects": {
        "queues": [{"unique_name": "abc_B"}, {"unique_name": "abc_a"}],
        "channels": [{"unique_name": "abc_c"}],
    }});
    let text = text.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let names: Vec<_> = document.resources.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["abc_c", "abc_a", "abc_B"]);
}

#[test]
fn s11_4_hostile_documents_are_refused_with_reason_and_field() {
    let whole = r#"{"format_version":1,"name":"contoso_base","objects":{},"version":"1"}"#;
    assert!(Document::read(whole.as_bytes()).is_ok());
    for end in 0..whole.len() {
        assert_eq!(refused(&whole[..end]).reason, Reason::FieldInvalid, "cut at {end}");
    }
    let with = |from: &str, to: &str| whole.replace(from, to);
    let objects = |objects: &str| with(r#""objects":{}"#, &format!(r#""objects":{objects}"#));
    let deep = format!(r#"{{"queues":[{}]}}"#, "[".repeat(100_000));
    let nested = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    for (text, field) in [
        (with(":1,", ":2,"), "format_version"),
        (with(":1,", ":1.5,"), "format_version"),
        (with(":1,", ":\"1\","), "format_version"),
        (with(r#""format_version":1,"#, ""), "format_version"),
        (with(r#""format_version":1"#, r#""format_version":9,"other":1"#), "format_version"),
        (with(r#""format_version":1"#, r#""format_version":1,"other":1"#), "bundle"),
        (with(r#""version":"1""#, r#""version":"1","version":"1""#), "bundle"),
        (with(r#""version":"1""#, r#""version":1"#), "bundle"),
        (with(r#""version":"1""#, r#""version":"""#), "version"),
        (with(r#""version":"1""#, &format!(r#""version":"{}""#, "x".repeat(41))), "version"),
        (with(r#","version":"1""#, ""), "bundle"),
        (format!("{whole}x"), "bundle"),
        (format!("[{whole}]"), "bundle"),
        ("null".to_owned(), "bundle"),
        ("[".repeat(100_000), "bundle"),
        (objects("[]"), "bundle"),
        (objects(r#"{"users":[]}"#), "bundle"),
        (objects(r#"{"securityRoles":[]}"#), "bundle"),
        (objects(r#"{"Profiles":[]}"#), "bundle"),
        (objects(r#"{"queues":[],"queues":[]}"#), "bundle"),
        (objects(r#"{"queues":{}}"#), "bundle"),
        (objects(&deep), "bundle"),
        (objects(r#"{"queues":[1]}"#), "objects.queues[0]"),
        (objects(&format!(r#"{{"queues":[{nested}]}}"#)), "objects.queues[0].unique_name"),
        (
            objects(r#"{"queues":[{"unique_name":"abc_x"},{"unique_name":"ABC_x"}]}"#),
            "objects.queues[1]",
        ),
    ] {
        let refusal = refused(&text);
        let code = refusal.reason.code();
        assert_eq!(code, crate::domain::refusal::Code::InvalidArgument, "{text:.80}: {refusal}");
        assert_eq!(refusal.violations[0].field, field, "{text:.80}: {refusal}");
        assert!(refusal.message.len() < 1_000, "{text:.80}");
    }
}

#[test]
fn names_of_bundles_and_resources_keep_their_rule() {
    for (text, field) in [
        (r#"{"format_version":1,"name":"x","objects":{},"version":"1"}"#, "name"),
        (
            r#"{"format_version":1,"name":"abc_x","objects":{"queues":[{}]},"version":"1"}"#,
            "objects.queues[0].unique_name",
        ),
        (
            r#"{"format_version":1,"name":"abc_x","objects":{"queues":[{"unique_name":"a"}]},"version":"1"}"#,
            "objects.queues[0].unique_name",
        ),
    ] {
        let refusal = refused(text);
        assert_eq!(refusal.reason, Reason::UniqueNameInvalid, "{text}");
        assert_eq!(refusal.violations[0].field, field);
    }
}

#[test]
fn sizes_and_counts_have_an_end() {
    let large = vec![b' '; MAX_BUNDLE_BYTES + 1];
    assert_eq!(Document::read(&large).unwrap_err().reason, Reason::ResourceTooLarge);
    let many = vec!["{}"; MAX_RESOURCES + 1].join(",");
    let text = format!(
        r#"{{"format_version":1,"name":"abc_x","objects":{{"queues":[{many}]}},"version":"1"}}"#
    );
    assert!(refused(&text).message.contains("at most 100000 resources"));
    let long = "x".repeat(800_000);
    let text = format!(
        r#"{{"format_version":1,"name":"abc_x","objects":{{"queues":[{{"unique_name":"abc_x","a":"{long}"}}]}},"version":"1"}}"#
    );
    assert_eq!(refused(&text).reason, Reason::ResourceTooLarge);
}

#[test]
fn a_key_that_occurs_twice_in_a_resource_is_found_at_any_depth() {
    for text in [
        r#"{"unique_name":"abc_x","a":1,"a":1}"#,
        r#"{"unique_name":"abc_x","a":[{"b":{"c":1,"c":2}}]}"#,
        r#"{"unique_name":"abc_x","uniqueName":"abc_y"}"#,
        r#"{"a":[{"displayName":1,"x":2,"display_name":1}]}"#,
    ] {
        assert!(strict::parse(text).unwrap_err().to_string().contains("occurs twice"), "{text}");
    }
    let value = json!({"a": [1, -1, 1.5, "x", null, true, {"b": []}]});
    assert_eq!(strict::parse(&value.to_string()).unwrap(), value);
}
