//! Random writes against many watchers (SPEC §13, properties 8 and 12).

use std::{collections::BTreeMap, sync::Arc};

use fastrand::Rng;

use super::{super::*, world::*};
use crate::{
    catalog::Catalog,
    command::ProfilePatch,
    domain::{
        Change, Common, Kind, Object, Stamp, State, TeamId,
        directory::{DirectLink, Team},
        profile::Profile,
        role::Persona,
    },
};

const USERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];
const ROLES: [&str; 5] =
    ["msdyn_csr", "msdyn_oc_agent", "msdyn_csr_manager", "msdyn_basic_user", CUSTOM];
/// A role that comes and goes.
const CUSTOM: &str = "abc_role";
const PROFILES: [&str; 4] = ["abc_p0", "abc_p1", "abc_p2", "abc_p3"];
const APPS: [App; 3] = [App::Unspecified, App::Workspace, App::Omnichannel];

fn pick<T: Copy>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

fn some_roles(random: &mut Rng) -> Vec<&'static str> {
    ROLES.into_iter().filter(|_| random.u8(..3) == 0).collect()
}

/// A profile as nobody would write it by hand: ranks and defaults may clash.
fn profile(random: &mut Rng) -> Change {
    let mut common = Common::custom(name(pick(random, &PROFILES)), "P");
    common.description = random.u8(..3).to_string();
    common.state = if random.u8(..4) == 0 { State::Inactive } else { State::Active };
    let stamp = Stamp::new(Uuid::nil(), 1, Time::default(), "test");
    let mut profile = Profile::empty(common, stamp);
    profile.rank = (random.bool()).then(|| random.u8(..3));
    profile.roles = some_roles(random).into_iter().map(name).collect();
    profile.is_default = random.u8(..4) == 0;
    profile.all_active_channels = random.bool();
    if random.bool() {
        profile.providers = [name("abc_voice")].into();
    }
    Change::Put(Object::Profile(Arc::new(profile)))
}

fn link(profile: &str, at: i64) -> DirectLink {
    let assigned_at = Some(Time::from_micros(at));
    // One of two is imported.
    let assigned_by = if at == 0 { "test".to_owned() } else { String::new() };
    DirectLink { profile: name(profile), assigned_at, assigned_by }
}

fn change(random: &mut Rng, catalog: &Catalog) -> Change {
    match random.u8(..9) {
        0..=2 => profile(random),
        3 => delete(Kind::Profile, pick(random, &PROFILES)),
        4 | 5 => {
            let mut user = user(pick(random, &USERS), &some_roles(random));
            user.disabled = random.u8(..4) == 0;
            let links = random.usize(..3);
            user.direct = (0..links).map(|at| link(pick(random, &PROFILES), at as i64)).collect();
            put_user(user)
        }
        6 => put_provider("abc_voice", pick(random, &["one", "two"])),
        7 => match random.u8(..5) {
            0 => {
                let mut settings = catalog.settings.as_ref().clone();
                settings.channels_provisioned = random.bool();
                Change::Put(Object::Settings(Arc::new(settings)))
            }
            1 => {
                // The persona of a role decides presence, so every seat is worked out anew.
                let role = pick(random, &ROLES[..4]);
                let mut role = catalog.tables.roles.find(role).unwrap().as_ref().clone();
                role.persona = match random.bool() {
                    true => Persona::Agent,
                    false => Persona::None,
                };
                Change::Put(Object::Role(Arc::new(role)))
            }
            2 if catalog.tables.roles.find(CUSTOM).is_some() => delete(Kind::Role, CUSTOM),
            2 | 3 => {
                let mut role = catalog.tables.roles.find(ROLES[0]).unwrap().as_ref().clone();
                role.common = Common::custom(name(CUSTOM), "Role");
                role.root_role = random.bool().then(|| name(ROLES[1]));
                Change::Put(Object::Role(Arc::new(role)))
            }
            _ => Change::Put(Object::Team(Arc::new(Team {
                id: TeamId::parse("desk").unwrap(),
                stamp: Stamp::new(Uuid::nil(), 1, Time::default(), "test"),
                display_name: String::new(),
                members: [id(pick(random, &USERS))].into(),
                roles: some_roles(random).into_iter().map(name).collect(),
                external_id: None,
            }))),
        },
        _ => match catalog.tables.profiles.find("abc_p0") {
            Some(old) => {
                let mut new = old.as_ref().clone();
                new.common.description = random.u8(..3).to_string();
                Change::Put(Object::Profile(Arc::new(new)))
            }
            None => profile(random),
        },
    }
}

/// The catalog of every revision.
type History = BTreeMap<i64, Arc<Catalog>>;

struct Reader {
    watch: Watch,
    user: &'static str,
    app: App,
    /// What was read last.
    digest: Option<String>,
    revision: i64,
}

impl Reader {
    fn open(world: &World, random: &mut Rng) -> Self {
        let (user, app) = (pick(random, &USERS), pick(random, &APPS));
        let caller = actor(&random.u64(..).to_string(), &[]);
        let watch = world.watch(Subscription { caller, app, ..own(user) });
        Self { watch, user, app, digest: None, revision: 0 }
    }

    fn resolved(&self, catalog: &Catalog, contents: &Contents) -> Resolved {
        resolved(catalog, contents, &id(self.user), self.app).unwrap().unwrap()
    }

