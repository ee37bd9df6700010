//! Settings of SCIM.

use std::{collections::BTreeMap, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::List;
use crate::{
    domain::UniqueName,
    scim::{Settings, UserIdSource},
};

/// SCIM 2.0 at `/scim/v2` of the main port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scim {
    /// Whether it is served.
    pub enabled: bool,
    /// What the ids of new users are made of.
    pub user_id: UserId,
    /// Groups that are security roles, `GROUP=role` each: the `externalId` or `displayName` of the
    /// group, and the unique name of the role.
    pub groups: List<GroupRole>,
    /// Percent of all users whom syncs may disable, delete or take roles from within an hour.
    #[schemars(range(min = 0, max = 100))]
    pub mass_change_percent: u64,
    /// URL under which clients know the endpoint, `https://desk.example.com/scim/v2`; without it the
    /// one that a request was sent to.
    pub base_url: Option<String>,
}

/// What the ids of new users are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum UserId {
    /// The `externalId` where one is given, else the `userName`.
    #[default]
    #[serde(rename = "externalId")]
    ExternalId,
    /// The `userName`.
    #[serde(rename = "userName")]
    UserName,
}

/// A group that is a security role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    group: String,
    role: UniqueName,
}

impl FromStr for GroupRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (group, role) = text.rsplit_once('=').ok_or("write GROUP=role")?;
        let role = UniqueName::parse(role.trim()).map_err(|rule| format!("the role {rule}"))?;
        let group = group.trim().to_owned();
        if group.is_empty() {
            Err("the group has no name".to_owned())
        } else {
            Ok(Self { group, role })
        }
    }
}

impl std::fmt::Display for GroupRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.group, self.role)
    }
}

impl Default for Scim {
    fn default() -> Self {
        Self {
            enabled: false,
            user_id: UserId::default(),
            groups: List::default(),
            mass_change_percent: 20,
            base_url: None,
        }
    }
}

impl Scim {
    /// Notes what is wrong with the values.
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let mut groups = BTreeMap::new();
        for GroupRole { group, role } in &self.groups.0 {
            if groups.insert(group, role).is_some() {
                mistakes.push(format!("`scim.groups`: `{group}` is named twice"));
            }
        }
        let base = self.base_url.as_deref().unwrap_or("https://");
        if !base.starts_with("https://") && !base.starts_with("http://") {
            mistakes.push(format!(
                "`scim.base_url`: `{base}` begins with neither https:// nor http://"
            ));
        }
    }

    /// The settings, for the server; none where SCIM is not served.
    pub fn settings(&self) -> Option<Settings> {
        let groups = self.groups.0.iter().map(|one| (one.group.clone(), one.role.clone()));
        let base_url = self.base_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        self.enabled.then(|| Settings {
            user_id: match self.user_id {
                UserId::ExternalId => UserIdSource::ExternalId,
                UserId::UserName => UserIdSource::UserName,
            },
            groups: groups.collect(),
            mass_change_percent: self.mass_change_percent,
            base_url,
        })
    }
}
