//! A ledger, a hub, and short words for what the tests do with them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use tokio::time::Instant;
pub(super) use uuid::Uuid;

use super::super::*;
pub(super) use crate::{
    catalog::Catalog,
    domain::{Actor, App, Provenance, Reason, Refusal, Time, UniqueName, UserId},
    read::{Contents, Resolved, resolved},
};
use crate::{
    clock::Clock,
    command::{
        AddUsers, Command, Context, CreateProfile, Plan, ProfilePatch, SetDefault, SetProfileState,
        UpdateProfile,
    },
    domain::{
        Change, Common, Delivery, DeliveryLog, DeliveryRef, Kind, Object, ObjectKey, Scopes, Stamp,
        State,
        directory::{User, UserKind},
        provider::{ChannelProvider, Failover, WIDGET},
    },
    ledger::{Committed, Idempotency, Ledger, Outcome, Submission},
    store::Memory,
};

/// A write of whatever objects a test needs.
#[derive(Debug)]
pub(super) struct Put(pub(super) Vec<Change>, pub(super) &'static str);

impl Command for Put {
    fn operation(&self) -> &'static str {
        self.1
    }

    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let noted = |change| catalog.noted(change, context.revision, context.time);
        Ok(Plan { changes: self.0.iter().map(noted).collect(), ..Plan::default() })
    }
}

/// A log of deliveries that tests read.
#[derive(Debug, Default)]
pub(super) struct Delivered(pub(super) Mutex<Vec<Delivery>>);

impl DeliveryLog for Arc<Delivered> {
    fn delivered(&self, delivery: DeliveryRef<'_>) {
        self.0.lock().unwrap().push(delivery.owned());
    }
}

/// A clock that goes by the time of the executor.
pub(super) fn clock() -> Clock {
    let start = Instant::now();
    let now = move || Time::from_micros(1_000_000_000 + start.elapsed().as_micros() as i64);
    Clock::new(now, Uuid::new_v4)
}

pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) hub: Hub,
    pub(super) contents: Arc<Contents>,
    /// What the log of deliveries was given.
    pub(super) delivered: Arc<Delivered>,
    /// Commits that the hub is not told of yet, while a test holds them back.
    held: Arc<Mutex<Option<VecDeque<Committed>>>>,
}

pub(super) fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(super) fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(Uuid::nil(), 1, Time::default(), "test")
}

pub(super) fn user(text: &str, roles: &[&str]) -> User {
    User {
        id: id(text),
        stamp: stamp(),
        display_name: String::new(),
        kind: UserKind::Human,
        email: String::new(),
        roles: roles.iter().map(|role| name(role)).collect(),
        direct: Vec::new(),
        disabled: false,
        business_unit: String::new(),
    }
}

pub(super) fn put_user(user: User) -> Change {
    Change::Put(Object::User(Arc::new(user)))
}

pub(super) fn put_provider(text: &str, label: &str) -> Change {
    Change::Put(Object::Provider(Arc::new(ChannelProvider {
        common: Common::custom(name(text), "Provider"),
        stamp: stamp(),
        label: label.to_owned(),
        channel_url: "https://voice.contoso.com/".to_owned(),
        pinned_url: false,
        outbound: false,
        channel_order: 0,
        trusted_domains: Vec::new(),
        custom_parameters: String::new(),
        sandbox: Default::default(),
        analytics: false,
        capabilities: Default::default(),
        failover: Failover::None,
        adapter: WIDGET.to_owned(),
        config: "{}".to_owned(),
        secrets: BTreeMap::new(),
        refused_url: None,
    })))
}

pub(super) fn delete(kind: Kind, name: &str) -> Change {
    Change::Delete(ObjectKey::new(kind, name))
}

pub(super) fn actor(subject: &str, scopes: &[crate::domain::Scope]) -> Actor {
    Actor { subject: subject.to_owned(), user: None, scopes: Scopes::of(scopes) }
}

/// The user watches himself.
pub(super) fn own(user: &str) -> Subscription {
    let caller = Actor { user: Some(id(user)), ..actor(user, &[crate::domain::Scope::Agent]) };
    Subscription {
        caller,
        own_credential: true,
        expires: None,
        recheck: Box::new(|_| Ok(())),
        user: id(user),
        app: App::Unspecified,
        client_id: None,
        resume_token: String::new(),
        digest: String::new(),
    }
}

