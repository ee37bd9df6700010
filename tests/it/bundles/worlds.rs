//! Random organisations through a bundle (property 10 of SPEC §13), and a large one.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use deskplane::domain::{
    Common, Object, Stamp, State, Time, UniqueName,
    copilot::Setting,
    profile::{InboxView, MAX_PROVIDERS, PaneTool, Profile},
    provider::{ChannelProvider, WIDGET},
    rules::Rules as _,
    session_template::{SessionTemplate, SessionType},
    tool::ProductivityTool,
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

use super::*;

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn common(text: &str, active: bool, words: &str) -> Common {
    let state = if active { State::Active } else { State::Inactive };
    let shown = format!("{text} {words}").trim().to_owned();
    Common { state, description: words.to_owned(), ..Common::custom(name(text), &shown) }
}

type Seed = (Vec<(bool, String, u8)>, Vec<(bool, String, u8, bool)>);

fn seed() -> impl Strategy<Value = Seed> {
    let words = "[a-z\u{fc}\u{1f600}\"\\\\{} ]{0,12}";
    (
        proptest::collection::vec((any::<bool>(), words, any::<u8>()), 0..8),
        proptest::collection::vec((any::<bool>(), words, any::<u8>(), any::<bool>()), 0..8),
    )
}

fn tool(at: usize, active: bool, words: &str) -> Object {
    let mut tool =
        ProductivityTool::empty(common(&format!("rnd_tool_{at}"), active, words), stamp());
    tool.control_name = format!("rnd.tool.{at}");
    Object::Tool(Arc::new(tool))
}

fn template(at: usize, active: bool, words: &str) -> Object {
    let mut template =
        SessionTemplate::empty(common(&format!("rnd_Case_{at}"), active, words), stamp());
    template.session_type = SessionType::Entity;
    template.entity = format!("entity{at}");
    Object::SessionTemplate(Arc::new(template))
}

fn provider(at: usize, active: bool, words: &str, bits: u8) -> Object {
    Object::Provider(Arc::new(ChannelProvider {
        common: common(&format!("rnd_voice_{at}"), active, words),
        stamp: stamp(),
        label: "Voice".into(),
        channel_url: format!("https://voice{at}.example/"),
        pinned_url: bits & 1 != 0,
        outbound: false,
        channel_order: i32::from(bits),
        trusted_domains: vec!["*.voice.example".into()],
        custom_parameters: words.to_owned(),
        sandbox: Default::default(),
        analytics: bits & 2 != 0,
        capabilities: Default::default(),
        failover: Default::default(),
        adapter: WIDGET.into(),
        config: "{}".into(),
        secrets: BTreeMap::new(),
        refused_url: None,
    }))
}

/// A profile that refers to some of the library, by the bits of a number.
fn profile(
    at: usize,
    library: usize,
    (active, words, bits, pane): &(bool, String, u8, bool),
) -> Object {
    let mut profile = Profile::empty(common(&format!("rnd_rep_{at}"), *active, words), stamp());
    let chosen =
        |shift: u32| (0..library).filter(move |i| bits.rotate_right(shift) >> (i % 8) & 1 != 0);
    profile.session_templates = chosen(0).map(|i| name(&format!("rnd_Case_{i}"))).rev().collect();
    let providers = chosen(3).map(|i| name(&format!("rnd_voice_{i}")));
    profile.providers = providers.take(MAX_PROVIDERS).collect();
    profile.pane.on = *pane;
    let tools = chosen(5).zip(0..).map(|(i, order)| PaneTool {
        tool: name(&format!("rnd_tool_{i}")),
        enabled: bits & 4 != 0,
        order,
        label: String::new(),
        tooltip: String::new(),
        icon: String::new(),
    });
    profile.pane.tools = tools.collect();
    profile.copilot.insert("case_summary".into(), Setting::On);
    profile.all_active_channels = bits & 8 != 0;
    profile.inbox.enabled = bits & 16 != 0;
    profile.inbox.views = vec![InboxView {
        name: "Mine".into(),
        record_types: vec!["case".into()],
        simple_filters: vec![("case".into(), vec!["assigned_to_me".into()])],
        ..InboxView::default()
    }];
    if at == 0 && bits & 32 != 0 {
        profile.is_default = true;
    } else if bits & 64 != 0 {
        profile.rank = u8::try_from(at * 3).ok();
        profile.roles = ["msdyn_csr", "msdyn_oc_agent"].map(name).into();
    }
    Object::Profile(Arc::new(profile))
}

fn objects((library, profiles): &Seed) -> Vec<Object> {
    let mut objects = deskplane::catalog::builtin::objects(1, Time::default());
    for (at, (active, words, bits)) in library.iter().enumerate() {
        objects.push(tool(at, *active, words));
        objects.push(template(at, *active, words));
        objects.push(provider(at, *active, words, *bits));
    }
    let profiles = profiles.iter().enumerate();
    objects.extend(profiles.map(|(at, seed)| profile(at, library.len(), seed)));
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_export_import_export_gives_the_same_bytes_over_random_worlds() {
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..24 {
        let seed = seed().new_tree(&mut runner).unwrap().current();
        let (from, to) = (Running::with(objects(&seed)).await, Running::with(Vec::new()).await);
        let bundle = export(&from, everything()).await.unwrap();
        let answer = import(&to, Default::default(), &bundle).await;
        let answer = answer.unwrap_or_else(|status| panic!("{status:?}: {seed:?}"));
        assert_eq!(answer.created as usize, seed.0.len() * 3 + seed.1.len());
        assert_eq!(export(&to, everything()).await.unwrap(), bundle, "{seed:?}");
        from.end().await;
        to.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_a_bundle_of_many_mib_goes_through_while_agents_resolve() {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    api.ok("UpsertUser", json!({"user": {"id": "john.doe"}})).await;
    let text = "x".repeat(2_000);
    let queues: Vec<_> = (0..3_200)
        .map(|at| {
            json!({"unique_name": format!("gold_queue{at:05}"), "display_name": "Q",
                "kind": "QUEUE_KIND_VOICE", "description": text})
        })
        .collect();
    let bundle = by_hand(&json!({"queues": queues}));
    assert!(bundle.len() > 6 << 20);
    let importing = import(&server, Default::default(), &bundle);
    let resolved = std::cell::Cell::new((0, std::time::Duration::ZERO));
    let resolving = async {
        loop {
            let started = Instant::now();
            api.ok("ResolveProfile", json!({"user": "john.doe"})).await;
            let (calls, slowest) = resolved.get();
            resolved.set((calls + 1, slowest.max(started.elapsed())));
        }
    };
    let started = Instant::now();
    let answer = tokio::select! {
        answer = importing => answer.unwrap(),
        () = resolving => unreachable!("it goes on for ever"),
    };
    let (took, (calls, slowest)) = (started.elapsed(), resolved.get());
    println!(
        "{} MiB in {took:?}; {calls} calls meanwhile, slowest {slowest:?}",
        bundle.len() >> 20
    );
    assert_eq!(answer.created, 3_200);
    assert!(calls > 20 && slowest < took / 2, "{calls} calls, slowest {slowest:?} of {took:?}");
    let out = export(&server, everything()).await.unwrap();
    assert!(out.len() > 6 << 20);
    server.end().await;
}
