use serde_json::json;

use super::{calls::plan, flags::Displace, *};
use crate::cli::{Api, client, kind::Kind};

fn api() -> Api {
    Api::of_this_build()
}

fn read(text: &str) -> Vec<Document> {
    document::read(&api(), "test.yaml", text).unwrap()
}

/// The calls for one document as `Method request`.
fn calls(text: &str, existing: Option<serde_json::Value>, flags: &Flags) -> Vec<String> {
    let document = read(text).remove(0);
    let existing = existing
        .map(|json| client::message(&api().message(document.kind.name).unwrap(), json).unwrap());
    let Calls { own, links } =
        plan(&api(), &document, existing.as_ref(), &BTreeSet::new(), flags).unwrap();
    own.iter().chain(&links).map(|call| format!("{} {}", call.method, call.request)).collect()
}

#[test]
fn documents_come_as_yaml_json_lists_and_several_in_one() {
    let many =
        "kind: Role\nunique_name: contoso_a\ndisplayName: A\n---\n- kind: team\n  id: b\n---\n";
    let names =
        |text: &str| read(text).iter().map(|d| (d.kind.name, d.id.clone())).collect::<Vec<_>>();
    let expected = [("SecurityRole", "contoso_a".to_owned()), ("Team", "b".to_owned())];
    assert_eq!(names(many), expected);
    let json = r#"[{"kind": "role", "uniqueName": "contoso_a"}, {"kind": "team", "id": "b"}]"#;
    assert_eq!(names(json), expected);
    assert_eq!(names(r#"{"kind": "team", "name": "teams/b"}"#), expected[1..]);
    assert_eq!(names(""), []);
}

#[test]
fn mistakes_of_all_documents_are_told_together() {
    let text = "kind: Profile\nuniqueName: contoso_a\ncolour: red\nshape: round\n---\n\
                kind: Thing\n---\nid: a\n---\nkind: User\n---\nkind: Team\nid: a\nusers: [b]\n---\n\
                kind: Profile\nuniqueName: contoso_b\npane: {on: maybe}\n";
    let error = document::read(&api(), "test.yaml", text).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    let expected = [
        "3:1: colour: a Profile has no such field",
        "4:1: shape: a Profile has no such field",
        "6:7: kind: there is no kind `Thing`",
        "8:1: `kind` is missing",
        "10:1: a User needs `id`",
        "14:1: users: only a Profile has it",
        "18:12: pane.on: true or false is expected",
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("test.yaml:{expected}")), "{line}");
    }
}

#[test]
fn what_only_the_server_sets_is_dropped_and_enums_may_be_short() {
    let text = "kind: Profile\nname: profiles/contoso_a\nuid: x\nrevision: '7'\netag: e1\n\
                createTime: '2026-03-01T08:00:00Z'\nstate: INACTIVE\n\
                pane: {mode: collapsed-no}\n";
    assert!(document::read(&api(), "", text).is_err());
    let document = &read(&text.replace("collapsed-no", "COLLAPSED"))[0];
    assert_eq!(
        serde_json::Value::Object(document.fields.clone()),
        json!({
            "unique_name": "contoso_a",
            "state": "STATE_INACTIVE",
            "pane": {"mode": "PANE_MODE_COLLAPSED"},
        })
    );
    assert_eq!(document.etag.as_deref(), Some("e1"));
    let text = "kind: Profile\nuniqueName: contoso_a\ncopilot: {case_summary: ON}\n";
    assert_eq!(read(text)[0].fields["copilot"]["case_summary"], "COPILOT_SETTING_ON");
}

#[test]
fn a_shown_resource_reads_back_as_its_document() {
    let user = json!({
        "name": "users/bot", "id": "bot", "kind": "USER_KIND_APPLICATION", "etag": "e1",
        "roles": ["securityRoles/msdyn_csr"], "direct": [{"profile": "profiles/contoso_a"}],
    });
    let message = client::message(&api().message("User").unwrap(), user).unwrap();
    let shown = document::show(Kind::find("user").unwrap(), &message).unwrap();
    let yaml = crate::cli::tree::emit(&shown);
    assert!(yaml.starts_with("kind: User\nname: users/bot\n"), "{yaml}");
    let document = &read(&yaml)[0];
    let fields = json!({
        "id": "bot", "kind": "USER_KIND_APPLICATION", "roles": ["securityRoles/msdyn_csr"],
    });
    assert_eq!(serde_json::Value::Object(document.fields.clone()), fields);
}

