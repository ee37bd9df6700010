//! Users as SCIM shows them, and what a request makes of one.

use std::collections::BTreeSet;

use http::StatusCode;
use scim_v2::models::errors::ScimType;
use serde_json::{Value, json};

use super::{
    attributes::{self, Document, ENTERPRISE, USER, boolean, element_text, elements, text},
    error::{Error, Result},
    locations::Locations,
    settings::UserIdSource,
};
use crate::{
    command::{Command, SetUserDisabled, SetUserRoles, UpsertUser, UserPatch},
    domain::{
        UniqueName, UserId,
        directory::{OtherName, User},
    },
};

/// The `userName` and the `externalId` of a user. The id is one of them.
pub(super) fn names(user: &User) -> (&str, Option<&str>) {
    match user.other_name() {
        None => (user.id.as_str(), None),
        Some(OtherName::UserName(name)) => (name, Some(user.id.as_str())),
        Some(OtherName::ExternalId(id)) => (user.id.as_str(), Some(id)),
    }
}

/// The document of a user.
pub(super) fn document(user: &User, locations: &Locations) -> Document {
    let (user_name, external_id) = names(user);
    let mut document = Document::new();
    let mut put = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    let extended = !user.business_unit.is_empty();
    put("schemas", if extended { json!([USER, ENTERPRISE]) } else { json!([USER]) });
    put("id", user.stamp.uid.to_string().into());
    if let Some(external_id) = external_id {
        put("externalId", external_id.into());
    }
    put("userName", user_name.into());
    put("displayName", user.display_name.clone().into());
    put("active", (!user.disabled).into());
    if !user.email.is_empty() {
        put("emails", json!([{"value": user.email, "type": "work", "primary": true}]));
    }
    if !user.roles.is_empty() {
        let roles = user.roles.iter().map(|role| json!({"value": role.as_str()}));
        put("roles", roles.collect());
    }
    if extended {
        put(ENTERPRISE, json!({"department": user.business_unit}));
    }
    put("meta", locations.meta("User", &user.stamp));
    document
}

/// What a request says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) user_name: String,
    external_id: Option<String>,
    display_name: String,
    email: String,
    department: String,
    active: Option<bool>,
    /// Roles that the directory gives; `None` leaves them.
    roles: Option<BTreeSet<UniqueName>>,
}

impl Wanted {
    /// Reads a document. Attributes that are not kept here are passed over.
    pub(super) fn read(document: &Document) -> Result<Self> {
        schemas(document, USER)?;
        let missing = || Error::value("userName", "is required");
        let user_name = text(document, "userName").ok_or_else(missing)?.to_owned();
        let active = match attributes::get(document, "active") {
            None => None,
            Some(value) => Some(
                boolean(value).ok_or_else(|| Error::value("active", "must be true or false"))?,
            ),
        };
        let department = attributes::get(document, ENTERPRISE)
            .and_then(|extension| attributes::of(extension, "department"));
        Ok(Self {
            external_id: text(document, "externalId").map(str::to_owned),
            display_name: shown_name(document).unwrap_or_else(|| user_name.clone()),
            email: email(document).unwrap_or_default(),
            department: department.and_then(Value::as_str).unwrap_or_default().to_owned(),
            roles: attributes::get(document, "roles").map(roles).transpose()?,
            active,
            user_name,
        })
    }

    /// The same, where an attribute that the document of a user lacks was taken out of it.
    pub(super) fn read_patched(document: &Document, user: &User) -> Result<Self> {
        let wanted = Self::read(document)?;
        if matches!(user.other_name(), Some(OtherName::UserName(_))) && wanted.external_id.is_none()
        {
            return Err(immutable(user, "externalId"));
        }
        Ok(Self { roles: wanted.roles.or_else(|| Some(BTreeSet::new())), ..wanted })
    }

    /// The id of a new user.
    pub(super) fn id(&self, source: UserIdSource) -> Result<UserId> {
        let (attribute, text) = match (source, &self.external_id) {
            (UserIdSource::ExternalId, Some(id)) => ("externalId", id),
            _ => ("userName", &self.user_name),
        };
        UserId::parse(text).map_err(|rule| Error::value(attribute, rule))
    }

    /// The command that makes a new user.
    pub(super) fn create(self, id: UserId) -> UpsertUser {
        let other_name = match (&self.external_id, id.as_str()) {
            (Some(external), id) if external == id => {
                Some(OtherName::UserName(self.user_name.as_str().into()))
            }
            (external, _) => external.as_deref().map(|id| OtherName::ExternalId(id.into())),
        };
        let disabled = self.active.map(|active| !active);
        let roles = self.roles.clone();
        let fields = self.fields(other_name);
        UpsertUser { id, etag: None, patch: UserPatch { roles, disabled, ..fields } }
    }

