//! The settings of the organisation.

use deskplane_proto::v1;

use super::{
    Reader, Resource, ResourceContext,
    mask::{Access, Fields},
    reader::SETTINGS,
    timestamp, writes,
};
use crate::{
    command::{SettingsPatch, UpdateSettings},
    domain::{Kind, Object, settings::Settings},
};

const FIELDS: Fields<'static> = &[
    ("channels_provisioned", Access::Mutable),
    ("copilot_opt_in", Access::Mutable),
    ("case_handling_time", Access::Mutable),
    ("screen_recording", Access::Mutable),
    ("allow_agent_explain", Access::Mutable),
    ("max_streams_per_user", Access::Mutable),
];

impl Resource for v1::OrganizationSettings {
    const KIND: Kind = Kind::Settings;

    fn of(object: &Object, _: ResourceContext<'_>) -> Option<Self> {
        let Object::Settings(o) = object else { return None };
        Some(Self {
            name: SETTINGS.to_owned(),
            etag: o.stamp.etag(),
            revision: o.stamp.revision,
            update_time: Some(timestamp(o.stamp.update_time)),
            updated_by: o.stamp.updated_by.clone(),
            channels_provisioned: Some(o.channels_provisioned),
            copilot_opt_in: Some(o.copilot_opt_in),
            case_handling_time: Some(o.case_handling_time),
            screen_recording: Some(o.screen_recording),
            allow_agent_explain: Some(o.allow_agent_explain),
            max_streams_per_user: Some(o.max_streams_per_user.into()),
        })
    }
}

fn update(q: v1::UpdateSettingsRequest, r: &mut Reader<'_>) -> UpdateSettings {
    let s = r.required("settings", q.settings);
    let mask = r.mask(q.update_mask.as_ref(), FIELDS);
    r.key("name", Kind::Settings, &s.name);
    // What the mask names and the request leaves out goes back to its initial value.
    let initial = Settings::initial(r.catalog.settings.stamp.clone());
    let flag = |field: &str, value: Option<bool>, initial: bool| {
        mask.pick(field, value.is_some(), value.unwrap_or(initial))
    };
    let streams = s.max_streams_per_user;
    let patch = SettingsPatch {
        channels_provisioned: flag(
            "channels_provisioned",
            s.channels_provisioned,
            initial.channels_provisioned,
        ),
        copilot_opt_in: flag("copilot_opt_in", s.copilot_opt_in, initial.copilot_opt_in),
        case_handling_time: flag(
            "case_handling_time",
            s.case_handling_time,
            initial.case_handling_time,
        ),
        screen_recording: flag("screen_recording", s.screen_recording, initial.screen_recording),
        allow_agent_explain: flag(
            "allow_agent_explain",
            s.allow_agent_explain,
            initial.allow_agent_explain,
        ),
        max_streams_per_user: mask.pick(
            "max_streams_per_user",
            streams.is_some(),
            i64::from(streams.unwrap_or_else(|| initial.max_streams_per_user.into())),
        ),
    };
    UpdateSettings { etag: r.etag(&s.etag), patch }
}

writes! {
    UpdateSettingsRequest => UpdateSettings, update;
}
