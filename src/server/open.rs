//! Opens what stands behind the services: hub, ledger, voice.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{error::Error, vendors::Voice};
use crate::{
    audit::Audit,
    clock::Clock,
    command::{CreateFingerprintKey, DirectoryPolicy},
    domain::{Actor, Provenance},
    ledger::{Committed, Ledger, Rules, Submission},
    live::{self, Fleet, Hub},
    read::Contents,
    scim,
    secrets::vault::Vault,
    service::Service,
    store::Store,
    tasks::Tasks,
    voice::{self, CallStreams},
};

/// Time in which the writes that wait at the end are answered; those that are left get
/// STORE_UNAVAILABLE, for their outcome is not known.
pub(super) const LEDGER_CLOSE: Duration = Duration::from_secs(5);

/// What stands behind the services.
pub(super) struct Opened {
    pub(super) hub: Hub,
    pub(super) ledger: Ledger,
    pub(super) voice: voice::Voice,
    pub(super) service: Service,
}

/// What the ledger is opened with, beside what streams and voice need.
pub(super) struct Drives {
    pub(super) policy: DirectoryPolicy,
    /// Follows commits for SCIM.
    pub(super) follower: Option<scim::Follower>,
    pub(super) audit: Audit,
}

/// Opens the ledger over the store, with everything that a commit drives.
pub(super) async fn open(
    store: Arc<dyn Store>,
    clock: Clock,
    watch: live::Settings,
    voice: Voice,
    Drives { policy, follower, audit }: Drives,
    tasks: &Tasks,
) -> Result<Opened, Error> {
    let contents = Arc::new(Contents::new());
    let hub = Hub::new(
        tasks,
        live::StoreId::from(&store.identity()),
        watch.clone(),
        Arc::clone(&contents),
        Fleet::new(clock.clone(), Arc::new(audit.recorder.clone())),
        fastrand::Rng::new(),
    );
    let calls = CallStreams::new(watch, fastrand::Rng::new());
    hub.drive(&calls);
    let (followed, driven) = (hub.clone(), Arc::new(OnceLock::<voice::Voice>::new()));
    let drive = Arc::clone(&driven);
    let rules = Rules { adapters: Arc::clone(&voice.adapters), policy };
    let publish = move |committed: &Committed| {
        followed.committed(committed);
        if let Some(follower) = &follower {
            follower.committed(committed);
        }
        if let Some(voice) = drive.get() {
            let mut impacts = committed.impacts.iter();
            let providers_changed = impacts.any(|impact| impact.touched.providers);
            voice.committed(&committed.after, providers_changed);
        }
    };
    let ledger = Ledger::open(tasks, store, clock.clone(), rules, publish).await?;
    let vault = Arc::clone(&voice.vault);
    if let Err(error) = vault.check(&ledger.catalog()) {
        ledger.close_within(LEDGER_CLOSE).await;
        return Err(error.into());
    }
    create_fingerprint_key(&ledger, &vault).await;
    let voice = voice.open(&clock, calls, &hub, &ledger, (&audit.recorder, tasks));
    // Nothing is committed before the services are there.
    let _ = driven.set(voice.clone());
    // What was committed meanwhile reached nobody.
    voice.committed(&ledger.catalog(), true);
    let (writer, feed, calls) = (ledger.clone(), hub.clone(), voice.clone());
    let service = Service::new(writer, feed, contents, calls, clock, vault, audit);
    Ok(Opened { hub, ledger, voice, service })
}

/// Gives a store with a key ring its key of fingerprints, or another one when the ring that it is
/// sealed under was lost: that costs nothing but the memory of repetitions. A store that takes no
/// writes gets it at a later start.
async fn create_fingerprint_key(ledger: &Ledger, vault: &Vault) {
    let replaces = ledger.catalog().settings.fingerprint_key.clone();
    if replaces.as_ref().is_some_and(|sealed| vault.opens_fingerprint_key(sealed)) {
        return;
    }
    let sealed = match vault.new_fingerprint_key() {
        Ok(None) => return,
        Ok(Some(sealed)) => sealed,
        Err(error) => return tracing::error!(%error, "the key of fingerprints was not made"),
    };
    if replaces.is_some() {
        tracing::warn!("the key of fingerprints does not open and is replaced");
    }
    let submission = Submission {
        command: Box::new(CreateFingerprintKey { replaces, sealed }),
        actor: Actor::system(),
        provenance: Provenance::default(),
        request: None,
        validate_only: false,
        reason: String::new(),
    };
    if let Err(error) = ledger.submit(submission).await {
        tracing::warn!(%error, "the key of fingerprints was not kept");
    }
}
