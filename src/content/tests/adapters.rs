//! Providers with an adapter: what it can do, and what becomes of them without it.

use deskplane_providers::{Registry, fake};

use super::*;

#[test]
fn a_provider_resolves_with_its_adapter_and_without_it() {
    let mut voice = provider("zeta_voice", 1, true);
    voice.adapter = fake::KIND.to_owned();
    voice.config = r#"{"capabilities":["END","DIAL"]}"#.to_owned();
    voice.capabilities.clear();
    let mut profile = profile();
    profile.providers = [name("zeta_voice")].into();
    let without = catalog([Object::Provider(voice.into())]);
    let with = without.clone().with_adapters(Arc::new(Registry::builtin().with_fake()));

    for (catalog, capabilities, missing) in [(&with, vec![2, 5], false), (&without, vec![], true)] {
        let compiled = compile(catalog, &profile, &Gates::default());
        let content = decoded(&compiled);
        let [launch] = content.providers.as_slice() else { panic!("one provider") };
        assert_eq!(launch.capabilities, capabilities);
        assert_eq!(launch.capabilities_declared, !missing);
        let told = found(&compiled).contains(&("ADAPTER_MISSING", "zeta_voice"));
        assert_eq!(told, missing);
    }
}
