//! Which built-in templates stand in where a work stream names none (SPEC §3.10, §4.2, §4.4).

use crate::domain::{UniqueName, channel::ChannelKind, workstream::Slot};

/// The session template of a kind of channel.
pub fn session_template(kind: ChannelKind) -> UniqueName {
    UniqueName::known(match kind {
        ChannelKind::Chat => "msdyn_chat_session",
        ChannelKind::CustomMessaging => "msdyn_custom_messaging_session",
        ChannelKind::EntityRecords => "msdyn_entity_records_session",
        ChannelKind::Facebook => "msdyn_facebook_session",
        ChannelKind::Line => "msdyn_line_session",
        ChannelKind::Sms => "msdyn_sms_session",
        ChannelKind::Teams => "msdyn_teams_session",
        ChannelKind::Twitter => "msdyn_twitter_session",
        ChannelKind::Voice => "msdyn_voice_call_session",
        ChannelKind::Wechat => "msdyn_wechat_session",
        ChannelKind::Whatsapp => "msdyn_whatsapp_session",
    })
}

/// The notification template of a slot of a kind of channel. Records announce what comes in only, and
/// supervisors assign calls only. WhatsApp shows those of custom messaging.
pub fn notification_template(kind: ChannelKind, slot: Slot) -> Option<UniqueName> {
    let channel = match kind {
        ChannelKind::EntityRecords => {
            let comes_in =
                matches!(slot, Slot::IncomingUnauthenticated | Slot::IncomingAuthenticated);
            return comes_in.then(|| UniqueName::known("msdyn_cds_entity_assigned"));
        }
        ChannelKind::Chat => "chat",
        ChannelKind::CustomMessaging | ChannelKind::Whatsapp => "custom_messaging",
        ChannelKind::Facebook => "facebook",
        ChannelKind::Line => "line",
        ChannelKind::Sms => "sms",
        ChannelKind::Teams => "teams",
        ChannelKind::Twitter => "twitter",
        ChannelKind::Voice => "voice_call",
        ChannelKind::Wechat => "wechat",
    };
    let slot = match slot {
        Slot::IncomingUnauthenticated => "incoming_unauthenticated",
        Slot::IncomingAuthenticated => "incoming_authenticated",
        Slot::Consult => "consult",
        Slot::Transfer => "transfer",
        Slot::SupervisorAssign if kind == ChannelKind::Voice => "supervisor_assign",
        Slot::SupervisorAssign => return None,
    };
    UniqueName::parse(&format!("msdyn_{channel}_{slot}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{Catalog, builtin},
        domain::{Time, field::Choice as _},
    };

    #[test]
    fn every_channel_has_built_in_templates() {
        let catalog =
            Catalog::from_objects(builtin::objects(1, Time::default()), 1, Time::default());
        for kind in ChannelKind::ALL {
            assert!(catalog.tables.session_templates.get(&session_template(*kind)).is_some());
            for slot in Slot::ALL {
                let Some(name) = notification_template(*kind, *slot) else {
                    let records = *kind == ChannelKind::EntityRecords;
                    assert!(records || *slot == Slot::SupervisorAssign, "{kind:?} {slot:?}");
                    continue;
                };
                assert!(catalog.tables.notification_templates.get(&name).is_some(), "{name}");
            }
        }
    }
}
