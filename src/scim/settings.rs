//! What an installation decides about SCIM.

use std::collections::BTreeMap;

use crate::domain::UniqueName;

/// Which name of a directory the id of a new user is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserIdSource {
    /// The `externalId` where one is given, else the `userName`.
    #[default]
    ExternalId,
    /// The `userName`.
    UserName,
}

/// Settings of SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the ids of new users are made of.
    pub user_id: UserIdSource,
    /// Groups that are security roles: `externalId` or `displayName` of the group to the role.
    pub groups: BTreeMap<String, UniqueName>,
    /// Percent of all users whom syncs may disable, delete or take roles from within an hour.
    pub mass_change_percent: u64,
    /// URL under which clients know the endpoint, without a slash at its end; without it the one that
    /// a request was sent to.
    pub base_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_id: UserIdSource::default(),
            groups: BTreeMap::new(),
            mass_change_percent: 20,
            base_url: None,
        }
    }
}

impl Settings {
    /// The role that a group of these names is, with the name that says so.
    pub(super) fn role_of(
        &self,
        external_id: Option<&str>,
        display_name: &str,
    ) -> Option<(&str, &UniqueName)> {
        let named = |name: &str| self.groups.get_key_value(name);
        let found = external_id.and_then(named).or_else(|| named(display_name));
        found.map(|(name, role)| (name.as_str(), role))
    }
}
