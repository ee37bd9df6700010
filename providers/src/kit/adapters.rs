//! The kit over every adapter of the registry, each with a vendor that is played by a test.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use tokio::time::interval;
use uuid::Uuid;

use super::*;
use crate::{
    Clock, Descriptor, Registry, Secret, Secrets, Setup, WIDGET,
    fake::{self, Switchboard, VendorEvent},
    http::{Network, Policy},
    layers::Protected,
};

/// How often the operator of the switchboard polls.
const LOOK: Duration = Duration::from_millis(5);

/// An adapter as the server uses it, and the vendor at its other end.
pub(crate) struct Candidate {
    /// The adapter within its layers.
    pub(crate) provider: Protected,
    /// What the kit may know.
    pub(crate) plan: Plan,
    /// Requests that the vendor should not have got. Keeps the vendor alive.
    pub(crate) complaints: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Candidate {
    /// An adapter with that configuration, made as the server makes it.
    pub(crate) fn new(kind: &str, config: &str, setup: Setup, plan: Plan) -> Self {
        let (name, secrets) = (setup.provider.clone(), setup.secrets.clone());
        let registry = Registry::builtin().with_fake();
        let built = registry.find(kind).unwrap().build(config, setup).unwrap();
        let provider = Protected::new(built, name, secrets);
        Self { provider, plan, complaints: Box::new(Vec::new) }
    }

    /// The same with a vendor that complains.
    pub(crate) fn with(self, complaints: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { complaints: Box::new(complaints), ..self }
    }
}

/// What an adapter is built with: the time as it is, and a network that reaches this machine.
pub(crate) fn setup(provider: &str, secrets: Secrets) -> Setup {
    Setup {
        provider: provider.to_owned(),
        secrets,
        webhook_url: Some(format!("https://desk.example.com/webhooks/{provider}")),
        clock: Clock::new(SystemTime::now, Uuid::new_v4),
        network: Network::new(Policy::allowing(["127.0.0.0/8".parse().unwrap()]), &[]).unwrap(),
    }
}

/// The adapter of that kind; none when it is missing here. A new adapter needs a line here, and a
/// vendor in its tests.
async fn candidate(kind: &str) -> Option<Candidate> {
    Some(match kind {
        #[cfg(feature = "asterisk")]
        crate::asterisk::KIND => crate::asterisk::tests::candidate().await,
        #[cfg(feature = "external")]
        crate::external::KIND => crate::external::tests::candidate().await,
        #[cfg(feature = "twilio")]
        crate::twilio::KIND => crate::twilio::tests::candidate().await,
        WIDGET => Candidate::new(kind, "{}", setup(kind, Secrets::default()), Plan::new("anna")),
        fake::KIND => scripted(),
        _ => return None,
    })
}

/// Checks that are skipped though the adapter offers what they check, by kind.
fn skips(kind: &str) -> &'static [&'static str] {
    match kind {
        // Refuses no address. Twilio gets the other party when the agent is there, and then the
        // call fails; the scriptable vendor dials any address.
        "twilio" | fake::KIND => &["calls.invalid", "calls.transfer_invalid"],
        _ => &[],
    }
}

/// Whether a check was skipped because the adapter does not offer what it checks.
fn not_offered(why: &str) -> bool {
    why.ends_with("not offered")
        || why == "there is no stream"
        || why == "calls cannot be looked up"
        || why == "the vendor knows no key by which a start is recognised"
}

/// The scriptable vendor, with an operator who connects calls.
fn scripted() -> Candidate {
    let name = format!("kit-{}", Uuid::new_v4());
    let secrets: Secrets = [(fake::WEBHOOK_KEY, "s3cret-key")].into_iter().collect();
    let body = serde_json::to_string(&[VendorEvent::of("call-1", "busy")]).unwrap();
    let mut plan = Plan::new("anna");
    plan.to = Some("+14155550100".parse().unwrap());
    plan.busy = Some("+14155550101".parse().unwrap());
    plan.secrets = vec![Secret::from("s3cret-key")];
    plan.webhooks = vec![Sample {
        method: "POST".to_owned(),
        url: "https://desk.example.com/webhooks/fake".to_owned(),
        headers: [(fake::SIGNATURE.to_owned(), fake::sign("s3cret-key", body.as_bytes()))].into(),
        body,
        events: 1,
    }];
    let candidate = Candidate::new(fake::KIND, "{}", setup(&name, secrets), plan);
    let operator = tokio::spawn(connect(Switchboard::named(&name))).abort_handle();
    candidate.with(move || {
        operator.abort();
        Vec::new()
    })
}

/// Connects every call, but one whose other party is busy.
async fn connect(switchboard: Arc<Switchboard>) {
    let (mut ticks, mut connected, mut busy) = (interval(LOOK), 0, 0);
    loop {
        ticks.tick().await;
        for call in switchboard.calls().into_iter().skip(connected) {
            connected += 1;
            let to_busy = switchboard.dialled("+14155550101");
            let status = if to_busy > busy { "busy" } else { "bridged" };
            busy = to_busy;
            switchboard.emit(&VendorEvent::of(&call, status));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_adapter_of_the_registry_conforms() {
    let registry = Registry::builtin().with_fake();
    let kinds: Vec<_> = registry.descriptors().map(|descriptor| descriptor.kind).collect();
    let runs = kinds.iter().map(|kind| async move {
        let Candidate { provider, plan, complaints } = candidate(kind).await?;
        let report = run(&provider, &plan).await;
        Some((report, complaints()))
    });
    let mut wrong = Vec::new();
    for (kind, done) in kinds.iter().zip(join_all(runs).await) {
        let Some((report, complaints)) = done else {
            wrong.push(format!("the adapter {kind} has no run of the conformance kit"));
            continue;
        };
        println!("kit: {kind} {} {}", report.passed(), report.skipped());
        let skipped: Vec<_> = report.entries.iter().filter_map(name_of_skipped).collect();
        if !report.is_ok() || skipped != skips(kind) || !complaints.is_empty() {
            wrong.push(format!("{report}\nskipped: {skipped:?}\ncomplaints: {complaints:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The check, when it was skipped though the adapter offers what it checks.
fn name_of_skipped(entry: &Entry) -> Option<&str> {
    match &entry.outcome {
        Outcome::Skipped(why) if !not_offered(why) => Some(entry.name),
        _ => None,
    }
}

#[test]
fn what_an_adapter_claims_is_said_where_the_table_of_proofs_looks() {
    for Descriptor { kind, proof, .. } in Registry::builtin().with_fake().descriptors() {
        let levels: Vec<_> = proof.iter().map(|level| level.as_str()).collect();
        println!("proof: {kind} {}", levels.join(","));
    }
}
