//! Bundles on the command line: written to a file, read by another server, and removed.

use std::path::Path;

use serde_json::Value;

use super::{ALL, World};

/// A role that the documents of the bundle name, and another organisation need not have.
const ROLE: &str = "kind: SecurityRole\nuniqueName: contoso_agents\ndisplayName: Agents\n";
/// Objects of the bundle.
const OBJECTS: usize = 5;

/// The organisation of all documents, and its bundle in a file.
async fn exported() -> (World, String) {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let file = world.folder.path().join("base.json");
    let file = file.to_str().unwrap().to_owned();
    let out = world
        .out(&["export", "--name", "contoso_base", "--version", "1.4.0", "--out", &file])
        .await;
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert!(out.starts_with("bundle contoso_base 1.4.0 at revision "), "{out}");
    assert!(out.ends_with(&format!(": {bytes} bytes\n")), "{out}");
    (world, file)
}

/// Whether a custom profile is there.
async fn has_profile(world: &World, name: &str) -> bool {
    world.run(&["get", "profile", name]).await.code == 0
}

#[tokio::test]
async fn s11_4_an_export_is_a_whole_file_or_none() {
    let (world, file) = exported().await;
    let bundle: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((&bundle["name"], &bundle["version"]), (&"contoso_base".into(), &"1.4.0".into()));
    let objects = bundle["objects"].as_object().unwrap().values();
    assert_eq!(objects.map(|list| list.as_array().unwrap().len()).sum::<usize>(), OBJECTS);
    // To standard output it is the bundle alone; what is said goes to standard error.
    let args = ["export", "--name", "contoso_base", "--version", "1.4.0", "--out", "-"];
    let ended = world.run(&args).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.out.as_bytes(), std::fs::read(&file).unwrap());
    assert!(ended.err.starts_with("bundle contoso_base 1.4.0 at revision "), "{ended:?}");
    let named = [&args[..6], &["-", "contoso_rep"]].concat();
    let named: Value = serde_json::from_str(&world.out(&named).await).unwrap();
    assert_eq!(named["objects"]["profiles"].as_array().unwrap().len(), 1);

    let other = world.folder.path().join("other.json");
    let to_other =
        ["export", "--name", "contoso_base", "--version", "1", "--out", other.to_str().unwrap()];
    for (more, code, text) in [
        (&["contoso_none"][..], 1, "PROFILE_NOT_FOUND (NOT_FOUND): "),
        (&["--installed", "contoso_none"], 1, "OBJECT_NOT_FOUND (NOT_FOUND): "),
        (&["contoso_rep", "--installed", "contoso_base"], 2, "cannot be used with"),
    ] {
        let ended = world.run(&[&to_other, more].concat()).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.err.contains(text) && ended.out.is_empty(), "{text}: {ended:?}");
        assert!(!other.exists() && !Path::new(&format!("{}.part", other.display())).exists());
    }
    let missing = world.folder.path().join("missing/base.json");
    let args = [&to_other[..6], &[missing.to_str().unwrap()]].concat();
    assert_eq!(world.run(&args).await.code, 1);
}

