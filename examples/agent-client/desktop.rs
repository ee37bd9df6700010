//! The profile that the desktop works with: the last good one, also over a restart.

use std::{
    fmt::Write as _,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use deskplane_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// The schema of the content that this client knows. A newer one may hold what it must not guess.
const SCHEMA_VERSION: i32 = 2;

/// A profile that was checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    resolved: v1::ResolvedProfile,
    content: v1::ProfileContent,
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is the profile now.
    Applied,
    /// It is older than what is there (SPEC §10.1 rule 4).
    Older,
    /// It cannot be used, and the last good one stays.
    Rejected(String),
}

/// The desktop of one agent.
#[derive(Debug, Default)]
pub(super) struct Desktop {
    state: Mutex<State>,
    keep: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    profile: Option<Arc<Profile>>,
    /// What the next stream resumes from.
    resume_token: String,
}

impl Profile {
    /// Checks a resolved profile: its digest, and that this client understands it.
    fn check(resolved: v1::ResolvedProfile) -> Result<Self, String> {
        let mut digest = "d1:".to_owned();
        for byte in Sha256::digest(&resolved.content) {
            write!(digest, "{byte:02x}").unwrap_or_default();
        }
        if digest != resolved.digest {
            return Err(format!("its digest is {digest}, not {}", resolved.digest));
        }
        let content = v1::ProfileContent::decode(resolved.content.clone())
            .map_err(|error| format!("its content does not decode: {error}"))?;
        if content.schema_version > SCHEMA_VERSION {
            return Err(format!("its schema {} is newer than this client", content.schema_version));
        }
        Ok(Self { resolved, content })
    }

    /// The unique name of the profile.
    pub(super) fn name(&self) -> &str {
        self.content
            .profile
            .as_ref()
            .map(|profile| profile.unique_name.as_str())
            .unwrap_or_default()
    }

    /// The revision that it was resolved at.
    pub(super) fn revision(&self) -> i64 {
        self.resolved.revision
    }

    /// The fingerprint of its content.
    pub(super) fn digest(&self) -> &str {
        &self.resolved.digest
    }

    /// What the desktop is made of.
    pub(super) fn content(&self) -> &v1::ProfileContent {
        &self.content
    }
}

impl Desktop {
    /// A desktop with the profile that the file keeps, if there is one that can be used.
    pub(super) fn open(keep: Option<PathBuf>) -> io::Result<Self> {
        let mut state = State::default();
        let kept = match keep.as_ref().map(fs::read) {
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
            read => read.transpose()?,
        };
        if let Some(snapshot) = kept.and_then(|bytes| v1::Snapshot::decode(&bytes[..]).ok())
            && let Some(profile) = snapshot.profile.and_then(|found| Profile::check(found).ok())
        {
            state = State { profile: Some(Arc::new(profile)), resume_token: snapshot.resume_token };
        }
        Ok(Self { state: Mutex::new(state), keep })
    }

    /// The profile to work with; none before the first one came.
    pub(super) fn profile(&self) -> Option<Arc<Profile>> {
        self.state().profile.clone()
    }

    /// What the next stream is opened with: resume token and digest.
    pub(super) fn position(&self) -> (String, String) {
        let state = self.state();
        let digest = state.profile.as_ref().map(|profile| profile.digest().to_owned());
        (state.resume_token.clone(), digest.unwrap_or_default())
    }

    /// Takes a snapshot over, unless it is older or bad. What is good is kept at once.
    pub(super) fn take(&self, snapshot: v1::Snapshot) -> Taken {
        let Some(resolved) = snapshot.profile.clone() else {
            return Taken::Rejected("it has no profile".to_owned());
        };
        let older = |held: &Arc<Profile>| resolved.revision <= held.revision();
        if !snapshot.reset && self.state().profile.as_ref().is_some_and(older) {
            return Taken::Older;
        }
        let profile = match Profile::check(resolved) {
            Ok(profile) => profile,
            Err(why) => return Taken::Rejected(why),
        };
        let mut state = self.state();
        state.profile = Some(Arc::new(profile));
        state.resume_token.clone_from(&snapshot.resume_token);
        drop(state);
        if let Err(error) = self.keep(&snapshot) {
            eprintln!("the profile could not be kept: {error}");
        }
        Taken::Applied
    }

    /// Notes that the stream has gone on without a change.
    pub(super) fn resume_from(&self, token: String) {
        self.state().resume_token = token;
    }

    fn keep(&self, snapshot: &v1::Snapshot) -> io::Result<()> {
        let Some(path) = &self.keep else { return Ok(()) };
        // Whole or not at all, whenever the machine stops.
        let new = path.with_extension("new");
        fs::write(&new, snapshot.encode_to_vec())?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, path)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Every change of it is whole at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
