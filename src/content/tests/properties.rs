//! Properties of content over generated libraries and profiles.

use proptest::prelude::*;

use super::{
    conversations::{alert, bot, generic, macro_, script, stream},
    *,
};

/// Work streams, and scripts that may lead to each other, to macros, or nowhere.
fn conversations() -> impl Strategy<Value = Vec<Object>> {
    let flags = proptest::collection::vec(any::<bool>(), 12);
    let targets = proptest::collection::vec(proptest::collection::vec(0..7usize, 0..4), 4);
    (flags, targets).prop_map(|(on, targets)| {
        let target = |n: usize| if n < 5 { format!("script_{n}") } else { format!("run_{n}") };
        let scripts = targets.into_iter().enumerate().map(|(n, to)| {
            let to: Vec<_> = to.into_iter().map(target).collect();
            let to: Vec<_> = to.iter().map(String::as_str).collect();
            script(&format!("script_{n}"), on[n], &to)
        });
        let mut chat = generic("contoso_chat", "tab_0x", &["tab_1x", "tab_2x"]);
        chat.scripts = vec![name("script_1"), name("script_3")];
        let streams = (4..7).map(|n| {
            stream(&format!("work_{n}"), |w| {
                w.session_template = on[n].then(|| name("contoso_chat"));
                w.transfer = on[n + 3].then(|| name("contoso_alert"));
                w.smart_assist_bots = vec![name("contoso_bot")];
            })
        });
        let others = [
            macro_("run_5", on[10]),
            bot("contoso_bot", on[11]),
            Object::NotificationTemplate(alert("contoso_alert", on[0]).into()),
            Object::SessionTemplate(chat.into()),
        ];
        scripts.chain(streams).chain(others).collect()
    })
}

/// Whether some script leads back to itself.
fn has_cycle(content: &v1::ProfileContent) -> bool {
    let mut left: Vec<_> = content.scripts.iter().collect();
    loop {
        let leads = |script: &v1::ResolvedScript, to: &v1::ResolvedScript| {
            script.steps.iter().any(|step| step.script == to.unique_name)
        };
        let before = left.len();
        let all = left.clone();
        left.retain(|script| all.iter().any(|other| leads(script, other)));
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

fn library() -> impl Strategy<Value = Vec<Object>> {
    let flags = proptest::collection::vec(any::<bool>(), 16);
    (flags, proptest::collection::vec(0..3i32, 4)).prop_map(|(on, orders)| {
        let tabs =
            (0..4).map(|n| Object::TabTemplate(tab(n, on[n], &[("searchText", "x")]).into()));
        let sessions = (4..8).map(|n| {
            let entity = if n % 2 == 0 { "incident" } else { "account" };
            let tabs = ["tab_0x", "tab_3x", "tab_2x"];
            let mut of = session(&format!("case_{n}"), entity, on[n], &tabs);
            of.scripts = vec![name(&format!("script_{}", n % 4))];
            Object::SessionTemplate(of.into())
        });
        let providers = (8..12).map(|n| {
            Object::Provider(provider(&format!("voice_{n}"), orders[n - 8], on[n]).into())
        });
        let switches = settings(|s| {
            s.channels_provisioned = on[12];
            s.copilot_opt_in = on[13];
            s.screen_recording = on[14];
            s.case_handling_time = on[15];
        });
        tabs.chain(sessions).chain(providers).chain([switches]).collect()
    })
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let tools = ["copilot", "screen_recording", "case_handling_time", "scripts", "smart_assist"];
    let entries = proptest::collection::vec((any::<bool>(), 0..3i32), tools.len());
    let setting = prop_oneof![Just(Setting::Unset), Just(Setting::On), Just(Setting::Off)];
    let copilot = proptest::collection::vec(setting, FEATURES.len());
    let views = proptest::collection::vec((any::<bool>(), any::<bool>()), 0..4);
    let links = proptest::collection::vec(3..9usize, 0..6);
    (any::<[bool; 3]>(), entries, copilot, views, links).prop_map(
        move |([pane, inbox, channels], entries, copilot, views, links)| {
            let mut profile = profile();
            profile.pane.on = pane;
            let entries = tools.iter().zip(entries).map(|(tool, (enabled, order))| PaneTool {
                enabled,
                ..shown(&format!("msdyn_tool_{tool}"), order)
            });
            profile.pane.tools = entries.collect();
            let names = FEATURES.iter().map(|f| f.name.to_owned());
            profile.copilot = names.zip(copilot).collect();
            profile.inbox.enabled = inbox;
            let views = views.into_iter().enumerate().map(|(at, (visible, chat))| InboxView {
                name: format!("View {at}"),
                visible,
                record_types: vec![if chat { "conversation" } else { "case" }.into()],
                ..InboxView::default()
            });
            profile.inbox.views = views.collect();
            profile.all_active_channels = channels;
            profile.session_templates = links.iter().map(|n| name(&format!("case_{n}"))).collect();
            profile.providers = links.iter().map(|n| name(&format!("voice_{}", n + 4))).collect();
            profile
        },
    )
}

proptest! {
    #[test]
    fn equal_state_gives_equal_bytes_that_decode(
        (ordered, shuffled) in (library(), conversations())
            .prop_map(|(library, conversations)| [library, conversations].concat())
            .prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
        profile in any_profile(),
        presence: bool,
        recorder: bool,
    ) {
        let ordered = catalog(ordered);
        let gates = Gates {
            presence,
            roles: recorder.then(|| name("msdyn_screen_recorder")).into_iter().collect(),
        };
        let compiled = compile(&ordered, &profile, &gates);
        prop_assert_eq!(&compile(&catalog(shuffled), &profile, &gates), &compiled);

        let content = decoded(&compiled);
        prop_assert_eq!(content.encode_to_vec(), compiled.bytes.to_vec());
        prop_assert_eq!(content.schema_version, SCHEMA_VERSION);
        prop_assert!(content.session_templates.is_sorted_by(|a, b| a.entity < b.entity));
        prop_assert!(content.copilot.is_sorted_by(|a, b| a.feature < b.feature));
        prop_assert!(content.scripts.is_sorted_by(|a, b| a.unique_name < b.unique_name));
        prop_assert!(content.workstreams.is_sorted_by(|a, b| a.unique_name < b.unique_name));
        prop_assert!(!has_cycle(&content));
        let steps = || content.scripts.iter().flat_map(|script| &script.steps);
        let delivered = |name: &str| content.scripts.iter().any(|script| script.unique_name == name);
        prop_assert!(steps().all(|step| step.script.is_empty() || delivered(&step.script)));
        prop_assert!(compiled.findings.is_sorted_by(|a, b| (a.code, &a.subject) < (b.code, &b.subject)));

        let relevant = gates.relevant_to(&ordered, &profile);
        prop_assert_eq!(&compile(&ordered, &profile, &relevant).bytes, &compiled.bytes);
        prop_assert!(Parts::new(&ordered).largest(&profile) >= compiled.bytes.len());
        let mut moved = profile;
        moved.rank = Some(3);
        prop_assert_eq!(compile(&ordered, &Arc::new(moved), &gates).digest, compiled.digest);
    }
}
