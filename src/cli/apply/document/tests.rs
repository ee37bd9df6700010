use std::sync::LazyLock;

use super::*;

mod types;

static API: LazyLock<Api> = LazyLock::new(Api::of_this_build);

fn read_as(name: &str, text: &str) -> Result<Vec<Document>> {
    read(&API, name, text)
}

fn ids(text: &str) -> Vec<String> {
    read_as("t.yaml", text).unwrap().into_iter().map(|document| document.id).collect()
}

/// The mistakes of a text, without its name.
fn mistakes(text: &str) -> Vec<String> {
    let Err(error) = read_as("t.yaml", text) else { panic!("{text} is right") };
    assert_eq!(error.exit_code(), 2);
    let lines = error.to_string();
    lines.lines().map(|line| line.strip_prefix("t.yaml:").unwrap_or(line).to_owned()).collect()
}

#[test]
fn documents_are_read_in_every_form() {
    for text in [
        "\u{feff}kind: User\nid: n9\n",
        "kind: User\r\nid: n9\r\n",
        "kind: User\nid: n9\n...\n",
        "{kind: User, id: n1}",
        "[{kind: User, id: n1}]",
        "{\"kind\": \"User\", \"id\": \"n1\"}",
        "kind: List\nitems:\n- kind: User\n  id: n1\n",
        "kind: list\nitems: [{kind: List, items: [{kind: User, id: n1}]}]\n",
    ] {
        assert_eq!(ids(text).len(), 1, "{text}");
    }
    let text = "{\"kind\": \"User\", \"id\": \"a\"}\n{\"kind\": \"User\", \"id\": \"b\"}\n";
    assert_eq!(ids(text), ["a", "b"]);
    for text in ["", "---\n---\n", "# nothing\n", "[]", "kind: List\nitems: []\n"] {
        assert_eq!(ids(text).len(), 0, "{text}");
    }
}

