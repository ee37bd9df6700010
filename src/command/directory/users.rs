//! Users: fields, roles, the disabled flag, and what goes with a user who is deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::limit;
use crate::{
    catalog::Catalog,
    command::{
        Command, Context, Plan,
        assignment::{self, Wanted},
        preconditions::{fresh, not_found, same_etag_of},
        privilege,
        references::References,
    },
    domain::{
        Kind, ObjectKey, Reason, Refusal, Scope, UniqueName, UserId, Violations, check,
        directory::{MAX_USER_ROLES, OtherName, Team, User, UserKind},
        refusal::Preconditions,
    },
};

/// Most rows of one batch.
const MAX_ROWS: usize = 1_000;

/// New values of the fields of a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// At most 200 characters; empty means the id.
    pub display_name: Option<String>,
    /// At most 254 characters.
    pub email: Option<String>,
    /// At most 100 characters.
    pub business_unit: Option<String>,
    /// Immutable after creation.
    pub kind: Option<UserKind>,
    /// Roles held by the user himself, at most 100.
    pub roles: Option<BTreeSet<UniqueName>>,
    /// Whether a new user starts disabled.
    pub disabled: Option<bool>,
    /// The name that the id was not made of, at most 254 characters.
    pub other_name: Option<Option<OtherName>>,
}

impl UserPatch {
    /// Notes every field rule that the values break; `path` leads to the user.
    fn syntax(&self, v: &mut Violations, path: &str, before: Option<&User>) {
        let field = |name: &str| format!("{path}{name}");
        for (name, value, max) in [
            ("display_name", self.display_name.as_deref().map(str::trim), 200),
            ("email", self.email.as_deref(), 254),
            ("business_unit", self.business_unit.as_deref(), 100),
        ] {
            if let Some(value) = value {
                check::line(v, &field(name), value, 0..=max);
            }
        }
        match &self.other_name {
            Some(Some(OtherName::UserName(name))) => {
                check::line(v, &field("user_name"), name, 1..=254);
            }
            Some(Some(OtherName::ExternalId(name))) => {
                check::line(v, &field("external_id"), name, 1..=254);
            }
            Some(None) | None => {}
        }
        let Some(before) = before else { return };
        if self.kind.is_some_and(|kind| kind != before.kind) {
            v.add(Reason::FieldImmutable, field("kind"), "cannot change after creation");
        }
        if self.disabled.is_some_and(|disabled| disabled != before.disabled) {
            let rule = "is changed by DisableUser and EnableUser only";
            v.add(Reason::FieldImmutable, field("disabled"), rule);
        }
    }

    /// Writes the values, roles apart; the syntax was checked before.
    fn apply(&self, user: &mut User) {
        if let Some(name) = &self.display_name {
            let name = name.trim();
            user.display_name = if name.is_empty() { user.id.to_string() } else { name.to_owned() };
        }
        if let Some(email) = &self.email {
            user.email.clone_from(email);
        }
        if let Some(unit) = &self.business_unit {
            user.business_unit.clone_from(unit);
        }
        if let Some(name) = &self.other_name {
            user.set_other_name(name.clone());
        }
        user.kind = self.kind.unwrap_or(user.kind);
        user.disabled = self.disabled.unwrap_or(user.disabled);
    }
}

/// A user as stored, or a new one of that id.
fn start(id: &UserId, before: Option<&Arc<User>>, uid: uuid::Uuid, context: &Context) -> User {
    if let Some(before) = before {
        return User::clone(before);
    }
    User {
        id: id.clone(),
        stamp: fresh(uid, context),
        display_name: id.to_string(),
        kind: UserKind::default(),
        email: String::new(),
        roles: BTreeSet::new(),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
        synced: None,
    }
}

/// Whether the roles that a write adds come from a directory sync.
fn by_sync(context: &Context) -> bool {
    context.actor.scopes.has(Scope::Directory)
}

fn stored(catalog: &Catalog, id: &UserId) -> Option<Arc<User>> {
    catalog.user(id).map(|seated| seated.user())
}

