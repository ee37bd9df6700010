use std::time::SystemTime;

use uuid::Uuid;

use super::*;
use crate::{
    CheckOutcome, Clock, Registry, Setup,
    fake::{Behaviour, KIND, Operation as Asked, Switchboard},
    http::{Network, Policy},
};

/// A protected provider of the scriptable vendor.
fn provider(secrets: Secrets) -> (Protected, Arc<Switchboard>) {
    let name = Uuid::new_v4().to_string();
    let setup = Setup {
        provider: name.clone(),
        secrets: secrets.clone(),
        webhook_url: None,
        clock: Clock::new(SystemTime::now, Uuid::new_v4),
        network: Network::new(Policy::default(), &[]).unwrap(),
    };
    let registry = Registry::builtin().with_fake();
    let fake = registry.find(KIND).unwrap().build("", setup).unwrap();
    (Protected::new(fake, &name, secrets), Switchboard::named(&name))
}

fn call() -> StartCall {
    StartCall {
        call_id: Uuid::new_v4(),
        agent: "anna".to_owned(),
        to: "+14155550100".parse().unwrap(),
        from: None,
        context: Default::default(),
    }
}

fn second() -> Context {
    Context::within(Duration::from_secs(1))
}

async fn dial(provider: &Protected, cx: Context) -> Result<Started, (ErrorKind, Effect)> {
    let done = provider.start_call(&cx, call()).await;
    done.map_err(|error| (error.kind(), error.effect()))
}

