//! AddUsers and RemoveUsers: direct links (SPEC §7.4).

use std::{collections::BTreeSet, sync::Arc};

use super::{Context, Plan, Warning, find_profile, not_found, same_etag};
use crate::{
    catalog::Catalog,
    domain::{
        Change, Kind, Object, Reason, Refusal, UniqueName, UserId, Violations,
        directory::{DirectLink, User},
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
            nobody_elsewhere(catalog, profile.name(), &users)?;
        }
        let mut plan = Plan::answering(profile.name());
        if !profile.common.is_active() {
            plan.warnings.push(Warning {
                code: "PROFILE_INACTIVE".into(),
                subject: profile.name().to_string(),
                message: "The profile is inactive and applies to nobody until it is activated."
                    .into(),
            });
        }
        for user in users {
            if user.disabled {
                plan.warnings.push(Warning {
                    code: "USER_DISABLED".into(),
                    subject: user.id.to_string(),
                    message: "The user is disabled.".into(),
                });
            }
            if let [only] = user.direct.as_slice()
                && only.profile == *profile.name()
            {
                continue;
            }
            // A link that is there keeps its time.
            let kept = user.direct.iter().find(|l| l.profile == *profile.name()).cloned();
            let link = kept.unwrap_or_else(|| DirectLink {
                profile: profile.name().clone(),
                assigned_at: Some(context.time),
                assigned_by: context.actor.subject.clone(),
            });
            put(&mut plan, user, vec![link], context);
        }
        Ok(plan)
    }
}

/// Refuses when one of the users is linked to another existing profile.
fn nobody_elsewhere(
    catalog: &Catalog,
    profile: &UniqueName,
    users: &[&Arc<User>],
) -> Result<(), Refusal> {
    let mut elsewhere = Vec::new();
    for user in users {
        for link in user.direct.iter().filter(|l| l.profile != *profile) {
            if let Some(other) = catalog.profiles.get(&link.profile) {
                elsewhere.push((&user.id, other.name()));
            }
        }
    }
    if elsewhere.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = elsewhere.iter().map(|(user, other)| format!("{user} ({other})")).collect();
    let message = format!(
        "Assigned to another profile: {}. Set move to assign them to {profile} instead.",
        list.join(", ")
    );
    let mut refusal = Refusal::new(Reason::UserAssignedElsewhere, message);
    let mut profiles = BTreeSet::new();
    for (user, other) in elsewhere {
        refusal = refusal.precondition("DIRECT_USER", user, other.as_str());
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
                put(&mut plan, user, kept, context);
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
fn find_users<'a>(catalog: &'a Catalog, ids: &[UserId]) -> Result<Vec<&'a Arc<User>>, Refusal> {
    let ids: BTreeSet<_> = ids.iter().collect();
    let mut missing: Option<Refusal> = None;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match (catalog.user(id), missing.as_mut()) {
            (Some(seated), _) => found.push(&seated.user),
            (None, None) => missing = Some(not_found(Kind::User, id.as_str())),
            (None, Some(refusal)) => {
                *refusal = refusal.clone().resource("User", id, "does not exist");
                refusal.message = format!("{} User {id} does not exist.", refusal.message);
            }
        }
    }
    missing.map_or(Ok(found), Err)
}

fn put(plan: &mut Plan, user: &User, direct: Vec<DirectLink>, context: &Context) {
    let mut next = User { direct, ..user.clone() };
    next.stamp.touch(context.revision, context.time, &context.actor.subject);
    plan.changes.push(Change::Put(Object::User(Arc::new(next))));
}
