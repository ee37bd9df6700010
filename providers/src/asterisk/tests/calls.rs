//! Whole calls against the scripted exchange.

use super::{pbx::Phone, *};
use crate::{Effect, ErrorKind, Presence};
use CallState::{Answered, Bridged, Dialing, Ended, Held, Ringing};

const AGENT: &str = "PJSIP/anna";
const CUSTOMER: &str = "PJSIP/+14155550100@trunk";

/// An exchange whose phones do this, and a server that listens.
async fn scene(agent: Phone, customer: Phone) -> (Pbx, Server) {
    let pbx = Pbx::start().await;
    pbx.phone(AGENT, agent);
    pbx.phone(CUSTOMER, customer);
    let server = Server::start(&pbx).await;
    (pbx, server)
}

fn leg(call: u128, side: &str) -> String {
    format!("dp-{}-{side}", Uuid::from_u128(call))
}

#[tokio::test]
async fn a_call_rings_the_agent_then_the_customer_and_joins_them() {
    let (pbx, mut server) = scene(Phone::Rings, Phone::Rings).await;
    let started = server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    assert_eq!(started, Started { provider_call_id: leg(1, "a"), state: Dialing });
    assert_eq!(server.states(2).await.0, [Dialing, Ringing]);
    assert_eq!(pbx.state().channels[&leg(1, "a")].caller_id, "+14155550100");
    assert_eq!(
        pbx.state().channels.len(),
        1,
        "the customer is not called before the agent is there"
    );

    pbx.answer(&leg(1, "a"));
    let event = server.next().await.unwrap().unwrap();
    assert_eq!((event.state, event.call_id), (Answered, Some(Uuid::from_u128(1))));
    assert_eq!(event.provider_call_id, leg(1, "a"));
    pbx.until("the customer is called", |s| s.channels.contains_key(&leg(1, "b"))).await;
    assert_eq!(pbx.state().channels[&leg(1, "b")].caller_id, "\"Contoso\" <+14155550199>");
    pbx.answer(&leg(1, "b"));
    let event = server.next().await.unwrap().unwrap();
    assert_eq!((event.state, event.agent.as_deref()), (Bridged, Some("anna")));
    assert_eq!((event.to.as_str(), event.direction), ("+14155550100", crate::Direction::Outbound));

    pbx.hang_up(&leg(1, "b"), 16);
    assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Normal)));
    pbx.until_empty().await;
}

#[tokio::test]
async fn what_a_party_does_is_the_cause_and_the_other_is_let_go() {
    let cases = [
        (Phone::Busy, Phone::Answers, vec![Dialing, Ended], Cause::Busy),
        (Phone::NoAnswer, Phone::Answers, vec![Dialing, Ended], Cause::NoAnswer),
        (Phone::Answers, Phone::Busy, vec![Dialing, Ringing, Answered, Ended], Cause::Busy),
        (Phone::Answers, Phone::NoAnswer, vec![Dialing, Ringing, Answered, Ended], Cause::NoAnswer),
    ];
    for (agent, customer, states, cause) in cases {
        let (pbx, mut server) = scene(agent, customer).await;
        server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
        let reported = server.states(states.len()).await;
        assert_eq!(reported, (states, Some(cause)), "{agent:?} {customer:?}");
        pbx.until_empty().await;
    }
}

#[tokio::test]
async fn a_call_is_cancelled_while_it_rings() {
    for agent in [Phone::Rings, Phone::Answers] {
        let (pbx, mut server) = scene(agent, Phone::Rings).await;
        server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
        let before = if agent == Phone::Rings { 2 } else { 3 };
        server.states(before).await;
        if agent == Phone::Answers {
            pbx.until("the customer is called", |s| s.channels.contains_key(&leg(1, "b"))).await;
        }
        assert!(server.provider.end_call(&cx(), &call_ref(1)).await.unwrap());
        assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Canceled)), "{agent:?}");
        pbx.until_empty().await;
        assert!(!server.provider.end_call(&cx(), &call_ref(1)).await.unwrap(), "it is over");
    }
}

#[tokio::test]
async fn a_call_is_never_dialled_twice() {
    let (pbx, mut server) = scene(Phone::Rings, Phone::Rings).await;
    let first = server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    server.states(2).await;
    // Another server that knows nothing of it, and the same one again.
    let fresh = asterisk(&pbx.url());
    assert_eq!(fresh.start_call(&cx(), dial(1, "anna")).await.unwrap(), first);
    let again = server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    assert_eq!((again.provider_call_id, again.state), (first.provider_call_id, Ringing));
    pbx.hang_up(&leg(1, "a"), 17);
    server.states(1).await;
    let over = server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    assert_eq!(over.state, Ended);
    pbx.until_empty().await;
}

