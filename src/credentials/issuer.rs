//! One issuer of JWTs: its settings, and its keys, which are kept current.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use deskplane_providers::http::Network;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    claims::ClaimSettings,
    fetch::{self, KeySource},
    keys::{Algorithm, KeySet},
    problem::Problem,
};
use crate::{
    domain::Refusal,
    tasks::{OnPanic, Tasks},
};

/// Longest wait of a call for the keys of an issuer.
pub const FETCH_WAIT: Duration = Duration::from_secs(10);
/// Shortest time between two fetches that tokens with unknown keys bring about.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Shortest time for which fetched keys are used, whatever the issuer says.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How often a file of keys is read.
const FILE_AGE: Duration = Duration::from_secs(10);
/// Shortest time between two reads of a file that tokens bring about.
const FILE_AGAIN: Duration = Duration::from_secs(1);

/// An issuer of JWTs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Claim `iss`, exactly.
    pub issuer: String,
    /// Of these, one must be among the claim `aud`.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub keys: KeySource,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// How claims say who calls.
    pub claims: ClaimSettings,
    /// After how long keys are fetched again at the latest.
    pub refresh: Duration,
}

/// How an issuer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFigures {
    /// Claim `iss`.
    pub issuer: String,
    /// Whether its keys could be fetched last time.
    pub reachable: bool,
    /// Number of its keys that can be used.
    pub keys: usize,
    /// Fetches that failed.
    pub failed: u64,
}

/// An issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) settings: IssuerSettings,
    keys: ArcSwap<KeySet>,
    attempt: watch::Sender<Attempt>,
    asked: Notify,
    network: Network,
    last_error: Mutex<Option<String>>,
}

/// The last fetch.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// Number of fetches so far, and of those that failed.
    count: u64,
    failed: u64,
    /// When it ended.
    at: Option<Instant>,
    succeeded: bool,
}

impl Issuer {
    pub(super) fn new(settings: IssuerSettings, network: Network) -> Self {
        Self {
            settings,
            keys: ArcSwap::default(),
            attempt: watch::Sender::default(),
            asked: Notify::new(),
            network,
            last_error: Mutex::default(),
        }
    }

    /// Keeps the keys current as long as the scope lasts; counts in `changes` what may concern open
    /// streams or the health of the server.
    pub(super) fn start(self: &Arc<Self>, tasks: &Tasks, changes: &watch::Sender<u64>) {
        let (issuer, changes) = (Arc::clone(self), changes.clone());
        // Without it no key would ever go.
        tasks.spawn("credentials.keys", OnPanic::EndProcess, async move {
            loop {
                let due = issuer.refresh(&changes).await;
                issuer.wait(due).await;
            }
        });
    }

    /// The keys as known now.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// The keys after a fetch, where the ones that are known are old enough.
    ///
    /// # Errors
    /// When there is no use in waiting: what would be refused, or that the keys cannot be had.
    pub(super) async fn newer_keys(&self) -> Result<Arc<KeySet>, Refusal> {
        let mut attempts = self.attempt.subscribe();
        let last = *attempts.borrow_and_update();
        if !self.may_ask(&last) {
            // They may have come since the caller looked.
            return Ok(self.keys());
        }
        self.asked.notify_one();
        let fetched = attempts.wait_for(|attempt| attempt.count > last.count);
        let fetched = timeout(FETCH_WAIT, fetched).await.is_ok_and(|attempt| attempt.is_ok());
        if fetched { Ok(self.keys()) } else { Err(self.unavailable()) }
    }

    /// Whether a fetch might bring further keys by now.
    pub(super) fn may_have_newer_keys(&self) -> bool {
        self.may_ask(&self.attempt.borrow())
    }

    /// The refusal of a token whose key is not in the set.
    pub(super) fn unknown_key(&self) -> Refusal {
        match self.attempt.borrow().succeeded {
            true => Problem::KeyUnknown.refusal(),
            false => self.unavailable(),
        }
    }

