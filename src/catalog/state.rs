//! What a catalog holds.

use std::sync::{Arc, LazyLock};

use deskplane_providers::Registry;
use imbl::OrdMap;
use uuid::Uuid;

use super::{
    Tables, content_revisions::ContentRevisions, mappings::Mappings, memo::Epoch, users::Users,
};
use crate::domain::{Stamp, TeamId, Time, directory::Team, settings::Settings};

/// The adapters of a server that was given no others.
static BUILTIN: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::builtin()));

/// The adapters that every server has.
fn builtin_adapters() -> Arc<Registry> {
    Arc::clone(&BUILTIN)
}

/// All configuration at one revision. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Revision of the last commit; 0 before the first.
    pub revision: i64,
    /// Time of the last commit.
    pub time: Time,
    /// Objects with a unique name, by kind and name.
    pub tables: Tables,
    /// Teams by id, as the last write left them; [`Catalog::team`] shows what is alive of them.
    pub(super) teams: OrdMap<TeamId, Arc<Team>>,
    /// Settings of the organisation.
    pub settings: Arc<Settings>,
    /// The adapters of this server; not configuration, the same at every revision.
    pub adapters: Arc<Registry>,
    pub(super) users: Users,
    pub(super) mappings: Mappings,
    pub(super) contents: ContentRevisions,
    /// Another one whenever something other than users and teams changes.
    pub(super) epoch: Epoch,
}

impl Catalog {
    /// A catalog without any object, settings at their initial values.
    pub fn empty() -> Self {
        let stamp = Stamp::new(Uuid::nil(), 0, Time::default(), "system");
        Self {
            revision: 0,
            time: Time::default(),
            tables: Tables::default(),
            teams: OrdMap::new(),
            settings: Arc::new(Settings::initial(stamp)),
            adapters: builtin_adapters(),
            users: Users::default(),
            mappings: Mappings::default(),
            contents: ContentRevisions::default(),
            epoch: Epoch::default(),
        }
    }
}
