//! What opens and closes parts of a profile (SPEC §8.4).

use std::collections::BTreeSet;

use crate::{
    catalog::{Catalog, RoleClass},
    domain::{
        UniqueName,
        profile::Profile,
        role::{Persona, RoleFamily, family},
    },
};

/// What a user's roles mean for content. Together with a profile this is the key of a [`Compiled`].
///
/// [`Compiled`]: super::Compiled
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Gates {
    /// Whether a held role lets the user set a presence.
    pub presence: bool,
    /// Root roles held among those that some tool requires.
    pub roles: BTreeSet<UniqueName>,
}

impl Gates {
    /// The gates of the users of a role class.
    pub fn of(catalog: &Catalog, class: &RoleClass) -> Self {
        Self::among(catalog, class, &Self::required(catalog))
    }

    /// The root roles that some tool requires.
    pub fn required(catalog: &Catalog) -> BTreeSet<UniqueName> {
        let tools = catalog.tables.tools.iter();
        tools.filter_map(|tool| catalog.root(tool.required_role.as_ref()?)).collect()
    }

    /// The gates of the users of a role class, given the roles that some tool requires.
    pub fn among(catalog: &Catalog, class: &RoleClass, required: &BTreeSet<UniqueName>) -> Self {
        let has_presence = |root| {
            family(root) == Some(RoleFamily::Omnichannel)
                || catalog.tables.roles.get(root).is_some_and(|role| role.persona != Persona::None)
        };
        let roles = class.held.intersection(required).cloned().collect();
        Self { presence: class.held.iter().any(has_presence), roles }
    }

    /// The gates of a user who holds whatever is asked for.
    pub fn open(catalog: &Catalog) -> Self {
        Self { presence: true, roles: Self::required(catalog) }
    }

    /// Only those that make a difference to the profile, so that fewer variants are compiled.
    #[must_use]
    pub fn relevant_to(&self, catalog: &Catalog, profile: &Profile) -> Self {
        let channels = profile.all_active_channels && catalog.settings.channels_provisioned;
        if self.roles.is_empty() {
            return Self { presence: self.presence && channels, roles: BTreeSet::new() };
        }
        let enabled = profile.pane.tools.iter().filter(|entry| entry.enabled);
        let roles = enabled
            .filter_map(|entry| catalog.tables.tools.get(&entry.tool)?.required_role.as_ref())
            .filter_map(|role| catalog.root(role))
            .filter(|role| self.roles.contains(role))
            .collect();
        Self { presence: self.presence && channels, roles }
    }

    /// Whether the user holds the role that a tool requires.
    pub(super) fn holds(&self, catalog: &Catalog, required: &UniqueName) -> bool {
        catalog.root(required).is_some_and(|root| self.roles.contains(&root))
    }
}

/// Names the first closed gate that keeps one thing from a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GateReport {
    /// Kind of thing.
    pub kind: GateSubject,
    /// Unique name of the tool, name of the feature or view; `channels` for the channels.
    pub subject: String,
    /// The first closed gate.
    pub gate: Gate,
}

/// What can stand behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateSubject {
    /// A tool of the pane.
    Tool,
    /// A Copilot feature.
    Feature,
    /// A view of the inbox.
    View,
    /// The channels as a whole.
    Channels,
}

/// One gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The pane is off.
    Pane,
    /// A setting of the organisation is off.
    Organization,
    /// The user lacks the role that the tool needs.
    Role,
    /// The profile leaves the feature, or the channels, off.
    Value,
    /// The pane tool `copilot` is not visible.
    PaneTool,
    /// The feature that this one builds on is off.
    Parent,
    /// The inbox is off.
    Inbox,
    /// The view is hidden.
    Visible,
    /// The view needs channels, which are not open.
    Channels,
}
