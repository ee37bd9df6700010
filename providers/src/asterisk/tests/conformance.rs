//! The exchange for the conformance kit.

use super::{
    pbx::{Pbx, Phone},
    *,
};
use crate::kit::{
    Plan,
    adapters::{Candidate, setup},
};

/// The adapter, and an exchange that minds what it is asked for.
pub(crate) async fn candidate() -> Candidate {
    let pbx = Pbx::start().await;
    pbx.phone("PJSIP/anna", Phone::Answers);
    pbx.phone("PJSIP/+14155550100@trunk", Phone::Answers);
    pbx.phone("PJSIP/+14155550101@trunk", Phone::Busy);
    let mut plan = Plan::new("anna");
    plan.to = Some("+14155550100".parse().unwrap());
    plan.busy = Some("+14155550101".parse().unwrap());
    // No endpoint for SIP URIs is configured.
    plan.invalid = Some("sip:nobody@example.com".parse().unwrap());
    plan.secrets = vec![Secret::from(SECRET)];
    let config = settings(&pbx.url()).to_string();
    Candidate::new(KIND, &config, setup("pbx", secrets()), plan)
        .with(move || pbx.state().illegal.clone())
}
