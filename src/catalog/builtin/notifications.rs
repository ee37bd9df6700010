//! Built-in notification templates (SPEC §4.4).

use crate::domain::{
    Kind, Object,
    notification_template::{NotificationField, NotificationTemplate},
    rules::Rules as _,
};

use super::seed::Seed;

/// Part of the unique name and part of the display name.
type Part = (&'static str, &'static str);

const CHANNELS: [Part; 9] = [
    ("chat", "Chat"),
    ("custom_messaging", "Custom messaging"),
    ("facebook", "Facebook"),
    ("line", "LINE"),
    ("sms", "SMS"),
    ("teams", "Teams"),
    ("twitter", "Twitter"),
    ("wechat", "WeChat"),
    ("voice_call", "Voice call"),
];

const AUTHENTICATED: &str = "incoming_authenticated";

const SLOTS: [Part; 4] = [
    ("incoming_unauthenticated", "incoming unauthenticated"),
    (AUTHENTICATED, "incoming authenticated"),
    ("consult", "consult"),
    ("transfer", "transfer"),
];

/// Templates of no channel or of one channel only, by unique and display name.
const OTHERS: [Part; 3] = [
    ("msdyn_voice_call_supervisor_assign", "Voice call - supervisor assign - default"),
    ("msdyn_customized_notification", "Customized notification template"),
    ("msdyn_sentiment_threshold_alert", "Sentiment threshold alert - supervisor"),
];

/// All of them.
pub(super) fn objects(seed: &Seed) -> Vec<Object> {
    let mut templates = Vec::new();
    for (channel, channel_text) in CHANNELS {
        for (slot, slot_text) in SLOTS {
            let name = format!("msdyn_{channel}_{slot}");
            let display_name = format!("{channel_text} - {slot_text} - default");
            let mut template = template(seed, &name, &display_name);
            if slot == AUTHENTICATED {
                template.fields.push(field("Case", "{caseTitle}", 1));
            }
            templates.push(template);
        }
    }
    templates.extend(OTHERS.map(|(name, display_name)| template(seed, name, display_name)));
    templates.push(NotificationTemplate {
        show_reject: false,
        ..template(seed, "msdyn_cds_entity_assigned", "Entity record - assign - default")
    });
    templates.into_iter().map(|template| Object::NotificationTemplate(template.into())).collect()
}

/// A template with the defaults of SPEC §3.7 that names the customer.
fn template(seed: &Seed, name: &str, display_name: &str) -> NotificationTemplate {
    let (common, stamp) = seed.named(Kind::NotificationTemplate, name, display_name);
    NotificationTemplate {
        title: display_name.to_owned(),
        fields: vec![field("Customer", "{customerName}", 0)],
        ..NotificationTemplate::empty(common, stamp)
    }
}

fn field(header: &str, value: &str, order: i32) -> NotificationField {
    NotificationField {
        name: header.to_owned(),
        header: header.to_owned(),
        value: value.to_owned(),
        order,
        unique_name: None,
    }
}