#[tokio::test(start_paused = true)]
async fn what_may_have_dialled_is_never_dialled_again() {
    for behaviour in
        [Behaviour::LostAnswer, Behaviour::LostRequest, Behaviour::Nonsense, Behaviour::Hang]
    {
        let (provider, vendor) = provider(Secrets::default());
        vendor.set(Asked::StartCall, behaviour);
        let unknown = Err((ErrorKind::OutcomeUnknown, Effect::Unknown));
        assert_eq!(dial(&provider, second()).await, unknown, "{behaviour:?}");
        assert_eq!(vendor.asked(Asked::StartCall), 1, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_certainly_was_not_carried_out_is_tried_four_times() {
    for (behaviour, kind) in [
        (Behaviour::Unavailable, ErrorKind::Unavailable),
        (Behaviour::RateLimited, ErrorKind::RateLimited),
    ] {
        let (provider, vendor) = provider(Secrets::default());
        vendor.set(Asked::StartCall, behaviour);
        let cx = Context::within(Duration::from_secs(60));
        assert_eq!(dial(&provider, cx).await, Err((kind, Effect::None)));
        assert_eq!(vendor.asked(Asked::StartCall), 4, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_asks_the_rate_limit() {
    for (per_second, attempts, at_least) in [(0.5, 4, 6), (0.25, 3, 8), (0.05, 1, 0)] {
        let (provider, vendor) = provider(Secrets::default());
        *lock(&provider.dials) = Bucket::new(crate::Rate::new(per_second, 1), Instant::now());
        vendor.set(Asked::StartCall, Behaviour::RateLimited);
        let begun = Instant::now();
        let error =
            provider.start_call(&Context::within(MAX_VENDOR_WAIT), call()).await.unwrap_err();
        assert_eq!(vendor.asked(Asked::StartCall), attempts, "{per_second} a second");
        assert!(begun.elapsed().as_secs() >= at_least, "{:?}", begun.elapsed());
        // What the vendor said, not that the next attempt found no token.
        assert_eq!((error.kind(), error.effect()), (ErrorKind::RateLimited, Effect::None));
        assert_ne!(error.message(), "more requests than the vendor takes");
    }
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_shorter_than_the_vendor_asks_for() {
    let (provider, _vendor) = provider(Secrets::default());
    let asked = Duration::from_secs(2);
    let limited = || Error::new(ErrorKind::RateLimited, "later").with_retry_after(asked);
    let begun = Instant::now();
    let attempt = |_| async move { Err::<(), _>(limited()) };
    let done =
        provider.retried(Context::within(MAX_VENDOR_WAIT), Operation::StartCall, attempt).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::RateLimited);
    assert!(begun.elapsed() >= 3 * asked, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    for behaviour in [Behaviour::Refuse, Behaviour::Credentials] {
        let (provider, vendor) = provider(Secrets::default());
        vendor.set(Asked::StartCall, behaviour);
        assert!(dial(&provider, second()).await.is_err());
        assert_eq!(vendor.asked(Asked::StartCall), 1, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn asking_again_is_safe_when_it_changes_nothing() {
    let (provider, vendor) = provider(Secrets::default());
    vendor.set(Asked::PollCall, Behaviour::LostAnswer);
    let call = CallRef {
        call_id: Uuid::new_v4(),
        provider_call_id: "x".to_owned(),
        agent: "anna".to_owned(),
        to: "+14155550100".to_owned(),
        from: None,
        start_time: SystemTime::now(),
    };
    let cx = Context::within(Duration::from_secs(60));
    let error = provider.poll_call(&cx, &call).await.unwrap_err();
    assert_eq!((error.kind(), vendor.asked(Asked::PollCall)), (ErrorKind::Unavailable, 4));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_hangs_is_given_up_at_the_deadline() {
    let (provider, vendor) = provider(Secrets::default());
    vendor.set(Asked::MintClientToken, Behaviour::Hang);
    let mint = || MintToken { agent: "anna".to_owned(), ttl: None };
    for (allowed, waited) in [(1, 1), (300, 10)] {
        let begun = Instant::now();
        let cx = Context::within(Duration::from_secs(allowed));
        let error = provider.mint_client_token(&cx, mint()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(begun.elapsed().as_secs(), waited);
    }
    vendor.set(Asked::Check, Behaviour::Hang);
    let checks = provider.check(&second()).await;
    assert_eq!(checks[0].outcome, CheckOutcome::Failed(ErrorKind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_fails_is_left_alone_and_asked_once_later() {
    let (provider, vendor) = provider(Secrets::default());
    vendor.set(Asked::StartCall, Behaviour::LostRequest);
    for _ in 0..20 {
        dial(&provider, second()).await.unwrap_err();
    }
    assert!(provider.is_open());
    let error = provider.start_call(&second(), call()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::None));
    assert!(error.retry_after().is_some());
    assert_eq!(vendor.asked(Asked::StartCall), 20, "nobody asked");

    tokio::time::advance(Duration::from_secs(10)).await;
    vendor.set(Asked::StartCall, Behaviour::Good);
    assert!(dial(&provider, second()).await.is_ok());
    assert!(!provider.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_hangs_opens_the_breaker_and_a_caller_that_goes_away_does_not() {
    let (provider, vendor) = provider(Secrets::default());
    vendor.set(Asked::StartCall, Behaviour::Hang);
    for _ in 0..30 {
        let gone = tokio::time::timeout(Duration::from_millis(10), dial(&provider, second()));
        gone.await.unwrap_err();
    }
    assert!(!provider.is_open());
    for _ in 0..20 {
        dial(&provider, second()).await.unwrap_err();
    }
    assert!(provider.is_open());
}

#[tokio::test(start_paused = true)]
async fn refusals_do_not_open_the_breaker() {
    let (provider, vendor) = provider(Secrets::default());
    vendor.set(Asked::StartCall, Behaviour::Refuse);
    for _ in 0..50 {
        dial(&provider, second()).await.unwrap_err();
    }
    assert!(!provider.is_open());
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_leaves_in_an_error() {
    let secrets: Secrets = [("token", "no connection")].into_iter().collect();
    let (provider, vendor) = provider(secrets);
    for operation in [Asked::StartCall, Asked::Check] {
        vendor.set(operation, Behaviour::Unavailable);
    }
    let error = provider.start_call(&second(), call()).await.unwrap_err();
    assert_eq!(error.message(), "[redacted]");
    assert!(provider.check(&second()).await[0].detail.contains("[redacted]"));
    assert!(!format!("{provider:?}").contains("no connection"));
}