impl World {
    /// Users `ann` and `bob`, who hold the role of customer service, and no custom profile.
    pub(super) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let contents = Arc::new(Contents::new());
        let delivered = Arc::<Delivered>::default();
        let store = StoreId { store: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) };
        let hub = Hub::new(
            &crate::tasks::Tasks::default(),
            store,
            settings,
            Arc::clone(&contents),
            Fleet::new(clock(), Arc::new(Arc::clone(&delivered))),
            fastrand::Rng::with_seed(7),
        );
        let held: Arc<Mutex<Option<VecDeque<Committed>>>> = Arc::default();
        let (feed, keep) = (hub.clone(), Arc::clone(&held));
        let publish = move |committed: &Committed| match &mut *keep.lock().unwrap() {
            Some(held) => held.push_back(committed.clone()),
            None => feed.committed(committed),
        };
        let memory = Arc::new(Memory::new());
        let adapters = Arc::new(deskplane_providers::Registry::builtin());
        let ledger = Ledger::open_here(memory, Clock::system(), adapters, publish).await.unwrap();
        let world = Self { ledger, hub, contents, delivered, held };
        let users = ["ann", "bob"].map(|u| put_user(user(u, &["msdyn_csr"])));
        world.put(users.to_vec()).await;
        world
    }

    /// From now on the hub hears of commits only by [`World::tell`].
    pub(super) fn hold_back(&self) {
        *self.held.lock().unwrap() = Some(VecDeque::new());
    }

    /// Tells the hub of the oldest commits that were held back.
    pub(super) fn tell(&self, most: usize) {
        let mut held = self.held.lock().unwrap();
        let held = held.as_mut().unwrap();
        let count = most.min(held.len());
        held.drain(..count).for_each(|committed| self.hub.committed(&committed));
    }

    pub(super) async fn submit(&self, command: impl Command + 'static) -> Outcome {
        let id = Uuid::from_u128(self.revision() as u128);
        let request = Some(Idempotency { id, payload: [0; 32], former: Vec::new() });
        let submission = Submission {
            command: Box::new(command),
            actor: Actor::system(),
            provenance: Provenance::default(),
            request,
            validate_only: false,
            reason: String::new(),
        };
        self.ledger.submit(submission).await.unwrap()
    }

    pub(super) async fn put(&self, changes: Vec<Change>) {
        self.submit(Put(changes, "Put")).await;
    }

    pub(super) async fn create(&self, profile: &str) {
        let patch =
            ProfilePatch { display_name: Some(profile.to_owned()), ..ProfilePatch::default() };
        self.submit(CreateProfile { unique_name: profile.to_owned(), patch }).await;
    }

    /// A profile that the user is linked to.
    pub(super) async fn create_for(&self, profile: &str, user: &str) {
        self.create(profile).await;
        self.link(profile, user).await;
    }

    pub(super) async fn link(&self, profile: &str, user: &str) {
        let (profile, users) = (name(profile), vec![id(user)]);
        self.submit(AddUsers { profile, etag: None, users, move_users: true }).await;
    }

    pub(super) async fn describe(&self, profile: &str, text: &str) -> i64 {
        let patch = ProfilePatch { description: Some(text.to_owned()), ..ProfilePatch::default() };
        self.update(profile, patch, &[]).await
    }

    pub(super) async fn update(
        &self,
        profile: &str,
        patch: ProfilePatch,
        providers: &[&str],
    ) -> i64 {
        let link = providers.iter().map(|p| name(p)).collect();
        let patch = ProfilePatch { link, ..patch };
        self.submit(UpdateProfile::new(name(profile), patch)).await.revision
    }

    pub(super) async fn state(&self, profile: &str, state: State) {
        self.submit(SetProfileState::new(name(profile), None, state)).await;
    }

    pub(super) async fn default(&self, profile: &str) {
        let (replace_current, drop_rank_and_roles) = (true, true);
        let profile = name(profile);
        self.submit(SetDefault { profile, etag: None, replace_current, drop_rank_and_roles }).await;
    }

    pub(super) fn revision(&self) -> i64 {
        self.ledger.catalog().revision
    }

    pub(super) fn try_watch(&self, subscription: Subscription) -> Result<Watch, Refusal> {
        let ledger = self.ledger.clone();
        self.hub.watch(move || ledger.catalog(), subscription).map(Watch)
    }

    pub(super) fn watch(&self, subscription: Subscription) -> Watch {
        self.try_watch(subscription).unwrap()
    }

    /// A stream whose first message, a snapshot, is read.
    pub(super) async fn watching(&self, user: &str) -> Watch {
        let mut watch = self.watch(own(user));
        watch.snapshot().await;
        watch
    }

    pub(super) fn resolved(&self, user: &str) -> Resolved {
        let catalog = self.ledger.catalog();
        resolved(&catalog, &self.contents, &id(user), App::Unspecified).unwrap().unwrap()
    }
}

/// Lets a moment pass, in which the hub looks at every commit so far.
pub(super) async fn moment() {
    pass(1).await;
}

pub(super) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

pub(super) struct Watch(pub(super) ProfileStream);

impl Watch {
    pub(super) async fn next(&mut self) -> Message {
        self.0.next().await.unwrap().unwrap()
    }

    pub(super) async fn end(&mut self) -> Refusal {
        let refusal = self.0.next().await.unwrap().unwrap_err();
        assert!(self.0.next().await.is_none());
        refusal
    }

    pub(super) async fn snapshot(&mut self) -> Snapshot {
        match self.next().await {
            Message::Snapshot(snapshot) => *snapshot,
            other => panic!("{other:?}"),
        }
    }

    /// The next snapshot, with the milliseconds that it took.
    pub(super) async fn timed(&mut self) -> (Snapshot, u128) {
        let start = Instant::now();
        (self.snapshot().await, start.elapsed().as_millis())
    }

    pub(super) async fn silent(&mut self, millis: u64) {
        let next = tokio::time::timeout(Duration::from_millis(millis), self.0.next()).await;
        assert!(next.is_err(), "{next:?}");
    }
}

impl Snapshot {
    pub(super) fn profile(&self) -> &str {
        self.resolved.resolution.profile.as_str()
    }

    pub(super) fn kinds(&self) -> Vec<CauseKind> {
        self.causes.iter().map(|cause| cause.kind).collect()
    }

    pub(super) fn description(&self) -> String {
        use prost::Message;
        let content = deskplane_proto::v1::ProfileContent::decode(&*self.resolved.content.bytes);
        content.unwrap().profile.unwrap().description
    }
}
