//! Refusals of the commit task: of a record that has no stored form, and of a store that takes no
//! write.

use std::fmt;

use crate::{
    domain::{Reason, Refusal},
    store::Lack,
};

/// The refusal because the record of a write has no stored form.
pub(super) fn not_encoded(error: &dyn fmt::Display) -> Refusal {
    Refusal::new(Reason::Internal, format!("The write cannot be put into its stored form: {error}"))
}

/// The refusal because the store lacks something for the moment.
pub(super) fn read_only(lack: Lack) -> Refusal {
    let message = format!(
        "The store takes no writes at present (read-only: {lack}). Nothing was written; {}, then \
         try again.",
        lack.cure()
    );
    Refusal::new(Reason::StoreUnavailable, message)
}

/// The refusal because the store takes no more writes until it is opened again.
pub(super) fn over() -> Refusal {
    let message = "The server takes no writes until it is started again; nothing was written.";
    Refusal::new(Reason::StoreUnavailable, message)
}
