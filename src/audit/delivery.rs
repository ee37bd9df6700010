//! The stored form of deliveries.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::entry::{decode, encode};
use crate::{
    domain::{App, Delivery, Method, UniqueName, UserId},
    store::{Error, LogEntry, Logged, Result},
};

/// A delivery, less its time.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    app: App,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    client_id: Cow<'a, str>,
    revision: i64,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    profile: Cow<'a, str>,
    method: Method,
}

/// The entry of a delivery.
pub(super) fn entry(delivery: &Delivery) -> Result<LogEntry> {
    let Delivery { user, app, client_id, time, revision, digest, profile, method } = delivery;
    let stored = Stored {
        user: user.as_str().into(),
        app: *app,
        client_id: client_id.into(),
        revision: *revision,
        digest: digest.into(),
        profile: profile.as_str().into(),
        method: *method,
    };
    Ok(LogEntry { time: *time, bytes: encode(&stored)? })
}

/// Reads a delivery, if its user, app and client pass the test.
pub(super) fn read(
    logged: &Logged<'_>,
    takes: impl FnOnce(&str, App, &str) -> bool,
) -> Result<Option<Delivery>> {
    let what = "an entry of the resolution log";
    let stored: Stored<'_> = decode(what, logged.bytes)?;
    if !takes(&stored.user, stored.app, &stored.client_id) {
        return Ok(None);
    }
    let damaged = |rule: &dyn std::fmt::Display| Error::Damaged(format!("{what}: {rule}"));
    Ok(Some(Delivery {
        user: UserId::parse(&stored.user).map_err(|rule| damaged(&rule))?,
        app: stored.app,
        client_id: stored.client_id.into_owned(),
        time: logged.time,
        revision: stored.revision,
        digest: stored.digest.into_owned(),
        profile: UniqueName::parse(&stored.profile).map_err(|rule| damaged(&rule))?,
        method: stored.method,
    }))
}
