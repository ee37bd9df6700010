//! The fleet in numbers (SPEC §10.8).

use std::collections::BTreeMap;

use super::{ClientState, ClientStatus};
use crate::domain::UniqueName;

/// How many clients stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; ClientState::ALL.len()]);

impl Counts {
    /// How many stand so.
    pub fn of(&self, state: ClientState) -> u64 {
        let at = ClientState::ALL.iter().position(|known| *known == state);
        at.and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, state: ClientState) {
        let at = ClientState::ALL.iter().position(|known| *known == state);
        if let Some(count) = at.and_then(|at| self.0.get_mut(at)) {
            *count += 1;
        }
    }
}

/// Counts of some clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Of all.
    pub all: Counts,
    /// By the profile of the newest delivery; none for clients of which it is not known.
    pub profiles: BTreeMap<Option<UniqueName>, Counts>,
    /// Clients that are connected and have not applied what was current at the asked revision or
    /// later.
    pub behind: u64,
    /// The newest revision that every connected client is on; none without one.
    pub all_on: Option<i64>,
}

impl Summary {
    /// Counts a client; `revision` is the asked one.
    pub fn add(&mut self, client: &ClientStatus, revision: i64) {
        self.all.add(client.state);
        self.profiles.entry(client.profile().cloned()).or_default().add(client.state);
        if client.is_connected() {
            self.behind += u64::from(client.current_at < revision);
            let on = self.all_on.map_or(client.current_at, |on| on.min(client.current_at));
            self.all_on = Some(on);
        }
    }
}
