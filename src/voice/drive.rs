//! Drives the accounts of providers: builds them from what is stored, checks their health, and reads
//! the event streams of their vendors.

use std::{
    pin::pin,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use deskplane_providers::{
    BackoffPolicy, Check, CheckOutcome, Clock as VendorClock, Context, Error, ErrorKind, Secrets,
    Setup, WebhookUse, layers::Protected,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::sleep;

use super::{
    Condition, Settings, Shared,
    accounts::{Account, Accounts},
    webhook::{WebhookLimit, webhook_url},
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    domain::provider::{ChannelProvider, WIDGET},
};

/// Longest that a check, or opening a stream of events, takes.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a provider of unknown health is checked again.
const FIRST_RECHECK: Duration = Duration::from_secs(2);
/// How often live calls are polled, where the vendor sends no events.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Pauses before a stream of events is opened again.
const RECONNECT: BackoffPolicy = BackoffPolicy {
    first: Duration::from_millis(500),
    widest: Duration::from_secs(30),
    times: None,
};

impl Accounts {
    /// The account of a provider as it is stored now; built when there is none yet.
    pub(super) fn get_or_build(
        &self,
        shared: &Arc<Shared>,
        stored: &ChannelProvider,
    ) -> Arc<Account> {
        // A request on an older catalog does not bring an older account back.
        let newer = |account: &&Arc<Account>| account.revision >= stored.stamp.revision;
        let name = &stored.common.unique_name;
        if let Some(known) = self.all().get(name).filter(newer) {
            return Arc::clone(known);
        }
        // Without the lock: opening secrets and validating a configuration take time, and other
        // accounts are needed meanwhile. Of two that are built at once the first stays.
        let account = Arc::new(Account::new(shared, stored));
        let mut all = self.all();
        if let Some(known) = all.get(name).filter(newer) {
            return Arc::clone(known);
        }
        let before = all.insert(account.name.clone(), Arc::clone(&account));
        before.iter().for_each(|before| before.stop());
        // Under the lock: a request that replaces this account finds its tasks, and cancels them.
        account.start(Arc::downgrade(shared));
        account
    }

    /// The account of a provider that need not be in use. One that is built for this call has no
    /// tasks.
    pub(super) fn get_or_build_unused(
        &self,
        shared: &Shared,
        stored: &ChannelProvider,
    ) -> Arc<Account> {
        let known = self.get(&stored.common.unique_name);
        let current = known.filter(|account| account.revision >= stored.stamp.revision);
        current.unwrap_or_else(|| Arc::new(Account::new(shared, stored)))
    }

    /// Builds the accounts that are missing, and stops those whose provider is no longer stored, active
    /// or driven.
    pub(super) fn reconcile(&self, shared: &Arc<Shared>, catalog: &Catalog) {
        let driven =
            |stored: &&Arc<ChannelProvider>| stored.common.is_active() && stored.adapter != WIDGET;
        let wanted: Vec<_> = catalog.tables.providers.iter().filter(driven).cloned().collect();
        let mut gone = Vec::new();
        self.all().retain(|name, account| {
            let kept = wanted.iter().any(|stored| stored.common.unique_name == *name);
            if !kept {
                gone.push(Arc::clone(account));
            }
            kept
        });
        gone.iter().for_each(|account| account.stop());
        for stored in wanted {
            self.get_or_build(shared, &stored);
        }
    }
}

impl Account {
    fn new(shared: &Shared, stored: &ChannelProvider) -> Self {
        Self {
            name: stored.common.unique_name.clone(),
            revision: stored.stamp.revision,
            provider: build(&shared.settings, &shared.clock, stored),
            webhooks: WebhookLimit::default(),
            health: Mutex::default(),
            tasks: shared.settings.tasks.child(),
        }
    }

    /// Takes note of a failed request: refused credentials or an open breaker mean DOWN at once.
    pub(super) fn record_failure(&self, shared: &Shared, error: &Error) {
        let open = self.provider.as_ref().is_ok_and(|provider| provider.is_open());
        if open || error.kind() == ErrorKind::Unauthenticated {
            let condition = self.health().mark_down();
            (shared.settings.report)(&self.name, condition, error.message());
        }
    }

    /// Takes note of a round of checks, and reports the health.
    fn record_checks(&self, shared: &Shared, checks: &[Check]) -> Condition {
        let bad = checks.iter().find(|check| matches!(check.outcome, CheckOutcome::Failed(_)));
        let open = self.provider.as_ref().is_ok_and(|provider| provider.is_open());
        let condition = self.health().record_check(bad.is_none(), open);
        let detail = match bad {
            Some(bad) => format!("{}: {}", bad.name, bad.detail),
            None if open => "the vendor failed too often; requests are held back".to_owned(),
            None => String::new(),
        };
        (shared.settings.report)(&self.name, condition, &detail);
        condition
    }

    fn start(self: &Arc<Self>, shared: Weak<Shared>) {
        use deskplane_providers::ChannelProvider as _;
        let Ok(provider) = &self.provider else {
            let (account, shared) = (Arc::clone(self), shared.upgrade());
            if let (Some(shared), Err(error)) = (shared, &account.provider) {
                (shared.settings.report)(
                    &account.name,
                    account.health().mark_down(),
                    error.message(),
                );
            }
            return;
        };
        // Restarted after a panic of the adapter: its provider still needs checks and events.
        let (account, held) = (Arc::clone(self), Weak::clone(&shared));
        let check = move || run_checks(Arc::clone(&account), Weak::clone(&held));
        self.tasks.spawn_restarting("voice.check", check);
        let account = Arc::clone(self);
        match provider.descriptor().webhook {
            WebhookUse::Stream => {
                let provider = Arc::clone(provider);
                let listen =
                    move || listen(Arc::clone(&account), Arc::clone(&provider), shared.clone());
                self.tasks.spawn_restarting("voice.events", listen);
            }
            WebhookUse::Poll => {
                let poll = move || poll(Arc::clone(&account), shared.clone());
                self.tasks.spawn_restarting("voice.poll", poll);
            }
            WebhookUse::Push | WebhookUse::None => {}
        }
    }
}

/// Builds the provider of an account, without a request to the vendor.
fn build(
    settings: &Settings,
    clock: &Clock,
    stored: &ChannelProvider,
) -> Result<Arc<Protected>, Error> {
    let adapter = settings.adapters.find(&stored.adapter).ok_or_else(|| {
        let message = format!("the adapter {} is not part of this server", stored.adapter);
        Error::new(ErrorKind::InvalidConfig, message)
    })?;
    let name = stored.common.unique_name.as_str();
    let secrets = settings.vault.open(name, &stored.secrets);
    let secrets = secrets.map_err(|why| Error::new(ErrorKind::InvalidConfig, why.to_string()))?;
    let secrets: Secrets = secrets.iter().map(|(name, value)| (name, value.as_str())).collect();
    let (time, ids) = (clock.clone(), clock.clone());
    let setup = Setup {
        provider: name.to_owned(),
        secrets: secrets.clone(),
        webhook_url: settings.public_url.as_ref().map(|url| webhook_url(url, name)),
        clock: VendorClock::new(move || time.now().into(), move || ids.uid()),
        network: settings.network.clone(),
    };
    let provider = adapter.build(&stored.config, setup)?;
    Ok(Arc::new(Protected::new(provider, name, secrets)))
}

/// Checks the provider until the account is stopped (SPEC §14.6).
async fn run_checks(account: Arc<Account>, shared: Weak<Shared>) {
    use deskplane_providers::ChannelProvider as _;
    let Ok(provider) = &account.provider else { return };
    loop {
        let checks = provider.check(&Context::within(CHECK_TIMEOUT)).await;
        let Some(shared) = shared.upgrade() else { return };
        let condition = account.record_checks(&shared, &checks);
        let every = shared.settings.check_every.mul_f64(0.8 + 0.4 * fastrand::f64());
        drop(shared);
        sleep(if condition == Condition::Unknown { FIRST_RECHECK.min(every) } else { every }).await;
    }
}

/// Keeps a stream of events open, and polls live calls whenever it was opened.
async fn listen(account: Arc<Account>, provider: Arc<Protected>, shared: Weak<Shared>) {
    use deskplane_providers::ChannelProvider as _;
    let mut pauses = RECONNECT.pauses();
    loop {
        match provider.events(&Context::within(CHECK_TIMEOUT)).await {
            Ok(mut events) => {
                // The stream is read during the polls; when it ends, the next one begins with new polls.
                let mut polls = pin!(poll_live_calls(&account, &shared).fuse());
                loop {
                    let event = tokio::select! {
                        event = events.next() => event,
                        () = &mut polls => continue,
                    };
                    let Some(held) = shared.upgrade() else { return };
                    match event {
                        Some(Ok(event)) => {
                            pauses = RECONNECT.pauses();
                            // When the log does not take it, the next request on the call is refused.
                            let _ = held.apply_event(&account.name, event).await;
                        }
                        Some(Err(error)) => {
                            tracing::warn!(provider = %account.name, %error, "the stream of events failed");
                            break;
                        }
                        None => break,
                    }
                }
            }
            Err(error) => {
                let Some(held) = shared.upgrade() else { return };
                account.record_failure(&held, &error);
            }
        }
        sleep(pauses.next().unwrap_or(RECONNECT.widest)).await;
    }
}

/// Polls live calls, where the vendor sends no events.
async fn poll(account: Arc<Account>, shared: Weak<Shared>) {
    loop {
        sleep(POLL_INTERVAL).await;
        if shared.strong_count() == 0 {
            return;
        }
        poll_live_calls(&account, &shared).await;
    }
}

/// Polls every live call of an account, unless voice has ended.
async fn poll_live_calls(account: &Account, shared: &Weak<Shared>) {
    if let Some(shared) = shared.upgrade() {
        shared.poll_live_calls(account).await;
    }
}
