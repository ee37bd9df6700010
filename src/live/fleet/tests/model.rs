//! Random sequences of streams, deliveries and reports of a few clients against a naive model. It keeps
//! all events, and computes each answer from them in the words of SPEC §10.7 and §10.8.

mod agree;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use fastrand::Rng;

use super::*;
use crate::{
    content::Compiled,
    domain::{Delivery, DeliveryRef, Method, Reason},
    read::Resolved,
    resolve::Resolution,
};

const USERS: [&str; 2] = ["ann", "Bob"];
const APPS: [App; 2] = [App::Unspecified, App::Workspace];
const CLIENTS: [&str; 2] = ["desk", "pad"];
const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600 * SECOND;
/// Contents that a user may have: few, so that they come back.
const CONTENTS: usize = 12;

/// User, app and client, by their places in the tables.
type Key = (usize, usize, usize);

/// A delivery, or what a report says of one: revision and content.
type Sent = (i64, usize);

/// The events of one client since it became known.
#[derive(Debug, Clone, Default)]
struct ClientHistory {
    streams: u16,
    /// When the last stream opened or closed, in whole seconds.
    since: i64,
    deliveries: Vec<(Sent, i64)>,
    reports: Vec<AcceptedReport>,
}

/// A report that was accepted.
#[derive(Debug, Clone)]
struct AcceptedReport {
    sent: Sent,
    status: ReportStatus,
    /// Whether the profile of the content was known.
    named: bool,
    /// Whether the content was delivered at that revision.
    honest: bool,
    /// Deliveries before it.
    after: usize,
}

/// All events of all clients.
#[derive(Debug, Default)]
struct Model {
    /// Content of each user by revision.
    current: Vec<[usize; USERS.len()]>,
    clients: BTreeMap<Key, ClientHistory>,
    logged: usize,
}

/// The fleet beside its model.
struct Pair {
    fleet: Fleet,
    now: Arc<AtomicI64>,
    log: Arc<Mutex<Vec<Delivery>>>,
    streams: Vec<(Key, Presence)>,
    model: Model,
    /// A mark with the answer that was given with it.
    marked: Option<(Mark, Vec<ClientStatus>)>,
    met: [u32; 6],
}

#[derive(Debug)]
struct Log(Arc<Mutex<Vec<Delivery>>>);

impl DeliveryLog for Log {
    fn delivered(&self, delivery: DeliveryRef<'_>) {
        self.0.lock().unwrap().push(delivery.owned());
    }
}

fn content(number: usize) -> Arc<ContentId> {
    let profile = UniqueName::parse(&format!("contoso_p{}", number % 3)).unwrap();
    Arc::new(ContentId { digest: format!("d1:{number}"), profile: Some(profile) })
}

fn resolved((user, app, _): Key, (revision, number): Sent) -> Resolved {
    let id = content(number);
    let resolution = Resolution {
        profile: id.profile.clone().unwrap(),
        method: Method::Direct,
        rank: None,
        matched_roles: Vec::new(),
        ambiguous: false,
        findings: Vec::new(),
    };
    let compiled = Compiled {
        bytes: bytes::Bytes::new(),
        fields: bytes::Bytes::new(),
        digest: id.digest.clone(),
        id,
        findings: Vec::new(),
        gates: Vec::new(),
        tools: Vec::new(),
        features: Vec::new(),
        unset: Vec::new(),
        unset_finding: None,
        providers: Vec::new(),
    };
    Resolved {
        revision,
        user: UserId::parse(USERS[user]).unwrap(),
        app: APPS[app],
        resolution: Arc::new(resolution),
        content: Arc::new(compiled),
    }
}

// === impl ClientHistory ===

impl ClientHistory {
    fn sent(&self) -> Option<Sent> {
        self.deliveries.last().map(|(sent, _)| *sent)
    }

    fn applied(&self) -> Option<&AcceptedReport> {
        self.reports.iter().rfind(|said| said.status == ReportStatus::Applied)
    }

    /// The last rejection, unless something was applied since.
    fn rejected(&self) -> Option<&AcceptedReport> {
        let last = self.reports.iter().rfind(|said| said.status != ReportStatus::Received)?;
        (last.status != ReportStatus::Applied).then_some(last)
    }

    /// The last report, but for late ones on what was applied already.
    fn received(&self) -> Option<&AcceptedReport> {
        let last = self.reports.iter().enumerate().rfind(|(at, said)| {
            let applied = |before: &&AcceptedReport| before.status == ReportStatus::Applied;
            let applied = self.reports[..*at].iter().rfind(applied);
            let late = applied.is_some_and(|applied| applied.sent.0 >= said.sent.0);
            said.status != ReportStatus::Received || !late
        });
        last.map(|(_, said)| said)
    }

