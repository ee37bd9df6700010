//! Built-in security roles (SPEC §4.5).

use crate::domain::{
    Kind, Object,
    Scope::{self, Admin, Agent, Productivity, Reader},
    role::{Persona, SecurityRole},
};

use super::seed::Seed;

/// Unique name, display name, scopes that holders get.
const ROLES: [(&str, &str, &[Scope]); 14] = [
    ("msdyn_csr", "Customer Service Representative", &[Agent]),
    ("msdyn_csr_manager", "CSR Manager", &[Agent, Reader]),
    ("msdyn_oc_agent", "Omnichannel agent", &[Agent]),
    ("msdyn_oc_supervisor", "Omnichannel supervisor", &[Agent, Reader]),
    ("msdyn_oc_administrator", "Omnichannel administrator", &[Admin]),
    ("msdyn_apm_administrator", "App Profile Manager Administrator", &[Admin]),
    ("msdyn_apm_user", "App Profile User", &[Agent]),
    ("msdyn_basic_user", "Basic User", &[]),
    (
        "msdyn_productivity_administrator",
        "Productivity tools administrator",
        &[Agent, Productivity],
    ),
    ("msdyn_productivity_user", "Productivity tools user", &[Agent]),
    ("msdyn_system_administrator", "System Administrator", &[Admin]),
    ("msdyn_screen_recorder", "Screen Recorder", &[]),
    ("msdyn_screen_recorder_supervisor", "Screen Recorder Supervisor", &[]),
    ("msdyn_screen_recorder_administrator", "Screen Recorder Admin", &[]),
];

/// All of them.
pub(super) fn objects(seed: &Seed) -> impl Iterator<Item = Object> {
    ROLES.into_iter().map(|(name, display_name, grants)| {
        let (common, stamp) = seed.named(Kind::Role, name, display_name);
        Object::Role(
            SecurityRole {
                common,
                stamp,
                business_unit: String::new(),
                root_role: None,
                grants: grants.iter().copied().collect(),
                persona: Persona::None,
            }
            .into(),
        )
    })
}
