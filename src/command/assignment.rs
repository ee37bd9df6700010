//! AddUsers and RemoveUsers: direct links (SPEC §7.4).

use std::{collections::BTreeSet, sync::Arc};

use super::{
    plan::{Context, Plan, Warning},
    preconditions::{find_profile, same_etag},
    references::References,
};
use crate::{
    catalog::Catalog,
    domain::{
        Reason, Refusal, UniqueName, UserId, Violations,
        directory::{DirectLink, User},
        profile::Profile,
    },
};

/// Most users of one call.
const MAX_USERS: usize = 1_000;

/// Links users directly to a profile, all or nothing.
#[derive(Debug, Clone)]
pub struct AddUsers {
    /// The profile; may be built-in, managed or inactive.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// 1 to 1000 users.
    pub users: Vec<UserId>,
    /// Whether links to other profiles may be replaced.
    pub move_users: bool,
}

impl AddUsers {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        count(&self.users)?;
        let profile = find_profile(catalog, &self.profile)?;
        let users = find_users(catalog, &self.users)?;
        same_etag(profile, self.etag.as_deref())?;
        if !self.move_users {
            let advice = format!("Set move to assign them to {} instead.", profile.name());
            let wanted = users.iter().map(|user| Wanted {
                user,
                profile: profile.name(),
                place: String::new(),
            });
            nobody_elsewhere(catalog, wanted, &advice)?;
        }
        let mut plan = Plan::answering(profile.name());
        plan.warnings.extend(inactive(profile));
        for user in &users {
            plan.warnings.extend(disabled(user));
            let direct = linked(catalog, user, profile.name(), context);
            if direct != user.direct {
                plan.put(User { direct, ..User::clone(user) }, context);
            }
        }
        Ok(plan)
    }
}

/// The one link of a user to this profile; a link that is there keeps its time.
pub(super) fn linked(
    catalog: &Catalog,
    user: &User,
    profile: &UniqueName,
    context: &Context,
) -> Vec<DirectLink> {
    let leads = |link: &&DirectLink| {
        link.profile == *profile && catalog.linked_profile(user, link).is_some()
    };
    let kept = user.direct.iter().find(leads).cloned();
    vec![kept.unwrap_or_else(|| DirectLink {
        profile: profile.clone(),
        assigned_at: Some(context.time),
        assigned_by: context.actor.subject.clone(),
    })]
}

/// The remark that an inactive profile gets users.
pub(super) fn inactive(profile: &Profile) -> Option<Warning> {
    (!profile.common.is_active()).then(|| Warning {
        code: "PROFILE_INACTIVE".into(),
        subject: profile.name().to_string(),
        message: "The profile is inactive and applies to nobody until it is activated.".into(),
    })
}

/// The remark that a disabled user is linked.
pub(super) fn disabled(user: &User) -> Option<Warning> {
    user.disabled.then(|| Warning {
        code: "USER_DISABLED".into(),
        subject: user.id.to_string(),
        message: "The user is disabled.".into(),
    })
}

/// A link that a call wants.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The user as stored.
    pub(super) user: &'a User,
    /// The profile to link to.
    pub(super) profile: &'a UniqueName,
    /// Where the call says so, when it says several things: ` (rows[3].profile)`.
    pub(super) place: String,
}

/// Refuses when one of the users is linked to another existing profile.
pub(super) fn nobody_elsewhere<'a>(
    catalog: &Catalog,
    wanted: impl IntoIterator<Item = Wanted<'a>>,
    advice: &str,
) -> Result<(), Refusal> {
    let mut elsewhere = Vec::new();
    for want in wanted {
        for link in want.user.direct.iter().filter(|l| l.profile != *want.profile) {
            if let Some(other) = catalog.linked_profile(want.user, link) {
                elsewhere.push((&want.user.id, other.name(), want.place.clone()));
            }
        }
    }
    if elsewhere.is_empty() {
        return Ok(());
    }
    let list: Vec<_> =
        elsewhere.iter().map(|(user, other, _)| format!("{user} ({other})")).collect();
    let message = format!("Assigned to another profile: {}. {advice}", list.join(", "));
    let mut refusal = Refusal::new(Reason::UserAssignedElsewhere, message);
    let mut profiles = BTreeSet::new();
    for (user, other, place) in elsewhere {
        refusal = refusal.precondition("DIRECT_USER", user, format!("{other}{place}"));
        profiles.insert(other);
    }
    Err(profiles.into_iter().fold(refusal, |r, p| r.resource("Profile", p, "assigned at present")))
}

/// Takes direct links to a profile from users.
#[derive(Debug, Clone)]
pub struct RemoveUsers {
    /// The profile.
    pub profile: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// 1 to 1000 users.
    pub users: Vec<UserId>,
}

impl RemoveUsers {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        count(&self.users)?;
        let profile = find_profile(catalog, &self.profile)?;
        let users = find_users(catalog, &self.users)?;
        same_etag(profile, self.etag.as_deref())?;
        let mut plan = Plan::answering(profile.name());
        for user in users {
            let (gone, kept): (Vec<_>, Vec<_>) =
                user.direct.iter().cloned().partition(|l| l.profile == *profile.name());
            if gone.is_empty() {
                plan.not_assigned.push(user.id.clone());
            } else {
                plan.put(User { direct: kept, ..User::clone(&user) }, context);
            }
        }
        Ok(plan)
    }
}

fn count(users: &[UserId]) -> Result<(), Refusal> {
    let mut v = Violations::new();
    if !(1..=MAX_USERS).contains(&users.len()) {
        v.invalid("users", format!("must name 1 to {MAX_USERS} users, names {}", users.len()));
    }
    v.finish()
}

/// The users of these ids, each once, ascending.
fn find_users(catalog: &Catalog, ids: &[UserId]) -> Result<Vec<Arc<User>>, Refusal> {
    let ids: BTreeSet<_> = ids.iter().collect();
    let mut references = References::new(catalog);
    let found = ids.into_iter().filter_map(|id| references.user("users", id)).collect();
    references.finish()?;
    Ok(found)
}
