//! Files that say one thing twice, or something else than their fields take, against a server.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use super::{ALL, World, outcomes};

impl World {
    fn named(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_whole_call_is_checked() {
    let world = World::new().await;
    let good = world.named("a.yaml", "kind: User\nid: n1\n---\nkind: User\nid: n2\n");
    let table = [
        ("kind: User\nid: N2\n", "5:5"),
        ("kind: User\nid: n3\nid: n3\n", "2:1"),
        ("kind: User\nid: 12345\n", "text is expected, 12345 is a number; quote it"),
        ("kind: Team\nid: a\ncolour: red\n", "3:1: colour: a Team has no such field"),
        ("kind: Team\nid: [\n", "this is no YAML: "),
    ];
    for (text, expected) in table {
        let bad = world.named("b.yaml", text);
        let ended = world.run(&["apply", "-f", &good, "-f", &bad]).await;
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{text}: {ended:?}");
        assert!(ended.err.starts_with(&format!("{bad}:")), "{text}: {ended:?}");
        assert!(ended.err.contains(expected), "{text}: {ended:?}");
        let listed = world.out(&["list", "users"]).await;
        assert!(!listed.contains("n1"), "{text}: {listed}");
    }
    let twice = world.run(&["apply", "-f", &good, "-f", &good]).await;
    assert_eq!(twice.code, 2);
    assert!(twice.err.contains(&format!("user/n1 is described twice, first at {good}:2:5")));
    let (code, err) =
        super::run(&mut Vec::new(), "http://127.0.0.1:1", &["apply", "-f", &good]).await;
    assert!(code == 1 && err.starts_with("cannot reach "), "{err}");
    let bad = world.named("b.yaml", "kind: User\nid: no\nid: no\n");
    let (code, err) =
        super::run(&mut Vec::new(), "http://127.0.0.1:1", &["apply", "-f", &bad]).await;
    assert!(code == 2 && err.contains("is given twice"), "{err}");
}

#[tokio::test]
async fn files_come_as_programs_write_them() {
    let world = World::new().await;
    let users =
        |out: &str| outcomes(out).iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    let table = [
        ("bom.yaml", "\u{feff}kind: User\nid: u1\n", 1),
        ("crlf.yaml", "kind: User\r\nid: u2\r\n---\r\nkind: User\r\nid: u3\r\n", 2),
        ("dots.yaml", "kind: User\nid: u4\n...\nkind: User\nid: u5\n...\n", 2),
        ("lines.json", "{\"kind\":\"User\",\"id\":\"u6\"}\n{\"kind\":\"User\",\"id\":\"u7\"}\n", 2),
        (
            "pretty.json",
            "{\n  \"kind\": \"User\",\n  \"id\": \"u8\"\n}\n{\n  \"kind\": \"User\",\n  \"id\": \"u9\"\n}",
            2,
        ),
        ("list.yaml", "kind: List\nitems:\n- kind: User\n  id: v1\n- kind: User\n  id: v2\n", 2),
        ("yaml.json", "kind: User\nid: v3\n", 1),
        ("flow.yaml", "{kind: User, id: v4}", 1),
        ("anchors.yaml", "kind: User\nid: v5\nroles: &r [msdyn_csr]\n---\nkind: User\nid: v6\n", 2),
        ("empty.yaml", "", 0),
        ("comment.yaml", "# nothing\n---\n---\n", 0),
    ];
    for (name, text, count) in table {
        let file = world.named(name, text);
        let ended = world.run(&["apply", "-f", &file]).await;
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        assert_eq!(users(&ended.out).len(), count, "{name}: {ended:?}");
        let note = "nothing to apply: no file holds a document\n";
        assert_eq!(ended.err, if count == 0 { note } else { "" }, "{name}");
    }
}

/// A feature goes by its name or by its code; the API refuses both at once.
#[tokio::test]
async fn a_feature_is_set_once() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let before = world.out(&["get", "profile", "contoso_rep", "-o", "yaml"]).await;
    for text in ["{case_summary: OFF, '829050003': ON}", "{'829050003': ON, case_summary: UNSET}"] {
        let text = format!("kind: Profile\nuniqueName: contoso_rep\ncopilot: {text}\n");
        let ended = world.apply(&text, &[]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        for part in
            ["FIELD_INVALID", "field copilot: `case_summary` is `case_summary`, which is given"]
        {
            assert!(ended.out.contains(part), "{ended:?}");
        }
    }
    assert_eq!(world.out(&["get", "profile", "contoso_rep", "-o", "yaml"]).await, before);
}

#[tokio::test]
async fn a_bomb_is_refused_at_once() {
    let world = World::new().await;
    let deep = format!("kind: User\ndisplayName: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let start = Instant::now();
    let ended = world.apply(&deep, &[]).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("more than 64 lists and maps are within one another"), "{ended:?}");
}

/// `get` and `list`, loaded and dumped by a reader of YAML 1.1, change nothing when applied.
#[tokio::test]
async fn what_a_reader_of_yaml_1_1_passes_on_is_unchanged() {
    let python = std::env::var("DESKPLANE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let dump = "import sys, yaml\n\
        yaml.safe_dump_all(list(yaml.safe_load_all(open(sys.argv[1]))), open(sys.argv[2], 'w'))";
    let known = Command::new(&python).args(["-c", "import yaml"]).output();
    if !known.is_ok_and(|ended| ended.status.success()) {
        eprintln!("!! SKIPPED: {python} has no PyYAML; .ci/clients/yaml.py makes up for it");
        return;
    }
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let names =
        ["No", "y", "1e3", "0x10", "1:30", "~", "null", "2026-01-01", "007", ".5", "=", "<<"];
    let odd: String = names
        .iter()
        .enumerate()
        .map(|(at, name)| format!("---\nkind: User\nid: odd{at}\ndisplayName: '{name}'\n"))
        .collect();
    assert_eq!(world.apply(&odd, &[]).await.code, 0);
    let ids = "{kind: User, id: '007', email: 'No'}\n---\n{kind: User, id: 'on'}\n";
    assert_eq!(world.apply(ids, &[]).await.code, 0);
    let codes = "kind: Profile\nuniqueName: contoso_rep\n\
        copilot: {'829059999': ON, '012345678': OFF, case_summary: ON}\n";
    let applied = world.apply(codes, &[]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    for kind in ["users", "teams", "profiles", "providers", "tools", "roles", "session-templates"] {
        let filter = match kind {
            "users" | "teams" => &[][..],
            _ => &["--filter", "origin = \"CUSTOM\""],
        };
        let list = [&["list", kind, "--all", "-o", "yaml"], filter].concat();
        let before = world.out(&list).await;
        let (shown, dumped) = (world.named("shown.yaml", &before), world.named("dumped.yaml", ""));
        let ended = Command::new(&python).args(["-c", dump, &shown, &dumped]).output().unwrap();
        assert!(ended.status.success(), "{kind}: {ended:?}\n{before}");
        let again = world.run(&["apply", "-f", &dumped]).await;
        assert_eq!(again.code, 0, "{kind}: {again:?}");
        let all = outcomes(&again.out);
        assert!(
            !all.is_empty() && all.iter().all(|(_, outcome)| *outcome == "unchanged"),
            "{again:?}"
        );
        assert_eq!(world.out(&list).await, before, "{kind}");
    }
}
