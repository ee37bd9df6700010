//! The kinds of resources, as data: what they are called and how they are read and written.
//!
//! For kinds of the library all follows from the list of kinds, their field tables and the descriptors
//! of the API. Users, teams and the settings stand beside them.

use std::{borrow::Cow, sync::LazyLock};

use percent_encoding::percent_decode_str;
use prost_reflect::{DescriptorPool, ServiceDescriptor};

use super::{Error, Result};
use crate::{
    descriptors,
    domain::{
        self,
        field::{Access, COMMON, Info},
    },
};

/// One kind of resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Name of the message, and of the kind in documents.
    pub name: &'static str,
    /// Its names on the command line; the singular first, then the plural and other forms.
    pub names: Vec<String>,
    /// Service that keeps it.
    pub service: String,
    /// Method that reads one.
    pub get: String,
    /// Method that lists them and the field of its answer; a singleton has none.
    pub list: Option<(String, String)>,
    /// Method that changes one, or creates it.
    pub write: String,
    /// Field of the resource in the request and the answer of that method.
    pub field: String,
    /// First part of its resource name.
    pub collection: &'static str,
    /// Field of the name or id within the collection; a singleton has none.
    pub id: Option<&'static str>,
    /// Fields that only the server sets, beside those of [`COMMON`], unless an action changes them.
    pub read_only: Vec<&'static str>,
    /// Fields that a document may hold and that methods of their own change.
    pub actions: Vec<&'static str>,
    /// Fields that cannot change after creation, beside the id.
    pub immutable: Vec<&'static str>,
    /// Whether one may refer to others of its kind.
    pub refers_to_own: bool,
    /// Columns of a table: heading and field.
    pub columns: Vec<(&'static str, &'static str)>,
}

/// Fields whose values are secret: they are sent, and never shown.
pub(super) const SECRET: &[&str] = &["secrets"];

/// Every kind, in the order in which one refers to those before it.
pub(super) static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let library = in_order(domain::Kind::NAMED).into_iter();
    let mut kinds = vec![settings()];
    for kind in library {
        kinds.extend(library_kind(descriptors::api(), kind));
        // Bots refer to users, and users to roles; what links a user to a profile comes later.
        if kind == domain::Kind::Role {
            kinds.extend([user(), team()]);
        }
    }
    kinds
});

/// Other short forms of the names of kinds.
const SHORT: &[(domain::Kind, &[&str])] = &[
    (domain::Kind::Profile, &["prof"]),
    (domain::Kind::SessionTemplate, &["template", "templates", "session"]),
    (domain::Kind::TabTemplate, &["tab", "tabs"]),
];

/// Kinds in the order in which one refers to those before it.
fn in_order(kinds: &[domain::Kind]) -> Vec<domain::Kind> {
    fn visit(kind: domain::Kind, order: &mut Vec<domain::Kind>) {
        if order.contains(&kind) || !domain::Kind::NAMED.contains(&kind) {
            return;
        }
        for target in kind.targets().filter(|target| *target != kind) {
            visit(target, order);
        }
        order.push(kind);
    }
    let mut order = Vec::new();
    kinds.iter().rev().for_each(|kind| visit(*kind, &mut order));
    order
}

/// A kind of the library; none while the API has no service of it.
fn library_kind(pool: &DescriptorPool, kind: domain::Kind) -> Option<Kind> {
    let (name, collection) = (kind.as_str(), kind.collection());
    let has = |service: &ServiceDescriptor, method: &str| {
        service.methods().any(|candidate| candidate.name() == method)
    };
    let get = format!("Get{name}");
    let service = pool.services().find(|service| has(service, &get))?;
    let full = service.methods().find(|method| method.name() == get)?.output();
    // The method that writes one takes the whole resource and a mask.
    let (write, field) = service.methods().find_map(|method| {
        let changes = ["Update", "Upsert"].iter().any(|verb| method.name().starts_with(verb));
        let request = method.input();
        let field = request.fields().find(|field| field.kind().as_message() == Some(&full))?;
        changes.then(|| (method.name().to_owned(), field.name().to_owned()))
    })?;
    let with_state = has(&service, &format!("Activate{name}"));
    let own = || kind.fields().filter(|info| !info.path.contains('.'));
    let with = |wanted: fn(&Info) -> bool| own().filter(move |i| wanted(i)).map(|i| i.path);
    let state = ["state"].into_iter().filter(|_| with_state);
    let common = [
        ("NAME", "unique_name"),
        ("DISPLAY NAME", "display_name"),
        ("STATE", "state"),
        ("ORIGIN", "origin"),
    ];
    let common = common.into_iter().filter(|(_, path)| with_state || *path != "state");
    let list = format!("List{}{}", collection[..1].to_ascii_uppercase(), &collection[1..]);
    Some(Kind {
        name,
        names: names(kind),
        service: service.name().to_owned(),
        get,
        list: Some((list, separated(collection, '_'))),
        write,
        field,
        collection,
        id: Some("unique_name"),
        read_only: with(|info| info.access == Access::Output).collect(),
        actions: state.chain(with(|info| matches!(info.access, Access::Action(_)))).collect(),
        immutable: with(|info| info.access == Access::Immutable).collect(),
        refers_to_own: kind.targets().any(|target| target == kind),
        columns: common
            .chain(kind.fields().filter_map(|info| Some((info.column?, info.path))))
            .collect(),
    })
}

