use super::*;
use crate::{
    command::library::{ProviderPatch, Strategy},
    domain::{
        field::Values,
        provider::ChannelProvider,
        session_template::{SessionTemplate, SessionType},
    },
};

fn sent<T: Strategy>(text: &str, patch: T::Patch) -> Box<dyn Incoming> {
    let mut v = Violations::new();
    let at = (format!("objects.{}[{text}]", T::KIND.collection()), name(text));
    let sent = Sent::<T>::new(at, State::Active, patch, None, &mut v);
    v.finish().unwrap();
    Box::new(sent)
}

fn template(text: &str, entity: &str) -> Box<dyn Incoming> {
    let values = Values::default()
        .with("display_name", &text.to_owned())
        .with("type", &SessionType::Entity)
        .with("entity", &entity.to_owned());
    sent::<SessionTemplate>(text, values)
}

fn provider(text: &str, change: impl FnOnce(&mut ProviderPatch)) -> Box<dyn Incoming> {
    let mut patch = ProviderPatch {
        display_name: Some(text.to_owned()),
        label: Some(text.to_owned()),
        channel_url: Some("https://voice.example/".to_owned()),
        ..ProviderPatch::default()
    };
    change(&mut patch);
    sent::<ChannelProvider>(text, patch)
}

fn with_templates(text: &str, templates: &[&str]) -> Box<dyn Incoming> {
    let patch = ProfilePatch {
        display_name: Some(text.to_owned()),
        session_templates: Some(templates.iter().map(|text| name(text)).collect()),
        ..ProfilePatch::default()
    };
    sent_profile(text, patch, Assignment::default())
}

#[test]
fn objects_of_a_bundle_may_refer_to_each_other_in_any_order_and_spelling() {
    let objects =
        vec![with_templates("gold_rep", &["GOLD_case"]), template("gold_case", "incident")];
    let (_, after) = accepted(&catalog([]), &bundle(ImportOptions::default(), objects));
    assert_eq!(found(&after, "gold_rep").session_templates[0].as_str(), "gold_case");
    let alone = bundle(ImportOptions::default(), vec![with_templates("gold_rep", &["gold_case"])]);
    let refusal = refused(&catalog([]), &alone);
    assert_eq!(refusal.reason, Reason::TemplateNotFound);
    assert_eq!(refusal.resources[0].name, "gold_case");
}

#[test]
fn s11_4_two_templates_for_one_entity_keep_their_order() {
    let objects = vec![
        with_templates("gold_rep", &["gold_b", "gold_a"]),
        template("gold_a", "incident"),
        template("gold_b", "incident"),
    ];
    let (plan, after) = accepted(&catalog([]), &bundle(ImportOptions::default(), objects));
    assert_eq!(findings(&plan), [(FindingCode::DuplicateEntityTemplate, "gold_a")]);
    let order: Vec<_> =
        found(&after, "gold_rep").session_templates.iter().map(|n| n.as_str()).collect();
    assert_eq!(order, ["gold_b", "gold_a"]);
    let twice =
        vec![with_templates("gold_rep", &["gold_a", "gold_a"]), template("gold_a", "incident")];
    let refusal = refused(&catalog([]), &bundle(ImportOptions::default(), twice));
    assert_eq!(refusal.reason, Reason::EntityTemplateExists);
}

#[test]
fn every_rule_of_a_create_holds_with_the_place_in_the_bundle() {
    let generic = Values::default()
        .with("display_name", &"Chat".to_owned())
        .with("type", &SessionType::Generic);
    let import = bundle(
        ImportOptions::default(),
        vec![
            sent::<SessionTemplate>("gold_chat", generic),
            provider("gold_voice", |patch| patch.outbound = Some(true)),
            template("gold_bad", ""),
        ],
    );
    let refusal = refused(&catalog([]), &import);
    let fields: Vec<_> = refusal.violations.iter().map(|bad| bad.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "objects.sessionTemplates[gold_chat].anchor_tab",
            "objects.sessionTemplates[gold_bad].entity"
        ]
    );
}

#[test]
fn an_immutable_field_of_an_overwritten_object_stays() {
    let (_, before) = accepted(
        &catalog([]),
        &bundle(ImportOptions::default(), vec![template("gold_a", "incident")]),
    );
    let options = ImportOptions { on_existing: OnExisting::Overwrite, ..Default::default() };
    let refusal = refused(&before, &bundle(options, vec![template("gold_a", "account")]));
    assert_eq!(refusal.reason, Reason::FieldImmutable);
    assert_eq!(refusal.violations[0].field, "objects.sessionTemplates[gold_a].entity");
}

fn pinned() -> Catalog {
    let import = bundle(
        ImportOptions::default(),
        vec![provider("gold_voice", |p| p.pinned_url = Some(true))],
    );
    accepted(&catalog([]), &import).1
}

#[test]
fn s11_4_a_pinned_url_is_kept_or_the_import_refused() {
    for pin in [true, false] {
        let import = |on_pinned_url| {
            let overwrite = OnExisting::Overwrite;
            let options =
                ImportOptions { on_existing: overwrite, on_pinned_url, ..Default::default() };
            let moved = provider("gold_voice", |patch| {
                patch.channel_url = Some("https://other.example/".to_owned());
                patch.pinned_url = Some(pin);
                patch.label = Some("Other".to_owned());
            });
            bundle(options, vec![moved])
        };
        let (plan, after) = accepted(&pinned(), &import(OnPinnedUrl::Keep));
        assert_eq!(findings(&plan), [(FindingCode::ProviderUrlDrift, "gold_voice")]);
        let voice = after.tables.providers.find("gold_voice").unwrap();
        assert_eq!((&*voice.channel_url, &*voice.label), ("https://voice.example/", "Other"));
        assert!(voice.pinned_url);
        assert_eq!(voice.refused_url.as_deref(), Some("https://other.example/"));
        let refusal = refused(&pinned(), &import(OnPinnedUrl::Fail));
        assert_eq!(refusal.reason, Reason::ProviderUrlDrift);
        assert_eq!(refusal.resources[0].name, "gold_voice");
    }
}

#[test]
fn an_adapter_that_this_server_lacks_is_refused() {
    let other = provider("gold_voice", |patch| patch.adapter = Some("no_such".to_owned()));
    let refusal = refused(&catalog([]), &bundle(ImportOptions::default(), vec![other]));
    assert_eq!(refusal.reason, Reason::AdapterNotFound);
}
