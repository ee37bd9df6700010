//! Documents of the whole library: the example, and scripts that lead to each other.

use super::{World, outcomes};

#[tokio::test]
async fn the_documented_example_can_be_applied() {
    let world = World::new().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/contoso.yaml");
    for outcome in ["created", "unchanged"] {
        let out = world.out(&["apply", "-f", example]).await;
        let mut kinds = std::collections::BTreeSet::new();
        for (name, found) in outcomes(&out) {
            kinds.insert(name.split('/').next().unwrap_or_default().to_owned());
            // The settings are there already, and as the example has them.
            assert_eq!(found, if name == "settings" { "unchanged" } else { outcome }, "{out}");
        }
        let missing: Vec<_> = KINDS.iter().filter(|kind| !kinds.contains(**kind)).collect();
        assert!(missing.is_empty(), "{missing:?} are not in the example");
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
    }
}

/// Every kind that documents have.
const KINDS: [&str; 16] = [
    "settings",
    "role",
    "user",
    "team",
    "profile",
    "session-template",
    "tab-template",
    "notification-template",
    "script",
    "macro",
    "bot",
    "workstream",
    "tool",
    "provider",
    "channel",
    "queue",
];

#[tokio::test]
async fn scripts_that_lead_to_each_other_can_be_applied() {
    let world = World::new().await;
    let text = "
kind: AgentScript
uniqueName: contoso_a
displayName: A
language: 1033
steps: [{name: On, order: 1, action: SCRIPT, script: contoso_B}]
---
kind: AgentScript
uniqueName: contoso_b
displayName: B
language: 1033
steps: [{name: Back, order: 1, action: SCRIPT, script: agentScripts/contoso_a}]
";
    for outcome in ["created", "unchanged"] {
        let applied = world.apply(text, &[]).await;
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(outcomes(&applied.out).iter().all(|(_, found)| *found == outcome), "{applied:?}");
    }
    let shown = world.out(&["get", "script", "contoso_a", "-o", "yaml"]).await;
    assert!(shown.contains("script: agentScripts/contoso_b"), "{shown}");
}
