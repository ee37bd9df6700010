//! Channels, the inbox that depends on them, and voice providers.

use deskplane_proto::v1;

use super::{
    Gate, GateSubject,
    draft::Draft,
    wire::{self, Coded as _},
};
use crate::{
    catalog::Catalog,
    domain::{
        FindingCode,
        provider::{ChannelProvider, FIRST_PARTY, SANDBOX_ALWAYS},
    },
};

/// The channels after their gates.
pub(super) fn channels(draft: &mut Draft<'_>) -> v1::ResolvedChannels {
    let closed = draft.first_closed(&[
        (Gate::Value, draft.profile.all_active_channels),
        (Gate::Organization, draft.catalog.settings.channels_provisioned),
    ]);
    if let Some(gate) = closed {
        draft.closed(GateSubject::Channels, "channels", gate);
        if gate == Gate::Organization {
            let message = "The profile opens channels, but none are provisioned.";
            draft.find(FindingCode::ChannelsNotProvisioned, "", message);
        }
        return v1::ResolvedChannels::default();
    }
    let presence = draft.gates.presence;
    if !presence {
        let message = "Channels are open, but no role of the user allows a presence.";
        draft.find(FindingCode::PresenceRoleMissing, "", message);
    }
    let active = draft.catalog.tables.channels.iter().filter(|channel| channel.common.is_active());
    let mut kinds: Vec<i32> = active.map(|channel| channel.kind.wire().into()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    v1::ResolvedChannels { effective: true, presence, kinds }
}

/// The inbox after its gates.
pub(super) fn inbox(draft: &mut Draft<'_>, channels: bool) -> v1::ResolvedInbox {
    let inbox = &draft.profile.inbox;
    let mut views = Vec::new();
    for view in &inbox.views {
        let closed = draft.first_closed(&[
            (Gate::Inbox, inbox.enabled),
            (Gate::Visible, view.visible),
            (Gate::Channels, channels || !view.is_chat()),
        ]);
        let Some(gate) = closed else {
            views.push(wire::view(view));
            continue;
        };
        draft.closed(GateSubject::View, &view.name, gate);
        if gate == Gate::Channels {
            let message = format!("{} is left out because channels are not open.", view.name);
            draft.find(FindingCode::InboxViewNeedsChannels, &view.name, message);
        }
    }
    v1::ResolvedInbox { enabled: draft.passes(inbox.enabled), views }
}

/// The providers by channel order, then name.
pub(super) fn providers(draft: &mut Draft<'_>) -> Vec<v1::LaunchDescriptor> {
    let mut found = Vec::new();
    let (catalog, profile) = (draft.catalog, draft.profile);
    let linked = profile.providers.iter();
    for name in linked.filter(|name| !name.as_str().eq_ignore_ascii_case(FIRST_PARTY)) {
        let (code, why) = match catalog.tables.providers.get(name) {
            Some(provider) if provider.common.is_active() => {
                if catalog.adapters.find(&provider.adapter).is_none() {
                    let message =
                        format!("{name} needs the adapter {}, which is missing.", provider.adapter);
                    draft.find(FindingCode::AdapterMissing, name.as_str(), message);
                }
                found.push(provider);
                continue;
            }
            Some(_) => (FindingCode::ProviderInactive, "is inactive"),
            None => (FindingCode::ProviderMissing, "does not exist"),
        };
        draft.find(code, name.as_str(), format!("{name} {why} and is left out."));
    }
    let key =
        |provider: &ChannelProvider| (provider.channel_order, provider.common.unique_name.clone());
    found.sort_by_cached_key(|provider| key(provider));
    draft.providers = found.iter().map(|p| p.common.unique_name.clone()).collect();
    found.into_iter().map(|provider| launch(catalog, provider)).collect()
}

fn launch(catalog: &Catalog, provider: &ChannelProvider) -> v1::LaunchDescriptor {
    let configured = provider.sandbox.iter().map(String::as_str);
    let mut sandbox: Vec<_> = configured.chain(SANDBOX_ALWAYS.iter().copied()).collect();
    sandbox.sort_unstable();
    sandbox.dedup();
    let known = catalog.capabilities(provider);
    let mut capabilities: Vec<i32> = known.iter().flatten().map(|c| c.wire().into()).collect();
    capabilities.sort_unstable();
    v1::LaunchDescriptor {
        unique_name: provider.common.unique_name.as_str().to_owned(),
        label: provider.label.clone(),
        order: provider.channel_order,
        url: provider.channel_url.clone(),
        trusted_domains: provider.trusted_domains.clone(),
        sandbox: sandbox.into_iter().map(str::to_owned).collect(),
        custom_parameters: provider.custom_parameters.clone(),
        outbound: provider.outbound,
        analytics: provider.analytics,
        api_version: v1::ApiVersion::V2.into(),
        capabilities_declared: known.is_some(),
        capabilities,
        failover: provider.failover.wire().into(),
    }
}
