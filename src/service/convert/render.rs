//! RenderSession: the event of a request, and the session that opens for it (SPEC §9.5).

mod answer;
mod event;
mod source;

#[cfg(test)]
mod tests;

use deskplane_proto::v1;
use prost::Message as _;

use self::event::Event;
pub(in crate::service) use self::event::session_event;
use crate::{
    catalog::Catalog,
    domain::{App, Reason, Refusal},
    read::Resolved,
};

/// The session of an event for a user with this profile.
pub(in crate::service) fn rendered_session(
    event: &Event,
    app: App,
    resolved: Option<&Resolved>,
    catalog: &Catalog,
) -> Result<v1::RenderSessionResponse, Refusal> {
    let Some(resolved) = resolved else {
        let message = format!("Profiles do not apply in the app {}.", app.as_str());
        return Err(Refusal::new(Reason::AppNotApplicable, message)
            .with("app", app.as_str())
            .precondition("APP_NOT_APPLICABLE", app.as_str(), "profiles do not apply here"));
    };
    let content = v1::ProfileContent::decode(resolved.content.bytes.as_ref()).map_err(|error| {
        Refusal::new(Reason::Internal, format!("The content of the profile is damaged: {error}."))
    })?;
    let opened = source::find(&event.source, &content, catalog)?;
    Ok(v1::RenderSessionResponse {
        revision: resolved.revision,
        digest: resolved.content.digest.clone(),
        ..answer::session(event, &opened, &content)
    })
}
