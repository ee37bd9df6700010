//! What the writers did, what the streams received, and whether that fits.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use deskplane_proto::v1::{
    AddUsersRequest, BatchUpsertUsersRequest, CreateProfileRequest, Profile, ProfileContent,
    ResolvedProfile, UpdateProfileRequest, User, UserRow,
    directory_service_client::DirectoryServiceClient, profile_service_client::ProfileServiceClient,
    watch_profile_response::Event,
};
use prost::Message as _;
use tonic::transport::Channel;

/// Writers; each has profiles and users of its own.
pub(crate) const LANES: usize = 4;
/// Users of a profile at first.
const MEMBERS: usize = 10;
/// Lags are counted by the millisecond up to this one.
const LAGS: usize = 10_000;

/// Profiles, users and their streams, by number.
pub(crate) struct World {
    groups: Vec<Mutex<Group>>,
    seats: Vec<Mutex<Seat>>,
    lanes: [Lane; LANES],
    /// Milliseconds from the answer of a write to its arrival at a stream.
    lags: Vec<AtomicU64>,
}

/// A profile.
#[derive(Default)]
struct Group {
    /// Its descriptions, each a number, and the revisions since which they hold.
    descriptions: Vec<(i64, u64)>,
    members: Vec<usize>,
}

/// Writes of one writer.
#[derive(Default)]
struct Lane {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A user with his stream.
#[derive(Default)]
struct Seat {
    /// His profiles, and the revisions since which they are his.
    homes: Vec<(i64, usize)>,
    /// Revision of the last message.
    revision: i64,
    /// Revision and digest of the last snapshot.
    notified: i64,
    digest: String,
    /// Writes that the stream has to show, and when they were answered.
    owed: VecDeque<(i64, Instant)>,
    /// Snapshots that were not compared yet, because a write is underway.
    unchecked: VecDeque<Seen>,
    snapshots: u64,
    fault: Option<String>,
}

/// What a snapshot said.
struct Seen {
    /// Writes of the lane that were begun by then.
    begun: u64,
    revision: i64,
    profile: String,
    description: String,
}

fn profile_name(group: usize) -> String {
    format!("soak_{group}")
}

/// What holds at a revision, of a list of changes in rising order.
fn at<T: Copy>(changes: &[(i64, T)], revision: i64) -> T {
    changes[changes.partition_point(|(since, _)| *since <= revision) - 1].1
}

impl World {
    /// A world of so many users.
    pub(crate) fn new(users: usize) -> Self {
        let groups = users.div_ceil(MEMBERS);
        assert_eq!(groups % LANES, 0);
        let group = |number: usize| {
            let members = (number * MEMBERS..users.min((number + 1) * MEMBERS)).collect();
            Mutex::new(Group { descriptions: vec![(0, 0)], members })
        };
        let seat = |number: usize| {
            Mutex::new(Seat { homes: vec![(0, number / MEMBERS)], ..Seat::default() })
        };
        Self {
            groups: (0..groups).map(group).collect(),
            seats: (0..users).map(seat).collect(),
            lanes: Default::default(),
            lags: (0..=LAGS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn users(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn user(number: usize) -> String {
        format!("agent.{number}")
    }

    /// Makes profiles and users at the server.
    pub(crate) async fn make(&self, channel: Channel) {
        let mut profiles = ProfileServiceClient::new(channel.clone());
        for group in 0..self.groups.len() {
            let profile = Profile {
                unique_name: profile_name(group),
                display_name: format!("Group {group}"),
                description: "0".to_owned(),
                ..Profile::default()
            };
            let request = CreateProfileRequest { profile: Some(profile), ..Default::default() };
            profiles.create_profile(request).await.unwrap();
        }
        let mut directory = DirectoryServiceClient::new(channel);
        let rows: Vec<_> = (0..self.users())
            .map(|number| UserRow {
                user: Some(User { id: Self::user(number), ..User::default() }),
                profile: profile_name(number / MEMBERS),
            })
            .collect();
        for rows in rows.chunks(1_000) {
            let request = BatchUpsertUsersRequest { rows: rows.to_vec(), ..Default::default() };
            directory.batch_upsert_users(request).await.unwrap();
        }
    }

    // === Writers ===

    /// One of a lane's groups, every fourth time the same.
    pub(crate) fn group_of(&self, lane: usize, random: &mut fastrand::Rng) -> usize {
        match random.u8(..4) {
            0 => lane,
            _ => self.any_group(lane, random),
        }
    }

    fn any_group(&self, lane: usize, random: &mut fastrand::Rng) -> usize {
        random.usize(..self.groups.len() / LANES) * LANES + lane
    }

    /// Changes the description of a profile; all who have it must hear of it.
    pub(crate) async fn change(
        &self,
        profiles: &mut ProfileServiceClient<Channel>,
        lane: usize,
        group: usize,
    ) {
        self.lanes[lane].begun.fetch_add(1, SeqCst);
        let number = self.groups[group].lock().unwrap().descriptions.last().unwrap().1 + 1;
        let profile = Profile {
            unique_name: profile_name(group),
            description: number.to_string(),
            ..Profile::default()
        };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["description".to_owned()] });
        let request =
            UpdateProfileRequest { profile: Some(profile), update_mask, ..Default::default() };
        let answer = profiles.update_profile(request).await.unwrap().into_inner();
        let (revision, now) = (answer.write.unwrap().revision, Instant::now());
        let mut group = self.groups[group].lock().unwrap();
        group.descriptions.push((revision, number));
        for member in &group.members {
            self.owe(*member, revision, now);
        }
        self.lanes[lane].ended.fetch_add(1, SeqCst);
    }

    /// Moves a user to the next profile of the lane; he must hear of it.
    pub(crate) async fn move_one(
        &self,
        profiles: &mut ProfileServiceClient<Channel>,
        lane: usize,
        random: &mut fastrand::Rng,
    ) {
        let from = self.any_group(lane, random);
        let Some(user) = self.groups[from].lock().unwrap().members.pop() else {
            return;
        };
        self.lanes[lane].begun.fetch_add(1, SeqCst);
        let to = (from + LANES) % self.groups.len();
        let (name, users) = (profile_name(to), vec![Self::user(user)]);
        let request = AddUsersRequest { name, users, r#move: true, ..Default::default() };
        let answer = profiles.add_users(request).await.unwrap().into_inner();
        let (revision, now) = (answer.write.unwrap().revision, Instant::now());
        self.groups[to].lock().unwrap().members.push(user);
        self.seats[user].lock().unwrap().homes.push((revision, to));
        self.owe(user, revision, now);
        self.lanes[lane].ended.fetch_add(1, SeqCst);
    }

    fn owe(&self, user: usize, revision: i64, now: Instant) {
        let mut seat = self.seats[user].lock().unwrap();
        if seat.notified < revision {
            seat.owed.push_back((revision, now));
        } else {
            self.lags[0].fetch_add(1, SeqCst);
        }
    }

    pub(crate) fn written(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.ended.load(SeqCst)).sum()
    }

    // === Streams ===

    /// Notes what a stream says.
    pub(crate) fn received(&self, user: usize, event: Option<Event>) {
        let mut seat = self.seats[user].lock().unwrap();
        match event {
            Some(Event::Snapshot(snapshot)) => {
                let profile = snapshot.profile.unwrap_or_default();
                let (since, before) = (seat.revision, std::mem::take(&mut seat.digest));
                if profile.revision <= since || profile.digest == before {
                    let what =
                        format!("revision {} after {since}, or nothing new", profile.revision);
                    seat.fault.get_or_insert(what);
                }
                self.take(&mut seat, profile);
            }
            Some(Event::Bookmark(bookmark)) => {
                let first = seat.owed.front().map_or(i64::MAX, |(revision, _)| *revision);
                if bookmark.revision < seat.revision || bookmark.revision >= first {
                    let (at, since) = (bookmark.revision, seat.revision);
                    let what =
                        format!("a bookmark at {at} after {since}, but {first} was not sent");
                    seat.fault.get_or_insert(what);
                }
                seat.revision = bookmark.revision;
            }
            other => {
                seat.fault.get_or_insert(format!("unexpected: {other:?}"));
            }
        }
    }

    fn take(&self, seat: &mut Seat, profile: ResolvedProfile) {
        seat.snapshots += 1;
        (seat.revision, seat.notified) = (profile.revision, profile.revision);
        seat.digest = profile.digest;
        while let Some((revision, since)) = seat.owed.front()
            && *revision <= profile.revision
        {
            let lag = usize::try_from(since.elapsed().as_millis()).unwrap_or(LAGS);
            self.lags[lag.min(LAGS)].fetch_add(1, SeqCst);
            seat.owed.pop_front();
        }
        let content = ProfileContent::decode(profile.content).unwrap();
        let identity = content.profile.unwrap();
        // A user stays with one lane.
        let lane = seat.homes[0].1 % LANES;
        seat.unchecked.push_back(Seen {
            begun: self.lanes[lane].begun.load(SeqCst),
            revision: profile.revision,
            profile: identity.unique_name,
            description: identity.description,
        });
    }

    /// Notes that a stream did what it must not.
    pub(crate) fn fault(&self, user: usize, what: String) {
        self.seats[user].lock().unwrap().fault.get_or_insert(what);
    }

    /// Deliveries that streams still owe.
    pub(crate) fn owed(&self) -> usize {
        self.seats.iter().map(|seat| seat.lock().unwrap().owed.len()).sum()
    }

    /// The digest that a stream holds.
    pub(crate) fn digest(&self, user: usize) -> String {
        self.seats[user].lock().unwrap().digest.clone()
    }

    // === Checks ===

    /// Fails when a stream is late, or when a snapshot was not what held at its revision.
    pub(crate) fn audit(&self, late: Duration) {
        for (user, seat) in self.seats.iter().enumerate() {
            let (homes, due) = {
                let mut seat = seat.lock().unwrap();
                let name = Self::user(user);
                assert!(seat.fault.is_none(), "the stream of {name}: {:?}", seat.fault);
                if let Some((revision, since)) = seat.owed.front() {
                    let age = since.elapsed();
                    assert!(age < late, "{name} has not received {revision} for {age:?}");
                }
                let ended = self.lanes[seat.homes[0].1 % LANES].ended.load(SeqCst);
                let count = seat.unchecked.iter().take_while(|seen| seen.begun <= ended).count();
                let due: Vec<_> = seat.unchecked.drain(..count).collect();
                // A copy, because the writers lock a group before a seat.
                (if due.is_empty() { Vec::new() } else { seat.homes.clone() }, due)
            };
            for seen in due {
                let group = at(&homes, seen.revision);
                let number = at(&self.groups[group].lock().unwrap().descriptions, seen.revision);
                let said = (seen.profile.as_str(), seen.description.as_str());
                let held = (profile_name(group), number.to_string());
                let name = Self::user(user);
                assert_eq!(said, (&*held.0, &*held.1), "{name} at revision {}", seen.revision);
            }
        }
    }

    /// The lag in milliseconds that a share of all deliveries did not pass.
    fn lag(&self, share: f64) -> usize {
        let counts: Vec<_> = self.lags.iter().map(|lag| lag.load(SeqCst)).collect();
        let wanted = counts.iter().sum::<u64>() as f64 * share;
        let mut sum = 0.0;
        let reached = |count: &u64| {
            sum += *count as f64;
            sum >= wanted
        };
        counts.iter().position(reached).unwrap_or(LAGS)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshots: u64 = self.seats.iter().map(|seat| seat.lock().unwrap().snapshots).sum();
        let owed: u64 = self.lags.iter().map(|lag| lag.load(SeqCst)).sum();
        write!(
            f,
            "{} writes owed {owed} deliveries, made by {snapshots} snapshots, 0 missed; lag p50 {} \
             ms, p99 {} ms, most {} ms",
            self.written(),
            self.lag(0.5),
            self.lag(0.99),
            self.lag(1.0),
        )
    }
}