    /// Reads the keys again, if they are in a file.
    pub(super) fn refresh_file(&self) {
        if matches!(self.settings.keys, KeySource::File(_)) {
            // Due at once.
            self.attempt.send_modify(|attempt| attempt.at = None);
            self.asked.notify_one();
        }
    }

    pub(super) fn figures(&self) -> IssuerFigures {
        let attempt = *self.attempt.borrow();
        IssuerFigures {
            issuer: self.settings.issuer.clone(),
            reachable: attempt.succeeded,
            keys: self.keys.load().len(),
            failed: attempt.failed,
        }
    }

    fn unavailable(&self) -> Refusal {
        Problem::KeysUnavailable { issuer: self.settings.issuer.clone() }.refusal()
    }

    fn may_ask(&self, last: &Attempt) -> bool {
        let again = match self.settings.keys {
            KeySource::File(_) => FILE_AGAIN,
            _ => ASK_AGAIN,
        };
        last.at.is_none_or(|at| at.elapsed() >= again)
    }

    /// Waits until the keys are old, or may be and somebody asks.
    async fn wait(&self, due: Instant) {
        let asked = async {
            loop {
                self.asked.notified().await;
                let last = *self.attempt.borrow();
                if self.may_ask(&last) {
                    return;
                }
            }
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = asked => {}
        }
    }

    /// Fetches the keys; answers when to do so again.
    async fn refresh(&self, changes: &watch::Sender<u64>) -> Instant {
        let fetched = self.fetch().await;
        let (max_age, error) = match &fetched {
            Ok((_, max_age)) => (*max_age, None),
            Err(error) => (None, Some(error.clone())),
        };
        let mut revoked = false;
        if let Ok((keys, _)) = fetched {
            let keys = Arc::new(keys);
            let before = self.keys.swap(Arc::clone(&keys));
            revoked = before.revoke_missing(&keys);
        }
        let (succeeded, now) = (error.is_none(), Instant::now());
        let mut flipped = false;
        self.attempt.send_modify(|attempt| {
            // Before the first one nothing is known to be wrong.
            flipped = succeeded != (attempt.succeeded || attempt.count == 0);
            let failed = attempt.failed + u64::from(!succeeded);
            *attempt = Attempt { count: attempt.count + 1, failed, at: Some(now), succeeded };
        });
        self.log(error, revoked);
        if revoked || flipped {
            changes.send_modify(|count| *count += 1);
        }
        now + self.age(succeeded, max_age)
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), String> {
        let IssuerSettings { issuer, keys, algorithms, .. } = &self.settings;
        let fetched = fetch::fetch(issuer, keys, &self.network).await;
        let fetched = fetched.map_err(|why| why.to_string())?;
        let keys = KeySet::read(&fetched.text, algorithms, &self.keys.load());
        Ok((keys.map_err(|why| format!("the keys cannot be used: {why}"))?, fetched.max_age))
    }

    /// For how long keys are used.
    fn age(&self, succeeded: bool, max_age: Option<Duration>) -> Duration {
        match (&self.settings.keys, succeeded) {
            (KeySource::File(_), _) => FILE_AGE,
            (_, false) => ASK_AGAIN,
            (_, true) => {
                let longest = self.settings.refresh;
                max_age.map_or(longest, |age| age.max(FRESH).min(longest))
            }
        }
    }

    /// Logs what changed; the same mistake is logged once.
    fn log(&self, error: Option<String>, revoked: bool) {
        let issuer = &self.settings.issuer;
        let mut last = self.last_error();
        match &error {
            Some(why) if last.as_ref() != Some(why) => {
                tracing::error!(issuer, why, "keys are not fetched; known keys stay in use");
            }
            None if last.is_some() => tracing::info!(issuer, "keys are fetched again"),
            _ => {}
        }
        if revoked {
            tracing::info!(issuer, "keys left the key set; their tokens are no longer accepted");
        }
        if error.is_none() && self.keys.load().len() == 0 {
            tracing::warn!(issuer, "the key set holds no key for an allowed algorithm");
        }
        *last = error;
    }

    fn last_error(&self) -> MutexGuard<'_, Option<String>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