    /// Reads all that is there; every snapshot is what resolving gave at its revision, and so is
    /// what the reader holds at the revision of a bookmark.
    async fn read(&mut self, history: &History, contents: &Contents) {
        let wait = std::time::Duration::from_millis(300);
        while let Ok(message) = tokio::time::timeout(wait, self.watch.next()).await {
            match message {
                Message::Snapshot(snapshot) => {
                    let revision = snapshot.resolved.revision;
                    let then = self.resolved(&history[&revision], contents);
                    assert_eq!(then.content, snapshot.resolved.content);
                    assert_eq!(then.resolution, snapshot.resolved.resolution);
                    assert!(!snapshot.causes.is_empty());
                    if self.digest.is_some() {
                        assert!(revision > self.revision);
                        assert!(!snapshot.changed_sections.is_empty());
                    }
                    let digest = Some(then.content.digest.clone());
                    assert_ne!(digest, self.digest);
                    (self.digest, self.revision) = (digest, revision);
                }
                Message::Bookmark { revision, .. } => {
                    assert!(revision >= self.revision);
                    let then = self.resolved(&history[&revision], contents);
                    assert_eq!(self.digest.as_ref(), Some(&then.content.digest));
                    self.revision = revision;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn random_writes_leave_every_reader_with_what_resolving_gives() {
    for seed in 0..16 {
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let second = std::time::Duration::from_secs(1);
    let settings = Settings { bookmark: second, stalled: 1_000 * second, ..Settings::default() };
    let world = World::with(settings).await;
    world.put(USERS.map(|u| put_user(user(u, &["msdyn_csr"]))).to_vec()).await;
    world.hold_back();
    let catalog = world.ledger.catalog();
    let mut history = History::from([(catalog.revision, catalog)]);
    let mut readers: Vec<Reader> = Vec::new();
    for round in 0..50 {
        for _ in 0..random.usize(1..5) {
            let catalog = world.ledger.catalog();
            let changes = (0..random.usize(1..3)).map(|_| change(&mut random, &catalog));
            let unique: BTreeMap<_, _> = changes.map(|change| (change.key(), change)).collect();
            world.put(unique.into_values().collect()).await;
            let catalog = world.ledger.catalog();
            history.insert(catalog.revision, catalog);
            // Streams open while the hub has commits yet to look at.
            if readers.len() < 14 && random.u8(..5) == 0 {
                readers.push(Reader::open(&world, &mut random));
            }
            if random.bool() {
                world.tell(random.usize(..3));
                pass(random.u64(..80)).await;
            }
        }
        if !readers.is_empty() && random.bool() {
            let at = random.usize(..readers.len());
            readers[at].read(&history, &world.contents).await;
        }
        if round % 4 == 3 {
            world.tell(usize::MAX);
            moment().await;
            for reader in &mut readers {
                reader.read(&history, &world.contents).await;
                let now = reader.resolved(&world.ledger.catalog(), &world.contents);
                assert_eq!(reader.digest.as_ref(), Some(&now.content.digest), "seed {seed}");
            }
        }
    }
}

/// No gathering and no pause: readers race the writer on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_race_the_writer_end_on_what_resolving_gives() {
    let quiet = std::time::Duration::ZERO;
    let world = Arc::new(World::with(Settings { quiet, ..Settings::default() }).await);
    world.put(USERS.map(|u| put_user(user(u, &["msdyn_csr"]))).to_vec()).await;
    let mut random = Rng::with_seed(3);
    let mut readers = Vec::new();
    for round in 0..300 {
        if round % 10 == 0 {
            let mut reader = Reader::open(&world, &mut random);
            let world = Arc::clone(&world);
            // Ends with the release that everybody is told last.
            readers.push(tokio::spawn(async move {
                loop {
                    let Message::Snapshot(snapshot) = reader.watch.next().await else { continue };
                    assert!(snapshot.resolved.revision > reader.revision);
                    reader.revision = snapshot.resolved.revision;
                    if snapshot.description() == "the end" {
                        let now = reader.resolved(&world.ledger.catalog(), &world.contents);
                        return assert_eq!(now.content, snapshot.resolved.content);
                    }
                }
            }));
        }
        let change = change(&mut random, &world.ledger.catalog());
        world.put(vec![change]).await;
    }
    let mut last = Common::custom(name("abc_last"), "Last");
    last.description = "the end".to_owned();
    let stamp = Stamp::new(Uuid::nil(), 1, Time::default(), "test");
    let mut changes = vec![Change::Put(Object::Profile(Arc::new(Profile::empty(last, stamp))))];
    changes.extend(USERS.map(|text| {
        let mut user = user(text, &["msdyn_csr"]);
        user.direct = vec![link("abc_last", 0)];
        put_user(user)
    }));
    world.put(changes).await;
    for reader in readers {
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, reader).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn content_is_compiled_once_per_state_of_its_inputs() {
    let world = World::new().await;
    world.create_for("abc_one", "ann").await;
    world.create_for("abc_two", "bob").await;
    let before = world.resolved("ann").content;
    assert!(Arc::ptr_eq(&before, &world.resolved("ann").content));
    world.describe("abc_two", "else").await;
    world.put(vec![put_provider("abc_voice", "Voice")]).await;
    assert!(Arc::ptr_eq(&before, &world.resolved("ann").content));
    moment().await;
    assert!(Arc::ptr_eq(&before, &world.resolved("ann").content));
    let old = world.ledger.catalog();
    world.update("abc_one", ProfilePatch::default(), &["abc_voice"]).await;
    let after = world.resolved("ann").content;
    assert_ne!(before.digest, after.digest);
    // A reader that holds an older catalog gets what that catalog says.
    let then = resolved(&old, &world.contents, &id("ann"), App::Unspecified).unwrap().unwrap();
    assert_eq!(then.content, before);
    assert!(Arc::ptr_eq(&after, &world.resolved("ann").content));
}