    /// Contents of the last eight deliveries that differ from the one before.
    fn recent(&self) -> Vec<usize> {
        let mut contents: Vec<_> = self.deliveries.iter().map(|((_, number), _)| *number).collect();
        contents.dedup();
        contents.split_off(contents.len().saturating_sub(8))
    }

    fn has_applied_newest(&self) -> bool {
        let applied = self.applied().map(|said| said.sent.1);
        applied.is_some() && applied == self.sent().map(|sent| sent.1)
    }

    fn has_rejected_newest(&self) -> bool {
        let newest = self.sent().map(|sent| sent.1);
        let last = self.reports.iter().rfind(|said| {
            let about_newest = said.after == self.deliveries.len() && Some(said.sent.1) == newest;
            about_newest && said.status != ReportStatus::Received
        });
        last.is_some_and(|said| said.status != ReportStatus::Applied)
    }

    fn state(&self, now: i64) -> ClientState {
        let waited = self.deliveries.last().map(|(_, time)| now - time);
        match () {
            () if self.streams == 0 => ClientState::Disconnected,
            () if self.has_rejected_newest() => ClientState::Rejected,
            () if self.has_applied_newest() => ClientState::Current,
            () if waited.is_some_and(|waited| waited < 10 * SECOND) => ClientState::Pending,
            () if self.reports.is_empty() => ClientState::Unknown,
            () => ClientState::Stale,
        }
    }

    /// The profile of the newest delivery, or of what is applied.
    fn profile(&self) -> Option<UniqueName> {
        let applied = || self.applied().filter(|said| said.named).map(|said| said.sent);
        self.sent().or_else(applied).and_then(|(_, number)| content(number).profile.clone())
    }
}

// === impl Model ===

impl Model {
    fn revision(&self) -> i64 {
        self.current.len() as i64
    }

    fn at(&self, user: usize, revision: i64) -> usize {
        self.current[revision as usize - 1][user]
    }

    /// What the user gets now.
    fn now(&self, user: usize) -> Sent {
        (self.revision(), self.at(user, self.revision()))
    }

    fn client(&mut self, key: Key, now: i64) -> &mut ClientHistory {
        let since = now / SECOND * SECOND;
        self.clients
            .entry(key)
            .or_insert_with(|| ClientHistory { since, ..ClientHistory::default() })
    }

    fn deliver(&mut self, key: Key, sent: Sent, now: i64, whole: bool) {
        let client = self.client(key, now);
        let differs = client.sent().is_none_or(|before| before.1 != sent.1);
        client.deliveries.push((sent, now));
        self.logged += usize::from(differs && whole);
    }

    /// Whether the report is stale, or why it is refused.
    fn report(
        &mut self,
        key: Key,
        sent: Sent,
        status: ReportStatus,
        now: i64,
    ) -> Result<bool, Reason> {
        if sent.0 > self.revision() {
            return Err(Reason::NotSent);
        }
        let current = self.now(key.0).1;
        let client = self.client(key, now);
        if client.reports.iter().any(|said| said.sent.0 > sent.0) {
            return Ok(true);
        }
        if !client.deliveries.is_empty() && !client.recent().contains(&sent.1) {
            return Err(Reason::NotSent);
        }
        let held = [client.applied(), client.received(), client.rejected()];
        let named = held.into_iter().flatten().any(|said| said.named && said.sent.1 == sent.1)
            || client.sent().is_some_and(|newest| newest.1 == sent.1)
            || current == sent.1;
        let honest = client.deliveries.iter().any(|(delivered, _)| *delivered == sent);
        let after = client.deliveries.len();
        client.reports.push(AcceptedReport { sent, status, named, honest, after });
        Ok(false)
    }

    /// Forgets clients that have been away for a day.
    fn expire(&mut self, now: i64) {
        self.clients.retain(|_, client| client.streams > 0 || now - client.since < DAY);
    }
}

// === impl Pair ===

impl Pair {
    fn new() -> Self {
        let (now, log) = (Arc::new(AtomicI64::new(100 * SECOND)), Arc::<Mutex<Vec<_>>>::default());
        let read = Arc::clone(&now);
        let clock =
            Clock::new(move || Time::from_micros(read.load(Ordering::Relaxed)), uuid::Uuid::new_v4);
        let fleet = Fleet::new(clock, Arc::new(Log(Arc::clone(&log))));
        let model = Model { current: vec![[0; USERS.len()]], ..Model::default() };
        Self { fleet, now, log, streams: Vec::new(), model, marked: None, met: [0; 6] }
    }

    fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    fn key(random: &mut Rng) -> Key {
        (random.usize(..USERS.len()), random.usize(..APPS.len()), random.usize(..CLIENTS.len()))
    }