#[test]
fn what_is_no_document_is_refused_where_it_stands() {
    let table = [
        ("id: a\n", "1:1: `kind` is missing"),
        ("kind: User\nid: a\n---\nspec: {}\n", "4:1: `kind` is missing"),
        ("kind: Thing\n", "1:7: kind: there is no kind `Thing`"),
        ("kind:\n", "1:5: kind: text is expected, this is nothing"),
        ("kind: [User]\n", "1:7: kind: text is expected, this is a list"),
        ("kind: User\n", "1:1: a User needs `id`"),
        ("kind: User\nid: ''\n", "1:1: a User needs `id`"),
        ("--- null\n", "1:5: a document is a map with a `kind` and the fields of the resource"),
        ("- a\n", "1:3: a document is a map"),
        ("[[], 3]\n", "1:6: a document is a map"),
        ("kind: List\n", "1:1: a List needs `items`"),
        ("kind: List\nitems: {}\n", "2:8: items: a list is expected, this is a map"),
        ("kind: List\nitems: []\nitems: []\n", "3:1: items: is given twice, first at 2:1"),
        ("kind: List\nitems: []\nmore: 1\n", "3:1: more: a List has no such field"),
        ("kind: Team\nid: a\nusers: [b]\n", "3:1: users: only a Profile has it"),
        ("kind: Team\nid: a\nprofile: b\n", "3:1: profile: only a User has it"),
        ("kind: User\nid: a\ncolour: red\n", "3:1: colour: a User has no such field"),
        ("kind: User\nname: profiles/contoso_a\n", "2:7: name: `profiles/contoso_a` names no user"),
        ("kind: User\nid: a\nname: users/b\n", "3:7: name: says `b`, and id at 2:5 says `a`"),
        (
            "kind: Profile\nuniqueName: contoso_a\npane: {true: 1}\n",
            "3:8: pane.true: a Pane has no such field; a key such as `on` must be quoted",
        ),
    ];
    for (text, expected) in table {
        let found = mistakes(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:#?}");
    }
}

/// Everything that one document can say twice, each with the second and the first place.
#[test]
fn a_document_says_each_thing_once() {
    let profile = "kind: Profile\nuniqueName: contoso_a\n";
    let table = [
        ("kind: Profile\nuniqueName: contoso_a\nkind: User\n", "3:1", "kind", "1:1"),
        (&format!("{profile}owner: a\nowner: a\n"), "4:1", "owner", "3:1"),
        (
            &format!("{profile}unique_name: contoso_b\n"),
            "3:1",
            "unique_name",
            "2:1 as `uniqueName`",
        ),
        (
            &format!("{profile}displayName: a\ndisplay_name: b\n"),
            "4:1",
            "display_name",
            "3:1 as `displayName`",
        ),
        (&format!("{profile}pane: {{on: true}}\npane: {{}}\n"), "4:1", "pane", "3:1"),
        (&format!("{profile}pane: {{on: true, on: false}}\n"), "3:18", "pane.on", "3:8"),
        (
            &format!("{profile}pane: {{tools: [{{tool: x, order: 1, order: 1}}]}}\n"),
            "3:36",
            "pane.tools[0].order",
            "3:26",
        ),
        (&format!("{profile}copilot: {{a: ON, b: ON, a: ON}}\n"), "3:25", "copilot.a", "3:11"),
        (&format!("{profile}copilot: {{ask: ON, ASK: OFF}}\n"), "3:20", "copilot.ASK", "3:11"),
        (&format!("{profile}users: [a]\nusers: [b]\n"), "4:1", "users", "3:1"),
        ("kind: User\nid: a\nprofile: x\nprofile: y\n", "4:1", "profile", "3:1"),
        (
            "kind: User\nid: a\nuserKind: HUMAN\nuser_kind: HUMAN\n",
            "4:1",
            "user_kind",
            "3:1 as `userKind`",
        ),
        (
            "{\"kind\": \"User\", \"id\": \"a\",\n \"email\": \"b\", \"email\": \"b\"}",
            "2:16",
            "email",
            "2:2",
        ),
        (
            "kind: Provider\nuniqueName: contoso_a\nsecrets: {token: a, Token: b}\n",
            "3:21",
            "secrets.Token",
            "3:11",
        ),
    ];
    for (text, second, path, first) in table {
        let expected = format!("{second}: {path}: is given twice, first at {first}");
        assert_eq!(mistakes(text), [expected], "{text}");
    }
}

#[test]
fn a_list_holds_each_element_once() {
    let profile = "kind: Profile\nuniqueName: contoso_a\n";
    let provider = "kind: Provider\nuniqueName: contoso_a\n";
    let table = [
        (profile, "roles: [msdyn_csr, b, msdyn_csr]", "3:23: roles: `msdyn_csr`", "3:9"),
        (profile, "roles: [msdyn_csr, securityRoles/MSDYN_csr]", "3:20: roles: `msdyn_csr`", "3:9"),
        (profile, "sessionTemplates: [a, a]", "3:23: sessionTemplates: `a`", "3:20"),
        (profile, "providers:\n- a\n- channelProviders/A", "5:3: providers: `a`", "4:3"),
        (profile, "users: [a, users/A]", "3:12: users: `a`", "3:9"),
        (
            profile,
            "pane: {tools: [{tool: a}, {tool: productivityTools/a, order: 2}]}",
            "3:27: pane.tools: `a`",
            "3:16",
        ),
        (profile, "inbox: {views: [{name: A b}, {name: a B}]}", "3:30: inbox.views: `a b`", "3:17"),
        (
            profile,
            "inbox: {views: [{name: a, uniqueName: x}, {name: b, uniqueName: X}]}",
            "3:43: inbox.views: `x`",
            "3:17",
        ),
        (
            profile,
            "inbox: {views: [{name: a, recordTypes: [case, CASE]}]}",
            "3:47: inbox.views[0].recordTypes: `case`",
            "3:41",
        ),
        (
            provider,
            "trustedDomains: [a.example, A.example]",
            "3:29: trustedDomains: `a.example`",
            "3:18",
        ),
        (
            provider,
            "capabilities: [DIAL, CAPABILITY_DIAL]",
            "3:22: capabilities: `capability_dial`",
            "3:16",
        ),
        ("kind: Role\nuniqueName: contoso_a\n", "grants: [ADMIN, ADMIN]", "3:17: grants: ", "3:10"),
        ("kind: Team\nid: a\n", "members: [b, users/B]", "3:14: members: `b`", "3:11"),
        (
            "kind: Tab\nuniqueName: contoso_a\n",
            "parameters: [{name: url, value: a}, {name: URL, value: b}]",
            "3:37: parameters: `url`",
            "3:14",
        ),
    ];
    for (start, list, second, first) in table {
        let found = mistakes(&format!("{start}{list}\n"));
        assert!(found.len() == 1 && found[0].starts_with(second), "{list}: {found:?}");
        assert!(found[0].ends_with(&format!(" is given twice, first at {first}")), "{found:?}");
    }
    // Several inbox views without a unique name, and what the server wrote itself, are no repetition.
    assert_eq!(ids(&format!("{profile}inbox: {{views: [{{name: a}}, {{name: b}}]}}\n")).len(), 1);
    assert_eq!(ids(&format!("{profile}unmatchedRoles: [a, a]\n")).len(), 1);
}

/// Texts of JSON are part of the document.
#[test]
fn a_text_of_json_says_each_thing_once() {
    let json = r#"'{"a": {"b": 1,\n    "b": 2}}'"#.replace("\\n", "\n");
    let table = [
        ("kind: Provider\nuniqueName: contoso_a\n", "config: "),
        ("kind: Profile\nuniqueName: contoso_a\n", "inbox: {views: [{name: a, advancedFilter: "),
        ("kind: Template\nuniqueName: contoso_a\n", "expression: {tree: "),
        ("kind: Tab\nuniqueName: contoso_a\n", "parameters: [{name: data, value: "),
    ];
    for (start, field) in table {
        let close: String = field
            .chars()
            .rev()
            .filter_map(|c| match c {
                '{' => Some('}'),
                '[' => Some(']'),
                _ => None,
            })
            .collect();
        let found = mistakes(&format!("{start}{field}{json}{close}\n"));
        let expected = "`b` is given twice in this JSON, at 1:8 and 1:16";
        assert!(found.len() == 1 && found[0].ends_with(expected), "{found:?}");
        assert_eq!(ids(&format!("{start}{field}'{{\"a\": 1}}'{close}\n")).len(), 1);
        assert_eq!(ids(&format!("{start}{field}'{{anchor.title}}'{close}\n")).len(), 1);
    }
}

#[test]
fn several_documents_say_each_thing_once() {
    let twice = |texts: &[&str]| {
        let names = ["a.yaml", "b.yaml"];
        let sources: Vec<_> = texts
            .iter()
            .zip(names)
            .map(|(text, name)| Source { name: name.to_owned(), text: (*text).to_owned() })
            .collect();
        read_all(&API, &sources).unwrap_err().to_string()
    };
    let table: [(&[&str], &str); 9] = [
        (
            &["kind: User\nid: a\n", "kind: User\nid: a\n"],
            "b.yaml:2:5: user/a is described twice, first at a.yaml:2:5",
        ),
        (
            &["kind: User\nid: a\n---\nkind: user\nid: A\n"],
            "a.yaml:5:5: user/A is described twice, first at a.yaml:2:5",
        ),
        (
            &[
                "kind: Profile\nuniqueName: contoso_Rep\n",
                "kind: prof\nname: profiles/contoso_rep\n",
            ],
            "b.yaml:2:7: profile/contoso_rep is described twice, first at a.yaml:2:13",
        ),
        (
            &[
                "kind: Role\nuniqueName: contoso_a\n",
                "kind: SecurityRole\nunique_name: contoso_a\n",
            ],
            "b.yaml:2:14: role/contoso_a is described twice, first at a.yaml:2:13",
        ),
        (
            &["kind: Settings\ncopilotOptIn: true\n", "kind: OrganizationSettings\n"],
            "b.yaml:1:1: settings is described twice, first at a.yaml:1:1",
        ),
        (
            &["{\"kind\":\"User\",\"id\":\"a\"}\n{\"kind\":\"User\",\"id\":\"a\"}"],
            "a.yaml:2:21: user/a is described twice, first at a.yaml:1:21",
        ),
        (
            &["kind: List\nitems: [{kind: User, id: a}, {kind: User, id: a}]\n"],
            "a.yaml:2:47: user/a is described twice, first at a.yaml:2:26",
        ),
        (
            &[
                "kind: Profile\nuniqueName: contoso_a\nusers: [b]\n",
                "kind: User\nid: B\nprofile: contoso_a\n",
            ],
            "b.yaml:3:10: user B is linked twice, first at a.yaml:3:9",
        ),
        (
            &[
                "kind: Profile\nuniqueName: contoso_a\nusers: [b]\n",
                "kind: Profile\nuniqueName: contoso_b\nusers: [c, users/b]\n",
            ],
            "b.yaml:3:12: user users/b is linked twice, first at a.yaml:3:9",
        ),
    ];
    for (texts, expected) in table {
        assert_eq!(twice(texts), expected, "{texts:?}");
    }
    // A team and a user may have the same id.
    assert_eq!(ids("kind: User\nid: a\n---\nkind: Team\nid: a\n").len(), 2);
}

#[test]
fn mistakes_of_all_texts_are_told_together_and_not_without_end() {
    let many: String = (0..1000).map(|n| format!("k{n}: v\n")).collect();
    let found = mistakes(&format!("kind: User\nid: 5\n{many}"));
    assert_eq!(found.len(), MAX_MISTAKES + 1);
    assert!(found[0].starts_with("2:5: id: "), "{found:?}");
    assert_eq!(found[MAX_MISTAKES], "and 951 more");
}
