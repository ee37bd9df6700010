//! Security roles: fields, grants, and what goes with a role that is deleted.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    catalog::Catalog,
    command::{
        Context, Plan,
        new_name::{accepted_name, new_name},
        preconditions::{fresh, not_built_in_but, not_found, not_managed_but, same_etag_of},
        references::References,
    },
    domain::{
        Common, Finding, FindingCode, Kind, Reason, Refusal, Scope, UniqueName, Violations,
        check::{self, Controls},
        profile::Profile,
        role::{Persona, SecurityRole},
    },
};

/// New values of the fields of a role; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct RolePatch {
    /// 1 to 100 characters after trimming; required for a new role.
    pub display_name: Option<String>,
    /// At most 2000 characters.
    pub description: Option<String>,
    /// At most 100 characters.
    pub owner: Option<String>,
    /// At most 100 characters.
    pub business_unit: Option<String>,
    /// The role that a new one is a business unit's copy of; immutable after creation.
    pub root_role: Option<Option<UniqueName>>,
    /// Some of ADMIN, READER and AGENT; only ADMIN changes them.
    pub grants: Option<BTreeSet<Scope>>,
    /// For presence readiness only.
    pub persona: Option<Persona>,
}

impl RolePatch {
    /// Notes every field rule that the values break.
    fn syntax(&self, v: &mut Violations, before: Option<&SecurityRole>) {
        match &self.display_name {
            Some(name) => {
                check::display_name(v, "display_name", name, 100);
            }
            None if before.is_none() => v.invalid("display_name", "is required"),
            None => {}
        }
        if let Some(text) = &self.description {
            check::text(v, "description", text, 0..=2000, Controls::TabAndNewline);
        }
        for (field, value) in [("owner", &self.owner), ("business_unit", &self.business_unit)] {
            if let Some(value) = value {
                check::line(v, field, value, 0..=100);
            }
        }
        for scope in self.grants.iter().flatten() {
            if !matches!(scope, Scope::Admin | Scope::Reader | Scope::Agent) {
                let rule = format!("may hold ADMIN, READER and AGENT, holds {}", scope.as_str());
                v.invalid("grants", rule);
            }
        }
        if let (Some(root), Some(before)) = (&self.root_role, before)
            && *root != before.root_role
        {
            v.add(Reason::FieldImmutable, "root_role", "cannot change after creation");
        }
    }

    /// Writes the values; syntax and root were checked before.
    fn apply(&self, role: &mut SecurityRole) {
        if let Some(name) = &self.display_name {
            role.common.display_name = name.trim().to_owned();
        }
        for (slot, value) in [
            (&mut role.common.description, &self.description),
            (&mut role.common.owner, &self.owner),
            (&mut role.business_unit, &self.business_unit),
        ] {
            if let Some(value) = value {
                slot.clone_from(value);
            }
        }
        if let Some(grants) = &self.grants {
            role.grants.clone_from(grants);
        }
        role.persona = self.persona.unwrap_or(role.persona);
    }
}

/// Makes a custom role, or changes fields of one.
#[derive(Debug, Clone)]
pub struct UpsertRole {
    /// Name as given.
    pub name: String,
    /// State that the caller saw.
    pub etag: Option<String>,
    /// New values.
    pub patch: RolePatch,
}

impl UpsertRole {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let before = catalog.tables.roles.find(&self.name);
        self.only_admin_grants(before, context)?;
        let mut v = Violations::new();
        let name = match before {
            Some(role) => Some(role.common.unique_name.clone()),
            None => new_name(&mut v, &self.name),
        };
        self.patch.syntax(&mut v, before.map(Arc::as_ref));
        let name = accepted_name(v, name)?;
        let mut next = match before {
            Some(role) => SecurityRole::clone(role),
            None => self.create(name.clone(), catalog, context)?,
        };
        self.patch.apply(&mut next);
        if let Some(role) = before {
            changeable(role, "UPDATE")?;
        }
        same_etag_of(name.as_str(), before.map(Arc::as_ref), self.etag.as_deref())?;
        let mut plan = Plan::about(Kind::Role, name.as_str());
        plan.put_changed(next, before, context);
        Ok(plan)
    }

    /// Refuses other grants than the stored ones to everybody but administrators.
    fn only_admin_grants(
        &self,
        before: Option<&Arc<SecurityRole>>,
        context: &Context,
    ) -> Result<(), Refusal> {
        let none = BTreeSet::new();
        let stored = before.map_or(&none, |role| &role.grants);
        let changes = self.patch.grants.as_ref().is_some_and(|grants| grants != stored);
        if !changes || context.actor.scopes.has(Scope::Admin) {
            return Ok(());
        }
        let (caller, needed) = (&context.actor.subject, Scope::Admin.as_str());
        let message = format!(
            "{caller} may not change the grants of role {}; it needs the scope {needed}.",
            self.name
        );
        Err(Refusal::new(Reason::ScopeRequired, message).with("required_scope", needed).resource(
            Kind::Role.as_str(),
            &self.name,
            "grants would change",
        ))
    }

    /// A role of that name without the values of the patch, root apart.
    fn create(
        &self,
        name: UniqueName,
        catalog: &Catalog,
        context: &Context,
    ) -> Result<SecurityRole, Refusal> {
        let root_role = match self.patch.root_role.as_ref().and_then(Option::as_ref) {
            Some(root) => Some(find_root(catalog, root)?),
            None => None,
        };
        Ok(SecurityRole {
            common: Common::custom(name, ""),
            stamp: fresh(context.uid, context),
            business_unit: String::new(),
            root_role,
            grants: BTreeSet::new(),
            persona: Persona::default(),
        })
    }
}

