//! From the claims of a verified token to who calls.

use serde_json::{Map, Value};

use crate::{
    auth::scope_named,
    domain::{Scopes, UserId},
};

/// How claims say who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSettings {
    /// The claim that names the user. A name with dots leads into nested claims, unless a claim has
    /// that very name.
    pub user: String,
    /// What is put in front of it, so that issuers cannot name each other's users.
    pub user_prefix: String,
    /// The claims that list scopes: texts with blanks, or lists of texts.
    pub scopes: Vec<String>,
    /// What scopes of this server begin with; other values are not for this server.
    pub scope_prefix: String,
    /// The scopes that the issuer may give; others are ignored.
    pub grants: Scopes,
}

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// Whom the claims name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The user, where the claim can be a user id.
    pub(super) user: Option<UserId>,
    /// The text of the claim.
    pub(super) text: String,
    /// The scopes, where the token carries any of this server.
    pub(super) scopes: Option<Scopes>,
}

impl ClaimSettings {
    /// Reads who calls; none when the claim of the user is missing.
    pub(super) fn read(&self, claims: &Claims) -> Option<Named> {
        let text = match find(claims, &self.user)? {
            Value::String(text) if !text.is_empty() => format!("{}{text}", self.user_prefix),
            Value::Number(number) => format!("{}{number}", self.user_prefix),
            _ => return None,
        };
        let user = UserId::parse(&text).ok();
        Some(Named { user, text, scopes: self.scopes(claims) })
    }

    fn scopes(&self, claims: &Claims) -> Option<Scopes> {
        let values = self.scopes.iter().filter_map(|name| find(claims, name)).flat_map(texts);
        let ours = values.filter_map(|value| value.strip_prefix(self.scope_prefix.as_str()));
        let mut carried = None;
        for name in ours {
            let scope = scope_named(name);
            // Without a prefix nothing says whose a name is that is not known.
            if scope.is_none() && self.scope_prefix.is_empty() {
                continue;
            }
            let scopes: &mut Scopes = carried.get_or_insert_default();
            if let Some(scope) = scope.filter(|scope| self.grants.has(*scope)) {
                scopes.insert(scope);
            }
        }
        carried
    }
}

/// A claim by its name, or by the names that lead to it.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (outer, rest) = name.split_once('.')?;
    find(claims.get(outer)?.as_object()?, rest)
}

/// The texts of a claim that lists some.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Scope::{self, Admin, Agent, Reader};

    fn settings() -> ClaimSettings {
        ClaimSettings {
            user: "sub".into(),
            user_prefix: String::new(),
            scopes: vec!["scope".into(), "deskplane_scopes".into()],
            scope_prefix: "deskplane.".into(),
            grants: Scopes::of(Scope::ALL),
        }
    }

    fn read(settings: &ClaimSettings, claims: Value) -> Option<Named> {
        settings.read(claims.as_object().unwrap())
    }

    #[test]
    fn scopes_are_those_of_this_server_alone() {
        let none: Option<&[Scope]> = None;
        let cases: &[(Value, Option<&[Scope]>)] = &[
            (json!({}), none),
            (json!({"scope": "openid profile"}), none),
            (json!({"scope": "openid deskplane.agent"}), Some(&[Agent])),
            (json!({"scope": "deskplane.admin  deskplane.reader"}), Some(&[Admin, Reader])),
            (json!({"scope": ["deskplane.admin", 5, "x"]}), Some(&[Admin])),
            (json!({"deskplane_scopes": ["deskplane.reader"]}), Some(&[Reader])),
            (
                json!({"scope": "deskplane.agent", "deskplane_scopes": ["deskplane.reader"]}),
                Some(&[Agent, Reader]),
            ),
            // A name that this version does not know gives nothing, and not the rights of the roles.
            (json!({"scope": "deskplane.emperor"}), Some(&[])),
            (json!({"scope": "DESKPLANE.ADMIN admin"}), none),
            (json!({"scope": 7, "deskplane_scopes": {"deskplane.admin": true}}), none),
        ];
        for (claims, want) in cases {
            let mut claims = claims.clone();
            claims["sub"] = json!("ann");
            let found = read(&settings(), claims.clone()).unwrap().scopes;
            assert_eq!(found, want.map(Scopes::of), "{claims}");
        }
    }

    #[test]
    fn an_issuer_gives_no_more_than_it_may() {
        let grants = Scopes::of(&[Agent]);
        let settings = ClaimSettings { grants, ..settings() };
        let claims = json!({"sub": "ann", "scope": "deskplane.admin deskplane.agent"});
        assert_eq!(read(&settings, claims).unwrap().scopes, Some(Scopes::of(&[Agent])));
        let claims = json!({"sub": "ann", "scope": "deskplane.admin"});
        assert_eq!(read(&settings, claims).unwrap().scopes, Some(Scopes::default()));
    }

    #[test]
    fn names_without_a_prefix_are_read_where_none_is_set() {
        let settings = ClaimSettings {
            scope_prefix: String::new(),
            scopes: vec!["realm_access.roles".into()],
            ..settings()
        };
        let claims = json!({"sub": "ann", "realm_access": {"roles": ["offline_access", "admin"]}});
        assert_eq!(read(&settings, claims).unwrap().scopes, Some(Scopes::of(&[Admin])));
        let claims = json!({"sub": "ann", "realm_access": {"roles": ["offline_access"]}});
        assert_eq!(read(&settings, claims).unwrap().scopes, None);
    }

    #[test]
    fn the_user_is_what_the_claim_says() {
        let oid =
            ClaimSettings { user: "oid".into(), user_prefix: "tenant-a:".into(), ..settings() };
        let by_prefix = ClaimSettings { user_prefix: "a/".into(), ..settings() };
        let url = ClaimSettings { user: "https://contoso.example/user".into(), ..settings() };
        let nested = ClaimSettings { user: "act.sub".into(), ..settings() };
        // Settings, claims, and the text with whether it can be a user id.
        type Case<'a> = (&'a ClaimSettings, Value, Option<(&'a str, bool)>);
        let cases: &[Case<'_>] = &[
            (&settings(), json!({"sub": "ann"}), Some(("ann", true))),
            (&settings(), json!({"sub": 12}), Some(("12", true))),
            (&settings(), json!({"sub": "auth0|64a1b2"}), Some(("auth0|64a1b2", true))),
            (&settings(), json!({"sub": ""}), None),
            (&settings(), json!({"sub": ["ann"]}), None),
            (&settings(), json!({"name": "ann"}), None),
            (&settings(), json!({"sub": "no user"}), Some(("no user", false))),
            (&oid, json!({"sub": "x", "oid": "7"}), Some(("tenant-a:7", false))),
            (&by_prefix, json!({"sub": "ann"}), Some(("a/ann", false))),
            (&url, json!({"https://contoso.example/user": "ann"}), Some(("ann", true))),
            (&nested, json!({"act": {"sub": "ann"}}), Some(("ann", true))),
            (&nested, json!({"act": "ann"}), None),
        ];
        for (settings, claims, want) in cases {
            let found = read(settings, claims.clone());
            let found = found.map(|named| (named.text, named.user.is_some()));
            assert_eq!(found, want.map(|(text, is)| (text.to_owned(), is)), "{claims}");
        }
    }
}
