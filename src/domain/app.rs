//! Apps in which profiles apply, and the ways in which a profile reaches a user (SPEC §5, §6.3).

use serde::{Deserialize, Serialize};

/// The program in which an agent works.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum App {
    /// Not given.
    #[default]
    Unspecified,
    /// Customer Service workspace, now Copilot Service workspace.
    Workspace,
    /// Omnichannel for Customer Service.
    Omnichannel,
    /// Contact Center workspace.
    ContactCenterWorkspace,
    /// Customer Service Hub; profiles do not apply.
    CustomerServiceHub,
    /// Mobile app; profiles do not apply.
    Mobile,
    /// Embedded in Teams; profiles do not apply.
    Teams,
    /// Unified Service Desk; profiles do not apply.
    UnifiedServiceDesk,
    /// On-premises deployment; profiles do not apply.
    OnPremises,
    /// Custom app or a copy of the workspace; profiles do not apply.
    CustomApp,
}

impl App {
    /// Whether profiles apply in this app.
    pub fn applies(self) -> bool {
        matches!(
            self,
            Self::Unspecified | Self::Workspace | Self::Omnichannel | Self::ContactCenterWorkspace
        )
    }

    /// The name that SPEC gives it; empty when not given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Workspace => "WORKSPACE",
            Self::Omnichannel => "OMNICHANNEL",
            Self::ContactCenterWorkspace => "CONTACT_CENTER_WORKSPACE",
            Self::CustomerServiceHub => "CUSTOMER_SERVICE_HUB",
            Self::Mobile => "MOBILE",
            Self::Teams => "TEAMS",
            Self::UnifiedServiceDesk => "UNIFIED_SERVICE_DESK",
            Self::OnPremises => "ON_PREMISES",
            Self::CustomApp => "CUSTOM_APP",
        }
    }
}

/// The step of the resolution that a profile comes from; in the order of their strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Method {
    /// A direct link from the user.
    Direct,
    /// A ranked mapping of a role that the user holds.
    RoleBased,
    /// The custom default.
    DefaultCustom,
    /// A profile shipped with the product.
    DefaultBuiltIn,
}

impl Method {
    /// The label shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Direct => "Direct",
            Self::RoleBased => "Role-based",
            Self::DefaultCustom | Self::DefaultBuiltIn => "Default",
        }
    }

    /// The name that SPEC gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "DIRECT",
            Self::RoleBased => "ROLE_BASED",
            Self::DefaultCustom => "DEFAULT_CUSTOM",
            Self::DefaultBuiltIn => "DEFAULT_BUILT_IN",
        }
    }
}
