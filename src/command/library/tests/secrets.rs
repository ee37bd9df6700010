//! What adapters ask of configuration, secrets and capabilities.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use deskplane_providers::{self as providers, Adapter, Kind, Registry, SecretName};

use super::*;
use crate::{
    command::RotateSecretKeys,
    domain::{
        provider::Capability,
        secret::{Resealed, Sealed, SecretValue},
    },
};

/// An adapter that needs a secret and a region.
#[derive(Debug)]
struct Needy;

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    region: String,
    #[serde(default)]
    lines: Vec<u8>,
    #[serde(default)]
    dials: bool,
}

impl Kind for Needy {
    type Config = Config;

    const DESCRIPTOR: providers::Descriptor = providers::Descriptor {
        kind: "needy",
        secrets: &[SecretName::required("token"), SecretName::optional("pin")],
        ..<providers::widget::Widget as Kind>::DESCRIPTOR
    };

    fn judge(config: &Config, violations: &mut providers::Violations) {
        violations.check(config.region == "eu", "region", "must be eu");
        violations.check(config.lines.len() < 2, "lines", "must be one");
    }

    fn offers(config: &Config) -> providers::Capabilities {
        use providers::Capability::{ClickToAct, Dial, End};
        if config.dials { [End, Dial, ClickToAct].into() } else { [End].into() }
    }

    fn build(_: Config, _: providers::Setup) -> providers::Result<Self> {
        Ok(Self)
    }
}

type Done<T> = providers::Result<T>;

#[async_trait]
impl providers::ChannelProvider for Needy {
    fn descriptor(&self) -> &'static providers::Descriptor {
        &Self::DESCRIPTOR
    }

    fn capabilities(&self) -> providers::Capabilities {
        unreachable!()
    }

    async fn check(&self, _: &providers::Context) -> Vec<providers::Check> {
        unreachable!()
    }

    async fn mint_client_token(
        &self,
        _: &providers::Context,
        _: providers::MintToken,
    ) -> Done<providers::ClientToken> {
        unreachable!()
    }

    async fn start_call(
        &self,
        _: &providers::Context,
        _: providers::StartCall,
    ) -> Done<providers::Started> {
        unreachable!()
    }

    async fn end_call(&self, _: &providers::Context, _: &providers::CallRef) -> Done<bool> {
        unreachable!()
    }

    async fn hold(&self, _: &providers::Context, _: &providers::CallRef, _: bool) -> Done<()> {
        unreachable!()
    }

    async fn transfer(
        &self,
        _: &providers::Context,
        _: &providers::CallRef,
        _: providers::Transfer,
    ) -> Done<()> {
        unreachable!()
    }

    async fn set_presence(&self, _: &providers::Context, _: providers::SetPresence) -> Done<()> {
        unreachable!()
    }

    fn takes_webhooks(&self) -> bool {
        false
    }

    async fn receive(
        &self,
        _: &providers::Webhook<'_>,
    ) -> Result<providers::Received, providers::WebhookRefused> {
        unreachable!()
    }

    async fn events(&self, _: &providers::Context) -> Done<providers::EventStream> {
        unreachable!()
    }

    async fn poll_call(
        &self,
        _: &providers::Context,
        _: &providers::CallRef,
    ) -> Done<Option<providers::CallStatus>> {
        unreachable!()
    }
}

/// A catalog of a server that has the adapter.
fn needing() -> Catalog {
    let mut adapters = Registry::builtin();
    adapters.add(Adapter::of::<Needy>());
    catalog([]).with_adapters(Arc::new(adapters))
}

