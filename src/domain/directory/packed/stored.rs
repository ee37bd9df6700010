//! A user in the same form by itself: what checkpoints hold.

use std::collections::BTreeSet;

use super::{
    form::{self, Head, Tail},
    refs::{Follow, Refer},
};
use crate::domain::{UniqueName, directory::User};

/// The bytes of a user, who refers by name.
pub fn encode(user: &User) -> Result<Vec<u8>, postcard::Error> {
    let (head, tail) = form::parts(user, &mut Plain);
    let bytes = postcard::to_extend(&head, Vec::with_capacity(192))?;
    postcard::to_extend(&tail, bytes)
}

/// Reads what [`encode`] wrote; none when the bytes are no user.
pub fn decode(bytes: &[u8]) -> Option<User> {
    type Roles<'a> = Vec<&'a str>;
    let (head, rest) = postcard::take_from_bytes::<Head<'_, Roles<'_>, &str, &str>>(bytes).ok()?;
    let (tail, rest) = postcard::take_from_bytes::<Tail<'_, Roles<'_>, &str>>(rest).ok()?;
    rest.is_empty().then_some(())?;
    form::user(head, tail, &mut Plain)
}

/// References that are the names themselves.
struct Plain;

impl<'a> Refer<'a> for Plain {
    type Roles = Vec<&'a str>;
    type Name = &'a str;
    type Text = &'a str;

    fn roles(&mut self, roles: &'a BTreeSet<UniqueName>) -> Vec<&'a str> {
        roles.iter().map(UniqueName::as_str).collect()
    }

    fn name(&mut self, name: &'a UniqueName) -> &'a str {
        name.as_str()
    }

    fn text(&mut self, text: &'a str) -> &'a str {
        text
    }
}

impl Follow<Vec<&str>, &str, &str> for Plain {
    fn roles(&mut self, roles: Vec<&str>) -> Option<BTreeSet<UniqueName>> {
        roles.into_iter().map(|role| UniqueName::parse(role).ok()).collect()
    }

    fn name(&mut self, name: &str) -> Option<UniqueName> {
        UniqueName::parse(name).ok()
    }

    fn text(&mut self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}
