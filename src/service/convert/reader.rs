//! Reads requests: every bad field is noted, and a stand-in takes its place until the call is
//! refused for it.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    catalog::Catalog,
    content::wire::Coded,
    domain::{
        Kind, Object, ObjectKey, Reason, Refusal, TeamId, UniqueName, UserId, Violations, check,
        secret::{Resealed, SecretValue},
    },
    secrets::vault::Vault,
};

use super::{
    Reference,
    mask::{self, Access, Fields, Mask},
};

/// Reads the fields of one request.
#[derive(Debug)]
pub(in crate::service) struct Reader<'a> {
    /// The newest catalog, to compare what may not change.
    pub catalog: &'a Catalog,
    /// The bad fields so far.
    pub v: Violations,
    /// Seals secrets; none where a request has none.
    vault: Option<&'a Vault>,
    /// The earlier states that the request asks for, or why there are none.
    recalled: BTreeMap<ObjectKey, Result<Object, Refusal>>,
}

/// Resource name of the one settings object.
pub(super) const SETTINGS: &str = "organizationSettings";

/// Stands in for a name that was refused; no command ever sees it.
const STAND_IN: &str = "refused_name";

impl<'a> Reader<'a> {
    /// Nothing read yet.
    pub(in crate::service) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, v: Violations::new(), vault: None, recalled: BTreeMap::new() }
    }

    /// The same, able to seal.
    pub(in crate::service) fn sealing(self, vault: &'a Vault) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// Nothing read yet of a request that comes after others, which leave that catalog.
    pub(super) fn on<'b>(&self, catalog: &'b Catalog) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { catalog, v: Violations::new(), vault: self.vault, recalled: BTreeMap::new() }
    }

    /// The same, with the earlier states that [`WriteRequest::recalls`](super::WriteRequest::recalls)
    /// asked for.
    pub(in crate::service) fn recalling(
        self,
        recalled: BTreeMap<ObjectKey, Result<Object, Refusal>>,
    ) -> Self {
        Self { recalled, ..self }
    }

    /// The earlier state of an object, or why there is none.
    pub(super) fn recalled(&self, key: &ObjectKey) -> Option<Result<Object, Refusal>> {
        self.recalled.get(key).cloned()
    }

    /// The key of the object of a resource name, whatever its kind.
    pub(in crate::service) fn any_key(&mut self, field: &str, text: &str) -> ObjectKey {
        let collection = text.split_once('/').map_or(text, |(collection, _)| collection);
        let found = Kind::all().find(|kind| kind.collection() == collection);
        let Some(kind) = found.filter(|kind| *kind == Kind::Settings || collection != text) else {
            self.v.invalid(field, "must be a resource name, such as `profiles/contoso_rep`");
            return ObjectKey::new(Kind::Profile, STAND_IN);
        };
        self.key(field, kind, text)
    }

    /// The stored form of a secret; `None` when it is to be removed.
    pub(super) fn secret(
        &mut self,
        provider: &str,
        name: &str,
        value: &str,
    ) -> Option<SecretValue> {
        let vault = self.vault.filter(|_| !value.is_empty())?;
        let kept = vault.keep(provider, name, value).unwrap_or_else(|rule| {
            let shown: String = name.chars().take(60).collect();
            self.v.invalid(format!("secrets[{shown}]"), rule);
            SecretValue::Reference(String::new())
        });
        Some(kept)
    }

    /// Every sealed secret under the newest primary key, or why the key ring cannot be used.
    pub(super) fn resealed(&self) -> Result<Vec<Resealed>, Refusal> {
        let Some(vault) = self.vault else { return Ok(Vec::new()) };
        vault.rotate(self.catalog).map_err(|error| {
            let why = error.to_string();
            Refusal::new(Reason::KeyRingUnusable, format!("Nothing was rotated: {why}."))
                .precondition("KEY_RING_UNUSABLE", "voice.key_ring", why)
        })
    }

    /// The bare name of `profiles/contoso_rep` or `contoso_rep`.
    fn bare<'t>(&mut self, field: &str, kind: Kind, text: &'t str) -> Option<Cow<'t, str>> {
        if text.is_empty() {
            self.v.invalid(field, "is required");
            return None;
        }
        Reference::of_kind(text, kind).map_err(|rule| self.v.invalid(field, rule)).ok()
    }

    /// The unique name of an object that is addressed or referred to.
    pub(in crate::service) fn name(&mut self, field: &str, kind: Kind, text: &str) -> UniqueName {
        self.read_name(field, kind, text).unwrap_or_else(|| UniqueName::known(STAND_IN))
    }

    fn read_name(&mut self, field: &str, kind: Kind, text: &str) -> Option<UniqueName> {
        let bare = self.bare(field, kind, text)?;
        UniqueName::parse(&bare).map_err(|rule| self.v.invalid(field, rule)).ok()
    }

    /// The unique name of an object that need not be named.
    pub(in crate::service) fn optional_name(
        &mut self,
        field: &str,
        kind: Kind,
        text: &str,
    ) -> Option<UniqueName> {
        (!text.is_empty()).then(|| self.name(field, kind, text))
    }

    /// The unique names of a list.
    pub(in crate::service) fn names<C: FromIterator<UniqueName>>(
        &mut self,
        field: &str,
        kind: Kind,
        texts: &[String],
    ) -> C {
        let read = |(at, text): (usize, &String)| self.name(&format!("{field}[{at}]"), kind, text);
        texts.iter().enumerate().map(read).collect()
    }

    /// The unique names of a list that must name something.
    pub(in crate::service) fn some_names<C: FromIterator<UniqueName>>(
        &mut self,
        field: &str,
        kind: Kind,
        texts: &[String],
    ) -> C {
        if texts.is_empty() {
            self.v.invalid(field, "must name at least one");
        }
        self.names(field, kind, texts)
    }

    /// The object that an update addresses: by its resource name, or by its unique name alone.
    pub(in crate::service) fn addressed(
        &mut self,
        kind: Kind,
        name: &str,
        unique_name: &str,
    ) -> UniqueName {
        if name.is_empty() {
            return UniqueName::parse(unique_name).unwrap_or_else(|rule| {
                self.v.add(Reason::UniqueNameInvalid, "unique_name", rule);
                UniqueName::known(STAND_IN)
            });
        }
        let Some(addressed) = self.read_name("name", kind, name) else {
            return UniqueName::known(STAND_IN);
        };
        if !unique_name.is_empty() && !addressed.as_str().eq_ignore_ascii_case(unique_name) {
            let text = format!("is immutable; {addressed} cannot be renamed");
            self.v.add(Reason::FieldImmutable, "unique_name", text);
        }
        addressed
    }

    /// Notes a field that the write would change and that only an action changes.
    pub(super) fn changed_by_action(&mut self, field: &str, fields: Fields<'_>) {
        let action = match mask::access(field, fields) {
            Some(Access::Action(action)) => action,
            _ => "an action of its own",
        };
        self.v.add(Reason::FieldImmutable, field, format!("is changed by {action} only"));
    }

    /// The key of an object of whatever kind.
    pub(in crate::service) fn key(&mut self, field: &str, kind: Kind, text: &str) -> ObjectKey {
        let name = match kind {
            Kind::User => self.user(field, text).folded(),
            Kind::Team => self.team(field, text).folded(),
            Kind::Settings => {
                if !matches!(text, "" | SETTINGS) {
                    self.v.invalid(field, format!("must be `{SETTINGS}` or empty"));
                }
                String::new()
            }
            _ => self.name(field, kind, text).folded(),
        };
        ObjectKey { kind, name }
    }

    /// The id of a user.
    pub(in crate::service) fn user(&mut self, field: &str, text: &str) -> UserId {
        let read = self
            .bare(field, Kind::User, text)
            .and_then(|bare| UserId::parse(&bare).map_err(|rule| self.v.invalid(field, rule)).ok());
        read.unwrap_or_else(user_stand_in)
    }

    /// The ids of users.
    pub(in crate::service) fn users<C: FromIterator<UserId>>(
        &mut self,
        field: &str,
        texts: &[String],
    ) -> C {
        let read = |(at, text): (usize, &String)| self.user(&format!("{field}[{at}]"), text);
        texts.iter().enumerate().map(read).collect()
    }

    /// The id of a team.
    pub(in crate::service) fn team(&mut self, field: &str, text: &str) -> TeamId {
        let read = self
            .bare(field, Kind::Team, text)
            .and_then(|bare| TeamId::parse(&bare).map_err(|rule| self.v.invalid(field, rule)).ok());
        read.unwrap_or_else(team_stand_in)
    }

    /// The value of an enum; `None` when it is not given.
    pub(in crate::service) fn choice<T: Coded>(&mut self, field: &str, number: i32) -> Option<T> {
        if number == 0 {
            return None;
        }
        let value = T::read(number);
        if value.is_none() {
            self.v.invalid(field, format!("has no value {number}"));
        }
        value
    }

    /// The message that a request is about.
    pub(in crate::service) fn required<T: Default>(
        &mut self,
        field: &str,
        message: Option<T>,
    ) -> T {
        if message.is_none() {
            self.v.invalid(field, "is required");
        }
        message.unwrap_or_default()
    }

    /// The etag that the caller saw.
    pub(in crate::service) fn etag(&mut self, text: &str) -> Option<String> {
        self.etag_at("etag", text)
    }

    /// The etag of one of several objects.
    pub(super) fn etag_at(&mut self, field: &str, text: &str) -> Option<String> {
        check::line(&mut self.v, field, text, 0..=64);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The update mask of a request.
    pub(super) fn mask(
        &mut self,
        mask: Option<&prost_types::FieldMask>,
        fields: Fields<'_>,
    ) -> Mask {
        Mask::read(&mut self.v, mask, fields)
    }
}

fn user_stand_in() -> UserId {
    UserId::parse("refused").unwrap_or_else(|rule| unreachable!("{rule}"))
}

fn team_stand_in() -> TeamId {
    TeamId::parse("refused").unwrap_or_else(|rule| unreachable!("{rule}"))
}
