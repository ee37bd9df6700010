//! Finds what opens for an event in the content of a profile.

use std::borrow::Cow;

use deskplane_proto::v1;

use super::event::Source;
use crate::{
    catalog::Catalog,
    command::not_found,
    content::{self, wire::Coded},
    domain::{Kind, Reason, Refusal, channel::Channel, workstream::Slot},
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
            let stored = catalog.tables.workstreams.get(name);
            let stored = stored.ok_or_else(|| not_found(Kind::Workstream, name.as_str()))?;
            open(content)?;
            let name = stored.common.unique_name.as_str();
            let found = content.workstreams.iter().find(|stream| stream.unique_name == name);
            let message = || format!("Work stream {name} is inactive, or its channel is.");
            of_workstream(found.ok_or_else(|| off(&message(), name))?, *slot, content)
        }
        Source::Channel(name, slot) => {
            let channel = catalog.tables.channels.get(name);
            let channel = channel.ok_or_else(|| not_found(Kind::Channel, name.as_str()))?;
            open(content)?;
            if let Some(only) = of_channel(channel, content)? {
                return of_workstream(only, *slot, content);
            }
            let built_in = content::built_in_of(catalog, channel.kind);
            let name = channel.common.unique_name.as_str();
            let template = built_in.session_template;
            let template = template.ok_or_else(|| no_template("Channel", name))?;
            let slot = slot.map(Coded::wire);
            let mut notifications = built_in.notifications.into_iter();
            let notification = notifications.find(|(of, _)| Some(*of) == slot);
            let notification = notification.map(|(_, found)| Cow::Owned(found));
            Ok(Opened { template: Cow::Owned(template), notification })
        }
    }
}

/// The only work stream of a channel; none when it has none.
fn of_channel<'a>(
    channel: &Channel,
    content: &'a v1::ProfileContent,
) -> Result<Option<&'a v1::ResolvedWorkstream>, Refusal> {
    let name = channel.common.unique_name.as_str();
    if !channel.common.is_active() {
        return Err(off(&format!("Channel {name} is inactive."), name));
    }
    let streams: Vec<_> =
        content.workstreams.iter().filter(|stream| stream.channel == name).collect();
    if streams.len() < 2 {
        return Ok(streams.first().copied());
    }
    let names: Vec<_> = streams.iter().map(|stream| stream.unique_name.as_str()).collect();
    let names = names.join(", ");
    let message = format!("Channel {name} has several active work streams: name one.");
    Err(Refusal::new(Reason::WorkstreamAmbiguous, message)
        .with("workstreams", &names)
        .violation("channel", format!("has the active work streams {names}")))
}

fn of_workstream<'a>(
    stream: &v1::ResolvedWorkstream,
    slot: Option<Slot>,
    content: &'a v1::ProfileContent,
) -> Result<Opened<'a>, Refusal> {
    let mut templates = content.generic_session_templates.iter();
    let template = templates.find(|template| template.unique_name == stream.session_template);
    let template = template.ok_or_else(|| no_template("Workstream", &stream.unique_name))?;
    let name = match slot {
        None => "",
        Some(Slot::IncomingUnauthenticated) => &stream.incoming_unauthenticated,
        Some(Slot::IncomingAuthenticated) => &stream.incoming_authenticated,
        Some(Slot::Consult) => &stream.consult,
        Some(Slot::Transfer) => &stream.transfer,
        Some(Slot::SupervisorAssign) => &stream.supervisor_assign,
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
