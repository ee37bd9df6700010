//! Field rules of channel providers.

use deskplane_providers::{Adapter, Descriptor};

use super::{super::credential, patch::ProviderPatch};
use crate::{
    catalog::Catalog,
    domain::{
        Reason, Violations,
        check::{self, Controls},
        provider::{Capability, ChannelProvider, MAX_SECRETS, SANDBOX_TOKENS, WIDGET},
    },
    render::targets,
};

/// Longest configuration of an adapter, in bytes.
const MAX_CONFIG: usize = 16 * 1024;
/// Longest texts that the fields `trusted_domains` and `sandbox` hold joined, in characters.
const MAX_JOINED: usize = 2_000;

/// Notes every plain field rule that the values break.
pub(super) fn syntax(patch: &ProviderPatch, v: &mut Violations) {
    if let Some(adapter) = &patch.adapter {
        check::line(v, "adapter", adapter, 1..=40);
    }
    if let Some(label) = &patch.label {
        check::line(v, "label", label, 1..=100);
    }
    if let Some(url) = &patch.channel_url {
        check::line(v, "channel_url", url, 0..=1_024);
        if !is_page(url) {
            let rule = "must be an absolute https URL with a host, without user or slug";
            v.add(Reason::ProviderUrlInvalid, "channel_url", rule);
        }
    }
    if let Some(order) = patch.channel_order {
        check::range(v, "channel_order", order.into(), 0..=1_000);
    }
    if let Some(domains) = &patch.trusted_domains {
        for (at, _) in domains.iter().enumerate().filter(|(_, domain)| !is_trusted(domain)) {
            let rule = "must be a host, as in `*.contoso.com`, or an https origin";
            v.invalid(format!("trusted_domains[{at}]"), rule);
        }
        joined(v, "trusted_domains", domains);
    }
    if let Some(text) = &patch.custom_parameters {
        check::text(v, "custom_parameters", text, 0..=2_000, Controls::TabAndNewline);
        if let Some(at) = credential::find(text) {
            let rule = format!(
                "looks like a credential at character {at}; every agent can read this field"
            );
            v.add(Reason::SecretInCustomParameters, "custom_parameters", rule);
        }
    }
    if let Some(tokens) = &patch.sandbox {
        for token in tokens.iter().filter(|token| !SANDBOX_TOKENS.contains(&token.as_str())) {
            v.invalid("sandbox", format!("`{}` is not a sandbox token", shown(token)));
        }
        joined(v, "sandbox", tokens);
    }
    if let Some(config) = patch.config.as_deref().filter(|config| !config.is_empty()) {
        check::json_object(v, "config", config, MAX_CONFIG);
    }
}

/// Notes every rule between fields that the provider would break.
pub(super) fn check(
    catalog: &Catalog,
    next: &ChannelProvider,
    before: Option<&ChannelProvider>,
    patch: &ProviderPatch,
    v: &mut Violations,
) {
    let old = before.map(|before| &before.capabilities);
    let changed = patch.capabilities.as_ref().is_some_and(|new| match old {
        Some(old) => old != new,
        None => !new.is_empty(),
    });
    if next.adapter != WIDGET && changed {
        v.invalid("capabilities", "are declared by the adapter");
    }
    let fits = catalog.adapters.find(&next.adapter).is_none_or(|adapter| {
        secrets(adapter.descriptor(), next, before, patch, v);
        config(adapter, next, before, v)
    });
    // Without a configuration that fits nobody can say what the adapter does with it.
    let offered = catalog.capabilities(next).filter(|_| fits);
    let needed = [Capability::Dial, Capability::ClickToAct];
    let dials = offered.is_none_or(|offered| needed.iter().all(|c| offered.contains(c)));
    if next.outbound && !dials {
        let rule = "needs DIAL and CLICK_TO_ACT among the capabilities, or none declared";
        v.add(Reason::OutboundNeedsDial, "outbound", rule);
    }
}

/// Whether the adapter takes the configuration; notes everything that is wrong with a new one.
fn config(
    adapter: &Adapter,
    next: &ChannelProvider,
    before: Option<&ChannelProvider>,
    v: &mut Violations,
) -> bool {
    let mut plain = Violations::new();
    check::json_object(&mut plain, "config", &next.config, MAX_CONFIG);
    if !plain.is_empty() {
        // Said of the value given, already.
        return false;
    }
    let Err(mistakes) = adapter.capabilities(&next.config) else { return true };
    if before.is_some_and(|before| before.config == next.config) {
        return false;
    }
    for mistake in mistakes {
        let field = match mistake.path.as_str() {
            "" => "config".to_owned(),
            path => format!("config.{path}"),
        };
        v.add(Reason::AdapterConfigInvalid, field, mistake.rule);
    }
    false
}

/// Notes secrets that the adapter does not know, and those that it needs and will not have.
fn secrets(
    adapter: &Descriptor,
    next: &ChannelProvider,
    before: Option<&ChannelProvider>,
    patch: &ProviderPatch,
    v: &mut Violations,
) {
    let field = |name: &str| format!("secrets[{}]", shown(name));
    let known = |name: &str| adapter.secrets.iter().any(|secret| secret.name == name);
    let stored = |name: &str| before.is_some_and(|before| before.secrets.contains_key(name));
    for (name, value) in &patch.secrets {
        // What an older adapter left behind may be taken away.
        if !known(name) && (value.is_some() || !stored(name)) {
            let rule = format!("the adapter {} has no secret of that name", adapter.kind);
            v.add(Reason::AdapterSecretUnknown, field(name), rule);
        }
    }
    check::count(v, "secrets", next.secrets.len(), MAX_SECRETS);
    if before.is_some() && patch.secrets.is_empty() {
        return;
    }
    let required = adapter.secrets.iter().filter(|secret| secret.required);
    for secret in required.filter(|secret| !next.secrets.contains_key(secret.name)) {
        let rule = format!("the adapter {} needs it", adapter.kind);
        v.add(Reason::AdapterSecretMissing, field(secret.name), rule);
    }
}

/// Names of the secrets that the adapter needs and the provider does not have.
pub(super) fn missing_secrets<'a>(
    catalog: &'a Catalog,
    provider: &'a ChannelProvider,
) -> impl Iterator<Item = &'a str> {
    let adapter = catalog.adapters.find(&provider.adapter);
    let secrets = adapter.into_iter().flat_map(|adapter| adapter.descriptor().secrets.iter());
    let missing = secrets.filter(|s| s.required && !provider.secrets.contains_key(s.name));
    missing.map(|secret| secret.name)
}

fn joined<'a>(v: &mut Violations, field: &str, parts: impl IntoIterator<Item = &'a String>) {
    let parts: Vec<_> = parts.into_iter().map(String::as_str).collect();
    let length = parts.join(" ").chars().count();
    if length > MAX_JOINED {
        v.invalid(field, format!("must be at most {MAX_JOINED} characters joined, has {length}"));
    }
}

/// The beginning of a text that is quoted: messages travel in headers.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Whether a text is the address of a page.
fn is_page(url: &str) -> bool {
    targets::check_url(url).is_ok()
        && targets::check_no_slugs(url).is_ok()
        && !url.contains(char::is_whitespace)
}

/// Whether a text is a host or an https origin, with `*.` before the host or not.
fn is_trusted(domain: &str) -> bool {
    const SCHEME: &str = "https://";
    let split = domain.split_at_checked(SCHEME.len());
    let host = match split {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => domain,
    };
    let host = host.strip_prefix("*.").unwrap_or(host);
    !host.contains(['/', '?', '#']) && targets::check_url(&format!("{SCHEME}{host}")).is_ok()
}
