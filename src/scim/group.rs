//! Groups as SCIM shows them: teams, or security roles that their members hold themselves.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    attributes::{self, Document, GROUP, element_text, elements, text},
    error::{Error, Result},
    index::{Found, Index},
    locations::Locations,
    settings::Settings,
    user::schemas,
};
use crate::{
    catalog::Catalog,
    command::{ApplyChanges, BatchUpsertUsers, Command, TeamPatch, UpsertTeam, UserPatch, UserRow},
    domain::{
        Stamp, TeamId, UserId,
        directory::{Team, User},
        role::SecurityRole,
    },
};

/// Most rows of one BatchUpsertUsers.
const MAX_ROWS: usize = 1_000;

/// A group of the directory.
#[derive(Debug, Clone)]
pub(super) enum Group {
    Team(Arc<Team>),
    /// A role, and the name by which `scim.groups` maps it.
    Role(Arc<SecurityRole>, String),
}

impl Group {
    /// The group of that id.
    pub(super) fn find(
        catalog: &Catalog,
        index: &Index,
        settings: &Settings,
        uid: Uuid,
    ) -> Option<Self> {
        if let Some(Found::Team(id)) = index.of_uid(uid) {
            let team = catalog.team(&id).map(Cow::into_owned);
            return team.filter(|team| team.stamp.uid == uid).map(Self::Team);
        }
        mapped(catalog, settings).find(|group| group.stamp().uid == uid)
    }

    pub(super) fn stamp(&self) -> &Stamp {
        match self {
            Self::Team(team) => &team.stamp,
            Self::Role(role, _) => &role.stamp,
        }
    }

    /// The etag of its state. Who holds a role is no part of the role, so it has none.
    pub(super) fn etag(&self) -> Option<String> {
        match self {
            Self::Team(team) => Some(team.stamp.etag()),
            Self::Role(..) => None,
        }
    }

    /// The document of the group. Who holds a role is found by looking at every user.
    pub(super) fn document(
        &self,
        catalog: &Catalog,
        locations: &Locations,
        with_members: bool,
    ) -> Document {
        let mut document = Document::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("schemas", json!([GROUP]));
        put("id", self.stamp().uid.to_string().into());
        match self {
            Self::Team(team) => {
                put("displayName", team.display_name.clone().into());
                if let Some(id) = &team.external_id {
                    put("externalId", id.as_ref().into());
                }
                put("meta", locations.meta("Group", &team.stamp));
            }
            Self::Role(role, mapped_by) => {
                put("displayName", mapped_by.clone().into());
                put("meta", locations.meta_unversioned("Group", &role.stamp));
            }
        }
        if with_members {
            let members: Vec<_> = match self {
                Self::Team(team) => {
                    let users = team.members.iter().filter_map(|id| catalog.user(id));
                    users.map(|seated| member(&seated.user(), locations)).collect()
                }
                Self::Role(role, _) => {
                    holders(catalog, role).map(|user| member(&user, locations)).collect()
                }
            };
            if !members.is_empty() {
                put("members", members.into());
            }
        }
        document
    }

    /// The command that makes the group as wanted, if it is not, and how many users lose a role.
    ///
    /// A role keeps its name, and members whom an administrator gave it.
    pub(super) fn change(
        &self,
        catalog: &Catalog,
        wanted: Wanted,
    ) -> (Option<Box<dyn Command>>, usize) {
        match self {
            Self::Team(team) => (change_team(team, wanted), 0),
            Self::Role(role, _) => change_holders(catalog, role, &wanted.members),
        }
    }
}

/// All groups: teams, then roles that are mapped.
pub(super) fn all<'a>(
    catalog: &'a Catalog,
    settings: &'a Settings,
) -> impl Iterator<Item = Group> + 'a {
    let teams = catalog.teams().map(|team| Group::Team(team.into_owned()));
    teams.chain(mapped(catalog, settings))
}

/// The roles that are groups, each by the first name that maps it.
fn mapped<'a>(catalog: &'a Catalog, settings: &'a Settings) -> impl Iterator<Item = Group> + 'a {
    let mut seen = BTreeSet::new();
    settings.groups.iter().filter_map(move |(name, role)| {
        let role = catalog.tables.roles.get(role)?;
        seen.insert(role.stamp.uid).then(|| Group::Role(Arc::clone(role), name.clone()))
    })
}

fn member(user: &User, locations: &Locations) -> Value {
    let id = user.stamp.uid.to_string();
    let location = locations.of("User", &id);
    json!({"value": id, "type": "User", "$ref": location})
}

fn holders<'a>(
    catalog: &'a Catalog,
    role: &'a SecurityRole,
) -> impl Iterator<Item = Arc<User>> + 'a {
    let holders = catalog.users().filter(|seated| seated.has_role(&role.common.unique_name));
    holders.map(|seated| seated.user())
}

/// What a request says of a group.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) display_name: String,
    pub(super) external_id: Option<String>,
    members: BTreeSet<UserId>,
}