    fn step(&mut self, random: &mut Rng) {
        let (now, key) = (self.now(), Self::key(random));
        match random.u8(..20) {
            0..=2 => self.connect(key, random.bool()),
            3 if !self.streams.is_empty() => {
                let (key, presence) = self.streams.swap_remove(random.usize(..self.streams.len()));
                drop(presence);
                let client = self.model.clients.get_mut(&key).unwrap();
                client.streams -= 1;
                if client.streams == 0 {
                    client.since = now / SECOND * SECOND;
                }
            }
            4..=6 => self.write(random),
            7..=9 if !self.streams.is_empty() => {
                let (key, presence) = &self.streams[random.usize(..self.streams.len())];
                let sent = self.model.now(key.0);
                presence.sends(&resolved(*key, sent));
                self.model.deliver(*key, sent, now, true);
            }
            10 => {
                let sent = self.model.now(key.0);
                self.fleet.answered(&resolved(key, sent), CLIENTS[key.2]);
                self.model.deliver(key, sent, now, true);
            }
            11..=16 => self.report(key, random),
            17 | 18 => drop(self.now.fetch_add(random.i64(0..6 * SECOND), Ordering::Relaxed)),
            _ if random.u8(..8) == 0 => {
                self.now.fetch_add(DAY - SECOND + random.i64(0..3 * SECOND), Ordering::Relaxed);
            }
            _ => drop(self.now.fetch_add(10 * SECOND, Ordering::Relaxed)),
        }
    }

    /// A stream opens; its client gets what is current, or shows that it holds it.
    fn connect(&mut self, key: Key, whole: bool) {
        let (now, sent) = (self.now(), self.model.now(key.0));
        let user = UserId::parse(USERS[key.0]).unwrap();
        let presence = self.fleet.connect(&user, APPS[key.1], Some(CLIENTS[key.2]));
        let client = self.model.client(key, now);
        client.streams += 1;
        client.since = now / SECOND * SECOND;
        match whole {
            true => presence.sends(&resolved(key, sent)),
            false => presence.confirms(&resolved(key, sent)),
        }
        self.model.deliver(key, sent, now, whole);
        self.streams.push((key, presence));
    }

    /// A commit, with which every stream is compared.
    fn write(&mut self, random: &mut Rng) {
        let mut contents = *self.model.current.last().unwrap();
        contents[random.usize(..USERS.len())] = random.usize(..CONTENTS);
        self.model.current.push(contents);
        let revision = self.model.revision();
        for (key, presence) in &self.streams {
            let sent = self.model.clients[key].sent().unwrap();
            match sent.1 == contents[key.0] {
                true => presence.withdrawn(),
                false => presence.offered(revision),
            }
        }
    }

    /// Reports on what was sent, on what was not, and with other revisions.
    fn report(&mut self, key: Key, random: &mut Rng) {
        let now = self.now();
        let sent: Vec<_> = self.model.clients.get(&key).map_or(Vec::new(), |client| {
            client.deliveries.iter().rev().take(12).map(|(sent, _)| *sent).collect()
        });
        let newest = self.model.now(key.0);
        let newest = (newest.0 + i64::from(random.u8(..10) == 0), newest.1);
        let sent = match random.u8(..6) {
            0 => (newest.0, random.usize(..CONTENTS)),
            1 => newest,
            _ => random.choice(sent).unwrap_or(newest),
        };
        let status = match random.u8(..3) {
            0 => ReportStatus::Received,
            1 => ReportStatus::Applied,
            _ => {
                let detail = random.u8(..).to_string();
                ReportStatus::Rejected { reason: RejectReason::Timeout, detail }
            }
        };
        let report = Report {
            user: UserId::parse(USERS[key.0]).unwrap(),
            app: APPS[key.1],
            client_id: CLIENTS[key.2].to_owned(),
            revision: sent.0,
            digest: content(sent.1).digest.clone(),
            status: status.clone(),
        };
        let revision = self.model.revision();
        let current = content(self.model.now(key.0).1);
        let answer = self.fleet.report(report, revision, Some(&current));
        let expected = self.model.report(key, sent, status, now);
        assert_eq!(answer.map_err(|refusal| refusal.reason), expected, "{key:?} {sent:?}");
    }
}

#[test]
fn s10_8_the_fleet_is_what_a_naive_model_of_its_clients_says() {
    let mut met = [0; 6];
    for seed in 0..60 {
        let (mut random, mut pair) = (Rng::with_seed(seed), Pair::new());
        for step in 0..250 {
            pair.step(&mut random);
            pair.agrees(&mut random, &format!("seed {seed}, step {step}"));
        }
        met = std::array::from_fn(|at| met[at] + pair.met[at]);
    }
    assert!(met.iter().all(|met| *met > 100), "states that were hardly met: {met:?}");
}
