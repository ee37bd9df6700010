//! UpdateSettings: the switches of the organisation (SPEC §3.13).

use super::{
    plan::{Context, Plan},
    preconditions::same_etag_of,
};
use crate::{
    catalog::Catalog,
    domain::{Kind, Refusal, Violations, check, settings::Settings},
};

/// New values of the settings; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SettingsPatch {
    /// Whether first-party channels exist.
    pub channels_provisioned: Option<bool>,
    /// Whether Copilot may be used at all.
    pub copilot_opt_in: Option<bool>,
    /// Gate of the tool of that name.
    pub case_handling_time: Option<bool>,
    /// Gate of the tool of that name.
    pub screen_recording: Option<bool>,
    /// Whether agents may Explain themselves.
    pub allow_agent_explain: Option<bool>,
    /// 1 to 20.
    pub max_streams_per_user: Option<i64>,
}

/// Changes settings of the organisation.
#[derive(Debug, Clone)]
pub struct UpdateSettings {
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values.
    pub patch: SettingsPatch,
}

impl UpdateSettings {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let patch = &self.patch;
        let mut v = Violations::new();
        if let Some(streams) = patch.max_streams_per_user {
            check::range(&mut v, "max_streams_per_user", streams, 1..=100);
        }
        v.finish()?;
        let before = &catalog.settings;
        same_etag_of("of the organisation", Some(before.as_ref()), self.etag.as_deref())?;
        let mut next = Settings::clone(before);
        for (slot, value) in [
            (&mut next.channels_provisioned, patch.channels_provisioned),
            (&mut next.copilot_opt_in, patch.copilot_opt_in),
            (&mut next.case_handling_time, patch.case_handling_time),
            (&mut next.screen_recording, patch.screen_recording),
            (&mut next.allow_agent_explain, patch.allow_agent_explain),
        ] {
            *slot = value.unwrap_or(*slot);
        }
        if let Some(streams) = patch.max_streams_per_user {
            next.max_streams_per_user = streams as u8;
        }
        let mut plan = Plan::about(Kind::Settings, "");
        plan.put_changed(next, Some(before), context);
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DirectoryPolicy;
    use crate::domain::{Actor, Change, Object, Reason, Time};

    fn plan(patch: SettingsPatch, etag: Option<&str>) -> Result<Plan, Refusal> {
        let context = Context {
            actor: Actor::system(),
            revision: 7,
            time: Time::default(),
            uid: uuid::Uuid::nil(),
            policy: DirectoryPolicy::default(),
        };
        let etag = etag.map(str::to_owned);
        UpdateSettings { etag, patch }.plan(&Catalog::empty(), &context)
    }

    #[test]
    fn only_what_is_given_changes() {
        let patch = SettingsPatch {
            copilot_opt_in: Some(false),
            max_streams_per_user: Some(100),
            ..SettingsPatch::default()
        };
        let plan = plan(patch, None).unwrap();
        let [Change::Put(Object::Settings(next))] = plan.changes.as_slice() else {
            panic!("{:?}", plan.changes)
        };
        let old = Catalog::empty().settings;
        let mut want =
            Settings { copilot_opt_in: false, max_streams_per_user: 100, ..Settings::clone(&old) };
        want.stamp = next.stamp.clone();
        assert_eq!(**next, want);
        assert_eq!(next.stamp.revision, 7);
    }

    #[test]
    fn stored_values_are_no_change() {
        let patch = SettingsPatch { copilot_opt_in: Some(true), ..SettingsPatch::default() };
        for patch in [patch, SettingsPatch::default()] {
            assert!(!plan(patch, None).unwrap().changed());
        }
    }

    #[test]
    fn refusals() {
        for streams in [0, 101, -1, 300] {
            let patch =
                SettingsPatch { max_streams_per_user: Some(streams), ..SettingsPatch::default() };
            let refusal = plan(patch, Some("other")).unwrap_err();
            assert_eq!(refusal.reason, Reason::FieldInvalid, "{streams}");
            assert_eq!(refusal.violations[0].field, "max_streams_per_user");
        }
        let refusal = plan(SettingsPatch::default(), Some("other")).unwrap_err();
        assert_eq!(refusal.reason, Reason::EtagMismatch);
        assert_eq!(refusal.metadata["current_etag"], Catalog::empty().settings.stamp.etag());
    }
}