impl Wanted {
    /// Reads a document; members are found by their SCIM ids.
    pub(super) fn read(document: &Document, catalog: &Catalog, index: &Index) -> Result<Self> {
        schemas(document, GROUP)?;
        let missing = || Error::value("displayName", "is required");
        let display_name = text(document, "displayName").ok_or_else(missing)?.trim().to_owned();
        let members = attributes::get(document, "members").map(elements).unwrap_or_default();
        let mut ids = BTreeSet::new();
        for member in members {
            ids.insert(member_id(member, catalog, index)?);
        }
        let external_id = text(document, "externalId").map(str::to_owned);
        Ok(Self { display_name, external_id, members: ids })
    }

    /// A group without members.
    pub(super) fn nobody() -> Self {
        Self { display_name: String::new(), external_id: None, members: BTreeSet::new() }
    }

    /// The id of a new team. A slash, which no id may hold, becomes a hyphen.
    pub(super) fn team_id(&self) -> Result<TeamId> {
        let (attribute, text) = match &self.external_id {
            Some(id) => ("externalId", id),
            None => ("displayName", &self.display_name),
        };
        TeamId::parse(&text.replace('/', "-")).map_err(|rule| Error::value(attribute, rule))
    }

    /// The command that makes a new team.
    pub(super) fn create(self, id: TeamId) -> UpsertTeam {
        let patch = TeamPatch {
            display_name: Some(self.display_name),
            members: Some(self.members),
            roles: None,
            external_id: Some(self.external_id.map(Into::into)),
        };
        UpsertTeam { id, etag: None, patch }
    }

    /// The same with members added to those that a group has.
    pub(super) fn joined_by(mut self, catalog: &Catalog, group: &Group) -> Self {
        match group {
            Group::Team(team) => self.members.extend(team.members.iter().cloned()),
            Group::Role(role, _) => {
                self.members.extend(holders(catalog, role).map(|user| user.id.clone()));
            }
        }
        self
    }
}

fn member_id(member: &Value, catalog: &Catalog, index: &Index) -> Result<UserId> {
    let is_group =
        attributes::of(member, "type").and_then(Value::as_str).is_some_and(|t| t != "User");
    if is_group {
        return Err(Error::value("members", "must be users; groups in groups are not supported"));
    }
    let text = element_text(member).ok_or_else(|| Error::value("members", "need a value each"))?;
    let found = Uuid::try_parse(text).ok().and_then(|uid| match index.of_uid(uid) {
        Some(Found::User(id)) => catalog.user(&id).filter(|seated| seated.user().stamp.uid == uid),
        _ => None,
    });
    let found = found.map(|seated| seated.id());
    found.ok_or_else(|| Error::value("members", format!("`{text}` is no id of a user")))
}

fn change_team(team: &Team, wanted: Wanted) -> Option<Box<dyn Command>> {
    let external_id = wanted.external_id.map(Into::<Box<str>>::into);
    if wanted.display_name == team.display_name
        && external_id == team.external_id
        && wanted.members == team.members
    {
        return None;
    }
    Some(Box::new(UpsertTeam {
        id: team.id.clone(),
        etag: Some(team.stamp.etag()),
        patch: TeamPatch {
            display_name: Some(wanted.display_name),
            members: (wanted.members != team.members).then_some(wanted.members),
            roles: None,
            external_id: Some(external_id),
        },
    }))
}

/// Gives a role to those who are to hold it, and takes it from all others to whom a sync gave it.
fn change_holders(
    catalog: &Catalog,
    role: &SecurityRole,
    wanted: &BTreeSet<UserId>,
) -> (Option<Box<dyn Command>>, usize) {
    let name = &role.common.unique_name;
    let row = |user: &User, roles| UserRow {
        id: user.id.clone(),
        etag: Some(user.stamp.etag()),
        patch: UserPatch { roles: Some(roles), ..UserPatch::default() },
        profile: None,
    };
    let mut rows = Vec::new();
    for user in holders(catalog, role) {
        if !wanted.contains(&user.id) && user.synced_roles().any(|synced| synced == name) {
            let kept = user.roles.iter().filter(|held| *held != name).cloned().collect();
            rows.push(row(&user, kept));
        }
    }
    let losing = rows.len();
    for seated in wanted.iter().filter_map(|id| catalog.user(id)) {
        if !seated.has_role(name) {
            let user = seated.user();
            let held = user.roles.iter().chain([name]).cloned().collect();
            rows.push(row(&user, held));
        }
    }
    (batches(rows), losing)
}

/// One write of all rows.
fn batches(mut rows: Vec<UserRow>) -> Option<Box<dyn Command>> {
    if rows.len() <= MAX_ROWS {
        return match rows.is_empty() {
            true => None,
            false => Some(Box::new(BatchUpsertUsers { rows })),
        };
    }
    let mut operations: Vec<Box<dyn Command>> = Vec::new();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(MAX_ROWS));
        operations.push(Box::new(BatchUpsertUsers { rows }));
        rows = rest;
    }
    Some(Box::new(ApplyChanges { operations, expected_revision: None }))
}
