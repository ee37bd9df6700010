//! A user who need not exist, seated as one who holds what is asked about (SPEC §11.1, PreviewUser).

use std::collections::BTreeSet;

use super::{
    assignment::AddUsers,
    directory::{TeamPatch, UpsertTeam, UpsertUser, UserPatch},
    plan::{Context, DirectoryPolicy},
    sequence::Sequence,
};
use crate::{
    catalog::Catalog,
    domain::{Actor, Reason, Refusal, TeamId, UniqueName, UserId},
};

/// What a user would hold.
#[derive(Debug, Clone, Default)]
pub struct HypotheticalUser {
    /// Roles of the user himself.
    pub roles: BTreeSet<UniqueName>,
    /// Roles of a team that he would belong to.
    pub team_roles: BTreeSet<UniqueName>,
    /// Profile that he would be linked to.
    pub direct: Option<UniqueName>,
}

impl HypotheticalUser {
    /// A catalog with the user beside all others, and his id. He is made by the writes that would make
    /// him, so what they refuse is refused here; the catalog keeps its revision.
    pub fn seat(&self, catalog: &Catalog) -> Result<(Catalog, UserId), Refusal> {
        let (id, team) = free_ids(catalog).ok_or_else(|| {
            Refusal::new(Reason::Internal, "No id is left for the user of a preview.")
        })?;
        let context = Context {
            actor: Actor::system(),
            revision: catalog.revision,
            time: catalog.time,
            uid: uuid::Uuid::nil(),
            policy: DirectoryPolicy::default(),
        };
        let mut sequence = Sequence::new(catalog, &context);
        let patch = UserPatch { roles: Some(self.roles.clone()), ..UserPatch::default() };
        sequence.run(&UpsertUser { id: id.clone(), etag: None, patch })?;
        if let Some(profile) = self.direct.clone() {
            let users = vec![id.clone()];
            sequence.run(&AddUsers { profile, etag: None, users, move_users: false })?;
        }
        if !self.team_roles.is_empty() {
            let patch = TeamPatch {
                display_name: Some(team.to_string()),
                members: Some(BTreeSet::from([id.clone()])),
                roles: Some(self.team_roles.clone()),
                external_id: None,
            };
            sequence.run(&UpsertTeam { id: team, etag: None, patch })?;
        }
        Ok((sequence.into_catalog(), id))
    }
}

/// Ids that no user and no team has.
fn free_ids(catalog: &Catalog) -> Option<(UserId, TeamId)> {
    let ids = (0..=catalog.user_count() + catalog.teams().count()).filter_map(|number| {
        let text = format!("preview.{number}");
        Some((UserId::parse(&text).ok()?, TeamId::parse(&text).ok()?))
    });
    ids.into_iter()
        .find(|(user, team)| catalog.user(user).is_none() && catalog.team(team).is_none())
}

#[cfg(test)]
mod tests;
