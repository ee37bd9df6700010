//! Who watches whom, and whether he still may.

use std::fmt;

use tokio::time::Instant;

use crate::{
    catalog::Catalog,
    domain::{Actor, Reason, Refusal, UserId},
    impact::Touched,
};

/// Judges on a catalog whether a caller still has the rights that its stream was opened with.
pub type Recheck = Box<dyn Fn(&Catalog) -> Result<(), Refusal> + Send + Sync>;

/// Who watches whom, and by which rights.
pub struct Access {
    /// The caller.
    pub caller: Actor,
    /// Whether the caller's credential stands for the user of the caller.
    pub own_credential: bool,
    /// When the caller's credential runs out.
    pub expires: Option<Instant>,
    /// Asked again when the caller's user or a role changes; refuses with SCOPE_REVOKED.
    pub recheck: Recheck,
    /// The watched user; of a stream about the organisation a stand-in, by which the streams of one
    /// caller are counted.
    pub user: UserId,
}

impl Access {
    /// The caller's own user, when it is not the watched one.
    pub(super) fn other_user(&self) -> Option<&UserId> {
        self.caller.user.as_ref().filter(|own| **own != self.user)
    }

    /// Whether the caller may go on in that catalog.
    pub(super) fn permitted(&self, catalog: &Catalog) -> Result<(), Refusal> {
        let own = self.caller.user.as_ref().filter(|_| self.own_credential);
        if let Some(seated) = own.and_then(|own| catalog.user(own)).filter(|s| s.is_disabled()) {
            let id = seated.id();
            let message = format!("User {id} is disabled.");
            let refusal = Refusal::new(Reason::CallerDisabled, message);
            return Err(refusal.resource("User", &id, "disabled"));
        }
        (self.recheck)(catalog)
    }

    /// The same after these changes, which is asked only where they can make a difference.
    pub(super) fn still_permitted(
        &self,
        touched: &Touched,
        catalog: &Catalog,
    ) -> Result<(), Refusal> {
        let own = self.caller.user.as_ref();
        if touched.everyone || own.is_some_and(|own| touched.rights_of(own, catalog)) {
            self.permitted(catalog)?;
        }
        Ok(())
    }

    /// The end of a stream whose user is gone.
    pub(super) fn user_deleted(&self) -> Refusal {
        let message = format!("User {} was deleted.", self.user);
        Refusal::new(Reason::UserDeleted, message).resource("User", &self.user, "deleted")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("caller", &self.caller.subject)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