#[tokio::test]
async fn the_customer_is_held_and_taken_back() {
    let (pbx, mut server) = scene(Phone::Answers, Phone::Answers).await;
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    server.states(4).await;
    let status = async |server: &Server| {
        let status = server.provider.poll_call(&cx(), &call_ref(1)).await.unwrap();
        status.map(|status| status.state)
    };
    assert_eq!(status(&server).await, Some(Bridged));
    server.provider.hold(&cx(), &call_ref(1), true).await.unwrap();
    assert!(pbx.state().channels[&leg(1, "b")].held);
    assert_eq!(status(&server).await, Some(Held));
    server.provider.hold(&cx(), &call_ref(1), false).await.unwrap();
    assert!(!pbx.state().channels[&leg(1, "b")].held);
    assert_eq!(status(&server).await, Some(Bridged));
    server.provider.end_call(&cx(), &call_ref(1)).await.unwrap();
    assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Normal)));
    pbx.until_empty().await;
    assert_eq!(status(&server).await, None);
    let gone = server.provider.hold(&cx(), &call_ref(1), true).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_transfer_hands_the_customer_on_and_lets_the_agent_go() {
    let (pbx, mut server) = scene(Phone::Answers, Phone::Answers).await;
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    server.states(4).await;
    let to = Transfer { to: "+14155550111".parse().unwrap(), blind: true };
    server.provider.transfer(&cx(), &call_ref(1), to.clone()).await.unwrap();
    let (states, cause) = server.states(2).await;
    assert_eq!((states, cause), (vec![CallState::Transferring, Ended], Some(Cause::Normal)));
    pbx.until("the bridge is gone", |s| s.bridges.is_empty()).await;
    let left: Vec<_> = pbx.state().channels.keys().cloned().collect();
    assert_eq!(left, [leg(1, "b")], "the customer talks to somebody else");
    let attended = Transfer { blind: false, ..to };
    let refused = server.provider.transfer(&cx(), &call_ref(1), attended).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    pbx.hang_up(&leg(1, "b"), 16);
    pbx.until_empty().await;
}

/// Numbers where no context for them is configured, and SIP URIs in any case.
#[tokio::test]
async fn a_transfer_without_a_context_asks_the_customers_device() {
    let cases = [
        (json!(null), "+14155550111", "PJSIP/+14155550111@trunk"),
        (json!("handed-on"), "sip:help@example.com", "PJSIP/trunk/sip:help@example.com"),
    ];
    for (context, to, endpoint) in cases {
        let pbx = Pbx::start().await;
        pbx.phone(AGENT, Phone::Answers);
        pbx.phone(CUSTOMER, Phone::Answers);
        let mut config = settings(&pbx.url());
        config["transfer_context"] = context;
        config["sip_endpoint"] = json!("PJSIP/trunk/{uri}");
        let provider = Protected::new(made(&config, network()), "pbx", secrets());
        let mut server = Server::listen(Arc::new(provider)).await;
        server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
        server.states(4).await;
        let transfer = Transfer { to: to.parse().unwrap(), blind: true };
        let asked = format!("POST /channels/{}/redirect", leg(1, "b"));
        pbx.state().refuse.insert(asked.clone(), 422);
        let refused = server.provider.transfer(&cx(), &call_ref(1), transfer.clone()).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind(), refused.effect()), (ErrorKind::InvalidArgument, Effect::None));
        pbx.state().refuse.clear();
        server.provider.transfer(&cx(), &call_ref(1), transfer).await.unwrap();
        assert_eq!(pbx.state().redirected, [(leg(1, "b"), endpoint.to_owned())]);
        let tries = pbx.state().requests.iter().filter(|request| **request == asked).count();
        assert_eq!(tries, 2, "one each");
        // The device calls the target by itself and leaves this call.
        pbx.hang_up(&leg(1, "b"), 16);
        assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Normal)));
        pbx.until_empty().await;
    }
}

#[tokio::test]
async fn a_call_from_outside_rings_the_agent() {
    let (pbx, mut server) = scene(Phone::Answers, Phone::Busy).await;
    pbx.call_in("pbx-17.1", "agent=anna");
    let event = server.next().await.unwrap().unwrap();
    assert_eq!((event.provider_call_id.as_str(), event.state), ("pbx-17.1", Ringing));
    assert_eq!(
        (event.direction, event.agent.as_deref()),
        (crate::Direction::Inbound, Some("anna"))
    );
    assert_eq!((event.from.as_str(), event.to.as_str()), ("+14155550123", "+14155550177"));
    assert_eq!(server.states(2).await.0, [Answered, Bridged]);
    pbx.hang_up("dp-pbx-17.1-a", 16);
    assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Normal)));
    pbx.until_empty().await;
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_goes_back_to_the_dial_plan() {
    let (pbx, mut server) = scene(Phone::Busy, Phone::Busy).await;
    for (call, args, cause) in [
        ("pbx-17.1", "agent=anna", Cause::Busy),
        ("pbx-17.2", "agent=nobody", Cause::Failed),
        ("pbx-17.3", "", Cause::Failed),
    ] {
        pbx.call_in(call, args);
        assert_eq!(server.states(2).await, (vec![Ringing, Ended], Some(cause)), "{call}");
        pbx.until("it goes on", |s| !s.channels[call].stasis && s.bridges.is_empty()).await;
        pbx.hang_up(call, 16);
    }
    pbx.until_empty().await;
}