/// The names of a kind on the command line: short and full, both in singular and plural.
fn names(kind: domain::Kind) -> Vec<String> {
    let mut names = Vec::new();
    for name in [format!("{kind:?}"), kind.as_str().to_owned()] {
        let name = separated(&name, '-');
        let plural = format!("{name}s");
        names.extend(
            [name, plural].into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>(),
        );
    }
    let short = SHORT.iter().filter(|(of, _)| *of == kind).flat_map(|(_, names)| *names);
    names.extend(short.map(|name| (*name).to_owned()));
    names
}

/// `SessionTemplate` as `session-template`.
pub(super) fn separated(name: &str, separator: char) -> String {
    let mut separated = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !separated.is_empty() {
            separated.push(separator);
        }
        separated.push(letter.to_ascii_lowercase());
    }
    separated
}

fn settings() -> Kind {
    Kind {
        name: "OrganizationSettings",
        names: owned(&["settings", "organization-settings"]),
        service: "SettingsService".to_owned(),
        get: "GetSettings".to_owned(),
        list: None,
        write: "UpdateSettings".to_owned(),
        field: "settings".to_owned(),
        collection: "organizationSettings",
        id: None,
        read_only: Vec::new(),
        actions: Vec::new(),
        immutable: Vec::new(),
        refers_to_own: false,
        columns: vec![
            ("CHANNELS", "channels_provisioned"),
            ("COPILOT", "copilot_opt_in"),
            ("REVISION", "revision"),
        ],
    }
}

fn user() -> Kind {
    Kind {
        name: "User",
        names: owned(&["user", "users"]),
        service: "DirectoryService".to_owned(),
        get: "GetUser".to_owned(),
        list: Some(("ListUsers".to_owned(), "users".to_owned())),
        write: "UpsertUser".to_owned(),
        field: "user".to_owned(),
        collection: "users",
        id: Some("id"),
        read_only: vec!["team_roles", "synced_roles", "direct"],
        actions: vec!["roles", "disabled"],
        immutable: vec!["kind"],
        refers_to_own: false,
        columns: vec![
            ("ID", "id"),
            ("DISPLAY NAME", "display_name"),
            ("KIND", "kind"),
            ("DISABLED", "disabled"),
            ("ROLES", "roles"),
            ("TEAM ROLES", "team_roles.role"),
            ("DIRECT", "direct.profile"),
        ],
    }
}

fn team() -> Kind {
    Kind {
        name: "Team",
        names: owned(&["team", "teams"]),
        service: "DirectoryService".to_owned(),
        get: "GetTeam".to_owned(),
        list: Some(("ListTeams".to_owned(), "teams".to_owned())),
        write: "UpsertTeam".to_owned(),
        field: "team".to_owned(),
        collection: "teams",
        id: Some("id"),
        read_only: Vec::new(),
        actions: Vec::new(),
        immutable: Vec::new(),
        refers_to_own: false,
        columns: vec![
            ("ID", "id"),
            ("DISPLAY NAME", "display_name"),
            ("ROLES", "roles"),
            ("MEMBERS", "members"),
        ],
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Kind {
    /// The kind of that name, in any of its forms and any case.
    pub(super) fn find(name: &str) -> Result<&'static Self> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
        let wanted = plain(name);
        KINDS
            .iter()
            .find(|kind| {
                plain(kind.name) == wanted || kind.names.iter().any(|name| plain(name) == wanted)
            })
            .ok_or_else(|| {
                let all: Vec<_> = KINDS.iter().map(|kind| kind.names[0].as_str()).collect();
                Error::Usage(format!("there is no kind `{name}`; there are {}", all.join(", ")))
            })
    }

    /// The resource name that requests take, of a bare or full name.
    pub(super) fn resource_name(&self, name: &str) -> String {
        match self.id {
            None => self.collection.to_owned(),
            Some(_) if name.starts_with(&format!("{}/", self.collection)) => name.to_owned(),
            // Behind the slash `%` begins an escape; a bare id is literal.
            Some(_) => format!("{}/{}", self.collection, name.replace('%', "%25")),
        }
    }

    /// The name or id in a resource name of this kind, decoded; any other text is answered as it is.
    pub(super) fn bare<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let inner = name.strip_prefix(self.collection).and_then(|rest| rest.strip_prefix('/'));
        let decoded = inner.and_then(|inner| percent_decode_str(inner).decode_utf8().ok());
        decoded.unwrap_or(Cow::Borrowed(name))
    }

    /// How messages to people name one: `profile/contoso_rep`.
    pub(super) fn label(&self, id: &str) -> String {
        match self.id {
            None => self.names[0].clone(),
            Some(_) => format!("{}/{id}", self.names[0]),
        }
    }

    /// Whether only the server sets the field.
    pub(super) fn is_read_only(&self, field: &str) -> bool {
        let written = |info: &Info| info.access == Access::Output || info.path == "name";
        COMMON.iter().any(|info| info.path == field && written(info))
            || self.read_only.contains(&field)
    }

    /// Whether the values of the field are secret.
    pub(super) fn is_secret(&self, field: &str) -> bool {
        SECRET.contains(&field)
    }

    /// Position in the order in which documents are sent.
    pub(super) fn stage(&self) -> usize {
        KINDS.iter().position(|kind| kind == self).unwrap_or(KINDS.len())
    }
}

#[cfg(test)]
mod tests;