#[test]
fn a_new_resource_is_sent_whole_and_an_old_one_as_its_fields() {
    let text = "kind: Template\nuniqueName: contoso_a\nentity: incident\ntitle: T\netag: e1\n";
    let flags = Flags::default();
    assert_eq!(
        calls(text, None, &flags),
        [concat!(
            r#"UpdateSessionTemplate {"allow_missing":true,"session_template":"#,
            r#"{"entity":"incident","title":"T","unique_name":"contoso_a"}}"#
        )]
    );
    let same = json!({"entity": "incident"});
    assert_eq!(
        calls(text, Some(same), &Flags { if_unchanged: true, ..Flags::default() }),
        [concat!(
            r#"UpdateSessionTemplate {"allow_missing":true,"session_template":"#,
            r#"{"entity":"incident","etag":"e1","title":"T","unique_name":"contoso_a"},"#,
            r#""update_mask":"title"}"#
        )]
    );
    let other = calls(text, Some(json!({"entity": "account"})), &flags).remove(0);
    assert!(other.ends_with(r#""update_mask":"entity,title"}"#), "{other}");
    let settings = calls("kind: Settings\ncopilotOptIn: false\n", Some(json!({})), &flags);
    let expected =
        r#"UpdateSettings {"settings":{"copilot_opt_in":false},"update_mask":"copilotOptIn"}"#;
    assert_eq!(settings, [expected]);
}

#[test]
fn actions_follow_the_definition_in_an_order_that_works() {
    let name = "kind: Profile\nuniqueName: contoso_a\n";
    let with = |more: &str, flags: &Flags| {
        let calls = calls(&format!("{name}{more}"), Some(json!({})), flags);
        calls.into_iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let flags = Flags::default();
    let table: [(&str, &[&str]); 8] = [
        ("", &[]),
        ("state: ACTIVE\nisDefault: true", &["ActivateProfile", "SetDefault"]),
        ("state: INACTIVE\nisDefault: true", &["SetDefault", "DeactivateProfile"]),
        ("isDefault: false\nrank: 1\nroles: [a]", &["RemoveDefault", "SetRankAndRoles"]),
        ("rank: null\nroles: []\nisDefault: true", &["RemoveRankAndRoles", "SetDefault"]),
        ("rank: 1", &["SetRankAndRoles"]),
        ("users: [b]\nstate: INACTIVE", &["DeactivateProfile", "AddUsers"]),
        ("displayName: A\nstate: ACTIVE", &["UpdateProfile", "ActivateProfile"]),
    ];
    for (more, expected) in table {
        assert_eq!(with(more, &flags), expected, "{more}");
    }
    let flags = Flags {
        displace: Some(Displace::Swap),
        replace_current: true,
        r#move: true,
        ..Flags::default()
    };
    let all = calls(
        &format!("{name}rank: 1\nroles: [a]\nisDefault: true\nusers: [b]"),
        Some(json!({})),
        &flags,
    );
    assert!(all[0].contains(r#""displace":"DISPLACE_SWAP""#), "{all:?}");
    assert!(all[1].contains(r#""replace_current":true"#), "{all:?}");
    assert!(all[2].contains(r#""move":true,"name":"contoso_a","users":["b"]"#), "{all:?}");
}

#[test]
fn users_bring_roles_links_and_their_state() {
    let text = "kind: User\nid: a\nroles: [msdyn_csr]\ndisabled: true\nprofile: contoso_a\n";
    let all = calls(text, Some(json!({})), &Flags::default());
    assert_eq!(
        all,
        [
            r#"SetUserRoles {"name":"users/a","roles":["msdyn_csr"]}"#,
            r#"DisableUser {"name":"users/a"}"#,
            r#"AddUsers {"move":false,"name":"contoso_a","users":["a"]}"#,
        ]
    );
    let many: Vec<_> = (0..1001).map(|n| format!("u{n}")).collect();
    let text = json!({"kind": "Profile", "uniqueName": "contoso_a", "users": many}).to_string();
    assert_eq!(calls(&text, Some(json!({})), &Flags::default()).len(), 2);
}

/// Ids of users hold what separates words elsewhere; they reach the server as they are.
#[test]
fn ids_of_users_are_passed_on_untouched() {
    for id in [
        "kim_fabrikam.example#EXT#@contoso.example",
        "o'brien@contoso.example",
        "auth0|64a1b2",
        "CONTOSO\\kim",
        "a%2e$&!*?+={}^`~",
    ] {
        let kind = Kind::find("user").unwrap();
        // A bare id is literal; behind the slash `%` begins an escape.
        let name = format!("users/{}", id.replace('%', "%25"));
        assert_eq!(kind.resource_name(id), name);
        assert_eq!(kind.resource_name(&name), name);
        assert_eq!(kind.bare(&name), id);
        let json = json!({"kind": "User", "id": id, "profile": "contoso_a"}).to_string();
        let quoted = id.replace('\'', "''");
        let yaml = format!("kind: User\nid: '{quoted}'\nprofile: contoso_a\n");
        for text in [json, yaml] {
            let document = read(&text).remove(0);
            assert_eq!((document.id.as_str(), &document.fields["id"]), (id, &json!(id)));
            let Calls { own, links } =
                plan(&api(), &document, None, &BTreeSet::new(), &Flags::default()).unwrap();
            assert_eq!(own[0].request["user"]["id"], id);
            assert_eq!(links[0].request["users"], json!([id]));
        }
        let user = json!({"name": name, "id": id});
        let message = client::message(&api().message("User").unwrap(), user).unwrap();
        let shown = document::show(kind, &message).unwrap();
        assert_eq!(read(&crate::cli::tree::emit(&shown))[0].id, id);
        assert_eq!(cell(&message, "name"), id);
    }
    for plain in ["kim#EXT#@a.example", "o'brien@a.example", "auth0|64a1b2", "CONTOSO\\kim"] {
        assert_eq!(read(&format!("kind: User\nid: {plain}\n"))[0].id, plain);
    }
}