#[tokio::test]
async fn a_server_that_restarts_goes_on_where_the_call_is() {
    let (pbx, mut server) = scene(Phone::Rings, Phone::Rings).await;
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    server.states(2).await;
    server.stop().await;
    pbx.until("nobody listens", |s| s.listener.is_none()).await;

    let mut server = Server::start(&pbx).await;
    pbx.answer(&leg(1, "a"));
    assert_eq!(server.states(1).await.0, [Answered]);
    pbx.until("the customer is called", |s| s.channels.contains_key(&leg(1, "b"))).await;
    server.stop().await;
    pbx.until("nobody listens", |s| s.listener.is_none()).await;
    pbx.answer(&leg(1, "b"));

    let mut server = Server::start(&pbx).await;
    let (states, _) = server.states(2).await;
    assert_eq!(states, [Answered, Bridged], "found in the list, and joined");
    server.provider.hold(&cx(), &call_ref(1), true).await.unwrap();
    server.stop().await;
    pbx.until("nobody listens", |s| s.listener.is_none()).await;

    let mut server = Server::start(&pbx).await;
    assert_eq!(server.states(1).await.0, [Held]);
    pbx.hang_up(&leg(1, "a"), 16);
    assert_eq!(server.states(1).await, (vec![Ended], Some(Cause::Normal)));
    pbx.until_empty().await;
}

#[tokio::test]
async fn a_customer_who_went_while_nobody_listened_is_not_called_again() {
    for same in [true, false] {
        let (pbx, mut server) = scene(Phone::Answers, Phone::Rings).await;
        server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
        server.states(3).await;
        pbx.until("the customer is called", |s| s.channels.contains_key(&leg(1, "b"))).await;
        let provider = Arc::clone(&server.provider);
        server.stop().await;
        pbx.until("nobody listens", |s| s.listener.is_none()).await;
        pbx.hang_up(&leg(1, "b"), 17);

        let provider = if same { provider } else { Arc::new(asterisk(&pbx.url())) };
        let mut server = Server::listen(provider).await;
        assert_eq!(server.states(1).await.0, [Ended], "same server: {same}");
        pbx.until_empty().await;
    }
}

#[tokio::test]
async fn a_call_that_ended_while_nobody_listened_is_cleared_up() {
    let (pbx, mut server) = scene(Phone::Answers, Phone::Answers).await;
    server.provider.start_call(&cx(), dial(1, "anna")).await.unwrap();
    server.states(4).await;
    server.stop().await;
    pbx.until("nobody listens", |s| s.listener.is_none()).await;
    pbx.hang_up(&leg(1, "a"), 16);
    pbx.hang_up(&leg(1, "b"), 16);
    let mut server = Server::start(&pbx).await;
    let (states, cause) = server.states(1).await;
    assert_eq!(states, [Ended]);
    assert_eq!(cause, Some(Cause::Other("ended while nobody listened".to_owned())));
    pbx.until_empty().await;
}

#[tokio::test]
async fn many_calls_at_once_keep_apart() {
    let (pbx, mut server) = scene(Phone::Answers, Phone::Answers).await;
    let cx = cx();
    let starts = (1..=10).map(|call| server.provider.start_call(&cx, dial(call, "anna")));
    for started in futures_util::future::join_all(starts).await {
        assert_eq!(started.unwrap().state, Dialing);
    }
    let (states, _) = server.states(40).await;
    assert_eq!(states.iter().filter(|state| **state == Bridged).count(), 10);
    for call in 1..=10 {
        assert!(server.provider.end_call(&cx, &call_ref(call)).await.unwrap());
    }
    let (states, _) = server.states(10).await;
    assert!(states.iter().all(|state| *state == Ended));
    pbx.until_empty().await;
}

#[tokio::test]
async fn nobody_is_rung_while_nobody_listens() {
    let pbx = Pbx::start().await;
    pbx.phone(AGENT, Phone::Answers);
    let provider = bare(&pbx.url());
    let error = provider.start_call(&cx(), dial(1, "anna")).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, crate::Effect::None));
    let checks = provider.check(&cx()).await;
    let outcomes: Vec<_> =
        checks.iter().map(|check| (check.name.as_ref(), check.outcome)).collect();
    use crate::CheckOutcome::{Ok, Skipped};
    let expected = [("reach", Ok), ("version", Ok), ("permission", Ok), ("events", Skipped)];
    assert_eq!(outcomes, expected);
    let request = SetPresence { agent: "anna".to_owned(), presence: Presence::Away };
    provider.set_presence(&cx(), request).await.unwrap();
    assert!(pbx.state().requests.contains(&"PUT /deviceStates/Stasis:anna".to_owned()));
    assert!(!pbx.state().requests.iter().any(|asked| asked.starts_with("POST /channels/")));
}
