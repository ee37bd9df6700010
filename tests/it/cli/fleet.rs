//! `fleet`, `changes`, `history` and `diff`, and a watcher that reports.

use super::{ALL, World};

#[tokio::test]
async fn a_watcher_that_reports_is_current_in_the_fleet() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let own = ["--user", "john.doe", "--scopes", "agent"];
    let watch = ["watch", "john.doe", "--client-id", "desk-1", "-n", "1", "--report"];
    world.out(&[own.as_slice(), &watch].concat()).await;
    let fleet = world.out(&["fleet", "--filter", "user = \"john.doe\""]).await;
    let row = fleet.lines().nth(1).unwrap();
    assert!(row.starts_with("john.doe") && row.contains("desk-1"), "{fleet}");
    assert!(row.contains("contoso_rep"), "{fleet}");
    let json = world.out(&["fleet", "--profile", "contoso_rep", "-o", "json"]).await;
    let page: serde_json::Value = serde_json::from_str(&json).unwrap();
    let client = &page["clients"][0];
    assert_eq!(client["applied"]["digest"], client["sent"]["digest"]);
    let summary = world.out(&["fleet", "--summary"]).await;
    assert!(summary.lines().any(|line| line.starts_with("contoso_rep  1")), "{summary}");
    assert!(summary.contains("on revision"), "{summary}");

    // Nobody reports for another, and without a name there is nothing to report on.
    let refused = world.run(&watch).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("SCOPE_REQUIRED"), "{refused:?}");
    let nameless = world.run(&["watch", "john.doe", "--report"]).await;
    assert_eq!(nameless.code, 2, "{nameless:?}");
}

#[tokio::test]
async fn the_past_is_listed_followed_and_compared() {
    let world = World::new().await;
    assert_eq!(world.apply(ALL, &[]).await.code, 0);
    let name = "profiles/contoso_rep";
    let history = world.out(&["history", name, "-o", "json"]).await;
    let page: serde_json::Value = serde_json::from_str(&history).unwrap();
    let before = page["revisions"][0]["revision"].as_str().unwrap().to_owned();
    let change = "kind: Profile\nuniqueName: contoso_rep\ndisplayName: New Name\n";
    assert_eq!(world.apply(change, &["--reason", "because"]).await.code, 0);
    let history = world.out(&["history", name]).await;
    let newest = history.lines().nth(1).unwrap();
    assert!(newest.contains("ApplyChanges") && newest.contains("because"), "{history}");
    let revision = newest.split_whitespace().next().unwrap();

    let changes = world.out(&["changes", "--from", revision]).await;
    assert!(changes.lines().nth(1).unwrap().contains(name), "{changes}");
    let feed = world.out(&["changes", "--from", revision, "--watch", "-n", "1"]).await;
    assert!(feed.starts_with(revision) && feed.contains("ApplyChanges"), "{feed}");
    assert_eq!(world.out(&["changes", "-n", "2"]).await.lines().count(), 3);

    let old = world.out(&["history", name, "--at", &before]).await;
    assert!(old.contains("displayName: Contoso Rep"), "{old}");
    let differs = world.run(&["diff", name, &before]).await;
    assert_eq!(differs.code, 1, "{differs:?}");
    let line = differs.out.lines().nth(1).unwrap();
    let words = ["display_name", "\"Contoso Rep\"", "\"New Name\""];
    assert!(words.iter().all(|word| line.contains(word)), "{differs:?}");
    let same = world.run(&["diff", name, revision, revision]).await;
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    let gone = world.run(&["history", "profiles/contoso_never"]).await;
    assert!(gone.code == 1 && gone.err.contains("PROFILE_NOT_FOUND"), "{gone:?}");
}