fn sealed(key: &str, data: &str) -> Sealed {
    Sealed { key: key.to_owned(), wrapped: format!("{key} {data}"), data: data.to_owned() }
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<SecretValue>> {
    let one = |(name, text): &(&str, &str)| {
        let value = (!text.is_empty()).then(|| SecretValue::Sealed(sealed("old", text)));
        ((*name).to_owned(), value)
    };
    pairs.iter().map(one).collect()
}

fn needy(config: &str, secrets: &[(&str, &str)]) -> ProviderPatch {
    ProviderPatch {
        adapter: some("needy"),
        config: some(config),
        secrets: given(secrets),
        ..voice()
    }
}

const GOOD: &str = r#"{"region":"eu"}"#;

#[test]
fn configurations_are_judged_by_the_adapter() {
    let token: &[_] = &[("token", "t")];
    for (config, expected) in [
        (GOOD, "ok"),
        (r#"{"region":"us","lines":[1,2]}"#, "ADAPTER_CONFIG_INVALID config.lines config.region"),
        (r#"{"region":1,"lines":["x"]}"#, "ADAPTER_CONFIG_INVALID config.lines[0] config.region"),
        (r#"{"region":"eu","more":1}"#, "ADAPTER_CONFIG_INVALID config.more"),
        ("{}", "ADAPTER_CONFIG_INVALID config.region"),
        ("", "ADAPTER_CONFIG_INVALID config.region"),
        ("[]", "FIELD_INVALID config"),
        ("{", "FIELD_INVALID config"),
    ] {
        let told = told(&needing(), &create::<ChannelProvider>("contoso_x", &needy(config, token)));
        assert_eq!(told, expected, "{config}");
    }
    // What an older version of the adapter took may stay, not come.
    let made = done(&needing(), &create::<ChannelProvider>("contoso_x", &needy(GOOD, token)));
    let mut old = crate::domain::provider::ChannelProvider::clone(&stored::<ChannelProvider>(
        &made,
        "contoso_x",
    ));
    old.config = "{}".to_owned();
    let old = made.apply(&[Change::Put(old.into_object())], 9, Time::default());
    let label = ProviderPatch { label: some("New"), ..Default::default() };
    assert_eq!(told(&old, &update::<ChannelProvider>("contoso_x", &label)), "ok");
    let config = ProviderPatch { config: some(r#"{"a":1}"#), ..Default::default() };
    assert!(
        told(&old, &update::<ChannelProvider>("contoso_x", &config)).starts_with("ADAPTER_CONFIG")
    );
}

#[test]
fn capabilities_are_those_of_the_adapter() {
    let dials = r#"{"region":"eu","dials":true}"#;
    let outbound = |config, outbound| ProviderPatch {
        outbound: Some(outbound),
        ..needy(config, &[("token", "t")])
    };
    for (patch, expected) in [
        (outbound(GOOD, false), "ok"),
        (outbound(GOOD, true), "OUTBOUND_NEEDS_DIAL outbound"),
        (outbound(dials, true), "ok"),
    ] {
        assert_eq!(told(&needing(), &create::<ChannelProvider>("contoso_x", &patch)), expected);
    }
    let made = done(&needing(), &create::<ChannelProvider>("contoso_x", &outbound(dials, true)));
    let provider = stored::<ChannelProvider>(&made, "contoso_x");
    assert!(provider.capabilities.is_empty());
    let known = BTreeSet::from([Capability::End, Capability::Dial, Capability::ClickToAct]);
    assert_eq!(made.capabilities(&provider), Some(known));
    let elsewhere = made.with_adapters(Arc::new(Registry::builtin()));
    assert_eq!(elsewhere.capabilities(&provider), None);
}

#[test]
fn secrets_are_those_that_the_adapter_knows_and_needs() {
    let create =
        |secrets| told(&needing(), &create::<ChannelProvider>("contoso_x", &needy(GOOD, secrets)));
    assert_eq!(create(&[]), "ADAPTER_SECRET_MISSING secrets[token]");
    assert_eq!(create(&[("token", "")]), "ADAPTER_SECRET_MISSING secrets[token]");
    assert_eq!(create(&[("token", "t"), ("pin", "p")]), "ok");
    let both = "ADAPTER_SECRET_UNKNOWN secrets[tokne] secrets[token]";
    assert_eq!(create(&[("tokne", "t")]), both);

    let patch = needy(GOOD, &[("token", "t"), ("pin", "p")]);
    let made = done(&needing(), &super::create::<ChannelProvider>("contoso_x", &patch));
    let set = |catalog: &Catalog, secrets: &[(&str, &str)]| {
        let patch = ProviderPatch { secrets: given(secrets), ..Default::default() };
        told(catalog, &update::<ChannelProvider>("contoso_x", &patch))
    };
    assert_eq!(set(&made, &[("pin", "")]), "ok");
    assert_eq!(set(&made, &[("token", "")]), "ADAPTER_SECRET_MISSING secrets[token]");
    assert_eq!(set(&made, &[("other", "")]), "ADAPTER_SECRET_UNKNOWN secrets[other]");

    // A copy has none, and may still be changed otherwise.
    let copied = done(&made, &clone::<ChannelProvider>("contoso_x", "contoso_y"));
    assert!(stored::<ChannelProvider>(&copied, "contoso_y").secrets.is_empty());
    let label = ProviderPatch { label: some("New"), ..Default::default() };
    assert_eq!(told(&copied, &update::<ChannelProvider>("contoso_y", &label)), "ok");
    let pin = ProviderPatch { secrets: given(&[("pin", "p")]), ..Default::default() };
    let refused = told(&copied, &update::<ChannelProvider>("contoso_y", &pin));
    assert_eq!(refused, "ADAPTER_SECRET_MISSING secrets[token]");
}

#[test]
fn a_write_replaces_the_secrets_that_it_names() {
    let patch = needy(GOOD, &[("token", "t"), ("pin", "p")]);
    let made = done(&needing(), &create::<ChannelProvider>("contoso_x", &patch));
    let later = Context { time: Time::from_micros(5), ..context(3) };
    let write = |value: SecretValue| {
        let secrets = BTreeMap::from([("pin".to_owned(), Some(value))]);
        let patch = ProviderPatch { secrets, ..Default::default() };
        update::<ChannelProvider>("contoso_x", &patch)
    };
    let reference = || SecretValue::Reference("env:DESKPLANE_SECRET_PIN".to_owned());
    let plan = write(reference()).plan(&made, &later).unwrap();
    let next = made.apply(&plan.changes, 3, later.time);
    let secrets = &stored::<ChannelProvider>(&next, "contoso_x").secrets;
    assert_eq!((secrets["token"].set_time, secrets["pin"].set_time), (Time::default(), later.time));
    assert_eq!(secrets["pin"].value, reference());
    assert_eq!(told(&next, &write(reference())), "same");
    let anew = SecretValue::Sealed(sealed("old", "other"));
    assert_eq!(told(&next, &write(anew)), "ok");
}

#[test]
fn rotation_changes_only_what_is_as_it_was() {
    let patch = needy(GOOD, &[("token", "t"), ("pin", "p")]);
    let made = done(&needing(), &create::<ChannelProvider>("contoso_x", &patch));
    let made =
        done(&made, &create::<ChannelProvider>("contoso_y", &needy(GOOD, &[("token", "u")])));
    let turn = |provider: &str, secret: &str, data: &str| Resealed {
        provider: provider.to_owned(),
        secret: secret.to_owned(),
        old: sealed("old", data),
        new: sealed("new", data),
    };
    let resealed = Ok(vec![
        turn("contoso_x", "token", "t"),
        turn("contoso_x", "pin", "written meanwhile"),
        turn("contoso_y", "token", "u"),
        turn("contoso_gone", "token", "t"),
    ]);
    let command = RotateSecretKeys { resealed };
    let later = Context { time: Time::from_micros(5), ..context(3) };
    let plan = Command::plan(&command, &made, &later).unwrap();
    assert_eq!((plan.resealed, plan.changes.len()), (2, 2));
    let next = made.apply(&plan.changes, 4, later.time);
    let secrets = &stored::<ChannelProvider>(&next, "contoso_x").secrets;
    assert_eq!(secrets["token"].value, SecretValue::Sealed(sealed("new", "t")));
    assert_eq!(secrets["token"].set_time, Time::default());
    assert_eq!(secrets["pin"].value, SecretValue::Sealed(sealed("old", "p")));
    assert_eq!(told(&next, &command), "same");
    assert_eq!(told(&next, &RotateSecretKeys { resealed: Ok(Vec::new()) }), "same");
    let refusal = Refusal::new(Reason::KeyRingUnusable, "none");
    assert_eq!(told(&next, &RotateSecretKeys { resealed: Err(refusal) }), "KEY_RING_UNUSABLE");
}
