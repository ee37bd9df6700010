//! A user in the same form by itself, who refers by name: what checkpoints hold.

use std::collections::BTreeSet;

use super::{
    form::{self, Head, Tail},
    names::Names,
    refs::{SOUND, Translate},
    users::PackedUser,
};
use crate::domain::{UniqueName, directory::User};

/// What a user refers to, as texts.
type Roles<'a> = Vec<&'a str>;
/// Both parts of a stored user.
type Stored<'a> = (Head<'a, Roles<'a>, &'a str, &'a str>, Tail<'a, Roles<'a>, &'a str>);

/// Adds the stored form of a user to some bytes.
pub fn encode(user: &User, into: Vec<u8>) -> Vec<u8> {
    let (head, tail) = form::parts(user);
    write((head.translated(&mut Spelled), tail.translated(&mut Spelled)), into)
}

/// Reads what [`encode`] wrote; none when the bytes are no user.
pub fn decode(bytes: &[u8]) -> Option<User> {
    let (head, tail) = parse(bytes)?;
    form::user(head.translated(&mut Parsed), tail.translated(&mut Parsed))
}

impl PackedUser<'_> {
    /// Adds what [`encode`] does.
    pub fn encode(self, into: Vec<u8>) -> Vec<u8> {
        let (head, tail) = self.parts();
        let mut read = Read(self.names);
        write((head.translated(&mut read), tail.translated(&mut read)), into)
    }
}

fn write((head, tail): Stored<'_>, into: Vec<u8>) -> Vec<u8> {
    let bytes = postcard::to_extend(&head, into).expect(SOUND);
    postcard::to_extend(&tail, bytes).expect(SOUND)
}

/// Both parts of a stored user, whose names are still to be judged.
pub(super) fn parse(bytes: &[u8]) -> Option<Stored<'_>> {
    let (head, rest) = postcard::take_from_bytes(bytes).ok()?;
    let (tail, rest) = postcard::take_from_bytes(rest).ok()?;
    rest.is_empty().then_some((head, tail))
}

/// From names to their spelling.
struct Spelled;

impl<'a> Translate<&'a BTreeSet<UniqueName>, &'a UniqueName, &'a str> for Spelled {
    type Roles = Roles<'a>;
    type Name = &'a str;
    type Text = &'a str;

    fn roles(&mut self, roles: &'a BTreeSet<UniqueName>) -> Roles<'a> {
        roles.iter().map(UniqueName::as_str).collect()
    }

    fn name(&mut self, name: &'a UniqueName) -> &'a str {
        name.as_str()
    }

    fn text(&mut self, text: &'a str) -> &'a str {
        text
    }
}

/// From numbers to the spelling of what they stand for.
struct Read<'a>(&'a Names);

impl<'a> Translate<u32, u32, u32> for Read<'a> {
    type Roles = Roles<'a>;
    type Name = &'a str;
    type Text = &'a str;

    fn roles(&mut self, roles: u32) -> Roles<'a> {
        self.0.role_set(roles).iter().map(UniqueName::as_str).collect()
    }

    fn name(&mut self, name: u32) -> &'a str {
        self.0.profile(name).as_str()
    }

    fn text(&mut self, text: u32) -> &'a str {
        self.0.text(text)
    }
}

/// From texts to names; none for a text that is no name.
struct Parsed;

impl<'a> Translate<Roles<'a>, &'a str, &'a str> for Parsed {
    type Roles = Option<BTreeSet<UniqueName>>;
    type Name = Option<UniqueName>;
    type Text = Option<String>;

    fn roles(&mut self, roles: Roles<'a>) -> Self::Roles {
        roles.into_iter().map(|role| UniqueName::parse(role).ok()).collect()
    }

    fn name(&mut self, name: &'a str) -> Self::Name {
        UniqueName::parse(name).ok()
    }

    fn text(&mut self, text: &'a str) -> Self::Text {
        Some(text.to_owned())
    }
}
