//! Presence of agents as activities of TaskRouter's workers.

use serde::Deserialize;

use super::{
    Twilio,
    config::{is_sid, word},
};
use crate::{Error, ErrorKind, Presence, Result, SetPresence};

#[derive(Deserialize)]
struct Workers {
    workers: Vec<Worker>,
}

#[derive(Deserialize)]
struct Worker {
    sid: String,
}

impl Twilio {
    /// Moves the agent's worker to the activity that stands for its presence.
    ///
    /// Tasks that were offered and not accepted go back when the agent takes no more: Twilio refuses
    /// the change otherwise.
    pub(super) async fn set_worker_activity(&self, request: &SetPresence) -> Result<()> {
        if self.config.workspace_sid.is_none() {
            return Err(Error::unsupported("presence"));
        }
        let activity = self.config.activities.get(&request.presence).ok_or_else(|| {
            let message = format!("no activity is configured for {}", word(request.presence));
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let worker = self.worker(&request.agent).await?;
        let reject = if request.presence == Presence::Available { "false" } else { "true" };
        let url = self.client.workspace(&format!("/Workers/{worker}"));
        let form = [("ActivitySid", activity.as_str()), ("RejectPendingReservations", reject)];
        let _: Worker = self.client.post(&url, &form).await?;
        Ok(())
    }

    /// The agent's worker: as configured, else the one expression softphone is the agent's.
    async fn worker(&self, agent: &str) -> Result<String> {
        if let Some(worker) = self.config.workers.get(agent) {
            return Ok(worker.clone());
        }
        // An identity has letters, digits and underscores only, none that ends the literal.
        let expression = format!("contact_uri == \"client:{}\"", self.config.identity(agent)?);
        let url = self.client.workspace("/Workers");
        let found: Workers = self
            .client
            .get(&url, &[("TargetWorkersExpression", &expression), ("PageSize", "2")])
            .await?;
        match found.workers.as_slice() {
            [worker] if is_sid("WK", &worker.sid) => Ok(worker.sid.clone()),
            [] => Err(Error::new(ErrorKind::NotFound, "the workspace has no worker of the agent")),
            [_] => Err(Error::new(ErrorKind::Protocol, "the worker has no SID")),
            _ => Err(Error::new(ErrorKind::Conflict, "several workers have the agent's softphone")),
        }
    }
}
