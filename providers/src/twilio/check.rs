//! Checks of the account and of what the configuration names.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Twilio, error::absent, signature};
use crate::{Check, CheckOutcome, Error, ErrorKind, Result, urls::same_url};

#[derive(Deserialize)]
struct Account {
    status: Option<String>,
}

#[derive(Deserialize)]
struct Application {
    voice_url: Option<String>,
}

#[derive(Deserialize)]
struct Activities {
    activities: Vec<Activity>,
}

#[derive(Deserialize)]
struct Activity {
    sid: Option<String>,
}

impl Twilio {
    /// Checks everything that the configuration names, the account first.
    pub(super) async fn run_checks(&self) -> Vec<Check> {
        let mut checks = vec![Check::run("account", self.check_account()).await];
        let known = checks[0].outcome == CheckOutcome::Ok;
        let after = "nothing is asked until the account is in order";
        if let Some(app) = &self.config.twiml_app_sid {
            checks.push(match known {
                true => Check::run("application", self.check_application(app)).await,
                false => Check::skipped("application", after),
            });
        }
        if self.config.workspace_sid.is_some() {
            checks.push(match known {
                true => Check::run("activities", self.check_activities()).await,
                false => Check::skipped("activities", after),
            });
        }
        let webhook = async { self.callback("").map(|_| "Twilio can tell of calls".to_owned()) };
        checks.push(Check::run("webhook", webhook).await);
        checks
    }

    async fn check_account(&self) -> Result<String> {
        let account: Account = self.client.get(&self.client.account(".json"), &[]).await?;
        match account.status.as_deref() {
            Some("active") => Ok("the account is active".to_owned()),
            status => {
                let message = format!("the account is {}", status.unwrap_or("in no known state"));
                Err(Error::new(ErrorKind::PermissionDenied, message))
            }
        }
    }

    async fn check_application(&self, sid: &str) -> Result<String> {
        let url = self.client.account(&format!("/Applications/{sid}.json"));
        let application: Application = self.client.get(&url, &[]).await.map_err(absent)?;
        let given = application.voice_url.as_deref().filter(|url| !url.is_empty());
        let same = |ours: &&str| given.is_some_and(|given| same_url(given, ours));
        let Some(ours) = self.webhook_url.as_deref().filter(same) else {
            let whom = if given.is_some() { "somebody else" } else { "nobody" };
            return Ok(format!(
                "the application asks {whom} what to do with the agent's own calls"
            ));
        };
        let detail = "the application asks this server what to do";
        Ok(match given.is_some_and(|given| signature::spellings(ours).contains(given)) {
            true => detail.to_owned(),
            // What it signs is not known then.
            false => format!("{detail}; write its voice URL as {ours}, for Twilio signs the text"),
        })
    }

    async fn check_activities(&self) -> Result<String> {
        let url = self.client.workspace("/Activities");
        let there: Activities =
            self.client.get(&url, &[("PageSize", "1000")]).await.map_err(absent)?;
        let there: BTreeSet<_> = there.activities.into_iter().filter_map(|a| a.sid).collect();
        let named = self.config.activities.values();
        let missing: Vec<_> =
            named.filter(|sid| !there.contains(*sid)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(format!("the workspace has {} activities", there.len()));
        }
        let message = format!("the workspace has no activity {}", missing.join(", "));
        Err(Error::new(ErrorKind::InvalidConfig, message))
    }
}
