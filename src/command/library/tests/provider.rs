use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::{FindingCode, provider::Capability, secret::SecretValue};

fn judged(change: impl FnOnce(&mut ProviderPatch)) -> String {
    let mut patch = voice();
    change(&mut patch);
    told(&catalog([]), &create::<ChannelProvider>("contoso_x", &patch))
}

#[test]
fn addresses_are_absolute_and_static() {
    for (url, expected) in [
        ("https://voice.contoso.com", "ok"),
        ("HTTPS://voice.contoso.com:8443/phone?x=1#y", "ok"),
        ("", "PROVIDER_URL_INVALID channel_url"),
        ("/phone", "PROVIDER_URL_INVALID channel_url"),
        ("http://voice.contoso.com", "PROVIDER_URL_INVALID channel_url"),
        ("https:///phone", "PROVIDER_URL_INVALID channel_url"),
        ("https://user:pass@contoso.com/", "PROVIDER_URL_INVALID channel_url"),
        ("https://contoso.com/{caseId}", "PROVIDER_URL_INVALID channel_url"),
        ("https://contoso.com/a b", "PROVIDER_URL_INVALID channel_url"),
    ] {
        assert_eq!(judged(|p| p.channel_url = some(url)), expected, "{url}");
    }
    let long = format!("https://contoso.com/{}", "x".repeat(1_005));
    assert_eq!(judged(|p| p.channel_url = Some(long)), "FIELD_INVALID channel_url");
}

#[test]
fn trusted_domains_are_hosts_or_origins() {
    for (domain, good) in [
        ("contoso.com", true),
        ("*.contoso.com", true),
        ("contoso.com:8443", true),
        ("https://contoso.com", true),
        ("https://*.contoso.com:8443", true),
        ("", false),
        ("*", false),
        ("*.", false),
        ("voice.*.com", false),
        ("*contoso.com", false),
        ("https://contoso.com/", false),
        ("http://contoso.com", false),
        ("a@contoso.com", false),
        ("contoso.com evil.example", false),
        ("{caseId}.contoso.com", false),
    ] {
        let told = judged(|p| p.trusted_domains = Some(vec!["a.b".into(), domain.into()]));
        let expected = if good { "ok" } else { "FIELD_INVALID trusted_domains[1]" };
        assert_eq!(told, expected, "{domain}");
    }
    let many = vec!["a23456789.b23456789".to_owned(); 101];
    assert_eq!(judged(|p| p.trusted_domains = Some(many[1..].to_vec())), "ok");
    assert_eq!(judged(|p| p.trusted_domains = Some(many)), "FIELD_INVALID trusted_domains");
}

#[test]
fn other_fields_keep_their_rules() {
    let sandbox = |token: &str| Some(BTreeSet::from([token.to_owned()]));
    let reference = SecretValue::Reference("env:DESKPLANE_SECRET_X".to_owned());
    let unknown = BTreeMap::from([("token".to_owned(), Some(reference))]);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(16 * 1024));
    for (result, expected) in [
        (judged(|p| p.label = None), "FIELD_INVALID label"),
        (judged(|p| p.channel_url = None), "FIELD_INVALID channel_url"),
        (judged(|p| p.label = some("")), "FIELD_INVALID label"),
        (judged(|p| p.channel_order = Some(0)), "ok"),
        (judged(|p| p.channel_order = Some(-1)), "FIELD_INVALID channel_order"),
        (judged(|p| p.channel_order = Some(1_001)), "FIELD_INVALID channel_order"),
        (judged(|p| p.custom_parameters = some("{\"region\":\n\t\"eu\"}")), "ok"),
        (
            judged(|p| p.custom_parameters = some("api-key=1")),
            "SECRET_IN_CUSTOM_PARAMETERS custom_parameters",
        ),
        (
            judged(|p| p.custom_parameters = Some("x".repeat(2_001))),
            "FIELD_INVALID custom_parameters",
        ),
        (judged(|p| p.sandbox = sandbox("allow-presentation")), "ok"),
        (judged(|p| p.sandbox = sandbox("allow-everything")), "FIELD_INVALID sandbox"),
        (judged(|p| p.config = some("")), "ok"),
        (judged(|p| p.config = some("{ }")), "ok"),
        (judged(|p| p.config = some("{ \"a\": 1 }")), "ADAPTER_CONFIG_INVALID config.a"),
        (judged(|p| p.config = some("[]")), "FIELD_INVALID config"),
        (judged(|p| p.config = Some(large)), "FIELD_INVALID config"),
        (judged(|p| p.adapter = some("widget")), "ok"),
        (judged(|p| p.adapter = some("")), "FIELD_INVALID adapter"),
        (judged(|p| p.adapter = some("nobody")), "ADAPTER_NOT_FOUND"),
        (judged(|p| p.secrets = unknown), "ADAPTER_SECRET_UNKNOWN secrets[token]"),
    ] {
        assert_eq!(result, expected);
    }
}

