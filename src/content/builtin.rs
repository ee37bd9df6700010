//! The built-in templates of a kind of channel, which open where a channel has no work stream
//! (SPEC §9.5).

use deskplane_proto::v1;

use super::{Gates, draft::Draft, sessions, wire::Coded as _, workstreams};
use crate::{
    catalog::{Catalog, builtin::defaults},
    domain::{
        Common, Stamp, Time, UniqueName, channel::ChannelKind, field::Choice as _,
        profile::Profile, workstream::Slot,
    },
};

/// The built-in templates of a kind of channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuiltIn {
    /// What opens.
    pub session_template: Option<v1::ResolvedSessionTemplate>,
    /// What announces it, by slot.
    pub notifications: Vec<(v1::NotificationSlot, v1::ResolvedNotification)>,
}

/// Expands the built-in templates of a kind of channel.
pub fn built_in_of(catalog: &Catalog, kind: ChannelKind) -> BuiltIn {
    // They are the same for all profiles.
    let stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "");
    let profile = Profile::empty(Common::custom(UniqueName::known("any_profile"), ""), stamp);
    let gates = Gates::default();
    let draft = &mut Draft::without_findings(catalog, &profile, &gates);
    let template = sessions::of_conversation(draft, &defaults::session_template(kind));
    let session_template = template.map(|template| sessions::expanded(draft, template));
    let notifications = Slot::ALL.iter().filter_map(|slot| {
        let name = defaults::notification_template(kind, *slot)?;
        let template = catalog.tables.notification_templates.get(&name)?;
        Some((slot.wire(), workstreams::announced(draft, template)))
    });
    BuiltIn { session_template, notifications: notifications.collect() }
}