/// The user of that id in the state that the caller saw, or why there is none.
fn find(catalog: &Catalog, id: &UserId, etag: Option<&str>) -> Result<Arc<User>, Refusal> {
    let user = stored(catalog, id).ok_or_else(|| not_found(Kind::User, id.as_str()))?;
    same_etag_of(user.id.as_str(), Some(user.as_ref()), etag)?;
    Ok(user)
}

/// Makes a user, or changes fields of one.
#[derive(Debug, Clone)]
pub struct UpsertUser {
    /// The user.
    pub id: UserId,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values; roles and the disabled flag count at creation only.
    pub patch: UserPatch,
}

impl UpsertUser {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let before = stored(catalog, &self.id);
        let mut v = Violations::new();
        self.patch.syntax(&mut v, "", before.as_deref());
        let roles = self.patch.roles.as_ref();
        if before.as_ref().is_some_and(|user| roles.is_some_and(|roles| *roles != user.roles)) {
            v.add(Reason::FieldImmutable, "roles", "are changed by SetUserRoles only");
        }
        v.finish()?;
        let mut next = start(&self.id, before.as_ref(), context.uid, context);
        self.patch.apply(&mut next);
        if let Some(roles) = roles {
            let mut references = References::new(catalog);
            next.set_roles(references.roles("roles", roles), by_sync(context));
            references.finish()?;
        }
        same_etag_of(next.id.as_str(), before.as_deref(), self.etag.as_deref())?;
        let mut failed = Preconditions::new();
        if before.is_none() {
            limit(&mut failed, "roles", roles, MAX_USER_ROLES);
        }
        failed.finish()?;
        let mut plan = Plan::about(Kind::User, self.id.as_str());
        plan.put_changed(next, before.as_ref(), context);
        Ok(plan)
    }
}

/// One user of a batch.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// The user.
    pub id: UserId,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values; roles replace those held.
    pub patch: UserPatch,
    /// Profile to link the user to; `None` leaves links as they are.
    pub profile: Option<UniqueName>,
}

/// Makes or changes many users, all or nothing.
#[derive(Debug, Clone)]
pub struct BatchUpsertUsers {
    /// 1 to 1000 rows, each user once.
    pub rows: Vec<UserRow>,
}

impl BatchUpsertUsers {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        if self.rows.iter().any(|row| row.profile.is_some()) {
            privilege::may_assign(context)?;
        }
        self.syntax(catalog)?;
        let mut references = References::new(catalog);
        let mut failed = Preconditions::new();
        let stored_rows: Vec<_> = self.rows.iter().map(|row| stored(catalog, &row.id)).collect();
        let mut wanted = Vec::new();
        let mut inactive = BTreeMap::new();
        let key = |row: &UserRow| ObjectKey::new(Kind::User, row.id.as_str());
        let mut plan = Plan { answers: self.rows.iter().map(key).collect(), ..Plan::default() };
        for (at, (row, before)) in self.rows.iter().zip(&stored_rows).enumerate() {
            let mut next = start(&row.id, before.as_ref(), row_uid(context.uid, at), context);
            row.patch.apply(&mut next);
            if let Some(roles) = &row.patch.roles {
                let field = format!("rows[{at}].user.roles");
                limit(&mut failed, &field, Some(roles), MAX_USER_ROLES);
                next.set_roles(references.roles(&field, roles), by_sync(context));
            }
            let field = format!("rows[{at}].profile");
            let profile = row.profile.as_ref().and_then(|name| references.profile(&field, name));
            if let Some(profile) = profile {
                if let Some(before) = before {
                    let place = format!(" ({field})");
                    wanted.push(Wanted { user: before, profile: profile.name(), place });
                }
                next.direct = assignment::linked(catalog, &next, profile.name(), context);
                plan.warnings.extend(assignment::disabled(&next));
                inactive.extend(assignment::inactive(profile).map(|w| (profile.name(), w)));
            }
            plan.put_changed(next, before.as_ref(), context);
        }
        references.finish()?;
        for (row, before) in self.rows.iter().zip(&stored_rows) {
            same_etag_of(row.id.as_str(), before.as_deref(), row.etag.as_deref())?;
        }
        let advice = "Move them by AddUsers with move first.";
        if let Err(refusal) = assignment::nobody_elsewhere(catalog, wanted, advice) {
            failed.fail(refusal);
        }
        failed.finish()?;
        plan.warnings.extend(inactive.into_values());
        Ok(plan)
    }

    fn syntax(&self, catalog: &Catalog) -> Result<(), Refusal> {
        let mut v = Violations::new();
        if !(1..=MAX_ROWS).contains(&self.rows.len()) {
            let rule = format!("must hold 1 to {MAX_ROWS} rows, holds {}", self.rows.len());
            v.invalid("rows", rule);
        }
        let mut seen = BTreeMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(first) = seen.get(&row.id) {
                let rule = format!("{} stands in rows[{first}] already", row.id);
                v.invalid(format!("rows[{at}].user"), rule);
            } else {
                seen.insert(&row.id, at);
            }
            let before = stored(catalog, &row.id);
            row.patch.syntax(&mut v, &format!("rows[{at}].user."), before.as_deref());
        }
        v.finish()
    }
}

