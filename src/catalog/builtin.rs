//! The built-in content: what every installation holds from its first start (SPEC §4).

pub mod defaults;
mod notifications;
mod profiles;
mod roles;
mod seed;
mod templates;
mod tools;

use std::collections::{BTreeMap, BTreeSet};

use self::seed::Seed;
use crate::domain::{
    Kind, Object, Time,
    channel::{Channel, ChannelKind},
    field::Choice as _,
    provider::{ChannelProvider, FIRST_PARTY, Failover, WIDGET},
    settings::Settings,
};

/// Every built-in object and the initial settings, as the given commit creates them.
///
/// The uid of an object depends on its kind and name only, so that it is the same everywhere.
pub fn objects(revision: i64, time: Time) -> Vec<Object> {
    let seed = Seed { revision, time };
    let mut objects =
        vec![Object::Settings(Settings::initial(seed.stamp(Kind::Settings, "")).into())];
    objects.extend(roles::objects(&seed));
    objects.extend(tools::objects(&seed));
    objects.extend(templates::tabs(&seed));
    objects.extend(templates::sessions(&seed));
    objects.extend(notifications::objects(&seed));
    objects.extend(channels(&seed));
    objects.push(first_party(&seed));
    objects.extend(profiles::objects(&seed));
    objects
}

fn channels(seed: &Seed) -> impl Iterator<Item = Object> {
    ChannelKind::ALL.iter().map(|&kind| {
        let name = format!("msdyn_channel_{}", kind.as_str().to_ascii_lowercase());
        let (common, stamp) = seed.named(Kind::Channel, &name, channel_label(kind));
        Object::Channel(Channel { common, stamp, kind }.into())
    })
}

fn channel_label(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Chat => "Chat",
        ChannelKind::CustomMessaging => "Custom messaging",
        ChannelKind::EntityRecords => "Entity records",
        ChannelKind::Facebook => "Facebook",
        ChannelKind::Line => "LINE",
        ChannelKind::Sms => "SMS",
        ChannelKind::Teams => "Teams",
        ChannelKind::Twitter => "Twitter",
        ChannelKind::Voice => "Voice",
        ChannelKind::Wechat => "WeChat",
        ChannelKind::Whatsapp => "WhatsApp",
    }
}

