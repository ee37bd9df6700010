//! What packed users have in common, once each.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use super::refs::Translate;
use crate::domain::UniqueName;

/// Sets of roles, profiles and texts by number.
#[derive(Clone, Default)]
pub struct Names {
    role_sets: Vec<BTreeSet<UniqueName>>,
    profiles: Vec<UniqueName>,
    texts: Vec<Box<str>>,
}

/// The numbers of names, by their spelling: names that differ in case alone are two here, so that
/// each user keeps his.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    role_sets: HashMap<Box<str>, u32>,
    profiles: HashMap<Box<str>, u32>,
    texts: HashMap<Box<str>, u32>,
}

impl Names {
    /// How many sets of roles there are.
    pub fn role_sets(&self) -> usize {
        self.role_sets.len()
    }

    pub(super) fn role_set(&self, number: u32) -> &BTreeSet<UniqueName> {
        &self.role_sets[number as usize]
    }

    pub(super) fn profile(&self, number: u32) -> &UniqueName {
        &self.profiles[number as usize]
    }

    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names")
            .field("role_sets", &self.role_sets.len())
            .field("profiles", &self.profiles.len())
            .field("texts", &self.texts.len())
            .finish()
    }
}

/// Reads what numbers stand for; none for a number of nothing.
impl Translate<u32, u32, u32> for &Names {
    type Roles = Option<BTreeSet<UniqueName>>;
    type Name = Option<UniqueName>;
    type Text = Option<String>;

    fn roles(&mut self, roles: u32) -> Self::Roles {
        self.role_sets.get(roles as usize).cloned()
    }

    fn name(&mut self, name: u32) -> Self::Name {
        self.profiles.get(name as usize).cloned()
    }

    fn text(&mut self, text: u32) -> Self::Text {
        self.texts.get(text as usize).map(|text| text.to_string())
    }
}

// === impl Numbers ===

/// The spelling of a set of roles: a line each, which no name contains.
pub(super) fn spelling<'a>(roles: impl Iterator<Item = &'a str>, into: &mut String) {
    into.clear();
    for role in roles {
        into.push_str(role);
        into.push('\n');
    }
}

impl Numbers {
    pub(super) fn known_role_set(&self, spelling: &str) -> Option<u32> {
        self.role_sets.get(spelling).copied()
    }

    pub(super) fn known_profile(&self, spelling: &str) -> Option<u32> {
        self.profiles.get(spelling).copied()
    }

    pub(super) fn role_set(&mut self, spelling: &str, make: impl FnOnce() -> u32) -> u32 {
        number(&mut self.role_sets, spelling, make)
    }

    pub(super) fn profile(&mut self, spelling: &str, make: impl FnOnce() -> u32) -> u32 {
        number(&mut self.profiles, spelling, make)
    }

    pub(super) fn text(&mut self, text: &str, make: impl FnOnce() -> u32) -> u32 {
        number(&mut self.texts, text, make)
    }
}

/// The number of a text, which is made where it has none.
fn number(known: &mut HashMap<Box<str>, u32>, text: &str, make: impl FnOnce() -> u32) -> u32 {
    match known.get(text) {
        Some(number) => *number,
        None => {
            let number = make();
            known.insert(text.into(), number);
            number
        }
    }
}

/// Names with their numbers.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub(super) names: Names,
    numbers: Numbers,
}

impl Numbered {
    pub(super) fn role_set(&mut self, spelling: &str, roles: &BTreeSet<UniqueName>) -> u32 {
        let sets = &mut self.names.role_sets;
        self.numbers.role_set(spelling, || add(sets, roles.clone()))
    }

    pub(super) fn profile(&mut self, name: &UniqueName) -> u32 {
        let profiles = &mut self.names.profiles;
        self.numbers.profile(name.as_str(), || add(profiles, name.clone()))
    }

    pub(super) fn text(&mut self, text: &str) -> u32 {
        let texts = &mut self.names.texts;
        self.numbers.text(text, || add(texts, text.into()))
    }
}

fn add<T>(items: &mut Vec<T>, item: T) -> u32 {
    items.push(item);
    (items.len() - 1) as u32
}
