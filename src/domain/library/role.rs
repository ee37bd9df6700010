//! Security roles (SPEC §3.3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Common, Kind, Scope, Stamp, UniqueName,
    field::{Field, Fields, field},
    refs::{Edge, Names as _, Refs},
    rules::Rules,
};

/// Presence readiness of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Persona {
    /// None.
    #[default]
    None,
    /// Agent.
    Agent,
    /// Supervisor.
    Supervisor,
    /// Administrator.
    Administrator,
}

/// Which built-in profile a role leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RoleFamily {
    /// `msdyn_csr`, `msdyn_csr_manager`.
    CustomerService,
    /// `msdyn_oc_agent`, `msdyn_oc_supervisor`, `msdyn_oc_administrator`.
    Omnichannel,
}

/// The family of a root role.
pub fn family(root: &UniqueName) -> Option<RoleFamily> {
    let is = |names: &[&str]| names.iter().any(|n| root.as_str().eq_ignore_ascii_case(n));
    if is(&["msdyn_csr", "msdyn_csr_manager"]) {
        Some(RoleFamily::CustomerService)
    } else if is(&["msdyn_oc_agent", "msdyn_oc_supervisor", "msdyn_oc_administrator"]) {
        Some(RoleFamily::Omnichannel)
    } else {
        None
    }
}

/// A right to work in a certain way, granted outside of this product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityRole {
    /// Common fields; always active.
    pub common: Common,
    /// Server's notes.
    pub stamp: Stamp,
    /// At most 100 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub business_unit: String,
    /// The role that this one is a business unit's copy of; immutable.
    #[serde(default)]
    pub root_role: Option<UniqueName>,
    /// Scopes that holders get.
    #[serde(default)]
    pub grants: BTreeSet<Scope>,
    /// For presence readiness only.
    #[serde(default)]
    pub persona: Persona,
}

impl Fields for SecurityRole {
    const FIELDS: &'static [Field<Self>] = &[
        field!(business_unit),
        field!(root_role).refers(Kind::Role).immutable().column("ROOT"),
        Field::described("family").output().column("FAMILY"),
        Field::described("grants").column("GRANTS"),
        Field::described("persona"),
    ];
}

impl Refs for SecurityRole {
    // A tool that requires a copy is shown to holders of its root.
    const EDGES: &'static [Edge<Self>] = &[Edge::content(
        "root_role",
        Kind::Role,
        |role, visit| role.root_role.each(visit),
        |role, edit| role.root_role.edit(edit),
    )];
}

impl Rules for SecurityRole {
    fn empty(common: Common, stamp: Stamp) -> Self {
        Self {
            common,
            stamp,
            business_unit: String::new(),
            root_role: None,
            grants: BTreeSet::new(),
            persona: Persona::default(),
        }
    }
}
