//! `render`.

use super::World;

const DESK: &str = "
kind: User
id: ann
displayName: Ann
---
kind: ApplicationTabTemplate
uniqueName: contoso_shop
displayName: Shop
title: Orders of {customerName}
pageType: THIRD_PARTY_WEBSITE
parameters: [{name: url, value: 'https://shop.example/{anchor.number}?q={$odata.a.b}'}]
---
kind: SessionTemplate
uniqueName: contoso_case
displayName: Case
entity: incident
title: 'Case {anchor.title} {missing}'
additionalTabs: [contoso_shop]
---
kind: Profile
uniqueName: contoso_rep
displayName: Rep
sessionTemplates: [contoso_case]
channels: {allActive: true}
users: [ann]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_shown_as_a_table_and_for_programs() {
    let world = World::new().await;
    assert_eq!(world.apply(DESK, &[]).await.code, 0);
    let args = [
        "render",
        "ann",
        "--entity",
        "incident",
        "--anchor-id",
        "42",
        "--anchor",
        "title=A=b",
        "--anchor",
        "number=7 8",
        "--context",
        "customerName=Bob",
    ];
    let shown = world.out(&args).await;
    let has = |line: &[&str]| {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(
            shown.lines().any(|found| words(found) == words(&line.join(" "))),
            "{line:?}: {shown}"
        );
    };
    has(&["SESSION", "Case A=b {missing}"]);
    has(&["TEMPLATE", "contoso_case"]);
    has(&["ENTITY_RECORD", "anchor", "entityName=incident", "entityId=42"]);
    has(&[
        "contoso_shop",
        "Orders of Bob",
        "THIRD_PARTY_WEBSITE",
        "yes",
        "url=https://shop.example/7%208?q={$odata.a.b}",
    ]);
    has(&["{missing}", "session.title", "MISSING"]);
    has(&["{$odata.a.b}", "tabs[1].parameters[0].value", "DEFERRED"]);
    let json = world.out(&[&args[..], &["-o", "json"]].concat()).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["session"]["title"], "Case A=b {missing}");
    assert_eq!(json["unresolved"][0]["reason"], "UNRESOLVED_REASON_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_from_a_file_and_options() {
    let world = World::new().await;
    assert_eq!(world.apply(DESK, &[]).await.code, 0);
    let file = world.file(
        "channel: msdyn_channel_chat\nslot: INCOMING_AUTHENTICATED\n\
         context: {customerName: Ann, caseTitle: Refund}\n",
    );
    let file = file.to_str().unwrap();
    let shown = world.out(&["render", "ann", "--file", file]).await;
    for text in [
        "msdyn_chat_session",
        "msdyn_chat_incoming_authenticated",
        "Ann",
        "Refund",
        "Accept, Reject",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let options = ["--slot", "transfer", "--context", "customername=Bob"];
    let shown = world.out(&[&["render", "ann", "-f", file][..], &options].concat()).await;
    assert!(shown.contains("msdyn_chat_transfer") && shown.contains("Bob"), "{shown}");
    // What goes together is for the server to say.
    let ended = world.run(&["render", "ann", "-f", file, "--entity", "incident"]).await;
    assert!(ended.code == 1 && ended.err.contains("slot"), "{ended:?}");
    for (args, code, expected) in [
        (&["--entity", "account"][..], 1, "NO_SESSION_TEMPLATE"),
        (&["--entity", "incident", "--channel", "msdyn_channel_chat"], 2, "cannot be used with"),
        (
            &["--channel", "msdyn_channel_chat", "--slot", "never"],
            2,
            "there is no slot `never`; there are incoming-unauthenticated",
        ),
        (
            &["--entity", "incident", "--app", "desk"],
            2,
            "there is no app `desk`; there are workspace",
        ),
        (&["--entity", "incident", "--context", "a=1", "--context", "A=2"], 2, "A is given twice"),
        (&["--entity", "incident", "--context", "a"], 2, "KEY=VALUE"),
        (&["--file", "missing.yaml"], 2, "missing.yaml: No such file"),
    ] {
        let ended = world.run(&[&["render", "ann"][..], args].concat()).await;
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        assert!(ended.err.contains(expected), "{args:?}: {ended:?}");
    }
}
