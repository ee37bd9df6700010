//! The read path: which profile a user gets, with its encoded content.
//!
//! Three look-ups: the user's seat, what the role class of the seat gets in the app, and the
//! encoded content of that profile for the gates of the class. What follows from a class is kept
//! beside the class, content in a cache that every answer and every stream shares.

mod answers;
mod contents;

use std::sync::Arc;

use crate::{
    catalog::{Catalog, ClassId},
    content::Compiled,
    domain::{App, Reason, Refusal, UniqueName, UserId},
    resolve::Resolution,
};

use self::answers::ClassAnswers;
pub(crate) use self::contents::Variant;
pub use self::contents::{ContentFigures, Contents};

/// A profile resolved for a user: what the message of that name is made from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Revision of the catalog.
    pub revision: i64,
    /// The user, in the stored spelling.
    pub user: UserId,
    /// The app.
    pub app: App,
    /// Which profile, and why.
    pub resolution: Arc<Resolution>,
    /// Its content.
    pub content: Arc<Compiled>,
}

// === impl Contents ===

impl Contents {
    /// The content of a profile for users of a class; none when there is no such profile.
    pub fn get(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        class: ClassId,
    ) -> Option<Arc<Compiled>> {
        self.variant_of_class(catalog, profile, class).map(|variant| variant.content)
    }

    /// The same, with what the content is made of.
    pub(crate) fn variant_of_class(
        &self,
        catalog: &Catalog,
        profile: &UniqueName,
        class: ClassId,
    ) -> Option<Variant> {
        let answers = catalog.of_class::<ClassAnswers>(class);
        self.entry(catalog, profile, &answers.gates).map(|(_, variant)| variant)
    }
}

/// Resolves a user's profile with its content; none where profiles do not apply.
pub fn resolved(
    catalog: &Catalog,
    contents: &Contents,
    user: &UserId,
    app: App,
) -> Result<Option<Resolved>, Refusal> {
    Ok(resolved_variant(catalog, contents, user, app)?.map(|(resolved, _)| resolved))
}

/// The same, with what the content was made of.
pub(crate) fn resolved_variant(
    catalog: &Catalog,
    contents: &Contents,
    user: &UserId,
    app: App,
) -> Result<Option<(Resolved, Variant)>, Refusal> {
    let Some(seated) = catalog.user(user) else {
        let message = format!("User {user} does not exist.");
        return Err(Refusal::new(Reason::UserNotFound, message).resource(
            "User",
            user,
            "does not exist",
        ));
    };
    let answers = catalog.of_class::<ClassAnswers>(seated.class);
    let Some(resolution) = answers.resolve(catalog, &seated, app) else { return Ok(None) };
    let Some(variant) = answers.variant(catalog, contents, &resolution.profile, app) else {
        let message = format!("Profile {} applies but does not exist.", resolution.profile);
        return Err(Refusal::new(Reason::Internal, message));
    };
    let resolved = Resolved {
        revision: catalog.revision,
        user: seated.id(),
        app,
        resolution,
        content: Arc::clone(&variant.content),
    };
    Ok(Some((resolved, variant)))
}