    /// The commands that change a user, none when he is as wanted. Roles that administrators gave
    /// stay.
    pub(super) fn change(self, user: &User) -> Result<Vec<Box<dyn Command>>> {
        let other_name = self.other_name(user)?;
        let (id, mut etag) = (user.id.clone(), Some(user.stamp.etag()));
        let mut commands: Vec<Box<dyn Command>> = Vec::new();
        let differs = self.display_name.trim() != user.display_name
            || self.email != user.email
            || self.department != user.business_unit
            || other_name.as_ref() != user.other_name();
        let roles = self.roles.as_ref().map(|given| roles_with(user, given));
        let disabled = self.active.map(|active| !active);
        if differs {
            let (id, patch) = (id.clone(), self.fields(other_name));
            commands.push(Box::new(UpsertUser { id, etag: etag.take(), patch }));
        }
        if let Some(roles) = roles.filter(|roles| *roles != user.roles) {
            let (user, etag) = (id.clone(), etag.take());
            commands.push(Box::new(SetUserRoles { user, etag, roles }));
        }
        if let Some(disabled) = disabled.filter(|disabled| *disabled != user.disabled) {
            commands.push(Box::new(SetUserDisabled { user: id, etag, disabled }));
        }
        Ok(commands)
    }

    /// Whether the change takes something from the user: the right to call, or a role.
    pub(super) fn takes(&self, user: &User) -> bool {
        let kept = self.roles.as_ref().map(|given| roles_with(user, given));
        self.active == Some(false) && !user.disabled
            || kept.is_some_and(|kept| !user.roles.is_subset(&kept))
    }

    fn fields(self, other_name: Option<OtherName>) -> UserPatch {
        UserPatch {
            display_name: Some(self.display_name),
            email: Some(self.email),
            business_unit: Some(self.department),
            other_name: Some(other_name),
            ..UserPatch::default()
        }
    }

    /// The second name of a user; the one that the id was made of cannot change.
    fn other_name(&self, user: &User) -> Result<Option<OtherName>> {
        let is_id = |name: &str| name.eq_ignore_ascii_case(user.id.as_str());
        match user.other_name() {
            Some(OtherName::UserName(_)) => match &self.external_id {
                Some(id) if !is_id(id) => Err(immutable(user, "externalId")),
                _ => Ok(Some(OtherName::UserName(self.user_name.as_str().into()))),
            },
            _ if !is_id(&self.user_name) => Err(immutable(user, "userName")),
            _ => Ok(self.external_id.as_deref().map(|id| OtherName::ExternalId(id.into()))),
        }
    }
}

/// The refusal to change the name that an id was made of.
fn immutable(user: &User, attribute: &str) -> Error {
    let detail = format!(
        "The id {} was made of {attribute}, which cannot change; delete the user and create another \
         one.",
        user.id
    );
    Error::bad(ScimType::Mutability, detail)
}

/// The roles that a user holds once a directory gives these: all of them, and what administrators
/// gave.
pub(super) fn roles_with(user: &User, given: &BTreeSet<UniqueName>) -> BTreeSet<UniqueName> {
    let synced: BTreeSet<_> = user.synced_roles().collect();
    let others = user.roles.iter().filter(|role| !synced.contains(role));
    others.chain(given).cloned().collect()
}

/// Refuses a document that says it is of another schema.
pub(super) fn schemas(document: &Document, wanted: &str) -> Result<()> {
    let Some(schemas) = attributes::get(document, "schemas") else { return Ok(()) };
    let named = |schema: &Value| schema.as_str().is_some_and(|s| s.eq_ignore_ascii_case(wanted));
    if schemas.as_array().is_some_and(|all| all.iter().any(named)) {
        return Ok(());
    }
    Err(Error::new(
        StatusCode::BAD_REQUEST,
        Some(ScimType::InvalidValue),
        format!("schemas must name {wanted}."),
    ))
}

fn shown_name(document: &Document) -> Option<String> {
    if let Some(name) = text(document, "displayName") {
        return Some(name.to_owned());
    }
    let name = attributes::get(document, "name")?.as_object()?;
    if let Some(formatted) = text(name, "formatted") {
        return Some(formatted.to_owned());
    }
    let parts: Vec<_> =
        ["givenName", "familyName"].iter().filter_map(|part| text(name, part)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The primary e-mail address, or the first one.
fn email(document: &Document) -> Option<String> {
    let all = elements(attributes::get(document, "emails")?);
    let is_primary =
        |email: &&Value| attributes::of(email, "primary").and_then(boolean) == Some(true);
    all.iter().find(is_primary).or(all.first()).and_then(element_text).map(str::to_owned)
}

fn roles(value: &Value) -> Result<BTreeSet<UniqueName>> {
    let name = |role: &Value| {
        let text = element_text(role).ok_or_else(|| Error::value("roles", "need a value each"))?;
        UniqueName::parse(text).map_err(|rule| Error::value("roles", format!("`{text}`: {rule}")))
    };
    elements(value).iter().map(name).collect()
}

#[cfg(test)]
mod tests;
