//! Where clients stand in the list.

use super::Client;
use crate::domain::{App, UserId};

/// Where a client stands in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The user.
    pub user: UserId,
    /// The app.
    pub app: App,
    /// The client; empty for the place before the first of the user in the app.
    pub client_id: String,
}

impl Place {
    /// The place before the first client of a user.
    pub(super) fn first_of(user: UserId) -> Self {
        Self { user, app: App::Unspecified, client_id: String::new() }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.user.clone(), self.app, &self.client_id)
    }
}
