//! Opaque tokens (SPEC §12.3): 256 random bits, of which a file keeps the hash.
//!
//! The program's command line changes the file; the server follows it, and writes when tokens were
//! used last into a file of its own beside it.

mod file;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep},
};
use zeroize::Zeroizing;

pub(super) use self::file::PREFIX;
pub use self::file::{NewToken, Record, TokenFile, TokenFileError};
use super::problem::Problem;
use crate::{
    auth::{Identity, Method, Revocation},
    domain::{Refusal, Time},
    tasks::{OnPanic, Tasks},
};

/// How often the file is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often the times of last use are written.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// Hash of a token.
type Hash = [u8; 32];

/// The opaque tokens of a server.
#[derive(Debug)]
pub(super) struct Tokens {
    file: TokenFile,
    known: ArcSwap<HashMap<Hash, Arc<Token>>>,
    /// The text of the file as it was read, and the last mistake in it.
    read: Mutex<(Zeroizing<String>, Option<String>)>,
    /// Whether the times of use could not be written last time.
    unkept: AtomicBool,
}

#[derive(Debug)]
struct Token {
    record: Record,
    identity: Arc<Identity>,
    /// Microseconds since 1970; 0 for one that was not used since the start.
    used: AtomicI64,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(super) fn load(path: PathBuf) -> Result<Self, TokenFileError> {
        let file = TokenFile::new(path);
        let (text, records) = file.read_text()?;
        let known = ArcSwap::from_pointee(known(records, &HashMap::new()));
        Ok(Self { file, known, read: Mutex::new((text, None)), unkept: AtomicBool::new(false) })
    }

    /// Follows the file as long as the scope lasts.
    pub(super) fn start(self: &Arc<Self>, tasks: &Tasks, changes: &watch::Sender<u64>) {
        let (tokens, changes) = (Arc::clone(self), changes.clone());
        // Without it a revoked token would stay in use.
        tasks.spawn("credentials.tokens", OnPanic::EndProcess, async move {
            let mut kept = Instant::now();
            loop {
                sleep(CHECK_EVERY).await;
                let due = kept.elapsed() >= KEEP_EVERY;
                if due {
                    kept = Instant::now();
                }
                let tokens = Arc::clone(&tokens);
                let looked = spawn_blocking(move || {
                    if due {
                        tokens.keep_uses();
                    }
                    tokens.reload()
                });
                if looked.await.unwrap_or(false) {
                    changes.send_modify(|count| *count += 1);
                }
            }
        });
    }

    /// Who a token stands for.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID when it is not known, TOKEN_EXPIRED when its time is over.
    pub(super) fn find(&self, token: &str, now: Time) -> Result<Arc<Identity>, Refusal> {
        let hash: Hash = Sha256::digest(token).into();
        let known = self.known.load();
        let found = known.get(&hash).ok_or_else(|| Problem::TokenUnknown.refusal())?;
        found.identity.check_current(now)?;
        found.used.store(now.micros(), Ordering::Relaxed);
        Ok(Arc::clone(&found.identity))
    }

    /// Reads the file again, if it changed; true when a token is gone. A file that cannot be used
    /// changes nothing.
    pub(super) fn reload(&self) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, records) = match self.file.read_text() {
            Ok(found) => found,
            Err(error) => {
                let error = error.to_string();
                // The same mistake is logged once.
                if read.1.as_ref() != Some(&error) {
                    tracing::error!(error, "tokens are not reloaded; known tokens stay in use");
                    read.1 = Some(error);
                }
                return false;
            }
        };
        if text == read.0 {
            read.1 = None;
            return false;
        }
        *read = (text, None);
        let before = self.known.load_full();
        let after = Arc::new(known(records, &before));
        self.known.store(Arc::clone(&after));
        let kept = |hash: &Hash, token: &Arc<Token>| {
            after.get(hash).is_some_and(|other| Arc::ptr_eq(&other.identity, &token.identity))
        };
        let gone = before.iter().filter(|(hash, token)| !kept(hash, token));
        let gone = gone.map(|(_, token)| token.identity.revocation.revoke()).count();
        tracing::info!(tokens = after.len(), revoked = gone, "tokens are reloaded");
        gone > 0
    }

    /// Writes down when tokens were used last.
    pub(super) fn keep_uses(&self) {
        let known = self.known.load();
        let uses = known.values().filter_map(|token| {
            let used = token.used.load(Ordering::Relaxed);
            let time = Time::from_micros(used).to_string();
            (used > 0).then(|| (token.record.name.clone(), time))
        });
        let kept = self.file.keep_uses(uses.collect());
        // Once: a volume of secrets may be one that nobody can write.
        let failed_before = self.unkept.swap(kept.is_err(), Ordering::Relaxed);
        if let Err(error) = kept
            && !failed_before
        {
            tracing::warn!(%error, "the times at which tokens were used are not written");
        }
    }
}

/// Tokens by their hash. A record that is as it was keeps its identity.
fn known(records: Vec<Record>, before: &HashMap<Hash, Arc<Token>>) -> HashMap<Hash, Arc<Token>> {
    let token = |record: Record| {
        let same = before.get(&record.hash).filter(|token| token.record == record);
        let token = same.cloned().unwrap_or_else(|| {
            let (identity, used) = (Arc::new(identity(&record)), AtomicI64::new(0));
            Arc::new(Token { record: record.clone(), identity, used })
        });
        (record.hash, token)
    };
    records.into_iter().map(token).collect()
}

fn identity(record: &Record) -> Identity {
    let unnamed = || format!("token:{}", record.name);
    Identity {
        method: Method::OpaqueToken { name: record.name.clone() },
        subject: record.user.as_ref().map_or_else(unnamed, ToString::to_string),
        user: record.user.clone(),
        scopes: record.scopes,
        expires: record.expires,
        revocation: Revocation::default(),
    }
}
