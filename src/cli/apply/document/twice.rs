//! What several documents of one call give twice: an object, or the profile of a user.

use std::{collections::HashMap, rc::Rc};

use super::{
    fields::folded,
    located::{Document, Located},
};
use crate::cli::tree::{Mistake, Place};

/// Finds all of it. Names that differ in case only are the same, as they are for the server.
pub(super) fn find(documents: &[Document], mistakes: &mut Vec<Located>) {
    objects(documents, mistakes);
    links(documents, mistakes);
}

fn objects(documents: &[Document], mistakes: &mut Vec<Located>) {
    let mut seen = HashMap::new();
    for document in documents {
        let at = document.origin.id;
        if let Some(first) = seen.insert((document.kind.name, folded(&document.id)), document) {
            let label = document.kind.label(&document.id);
            mistakes.push(twice(&label, "is described", document, at, first, first.origin.id));
        }
    }
}

/// A user has one profile, and one document says which.
fn links(documents: &[Document], mistakes: &mut Vec<Located>) {
    let mut seen = HashMap::<String, (usize, &Document, Place)>::new();
    for (number, document) in documents.iter().enumerate() {
        let users = document.users.iter().flatten().zip(&document.origin.users);
        let own = document.origin.profile.as_ref().map(|at| (&document.id, at));
        for (user, at) in users.chain(own) {
            match seen.get(&folded(user)) {
                // What one list holds twice is found with the list.
                Some((same, _, _)) if *same == number => {}
                Some((_, first, place)) => {
                    let label = format!("user {user}");
                    mistakes.push(twice(&label, "is linked", document, *at, first, *place));
                }
                None => drop(seen.insert(folded(user), (number, document, *at))),
            }
        }
    }
}

fn twice(
    what: &str,
    how: &str,
    document: &Document,
    at: Place,
    first: &Document,
    place: Place,
) -> Located {
    let text = format!("{what} {how} twice, first at {}:{place}", first.origin.source);
    Located { source: Rc::clone(&document.origin.source), mistake: Mistake::new(at, text) }
}
