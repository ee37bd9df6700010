//! Machine-readable remarks; never an error by themselves (SPEC §6.5, §6.6, §8.5).

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $type { $($(#[$vdoc])* $variant,)+ }

        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that SPEC gives it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    /// What a finding says.
    FindingCode {
        /// A provider's adapter kind is not part of this server.
        AdapterMissing = "ADAPTER_MISSING",
        /// An imported provider lacks a secret that its adapter needs.
        AdapterSecretMissing = "ADAPTER_SECRET_MISSING",
        /// The settings of a built-in profile are those of an imported bundle.
        BuiltInAdopted = "BUILT_IN_ADOPTED",
        /// The channels setting counts for nothing while channels are not provisioned.
        ChannelsNotProvisioned = "CHANNELS_NOT_PROVISIONED",
        /// A Copilot feature is switched off by the organisation.
        CopilotGatedByOrg = "COPILOT_GATED_BY_ORG",
        /// A Copilot feature needs the pane tool, which is not visible.
        CopilotGatedByPane = "COPILOT_GATED_BY_PANE",
        /// A Copilot feature needs another feature, which is off.
        CopilotGatedByParent = "COPILOT_GATED_BY_PARENT",
        /// A Copilot feature was decided by the rule for unset values.
        CopilotUnset = "COPILOT_UNSET",
        /// A direct link leads nowhere.
        DanglingDirect = "DANGLING_DIRECT",
        /// A default profile carries a rank or roles.
        DefaultHasRoles = "DEFAULT_HAS_ROLES",
        /// A profile flagged default is inactive.
        DefaultInactive = "DEFAULT_INACTIVE",
        /// An import left the default flag of a profile behind.
        DefaultNotImported = "DEFAULT_NOT_IMPORTED",
        /// An import took the default flag from a profile.
        DefaultReplaced = "DEFAULT_REPLACED",
        /// A profile has a further active template for an entity.
        DuplicateEntityTemplate = "DUPLICATE_ENTITY_TEMPLATE",
        /// Two profiles share a rank.
        DuplicateRank = "DUPLICATE_RANK",
        /// A direct link or a mapping leads to an inactive profile.
        InactiveSkipped = "INACTIVE_SKIPPED",
        /// A chat view is left out because channels are not effective.
        InboxViewNeedsChannels = "INBOX_VIEW_NEEDS_CHANNELS",
        /// A macro is inactive and left out.
        MacroInactive = "MACRO_INACTIVE",
        /// More than one default.
        MultipleDefaults = "MULTIPLE_DEFAULTS",
        /// More than one direct link.
        MultipleDirect = "MULTIPLE_DIRECT",
        /// The user holds no role at all.
        NoSecurityRole = "NO_SECURITY_ROLE",
        /// Channels are effective, but no role of the user has presence.
        PresenceRoleMissing = "PRESENCE_ROLE_MISSING",
        /// A profile has a rank and no role.
        ProfileWithoutRole = "PROFILE_WITHOUT_ROLE",
        /// A provider is inactive and left out.
        ProviderInactive = "PROVIDER_INACTIVE",
        /// A linked provider does not exist.
        ProviderMissing = "PROVIDER_MISSING",
        /// An import tried to change a pinned URL.
        ProviderUrlDrift = "PROVIDER_URL_DRIFT",
        /// An imported default profile lost its rank and roles.
        RankAndRolesDropped = "RANK_AND_ROLES_DROPPED",
        /// A profile has roles and no rank.
        RankMissing = "RANK_MISSING",
        /// An import gave a profile another rank.
        RankReassigned = "RANK_REASSIGNED",
        /// A role would matter, but is held only through a team.
        RoleOnlyViaTeam = "ROLE_ONLY_VIA_TEAM",
        /// A profile maps roles of an import that do not exist here.
        RoleUnmatched = "ROLE_UNMATCHED",
        /// A script refers to itself by way of others; cut at the repetition.
        ScriptCycle = "SCRIPT_CYCLE",
        /// A script is inactive and left out.
        ScriptInactive = "SCRIPT_INACTIVE",
        /// An import left an object as it was.
        SkippedExisting = "SKIPPED_EXISTING",
        /// Malformed slug, delivered literally.
        SlugSyntax = "SLUG_SYNTAX",
        /// More additional tabs than a session holds.
        TabsOverLimit = "TABS_OVER_LIMIT",
        /// A tab template is inactive and left out.
        TabInactive = "TAB_INACTIVE",
        /// A session template is inactive and left out.
        TemplateInactive = "TEMPLATE_INACTIVE",
        /// A session template does not exist.
        TemplateMissing = "TEMPLATE_MISSING",
        /// A tool is hidden by an organisation setting.
        ToolGatedByOrg = "TOOL_GATED_BY_ORG",
        /// A tool is hidden because the pane is off.
        ToolGatedByPane = "TOOL_GATED_BY_PANE",
        /// A tool is hidden because the user lacks a role.
        ToolGatedByRole = "TOOL_GATED_BY_ROLE",
        /// A slug names no known context key.
        UnknownSlug = "UNKNOWN_SLUG",
        /// The user is disabled.
        UserDisabled = "USER_DISABLED",
    }
}

impl Ord for FindingCode {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for FindingCode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A remark on a resolution, an object, the organisation or an import.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// The text for people.
    pub code: FindingCode,
    /// What it is about: a unique name, an id, a tool, a feature; empty when it is the answer itself.
    pub subject: String,
    /// One sentence for people.
    pub message: String,
}

impl Finding {
    /// A finding about `subject`.
    pub fn new(code: FindingCode, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, subject: subject.into(), message: message.into() }
    }
}