#[tokio::test]
async fn s11_4_an_import_is_checked_first_and_says_what_it_did() {
    let (_from, file) = exported().await;
    let world = World::new().await;
    let dry = world.out(&["import", &file, "--validate-only"]).await;
    let line = "bundle contoso_base 1.4.0: would be 5 created, 0 updated, 0 unchanged, 0 skipped\n";
    assert!(dry.starts_with(line), "{dry}");
    for finding in ["PROFILE_WITHOUT_ROLE  contoso_rep ", "ROLE_UNMATCHED        contoso_rep "] {
        assert!(dry.contains(finding), "{finding} is not in {dry}");
    }
    assert!(!has_profile(&world, "contoso_rep").await, "nothing was done");

    let refused = world.run(&["import", &file, "--on-unknown-role", "fail"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.err.contains("ROLE_NOT_FOUND (NOT_FOUND): "), "{refused:?}");
    assert_eq!(world.apply(ROLE, &[]).await.code, 0);

    let done = world.out(&["import", &file, "--on-unknown-role", "fail", "--reason", "go"]).await;
    let line = "bundle contoso_base 1.4.0: 5 created, 0 updated, 0 unchanged, 0 skipped\nrevision ";
    assert!(done.starts_with(line), "{done}");
    assert!(!done.contains("ROLE_UNMATCHED"), "{done}");
    assert!(done.contains(", 0 users get another profile"), "{done}");
    assert!(world.out(&["audit", "--operation", "Import"]).await.contains("go"));

    let taken = world.run(&["import", &file]).await;
    assert_eq!(taken.code, 1);
    assert!(taken.err.starts_with("UNIQUE_NAME_TAKEN (ALREADY_EXISTS): "), "{taken:?}");
    for (how, counts) in [
        ("skip", "0 created, 0 updated, 0 unchanged, 5 skipped"),
        ("overwrite", "0 created, 0 updated, 5 unchanged, 0 skipped"),
    ] {
        let again = world.out(&["import", &file, "--on-existing", how]).await;
        assert!(again.contains(counts), "{how}: {again}");
    }
    let json = world.out(&["import", &file, "--on-existing", "skip", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["skipped"], 5, "{json}");
    assert_eq!(json["objects"].as_array().unwrap().len(), OBJECTS);
}

#[tokio::test]
async fn s11_4_every_option_of_an_import_reaches_the_server() {
    let (_from, file) = exported().await;
    let world = World::new().await;
    let text = "---\nkind: Profile\nuniqueName: contoso_mine\ndisplayName: Mine\nrank: 3\nroles: [contoso_agents]\n";
    assert_eq!(world.apply(&[ROLE, text].concat(), &[]).await.code, 0);
    let default = "kind: Profile\nuniqueName: contoso_first\ndisplayName: First\nisDefault: true\n";
    assert_eq!(world.apply(default, &[]).await.code, 0);
    let mut bundle: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    bundle.as_object_mut().unwrap().remove("content_hash");
    let second = serde_json::json!({"unique_name": "contoso_second", "display_name": "Second",
        "is_default": true});
    bundle["objects"]["profiles"].as_array_mut().unwrap().push(second);
    std::fs::write(&file, bundle.to_string()).unwrap();

    let dry = async |flags: &[&str]| {
        let ended = world.run(&[&["import", &file, "--validate-only"], flags].concat()).await;
        (ended.code, [ended.out, ended.err].concat())
    };
    for (flags, code, text) in [
        (&[][..], 1, "RANK_TAKEN (FAILED_PRECONDITION)"),
        (&["--on-rank-conflict", "rerank"], 0, "RANK_REASSIGNED"),
        (&["--on-rank-conflict", "keep"], 0, "DUPLICATE_RANK"),
        (&["--on-rank-conflict", "keep"], 0, "DEFAULT_NOT_IMPORTED"),
        (
            &["--on-rank-conflict", "keep", "--on-default-conflict", "keep-incumbent"],
            0,
            "DEFAULT_NOT_IMPORTED",
        ),
        (
            &["--on-rank-conflict", "keep", "--on-default-conflict", "replace"],
            0,
            "DEFAULT_REPLACED",
        ),
        (
            &["--on-rank-conflict", "keep", "--on-default-conflict", "keep-both"],
            0,
            "MULTIPLE_DEFAULTS",
        ),
        (
            &["--on-rank-conflict", "keep", "--on-default-conflict", "fail"],
            1,
            "DEFAULT_EXISTS (FAILED_PRECONDITION)",
        ),
        (&["--on-existing", "maybe"], 2, "invalid value 'maybe'"),
        (&["--on-pinned-url", "overwrite"], 2, "invalid value 'overwrite'"),
    ] {
        let (found, said) = dry(flags).await;
        assert_eq!(found, code, "{flags:?}: {said}");
        assert!(said.contains(text), "{flags:?}: {text} is not in {said}");
    }
    assert!(!has_profile(&world, "contoso_second").await, "nothing was done");

    // What is no bundle, or not there.
    let bad = world.file("{\"format_version\": 1}");
    let ended = world.run(&["import", bad.to_str().unwrap()]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let missing = world.folder.path().join("missing.json");
    let ended = world.run(&["import", missing.to_str().unwrap()]).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("missing.json"), "{ended:?}");
}

#[tokio::test]
async fn s11_4_what_a_managed_import_brought_is_uninstalled() {
    let (_from, file) = exported().await;
    let world = World::new().await;
    assert_eq!(world.apply(ROLE, &[]).await.code, 0);
    assert_eq!(world.run(&["import", &file, "--managed"]).await.code, 0);
    let user = "kind: User\nid: ann\nprofile: contoso_rep\n";
    assert_eq!(world.apply(user, &[]).await.code, 0);

    let refused = world.run(&["uninstall", "contoso_base"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.err.starts_with("PROFILE_IN_USE (FAILED_PRECONDITION): "), "{refused:?}");
    let dry = world.out(&["uninstall", "contoso_base", "--force", "--validate-only"]).await;
    assert!(dry.starts_with("bundle contoso_base: would be removed\n"), "{dry}");
    assert!(dry.contains(", 1 users get another profile"), "{dry}");
    assert!(has_profile(&world, "contoso_rep").await, "nothing was done");

    let done = world.out(&["uninstall", "contoso_base", "--force", "-o", "json"]).await;
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["write"]["changed"], true, "{done}");
    assert!(!has_profile(&world, "contoso_rep").await);
    assert!(!world.out(&["resolve", "ann"]).await.contains("contoso_rep"));
    let again = world.run(&["uninstall", "contoso_base"]).await;
    assert_eq!(again.code, 1);
    assert!(again.err.starts_with("OBJECT_NOT_FOUND (NOT_FOUND): "), "{again:?}");
}
