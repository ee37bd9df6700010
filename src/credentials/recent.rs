//! The token that a connection showed last.
//!
//! Nearly all calls of a connection show the token of the call before. To compare them takes less
//! than the hash of the token and the look-up among all that are remembered, and what it finds is
//! shared with no other connection.

use std::{fmt, sync::Arc};

use crate::{
    auth::{Identity, Method},
    domain::Time,
};

/// The last JWT of a connection, from its second call on: most streams have a connection with one.
#[derive(Default)]
pub struct Recent {
    /// Whether there was a call.
    begun: bool,
    kept: Option<Kept>,
}

struct Kept {
    /// The header as it was sent.
    header: Box<[u8]>,
    identity: Arc<Identity>,
}

impl Recent {
    /// Who a header stands for, if it is the one of the call before and is still accepted.
    pub(super) fn find(&mut self, header: &[u8], now: Time) -> Option<Arc<Identity>> {
        let kept = self.kept.as_ref().filter(|kept| *kept.header == *header)?;
        if kept.identity.check_current(now).is_ok() {
            return Some(Arc::clone(&kept.identity));
        }
        self.kept = None;
        None
    }

    /// Keeps who a header stands for. Opaque tokens are not kept, for each use of them is counted.
    pub(super) fn keep(&mut self, header: &[u8], identity: &Identity) {
        let is_jwt = matches!(identity.method, Method::Jwt { .. });
        if std::mem::replace(&mut self.begun, true) && is_jwt {
            let identity = Arc::new(identity.clone());
            self.kept = Some(Kept { header: header.into(), identity });
        }
    }
}

impl fmt::Debug for Recent {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("kept", &self.kept.is_some()).finish_non_exhaustive()
    }
}