/// The role that a copy points to, as stored; a copy itself cannot be one.
fn find_root(catalog: &Catalog, name: &UniqueName) -> Result<UniqueName, Refusal> {
    let mut references = References::new(catalog);
    let role = references.role("root_role", name.as_str());
    references.finish()?;
    let Some(role) = role else { return Ok(name.clone()) };
    if let Some(root) = &role.root_role {
        let mut v = Violations::new();
        let name = &role.common.unique_name;
        v.invalid("root_role", format!("{name} is a copy of {root}; name {root} instead"));
        v.finish()?;
    }
    Ok(role.common.unique_name.clone())
}

fn changeable(role: &SecurityRole, operation: &str) -> Result<(), Refusal> {
    not_built_in_but(role, operation, "create a role of your own instead")?;
    not_managed_but(role, operation, "change it where its bundle comes from")
}

/// Deletes a role with its mappings.
///
/// Users and teams that hold it are not written, for they may be very many: their references die
/// with the role (see [`crate::catalog::LinkState`]), and a role that takes its name has no holders.
#[derive(Debug, Clone)]
pub struct DeleteRole {
    /// The role.
    pub name: UniqueName,
    /// State that the caller saw.
    pub etag: Option<String>,
}

impl DeleteRole {
    /// Judges the command on this catalog.
    pub fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let role = catalog.tables.roles.get(&self.name);
        let role = role.ok_or_else(|| not_found(Kind::Role, self.name.as_str()))?;
        let name = &role.common.unique_name;
        changeable(role, "DELETE")?;
        same_etag_of(name.as_str(), Some(role.as_ref()), self.etag.as_deref())?;
        no_copies(catalog, name)?;
        let mut plan = Plan::default();
        plan.delete(role.as_ref());
        let mapped = referrers(catalog, name, Kind::Profile);
        for profile in mapped.filter_map(|profile| catalog.tables.profiles.get(profile)) {
            let mut next = Profile::clone(profile);
            next.roles.remove(name);
            if next.rank.is_some() && next.roles.is_empty() {
                plan.findings.push(Finding::new(
                    FindingCode::ProfileWithoutRole,
                    profile.name().as_str(),
                    "The profile has a rank and no role.",
                ));
            }
            plan.put(next, context);
        }
        Ok(plan)
    }
}

/// Names of the objects of a kind that refer to a role, ascending.
fn referrers<'a>(
    catalog: &'a Catalog,
    role: &UniqueName,
    kind: Kind,
) -> impl Iterator<Item = &'a UniqueName> + use<'a> {
    let all = catalog.tables.references.of(Kind::Role, role);
    all.filter(move |(by, _)| *by == kind).map(|(_, name)| name)
}

/// Refuses while copies point to the role: they would become roles of their own unasked.
fn no_copies(catalog: &Catalog, name: &UniqueName) -> Result<(), Refusal> {
    let copies: Vec<_> = referrers(catalog, name, Kind::Role).collect();
    if copies.is_empty() {
        return Ok(());
    }
    let list = copies.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    let message = format!("SecurityRole {name} is the root of {list}; delete the copies first.");
    let refusal = Refusal::new(Reason::ObjectInUse, message);
    Err(copies.into_iter().fold(refusal, |r, copy| {
        r.precondition("OBJECT_IN_USE", copy, format!("is a copy of {name}")).resource(
            Kind::Role.as_str(),
            copy,
            "is a copy",
        )
    }))
}