/// The provider that stands for the first-party channels. It has no page of its own.
fn first_party(seed: &Seed) -> Object {
    let (common, stamp) = seed.named(Kind::Provider, FIRST_PARTY, "Omnichannel");
    Object::Provider(
        ChannelProvider {
            label: common.display_name.clone(),
            common,
            stamp,
            channel_url: String::new(),
            pinned_url: false,
            outbound: false,
            channel_order: 0,
            trusted_domains: Vec::new(),
            custom_parameters: String::new(),
            sandbox: BTreeSet::new(),
            analytics: false,
            capabilities: BTreeSet::new(),
            failover: Failover::None,
            adapter: WIDGET.to_owned(),
            config: "{}".to_owned(),
            secrets: BTreeMap::new(),
            refused_url: None,
        }
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::{
        seed::{CASE_SESSION, uid},
        *,
    };
    use crate::domain::{Stamp, UniqueName};

    fn all() -> Vec<Object> {
        objects(1, Time::from_micros(7))
    }

    /// Kind and name of everything the object refers to.
    fn references(object: &Object) -> Vec<(Kind, &UniqueName)> {
        let mut found = Vec::new();
        object.references(&mut |reference| found.push((reference.kind, reference.name)));
        found
    }

    #[test]
    fn the_library_is_complete() {
        let all = all();
        let count = |kind| all.iter().filter(|o| o.kind() == kind).count();
        assert_eq!(count(Kind::Profile), 3);
        assert_eq!(count(Kind::SessionTemplate), 12);
        assert_eq!(count(Kind::TabTemplate), 8);
        assert_eq!(count(Kind::NotificationTemplate), 40);
        assert_eq!(count(Kind::Role), 14);
        assert_eq!(count(Kind::Tool), 9);
        assert_eq!(count(Kind::Channel), 11);
        assert_eq!(count(Kind::Provider), 1);
        assert_eq!(count(Kind::Settings), 1);
        assert_eq!(all.len(), 99);
    }

    #[test]
    fn keys_and_uids_are_unique_and_lasting() {
        let all = all();
        assert_eq!(all.iter().map(Object::key).collect::<BTreeSet<_>>().len(), all.len());
        let uids = all.iter().map(|o| o.stamp().uid).collect::<BTreeSet<_>>();
        assert_eq!(uids.len(), all.len());
        let later = objects(5, Time::from_micros(9));
        assert_eq!(uids, later.iter().map(|o| o.stamp().uid).collect());
        // First 16 bytes of the SHA-256 of "deskplane-builtin:SecurityRole:msdyn_csr".
        assert_eq!(
            uid(Kind::Role, "msdyn_csr").to_string(),
            "5b0e6836-7f11-9a62-65c4-604d91b12070"
        );
    }

    #[test]
    fn stamps_are_those_of_the_commit() {
        for object in all() {
            let stamp = object.stamp();
            assert_eq!(stamp, &Stamp::new(stamp.uid, 1, Time::from_micros(7), "system"));
        }
    }

    #[test]
    fn every_reference_leads_to_an_object() {
        let all = all();
        let keys = all.iter().map(Object::key).collect::<BTreeSet<_>>();
        for object in &all {
            for (kind, name) in references(object) {
                let key = crate::domain::ObjectKey::new(kind, name.as_str());
                assert!(keys.contains(&key), "{} -> {name}", object.name());
            }
        }
    }

    #[test]
    fn objects_are_built_in_and_active_and_their_names_reserved() {
        for object in &all() {
            let Some(common) = object.common() else { continue };
            let name = &common.unique_name;
            assert!(common.is_built_in() && common.is_active(), "{name}");
            assert!((1..=100).contains(&common.display_name.chars().count()), "{name}");
            assert_eq!(name.is_reserved(), name.as_str() != CASE_SESSION, "{name}");
        }
    }

    #[test]
    fn profiles_differ_in_channels_and_the_tool_that_goes_with_them() {
        let mut seen = Vec::new();
        for object in &all() {
            let Object::Profile(profile) = object else { continue };
            let tools = &profile.pane.tools;
            assert!(profile.pane.on && !profile.inbox.enabled && profile.copilot.is_empty());
            assert!((0..).zip(tools).all(|(order, t)| t.enabled && t.order == order));
            assert_eq!(profile.session_templates, [UniqueName::known(CASE_SESSION)]);
            seen.push((object.name().to_owned(), profile.all_active_channels, tools.len()));
        }
        assert_eq!(
            seen,
            [
                ("msdyn_csw_default_profile".to_owned(), false, 4),
                ("msdyn_omnichannel_default_profile".to_owned(), true, 5),
                ("msdyn_csw_channels_default_profile".to_owned(), true, 5),
            ]
        );
    }

    #[test]
    fn sessions_of_conversations_have_an_anchor_and_those_of_entities_none() {
        use crate::domain::session_template::SessionType;
        for object in &all() {
            let Object::SessionTemplate(session) = object else { continue };
            let generic = session.session_type == SessionType::Generic;
            assert_eq!(session.anchor_tab.is_some(), generic, "{}", object.name());
            assert_eq!(session.entity.is_empty(), generic, "{}", object.name());
        }
    }

    #[test]
    fn notifications_name_the_customer_and_the_case_of_a_known_one() {
        for object in &all() {
            let Object::NotificationTemplate(template) = object else { continue };
            let name = object.name();
            assert_eq!(template.title, template.common.display_name, "{name}");
            let known = name.ends_with("_incoming_authenticated");
            let headers = template.fields.iter().map(|f| f.header.as_str()).collect::<Vec<_>>();
            assert_eq!(headers, if known { &["Customer", "Case"][..] } else { &["Customer"] });
            assert_eq!(template.show_reject, name != "msdyn_cds_entity_assigned", "{name}");
        }
    }
}