/// The uid of a user that a row creates: the command gets one, its rows count on from there.
fn row_uid(uid: uuid::Uuid, at: usize) -> uuid::Uuid {
    uuid::Uuid::from_u128(uid.as_u128().wrapping_add(at as u128))
}

/// Replaces the roles that a user holds himself.
#[derive(Debug, Clone)]
pub struct SetUserRoles {
    /// The user.
    pub user: UserId,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// At most 100 roles.
    pub roles: BTreeSet<UniqueName>,
}

impl SetUserRoles {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let user =
            stored(catalog, &self.user).ok_or_else(|| not_found(Kind::User, self.user.as_str()))?;
        let mut references = References::new(catalog);
        let roles = references.roles("roles", &self.roles);
        references.finish()?;
        same_etag_of(user.id.as_str(), Some(user.as_ref()), self.etag.as_deref())?;
        let mut failed = Preconditions::new();
        limit(&mut failed, "roles", Some(&roles), MAX_USER_ROLES);
        failed.finish()?;
        let mut plan = Plan::about(Kind::User, user.id.as_str());
        let mut next = User::clone(&user);
        next.set_roles(roles, by_sync(context));
        plan.put_changed(next, Some(&user), context);
        Ok(plan)
    }
}

/// Disables or enables a user; links and roles stay.
#[derive(Debug, Clone)]
pub struct SetUserDisabled {
    /// The user.
    pub user: UserId,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// The new flag.
    pub disabled: bool,
}

impl SetUserDisabled {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let user = find(catalog, &self.user, self.etag.as_deref())?;
        let mut plan = Plan::about(Kind::User, user.id.as_str());
        let next = User { disabled: self.disabled, ..User::clone(&user) };
        plan.put_changed(next, Some(&user), context);
        Ok(plan)
    }
}

// Two operations of the API are this one command, so its name depends on the flag.
impl Command for SetUserDisabled {
    fn operation(&self) -> &'static str {
        if self.disabled { "DisableUser" } else { "EnableUser" }
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        self.plan(catalog, context)
    }
}

/// Deletes a user with links, roles and team memberships.
#[derive(Debug, Clone)]
pub struct DeleteUser {
    /// The user.
    pub user: UserId,
    /// State that the caller saw.
    pub etag: Option<String>,
}

impl DeleteUser {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let user = find(catalog, &self.user, self.etag.as_deref())?;
        let mut plan = Plan::default();
        plan.delete(user.as_ref());
        for team in catalog.teams_of(&user.id) {
            let mut next = Team::clone(&team);
            next.members.remove(&user.id);
            plan.put(next, context);
        }
        Ok(plan)
    }
}