#[test]
fn outbound_calls_need_what_dials() {
    use Capability::{Accept, ClickToAct, Dial};
    let table: [(bool, &[Capability], &str); 5] = [
        (true, &[], "ok"),
        (false, &[Accept], "ok"),
        (true, &[Dial, ClickToAct], "ok"),
        (true, &[Dial], "OUTBOUND_NEEDS_DIAL outbound"),
        (true, &[Accept, ClickToAct], "OUTBOUND_NEEDS_DIAL outbound"),
    ];
    for (outbound, capabilities, expected) in table {
        let result = judged(|p| {
            p.outbound = Some(outbound);
            p.capabilities = Some(capabilities.iter().copied().collect());
        });
        assert_eq!(result, expected);
    }
    // Both sides of the rule are judged as they are after the write.
    let narrow = ProviderPatch { capabilities: Some(BTreeSet::from([Dial])), ..voice() };
    let made = done(&catalog([]), &create::<ChannelProvider>("contoso_x", &narrow));
    let outbound = ProviderPatch { outbound: Some(true), ..Default::default() };
    let refused = told(&made, &update::<ChannelProvider>("contoso_x", &outbound));
    assert_eq!(refused, "OUTBOUND_NEEDS_DIAL outbound");
}

#[test]
fn secrets_are_never_shown() {
    let reference = SecretValue::Reference("hunter2".to_owned());
    let secrets = BTreeMap::from([("token".to_owned(), Some(reference))]);
    let command = create::<ChannelProvider>("contoso_x", &ProviderPatch { secrets, ..voice() });
    let refusal = command.plan(&catalog([]), &context(1)).unwrap_err();
    for text in [format!("{command:?}"), format!("{refusal:?}")] {
        assert!(text.contains("token") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_pinned_address_stays_until_it_is_unpinned() {
    const OLD: &str = "https://voice.contoso.com/";
    const NEW: &str = "https://elsewhere.example/";
    let pinned = ProviderPatch { pinned_url: Some(true), ..voice() };
    let made = done(&catalog([]), &create::<ChannelProvider>("contoso_x", &pinned));
    let patch = |pinned_url| ProviderPatch {
        channel_url: some(NEW),
        label: some("New"),
        pinned_url,
        ..Default::default()
    };
    for keep in [None, Some(true)] {
        let command = update::<ChannelProvider>("contoso_x", &patch(keep));
        let plan = command.plan(&made, &context(1)).unwrap();
        let codes: Vec<_> = plan.findings.iter().map(|f| (f.code, f.subject.as_str())).collect();
        assert_eq!(codes, [(FindingCode::ProviderUrlDrift, "contoso_x")]);
        let kept = done(&made, &command);
        let provider = stored::<ChannelProvider>(&kept, "contoso_x");
        assert_eq!((&*provider.channel_url, &*provider.label), (OLD, "New"));
        assert_eq!(provider.refused_url.as_deref(), Some(NEW));
        let again = command.plan(&kept, &context(1)).unwrap();
        assert!(!again.changed() && again.findings.len() == 1);

        let copied = done(&kept, &clone::<ChannelProvider>("contoso_x", "contoso_y"));
        assert_eq!(stored::<ChannelProvider>(&copied, "contoso_y").refused_url, None);
        let freed = done(&kept, &update::<ChannelProvider>("contoso_x", &patch(Some(false))));
        let provider = stored::<ChannelProvider>(&freed, "contoso_x");
        assert_eq!((&*provider.channel_url, &provider.refused_url), (NEW, &None));
    }
    let first = update::<ChannelProvider>(
        "contoso_x",
        &ProviderPatch { pinned_url: Some(true), ..patch(None) },
    );
    let unpinned = done(&catalog([]), &create::<ChannelProvider>("contoso_x", &voice()));
    assert!(first.plan(&unpinned, &context(1)).unwrap().findings.is_empty());
}

#[test]
fn adapters_are_fixed_and_have_to_be_there() {
    let made = done(&catalog([]), &create::<ChannelProvider>("contoso_x", &voice()));
    let other = ProviderPatch { adapter: some("other"), ..Default::default() };
    let refused = told(&made, &update::<ChannelProvider>("contoso_x", &other));
    assert_eq!(refused, "FIELD_IMMUTABLE adapter");

    let mut old = crate::domain::provider::ChannelProvider::clone(&stored::<ChannelProvider>(
        &made,
        "contoso_x",
    ));
    old.adapter = "other".into();
    let old = catalog([old.into_object()]);
    let label = ProviderPatch { label: some("New"), ..Default::default() };
    assert_eq!(told(&old, &update::<ChannelProvider>("contoso_x", &label)), "ADAPTER_NOT_FOUND");
    assert_eq!(
        told(&old, &clone::<ChannelProvider>("contoso_x", "contoso_y")),
        "ADAPTER_NOT_FOUND"
    );
    let declared = BTreeSet::from([Capability::Dial]);
    let declares = ProviderPatch { capabilities: Some(declared), ..Default::default() };
    let refused = told(&old, &update::<ChannelProvider>("contoso_x", &declares));
    assert_eq!(refused, "FIELD_INVALID capabilities");
    assert_eq!(told(&old, &state::<ChannelProvider>("contoso_x", State::Inactive)), "ok");
    assert_eq!(told(&old, &delete::<ChannelProvider>("contoso_x", false)), "ok");
}

#[test]
fn the_first_party_provider_has_no_page_to_copy() {
    let command = clone::<ChannelProvider>("msdyn_omnichannel", "contoso_x");
    assert_eq!(told(&catalog([]), &command), "PROVIDER_URL_INVALID channel_url");
}
