//! What the fleet answers, compared with what the model says of it.

use super::*;

impl Pair {
    /// Compares every answer of the fleet with the model.
    pub(super) fn agrees(&mut self, random: &mut Rng, at: &str) {
        let now = self.now();
        let compared = self.model.revision();
        let found: Vec<_> = self.fleet.statuses(None, compared).collect();
        self.model.expire(now);
        let known: Vec<_> = self.model.clients.iter().collect();
        assert_eq!(found.len(), known.len(), "{at}");
        for (status, (key, client)) in found.iter().zip(&known) {
            self.agrees_of(status, **key, client, at);
            self.met[status.state as usize] += 1;
        }
        assert_eq!(self.log.lock().unwrap().len(), self.model.logged, "{at}");
        self.pages_agree(&found, random, at);
        self.filters_agree(&found, at);
        self.summary_agrees(&found, random, at);
        self.mark_holds(found, random, at);
    }

    /// One client.
    fn agrees_of(&self, status: &ClientStatus, key: Key, client: &ClientHistory, at: &str) {
        let now = self.now();
        let at = format!("{at}: {key:?} {client:?}");
        let (user, app) = (UserId::parse(USERS[key.0]).unwrap(), APPS[key.1]);
        assert_eq!((&status.user, status.app, &*status.client_id), (&user, app, CLIENTS[key.2]));
        assert_eq!(status.state, client.state(now), "{at}");
        assert_eq!(status.since.micros(), client.since, "{at}");
        let held =
            |held: Option<&Held>| held.map(|held| (held.revision, held.content.digest.clone()));
        let said =
            |said: Option<Sent>| said.map(|(at, number)| (at, content(number).digest.clone()));
        assert_eq!(held(status.sent.as_ref()), said(client.sent()), "{at}");
        let time = client.deliveries.last().map(|(_, time)| Time::from_micros(*time));
        assert_eq!(status.sent_time, time, "{at}");
        let of = |report: Option<&AcceptedReport>| said(report.map(|report| report.sent));
        assert_eq!(held(status.applied.as_ref()), of(client.applied()), "{at}");
        let names_profile = status.applied.as_ref().map(|held| held.content.profile.is_some());
        assert_eq!(names_profile, client.applied().map(|report| report.named), "{at}");
        assert_eq!(held(status.received.as_ref()), of(client.received()), "{at}");
        let rejected = status.rejected.as_ref();
        assert_eq!(held(rejected.map(|rejected| &rejected.held)), of(client.rejected()), "{at}");
        if let (Some(rejection), Some(said)) = (rejected, client.rejected()) {
            let (reason, detail) = (rejection.reason, rejection.detail.clone());
            assert_eq!(ReportStatus::Rejected { reason, detail }, said.status, "{at}");
        }
        assert_eq!(status.profile().cloned(), client.profile(), "{at}");
        let behind = client.streams > 0 && client.sent().is_some() && !client.has_applied_newest();
        let waited = client.deliveries.last().map_or(0, |(_, time)| now - time);
        let lag = if behind { waited } else { 0 };
        assert_eq!(status.lag.as_micros(), u128::try_from(lag).unwrap(), "{at}");
        self.is_on_a_revision(status.current_at, key, client, &at);
    }

    /// What the client applied was current at the revision that it is said to be on; while that is
    /// still what it was sent last, there is no newer revision of which that can be said.
    fn is_on_a_revision(&self, on: i64, key: Key, client: &ClientHistory, at: &str) {
        let Some(applied) = client.applied() else { return assert_eq!(on, 0, "{at}") };
        if !applied.honest {
            return;
        }
        assert!(on >= applied.sent.0, "on {on}: {at}");
        assert_eq!(self.model.at(key.0, on), applied.sent.1, "on {on}: {at}");
        if client.streams > 0 && client.has_applied_newest() {
            let current = |revision: &i64| self.model.at(key.0, *revision) == applied.sent.1;
            let newest = (1..=self.model.revision()).rev().find(current);
            assert_eq!(Some(on), newest, "{at}");
        }
    }

    /// Pages of any size are the whole list.
    fn pages_agree(&self, all: &[ClientStatus], random: &mut Rng, at: &str) {
        let (size, mut found, mut after) = (random.usize(1..5), Vec::new(), None);
        loop {
            let statuses = self.fleet.statuses(after, self.model.revision());
            let page: Vec<_> = statuses.take(size).collect();
            after = page.last().map(ClientStatus::place);
            found.extend(page);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, all, "{at}");
    }

    /// As many clients have a state and a profile as the model says.
    fn filters_agree(&self, all: &[ClientStatus], at: &str) {
        let now = self.now();
        let profiles = (0..3).map(|number| content(number).profile.clone());
        for profile in profiles.chain([None]) {
            for state in ClientState::ALL {
                let found = all
                    .iter()
                    .filter(|status| status.state == state && status.profile() == profile.as_ref());
                let found: Vec<_> = found.map(ClientStatus::place).collect();
                let known = self.model.clients.iter().filter(|(_, client)| {
                    client.state(now) == state && client.profile() == profile
                });
                let known: Vec<_> = known
                    .map(|((user, app, client), _)| Place {
                        user: UserId::parse(USERS[*user]).unwrap(),
                        app: APPS[*app],
                        client_id: CLIENTS[*client].to_owned(),
                    })
                    .collect();
                assert_eq!(found, known, "{at}: {state:?} {profile:?}");
            }
        }
    }

    fn summary_agrees(&self, all: &[ClientStatus], random: &mut Rng, at: &str) {
        let (now, revision) = (self.now(), random.i64(1..=self.model.revision() + 1));
        let mut summary = Summary::default();
        all.iter().for_each(|status| summary.add(status, revision));
        let clients = || self.model.clients.values();
        for state in ClientState::ALL {
            let count = clients().filter(|client| client.state(now) == state).count();
            assert_eq!(summary.all.of(state), count as u64, "{at}: {state:?}");
            for (profile, counts) in &summary.profiles {
                let known = clients()
                    .filter(|client| client.state(now) == state && client.profile() == *profile);
                assert_eq!(counts.of(state), known.count() as u64, "{at}: {state:?} {profile:?}");
            }
        }
        let total: u64 = summary.profiles.values().map(Counts::total).sum();
        assert_eq!((total, summary.all.total()), (clients().count() as u64, total), "{at}");
        let connected = all.iter().filter(|status| status.state != ClientState::Disconnected);
        let on: Vec<_> = connected.map(|status| status.current_at).collect();
        let behind = on.iter().filter(|on| **on < revision).count();
        assert_eq!((summary.behind, summary.all_on), (behind as u64, on.into_iter().min()), "{at}");
    }

    /// While a mark says that nothing changed, nothing did; the lag of a client grows by itself.
    fn mark_holds(&mut self, found: Vec<ClientStatus>, random: &mut Rng, at: &str) {
        let compared = self.model.revision();
        let without_lag = |statuses: &[ClientStatus]| -> Vec<_> {
            let lag = std::time::Duration::ZERO;
            statuses.iter().map(|status| ClientStatus { lag, ..status.clone() }).collect()
        };
        if let Some((mark, then)) = &self.marked
            && !self.fleet.changed_since(mark, compared)
        {
            assert_eq!(without_lag(&found), without_lag(then), "{at}");
        }
        if self.marked.is_none() || random.u8(..4) == 0 {
            self.marked = Some((self.fleet.mark(compared), found));
        }
    }
}
