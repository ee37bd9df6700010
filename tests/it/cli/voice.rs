//! `providers` and `calls`.

use deskplane_providers::fake::{Behaviour, Operation, Switchboard};

use super::World;

/// A provider of the scriptable vendor, and an agent who has it. The switchboard has the name of the
/// provider, and no other test uses it.
const DESK: &str = "
kind: User
id: anna
displayName: Anna
---
kind: ChannelProvider
uniqueName: console_voice
displayName: Voice
label: Voice
channelUrl: https://voice.example.com
adapter: fake
outbound: true
---
kind: Profile
uniqueName: console_rep
displayName: Rep
providers: [console_voice]
users: [anna]
";

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_verified_and_adapters_described() {
    let world = World::new().await;
    assert_eq!(world.apply(DESK, &[]).await.code, 0);
    let adapters = world.out(&["providers", "adapters"]).await;
    for kind in ["asterisk", "external", "fake", "twilio", "widget"] {
        assert!(adapters.contains(kind), "{kind}: {adapters}");
    }
    let schema = world.out(&["providers", "schema", "twilio"]).await;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["account_sid"].is_object(), "{schema}");
    let unknown = world.run(&["providers", "schema", "pigeon"]).await;
    assert!(unknown.code == 2 && unknown.err.contains("there are asterisk"), "{unknown:?}");

    let verified = world.out(&["providers", "verify", "console_voice"]).await;
    assert!(verified.contains("account") && verified.contains("OK"), "{verified}");
    Switchboard::named("console_voice").set(Operation::Check, Behaviour::Credentials);
    let failed = world.run(&["providers", "verify", "console_voice"]).await;
    assert!(failed.code == 1 && failed.out.contains("FAILED"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_started_listed_and_watched() {
    let world = World::new().await;
    assert_eq!(world.apply(&DESK.replace("console_", "consort_"), &[]).await.code, 0);
    let service = ["--scopes", "service", "calls"];
    let calls = async |args: &[&str]| world.out(&[&service[..], args].concat()).await;
    let started = calls(&["start", "+14155550100", "--of", "anna"]).await;
    assert!(started.contains("consort_voice") && started.contains("DIALING"), "{started}");
    let listed = calls(&["list", "--of", "anna", "--live"]).await;
    assert!(listed.contains("+14155550100"), "{listed}");
    let watched = calls(&["watch", "anna", "-n", "2"]).await;
    assert!(watched.contains("DIALING") && watched.contains("in sync: 1 live calls"), "{watched}");
    let refused = world.run(&["calls", "start", "+14155550100", "--of", "anna"]).await;
    assert!(refused.code == 1 && refused.err.contains("SCOPE_REQUIRED"), "{refused:?}");
    let bad = world.run(&[&service[..], &["start", "5550100", "--of", "anna"]].concat()).await;
    assert!(bad.code == 1 && bad.err.contains("ADDRESS_INVALID"), "{bad:?}");
}
