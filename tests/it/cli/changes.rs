//! Documents as one list of writes: previewed, compared with the server, committed together.

use super::{ALL, World, outcomes};

const MORE: &str = "
kind: Profile
uniqueName: contoso_more
displayName: More
rank: 1
roles: [contoso_agents]
---
kind: Profile
uniqueName: contoso_rep
displayName: Contoso Rep
description: newer
";

/// The newest revision.
async fn revision(world: &World) -> String {
    let settings = world.out(&["get", "settings", "-o", "json"]).await;
    let revision = world.out(&["get", "profile", "contoso_rep", "-o", "json"]).await;
    format!("{settings}{revision}")
}

#[tokio::test]
async fn documents_are_committed_as_one_revision() {
    let world = World::new().await;
    let applied = world.apply(ALL, &["-o", "json"]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    let reports: Vec<serde_json::Value> = serde_json::from_str(&applied.out).unwrap();
    let revisions: Vec<_> = reports.iter().map(|report| &report["revision"]).collect();
    assert_eq!(revisions.len(), 10);
    assert!(revisions.iter().all(|revision| *revision == revisions[0]), "{revisions:?}");
    assert!(revisions[0].is_i64(), "{revisions:?}");
    let user = "kind: User\nid: jane.doe\nroles: [contoso_agents]\n";
    assert_eq!(world.apply(user, &[]).await.code, 0);
    let moved = world.apply(MORE, &[]).await;
    let last = "profile/contoso_rep changed, 1 user gets another profile";
    assert_eq!(moved.out.lines().last(), Some(last), "{moved:?}");
}

#[tokio::test]
async fn a_preview_says_what_applying_would_do_and_does_nothing() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let user = "kind: User\nid: jane.doe\nroles: [contoso_agents]\n";
    assert_eq!(world.apply(user, &[]).await.code, 0);
    let before = revision(&world).await;
    let file = world.file(MORE);
    let file = file.to_str().unwrap();
    let shown = world.out(&["preview", "-f", file, "--users"]).await;
    for part in [
        "profile/contoso_more would be created\n",
        "profile/contoso_rep would change\n",
        "1 user would get another profile\n",
        "contoso_rep  contoso_more  1",
        "jane.doe  contoso_rep  contoso_more",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let json = world.out(&["preview", "-f", file, "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["totalCount"], "1", "{json}");
    assert_eq!(revision(&world).await, before);
    assert_eq!(world.apply(MORE, &[]).await.code, 0);
    let file = world.file(MORE);
    let shown = world.out(&["preview", "-f", file.to_str().unwrap()]).await;
    assert_eq!(shown, "nothing would change\n");
}

#[tokio::test]
async fn a_difference_ends_with_status_1_and_names_the_fields() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let file = world.file(ALL);
    let same = world.run(&["diff", "-f", file.to_str().unwrap()]).await;
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{same:?}");
    let before = revision(&world).await;
    let file = world.file(MORE);
    let file = file.to_str().unwrap();
    let differs = world.run(&["diff", "-f", file]).await;
    assert_eq!((differs.code, differs.err.as_str()), (1, "2 of 2 differ\n"), "{differs:?}");
    for part in [
        "profile/contoso_more (new)\n",
        "+ rank: 1\n",
        "profile/contoso_rep\n+ description: newer\n",
    ] {
        assert!(differs.out.contains(part), "{part} is not in {differs:?}");
    }
    assert!(!differs.out.contains("display_name: Contoso Rep"), "{differs:?}");
    let json = world.run(&["diff", "-f", file, "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json[1]["fields"][0]["file"], "newer", "{json}");
    assert_eq!(revision(&world).await, before);
}

#[tokio::test]
async fn atomic_documents_go_together_or_not_at_all() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let text = format!(
        "{MORE}---\nkind: Profile\nuniqueName: contoso_third\ndisplayName: Third\nrank: 1\nroles: [contoso_agents]\n"
    );
    let refused = world.apply(&text, &["--atomic"]).await;
    assert_eq!((refused.code, refused.err.as_str()), (1, "1 of 3 refused\n"), "{refused:?}");
    let expected = [
        ("profile/contoso_more", "unchanged"),
        ("profile/contoso_rep", "unchanged"),
        ("profile/contoso_third", "refused"),
    ];
    assert_eq!(outcomes(&refused.out), expected, "{refused:?}");
    assert!(refused.out.contains("RANK_TAKEN (FAILED_PRECONDITION)"), "{refused:?}");
    assert_eq!(world.run(&["get", "profile", "contoso_more"]).await.code, 1);
    let goes_on = world.apply(&text, &[]).await;
    let expected = [
        ("profile/contoso_more", "created"),
        ("profile/contoso_rep", "changed"),
        ("profile/contoso_third", "refused"),
    ];
    assert_eq!((goes_on.code, outcomes(&goes_on.out)), (1, expected.to_vec()), "{goes_on:?}");
    let many: String = (0..51).map(|at| format!("---\nkind: User\nid: user{at}\n")).collect();
    let long = world.apply(&many, &["--atomic"]).await;
    assert_eq!(long.code, 2, "{long:?}");
    assert!(long.err.contains("the documents take 51 writes; at most 50 go together"), "{long:?}");
    assert_eq!(world.apply(&many, &[]).await.code, 0);
}

#[tokio::test]
async fn findings_are_listed_and_chosen_by_code() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let off = "kind: Profile\nuniqueName: contoso_default\ndisplayName: Default\nisDefault: true\nstate: INACTIVE\n";
    let applied = world.apply(off, &[]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    let found = world.out(&["findings", "--code", "default_inactive"]).await;
    assert!(found.contains("DEFAULT_INACTIVE  contoso_default"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
    let json = world.out(&["findings", "-o", "json"]).await;
    assert!(json.contains("FINDING_CODE_DEFAULT_INACTIVE"), "{json}");
    let none = world.run(&["findings", "--code", "duplicate_rank"]).await;
    assert_eq!((none.code, none.err.as_str()), (0, "no findings\n"), "{none:?}");
}

#[tokio::test]
async fn what_no_file_describes_any_more_is_pruned_by_its_owner() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let profile = |name: &str| {
        format!("---\nkind: Profile\nuniqueName: {name}\ndisplayName: Rep\nowner: gitops\n")
    };
    let both = [profile("contoso_a"), profile("contoso_b")].concat();
    assert_eq!(world.apply(&both, &["--prune", "gitops"]).await.code, 0);
    let pruned = world.apply(&profile("contoso_a"), &["--prune", "gitops"]).await;
    let expected = [("profile/contoso_a", "unchanged"), ("profile/contoso_b", "deleted")];
    assert_eq!((pruned.code, outcomes(&pruned.out)), (0, expected.to_vec()), "{pruned:?}");
    let left = world.out(&["list", "profiles", "--all"]).await;
    assert!(left.contains("contoso_a") && left.contains("contoso_rep"), "{left}");
    assert!(!left.contains("contoso_b"), "{left}");
    let bad = world.apply(&both, &["--prune", "a\"b"]).await;
    assert_eq!(bad.code, 2, "{bad:?}");
    let used = world.apply("kind: User\nid: ann\nprofile: contoso_a\n", &[]).await;
    assert_eq!(used.code, 0, "{used:?}");
    let refused = world.apply(&profile("contoso_c"), &["--prune", "gitops"]).await;
    let expected = [("profile/contoso_c", "unchanged"), ("profile/contoso_a", "refused")];
    assert_eq!((refused.code, outcomes(&refused.out)), (1, expected.to_vec()), "{refused:?}");
    assert!(refused.out.contains("PROFILE_IN_USE (FAILED_PRECONDITION)"), "{refused:?}");
}

/// A bundle of these session templates, and of a profile that has the first of them.
fn bundle(templates: &[&str]) -> String {
    let rows = templates.iter().map(|name| {
        serde_json::json!({"unique_name": name, "display_name": "Case",
            "type": "SESSION_TEMPLATE_TYPE_ENTITY", "entity": "incident"})
    });
    let profile = serde_json::json!({"unique_name": "gold_rep", "display_name": "Gold",
        "session_templates": [templates[0]]});
    let objects = serde_json::json!({
        "profiles": [profile],
        "sessionTemplates": rows.collect::<Vec<_>>(),
    });
    let bundle = serde_json::json!({
        "format_version": 1, "name": "gold_pack", "version": "1", "objects": objects,
    });
    bundle.to_string()
}

#[tokio::test]
async fn what_no_file_names_any_more_is_pruned_by_its_bundle() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let file = world.file(&bundle(&["gold_case", "gold_old", "gold_older"]));
    let imported = world.run(&["import", file.to_str().unwrap(), "--managed"]).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let named = |name: &str| format!("---\nkind: SessionTemplate\nuniqueName: {name}\n");
    let prune = ["--prune", "bundle:gold_pack"];
    let all = [named("gold_case"), named("GOLD_old"), named("gold_older")].concat();
    let nothing = world.apply(&all, &prune).await;
    assert_eq!(nothing.code, 0, "{nothing:?}");
    assert!(outcomes(&nothing.out).iter().all(|(_, what)| *what == "unchanged"), "{nothing:?}");

    let one = named("gold_case");
    let dry = world.apply(&one, &[&prune[..], &["--dry-run"]].concat()).await;
    let expected = [
        ("session-template/gold_case", "unchanged"),
        ("session-template/gold_old", "deleted"),
        ("session-template/gold_older", "deleted"),
    ];
    assert_eq!((dry.code, outcomes(&dry.out)), (0, expected.to_vec()), "{dry:?}");
    let pruned = world.apply(&one, &prune).await;
    assert_eq!((pruned.code, outcomes(&pruned.out)), (0, expected.to_vec()), "{pruned:?}");
    let left = world.out(&["list", "session-templates", "--all"]).await;
    assert!(left.contains("gold_case") && !left.contains("gold_old"), "{left}");
    // Kinds that no file describes are left alone.
    assert_eq!(world.run(&["get", "profile", "gold_rep"]).await.code, 0);

    // The profile of the bundle refers to it, and stays.
    let before = revision(&world).await;
    let other = "kind: SessionTemplate\nuniqueName: contoso_new\ndisplayName: New\n\
                 type: ENTITY\nentity: incident\n";
    let refused = world.apply(other, &prune).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("OBJECT_IN_USE (FAILED_PRECONDITION)"), "{refused:?}");
    assert_eq!(world.run(&["get", "session-template", "contoso_new"]).await.code, 1);
    for bad in ["bundle:", "bundle:a\"b"] {
        assert_eq!(world.apply(&one, &["--prune", bad]).await.code, 2, "{bad}");
    }
    let unknown = world.apply(&one, &["--prune", "bundle:no_such_pack"]).await;
    assert_eq!(unknown.code, 0, "{unknown:?}");
    assert_eq!(revision(&world).await, before);
}
