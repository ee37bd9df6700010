use crate::{CallState, Cause, Effect, ErrorKind};

use super::*;

#[tokio::test]
async fn a_call_rings_the_agent_with_instructions_for_the_customer() {
    let (server, twilio) = twilio().await;
    answers(&server, "POST", &account("/Calls.json"), 201, &leg(LEG, "queued"), 2).await;
    let started = twilio.start_call(&cx(), start()).await.unwrap();
    let expected = Started { provider_call_id: LEG.to_owned(), state: CallState::Queued };
    assert_eq!(started, expected);
    let callback = format!("{HOOK}?call_id={CALL_ID}");
    let twiml = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial callerId="+14155550199"><Number statusCallback="{callback}" statusCallbackMethod="POST" statusCallbackEvent="initiated ringing answered completed">+14155550100</Number></Dial></Response>"#
    );
    let form = pairs(&[
        ("To", "client:anna"),
        ("From", "+14155550199"),
        ("Twiml", &twiml),
        ("StatusCallback", &callback),
        ("StatusCallbackMethod", "POST"),
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "ringing"),
        ("StatusCallbackEvent", "answered"),
        ("StatusCallbackEvent", "completed"),
    ]);
    assert_eq!(last_form(&server).await, form);

    let from = Some("+14155550177".parse().unwrap());
    let to = "sip:a&b@pbx.example.com".parse().unwrap();
    twilio.start_call(&cx(), StartCall { from, to, ..start() }).await.unwrap();
    let form = last_form(&server).await;
    assert_eq!(form[1].1, "+14155550177");
    assert!(form[2].1.contains(r#"<Dial callerId="+14155550177"><Sip "#), "{}", form[2].1);
    assert!(form[2].1.contains(">sip:a&amp;b@pbx.example.com</Sip>"), "{}", form[2].1);
}

#[tokio::test]
async fn nobody_is_called_when_twilio_could_not_tell_of_it() {
    let (server, mut twilio) = twilio().await;
    answers(&server, "POST", &account("/Calls.json"), 201, &leg(LEG, "queued"), 0).await;
    twilio.webhook_url = None;
    let error = twilio.start_call(&cx(), start()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::InvalidConfig, Effect::None));
    let checks = twilio.check(&cx()).await;
    let webhook = checks.iter().find(|check| check.name == "webhook").unwrap();
    assert_eq!(webhook.error().unwrap().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_call_is_ended_as_its_state_demands() {
    // State before, what is asked for, state after each request, and whether it was still on.
    let cases = [
        ("in-progress", vec![("completed", "completed")], true),
        ("queued", vec![("canceled", "canceled")], true),
        ("ringing", vec![("canceled", "in-progress"), ("completed", "completed")], true),
        ("a-new-state", vec![("completed", "completed")], true),
        ("completed", vec![], false),
        ("busy", vec![], false),
        ("canceled", vec![], false),
    ];
    for (before, requests, expected) in cases {
        let (server, twilio) = twilio().await;
        answers(&server, "GET", &leg_path(LEG), 200, &leg(LEG, before), 1).await;
        for (asked, after) in requests {
            Mock::given(matchers::method("POST"))
                .and(matchers::path(leg_path(LEG)))
                .and(matchers::body_string(format!("Status={asked}")))
                .respond_with(ResponseTemplate::new(200).set_body_json(leg(LEG, after)))
                .expect(1)
                .mount(&server)
                .await;
        }
        assert_eq!(twilio.end_call(&cx(), &call(LEG)).await, Ok(expected), "{before}");
    }
}

#[tokio::test]
async fn a_call_that_twilio_does_not_know_any_more_is_over() {
    let gone = json!({"code": 20404, "message": "not found", "status": 404});
    let over = json!({"code": 21220, "message": "Invalid call state", "status": 400});
    for (status, body) in [(404, &gone), (400, &over)] {
        let (server, twilio) = twilio().await;
        answers(&server, "GET", &leg_path(LEG), 200, &leg(LEG, "in-progress"), 1).await;
        answers(&server, "POST", &leg_path(LEG), status, body, 1).await;
        assert_eq!(twilio.end_call(&cx(), &call(LEG)).await, Ok(false));
    }
    let (server, twilio) = twilio().await;
    answers(&server, "GET", &leg_path(LEG), 404, &gone, 2).await;
    assert_eq!(twilio.end_call(&cx(), &call(LEG)).await, Ok(false));
    assert_eq!(twilio.poll_call(&cx(), &call(LEG)).await, Ok(None));
    let odd = call("../../../Accounts");
    assert_eq!(twilio.poll_call(&cx(), &odd).await, Ok(None), "no SID, no request");
}

#[tokio::test]
async fn a_call_is_asked_for_by_its_sid() {
    let (server, twilio) = twilio().await;
    answers(&server, "GET", &leg_path(LEG), 200, &leg(LEG, "no-answer"), 1).await;
    let status = twilio.poll_call(&cx(), &call(LEG)).await.unwrap().unwrap();
    assert_eq!(status.provider_call_id, LEG);
    assert_eq!((status.state, status.cause), (CallState::Ended, Some(Cause::NoAnswer)));
}

#[tokio::test]
async fn a_call_whose_start_nobody_answered_is_found_by_what_it_was_started_with() {
    let at = |sid: &str, time: &str| {
        let mut leg = leg(sid, "in-progress");
        leg["date_created"] = json!(format!("Tue, 14 Nov 2023 {time} +0000"));
        leg
    };
    let dials = |to: &str| json!([{"sid": CHILD, "status": "ringing", "to": to}]);
    let ours = dials("+14155550100");
    let (nobody, somebody) = (json!([]), dials("+14155550111"));
    let many: Vec<_> = (0..100).map(|_| at(LEG, "22:13:19")).collect();
    let conflict = Err(ErrorKind::Conflict);
    // The call was asked for at 22:12:20.
    let cases = [
        (json!([at(LEG, "22:12:20")]), &nobody, Ok(Some(LEG))),
        (json!([at(LEG, "22:12:35"), at(OTHER, "22:12:36")]), &ours, Ok(Some(LEG))),
        (json!([at(OTHER, "22:12:17"), at(LEG, "22:12:18")]), &ours, Ok(Some(LEG))),
        (json!([at(LEG, "22:12:21"), at(OTHER, "22:12:21")]), &nobody, conflict),
        (json!([at(LEG, "22:12:21")]), &somebody, Ok(None)),
        (json!([at(LEG, "22:12:00"), at(LEG, "22:13:00")]), &nobody, Ok(None)),
        (json!([]), &nobody, Ok(None)),
        (json!(many), &nobody, conflict),
    ];
    for (found, children, expected) in cases {
        let (server, twilio) = twilio().await;
        for (query, legs) in [("To", &found), ("ParentCallSid", children)] {
            Mock::given(matchers::path(account("/Calls.json")))
                .and(move |request: &wiremock::Request| {
                    request.url.query_pairs().any(|(name, _)| name == query)
                })
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"calls": legs})))
                .mount(&server)
                .await;
        }
        let done = twilio.poll_call(&cx(), &call("")).await;
        let sid = done.map(|done| done.map(|status| status.provider_call_id));
        let expected = expected.map(|sid| sid.map(str::to_owned));
        assert_eq!(sid.map_err(|error| error.kind()), expected, "{found}");
        let first = &server.received_requests().await.unwrap()[0];
        let asked: Vec<_> = first.url.query_pairs().into_owned().collect();
        let query = [("To", "client:anna"), ("From", "+14155550199"), ("PageSize", "100")];
        assert_eq!(asked, pairs(&query));
    }
}

