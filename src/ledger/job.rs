//! A write on its way to the commit task, and what the task of its caller gets back.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    requests::Checked,
    write::{Accepted, Outcome, Submission},
};
use crate::{domain::Refusal, store::Revision, trace::Correlated};

/// What a write is answered.
pub(super) type Judged = Result<Outcome, Refusal>;

/// What the task of a caller gets from the commit task.
#[derive(Debug)]
pub(super) enum Reply {
    Judged(Result<Accepted, Refusal>),
    /// The answer is that of the record of this revision.
    Repeated(Revision),
    /// The store must be asked about the request id once more.
    Unknown(Submission),
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) submission: Submission,
    /// What the store said of its request id.
    pub(super) checked: Checked,
    pub(super) answer: oneshot::Sender<Reply>,
    /// The request that the write belongs to.
    pub(super) request: Option<Arc<dyn Correlated>>,
}
