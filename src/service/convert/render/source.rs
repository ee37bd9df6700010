//! Finds what opens for an event in the content of a profile.

use std::borrow::Cow;

use deskplane_proto::v1;

use super::event::Source;
use crate::{
    catalog::Catalog,
    content,
    domain::{Kind, Reason, Refusal, UniqueName},
};

/// What opens, and what announces it.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) template: Cow<'a, v1::ResolvedSessionTemplate>,
    pub(super) notification: Option<Cow<'a, v1::ResolvedNotification>>,
}

/// Finds the templates of an event.
pub(super) fn find<'a>(
    source: &Source,
    content: &'a v1::ProfileContent,
    catalog: &Catalog,
) -> Result<Opened<'a>, Refusal> {
    match source {
        Source::Entity(entity) => {
            let mut templates = content.session_templates.iter();
            let template = templates.find(|t| t.entity.eq_ignore_ascii_case(entity));
            let template = template.ok_or_else(|| no_template("Entity", entity))?;
            Ok(Opened { template: Cow::Borrowed(template), notification: None })
        }
        Source::Workstream(name, slot) => {
            open(content)?;
            let mut all = content.workstreams.iter();
            let found = all.find(|workstream| workstream.unique_name.eq_ignore_ascii_case(name));
            let found = found.ok_or_else(|| {
                let message = format!("There is no active work stream {name}.");
                let refusal = Refusal::new(Reason::ObjectNotFound, message);
                refusal.resource("Workstream", name, "does not exist, or is inactive")
            })?;
            of_workstream(found, *slot, content)
        }
        Source::Channel(name, slot) => of_channel(name, *slot, content, catalog),
    }
}

fn of_channel<'a>(
    name: &UniqueName,
    slot: Option<v1::NotificationSlot>,
    content: &'a v1::ProfileContent,
    catalog: &Catalog,
) -> Result<Opened<'a>, Refusal> {
    let channel = catalog.tables.channels.get(name);
    let channel = channel.ok_or_else(|| crate::command::not_found(Kind::Channel, name.as_str()))?;
    open(content)?;
    let name = channel.common.unique_name.as_str();
    if !channel.common.is_active() {
        return Err(off(&format!("Channel {name} is inactive."), name));
    }
    let mut streams =
        content.workstreams.iter().filter(|stream| stream.channel.eq_ignore_ascii_case(name));
    let (first, second) = (streams.next(), streams.next());
    match (first, second) {
        (Some(only), None) => of_workstream(only, slot, content),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(streams);
            let names: Vec<_> = all.map(|stream| stream.unique_name.as_str()).collect();
            let names = names.join(", ");
            let message = format!("Channel {name} has several active work streams: name one.");
            Err(Refusal::new(Reason::WorkstreamAmbiguous, message)
                .with("workstreams", &names)
                .violation("channel", format!("has the active work streams {names}")))
        }
        (None, _) => {
            let built_in = content::built_in_of(catalog, channel.kind);
            let notifications = built_in.notifications.into_iter();
            let mut of_slot = notifications.filter(|(of, _)| Some(*of) == slot);
            let template = built_in.session_template.ok_or_else(|| no_template("Channel", name))?;
            Ok(Opened {
                template: Cow::Owned(template),
                notification: of_slot.next().map(|(_, notification)| Cow::Owned(notification)),
            })
        }
    }
}

fn of_workstream<'a>(
    stream: &v1::ResolvedWorkstream,
    slot: Option<v1::NotificationSlot>,
    content: &'a v1::ProfileContent,
) -> Result<Opened<'a>, Refusal> {
    let mut templates = content.generic_session_templates.iter();
    let template = templates.find(|template| template.unique_name == stream.session_template);
    let template = template.ok_or_else(|| no_template("Workstream", &stream.unique_name))?;
    let name = match slot {
        None | Some(v1::NotificationSlot::Unspecified) => "",
        Some(v1::NotificationSlot::IncomingUnauthenticated) => &stream.incoming_unauthenticated,
        Some(v1::NotificationSlot::IncomingAuthenticated) => &stream.incoming_authenticated,
        Some(v1::NotificationSlot::Consult) => &stream.consult,
        Some(v1::NotificationSlot::Transfer) => &stream.transfer,
        Some(v1::NotificationSlot::SupervisorAssign) => &stream.supervisor_assign,
    };
    let mut notifications = content.notification_templates.iter();
    let notification = notifications.find(|n| !name.is_empty() && n.unique_name == name);
    let notification = notification.map(Cow::Borrowed);
    Ok(Opened { template: Cow::Borrowed(template), notification })
}

/// Refuses while channels are not open.
fn open(content: &v1::ProfileContent) -> Result<(), Refusal> {
    match content.channels.as_ref().is_some_and(|channels| channels.effective) {
        true => Ok(()),
        false => {
            let profile = content.profile.as_ref().map(|profile| profile.unique_name.as_str());
            let profile = profile.unwrap_or_default();
            Err(off(&format!("Channels are not open in the profile {profile}."), profile))
        }
    }
}

fn off(message: &str, subject: &str) -> Refusal {
    Refusal::new(Reason::ChannelsOff, message).precondition("CHANNELS_OFF", subject, message)
}

fn no_template(kind: &str, name: &str) -> Refusal {
    let message = format!("The profile opens no session for {name}: open its plain form.");
    let refusal = Refusal::new(Reason::NoSessionTemplate, message);
    refusal.resource(kind, name, "has no session template in the profile")
}