#[tokio::test]
async fn a_call_that_may_still_arrive_is_not_called_unknown() {
    let (server, twilio) = twilio().await;
    answers(&server, "GET", &account("/Calls.json"), 200, &json!({"calls": []}), 2).await;
    let start_time = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW - 14);
    let young = CallRef { start_time, ..call("") };
    let error = twilio.poll_call(&cx(), &young).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Conflict, Effect::None));
    assert!(twilio.end_call(&cx(), &young).await.is_err(), "it may ring in a moment");
}

#[tokio::test]
async fn the_other_party_is_handed_on() {
    let mut inbound = leg(LEG, "in-progress");
    inbound["parent_call_sid"] = json!(OTHER);
    let mut customers = leg(LEG, "in-progress");
    customers["to"] = json!("+14155550199");
    let mut softphones = customers.clone();
    softphones["from"] = json!("client:anna");
    let there = json!([{"sid": OTHER, "status": "busy"}, {"sid": CHILD, "status": "in-progress"}]);
    let rings = json!([{"sid": CHILD, "status": "ringing"}]);
    let cases = [
        (leg(LEG, "in-progress"), &there, Some(CHILD)),
        (softphones, &there, Some(CHILD)),
        (inbound, &there, Some(OTHER)),
        (customers, &there, Some(LEG)),
        (leg(LEG, "in-progress"), &rings, None),
    ];
    for (leg, children, moved) in cases {
        let (server, twilio) = twilio().await;
        answers(&server, "GET", &leg_path(LEG), 200, &leg, 1).await;
        let legs = json!({"calls": children});
        answers(&server, "GET", &account("/Calls.json"), 200, &legs, 0..=1).await;
        for sid in [LEG, CHILD, OTHER] {
            let times = u64::from(Some(sid) == moved);
            answers(&server, "POST", &leg_path(sid), 200, &leg, times).await;
        }
        let to: Address = "+14155550122".parse().unwrap();
        let done = twilio.transfer(&cx(), &call(LEG), Transfer { to, blind: true }).await;
        match moved {
            Some(_) => {
                done.unwrap();
                let twiml = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial callerId="+14155550199"><Number>+14155550122</Number></Dial></Response>"#;
                assert_eq!(last_form(&server).await, pairs(&[("Twiml", twiml)]));
            }
            None => assert_eq!(done.unwrap_err().kind(), ErrorKind::Conflict),
        }
    }
}

#[tokio::test]
async fn what_is_not_offered_is_unsupported() {
    let twilio = twilio_of("http://127.0.0.1:9", config());
    let to: Address = "+14155550122".parse().unwrap();
    let presence = SetPresence { agent: "anna".to_owned(), presence: crate::Presence::Away };
    let errors = [
        twilio.hold(&cx(), &call(LEG), true).await.unwrap_err(),
        twilio.transfer(&cx(), &call(LEG), Transfer { to, blind: false }).await.unwrap_err(),
        twilio.set_presence(&cx(), presence).await.unwrap_err(),
        twilio.events(&cx()).await.err().unwrap(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unsupported, Effect::None));
    }
}
