//! Options of applying documents.

/// Options of applying documents.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct Flags {
    /// Refuse what has changed since a document was read; by the `etag` in it.
    #[arg(long)]
    pub if_unchanged: bool,
    /// Take the default flag from the profile that has it.
    #[arg(long)]
    pub replace_current: bool,
    /// Let a profile that becomes the default lose its rank and roles.
    #[arg(long)]
    pub drop_rank_and_roles: bool,
    /// What happens to the profile that holds a wanted rank.
    #[arg(long, value_enum, value_name = "HOW")]
    pub displace: Option<Displace>,
    /// Change rank and roles of managed profiles.
    #[arg(long)]
    pub override_managed: bool,
    /// Take users from the profile that they are linked to.
    #[arg(long)]
    pub r#move: bool,
}

/// What happens to the profile that holds a wanted rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Displace {
    /// It keeps the rank, and the change is refused.
    Reject,
    /// It gets the former rank of the other.
    Swap,
    /// It moves back by one, and those behind it as far as needed.
    Shift,
}

impl Displace {
    /// Name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reject => "DISPLACE_REJECT",
            Self::Swap => "DISPLACE_SWAP",
            Self::Shift => "DISPLACE_SHIFT",
        }
    }
}
