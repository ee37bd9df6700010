use std::collections::BTreeSet;

use crate::{Adapter, CheckOutcome, ErrorKind, ExposeSecret as _, Presence};

use super::*;

#[test]
fn all_mistakes_of_a_configuration_are_named_at_once() {
    let adapter = Adapter::of::<Twilio>();
    let wrong = json!({
        "account_sid": "AC0123",
        "api_key_sid": ACCOUNT,
        "twiml_app_sid": "APzz112233445566778899aabbccddeeff",
        "caller_id": "4155550199",
        "region": "IE1",
        "edge": "dublin.",
        "base_url": "ftp://api.example.com",
        "taskrouter_base_url": "https://user:pw@example.com/",
        "workspace_sid": "WS1",
        "workers": {"anna": "WK1"},
        "agent_identity": "agent-{agent}{agent}",
        "shared_key_sid": "",
    });
    let violations = adapter.capabilities(&wrong.to_string()).unwrap_err();
    let paths: Vec<_> = violations.iter().map(|violation| violation.path.as_str()).collect();
    let expected = [
        "account_sid",
        "activities",
        "agent_identity",
        "api_key_sid",
        "base_url",
        "caller_id",
        "edge",
        "region",
        "shared_key_sid",
        "taskrouter_base_url",
        "twiml_app_sid",
        "workers.anna",
        "workspace_sid",
    ];
    assert_eq!(paths, expected);

    for (name, value) in [
        ("activities", json!({"AVAILABLE": ACTIVE})),
        ("workers", json!({"anna": WORKER})),
        ("api_key_secret", json!("a secret is no configuration")),
        ("activities", json!({"SLEEPING": ACTIVE})),
    ] {
        let mut config = config();
        config[name] = value;
        assert!(adapter.capabilities(&config.to_string()).is_err(), "{name}");
    }
    let mut unmapped = with_workspace();
    unmapped["activities"]["BUSY"] = json!("WA1");
    let violations = adapter.capabilities(&unmapped.to_string()).unwrap_err();
    assert_eq!(violations[0].path, "activities.BUSY");
    assert_eq!(adapter.capabilities("{}").unwrap_err().len(), 3, "what must be there");
}

#[test]
fn presence_is_offered_where_it_is_configured_and_hold_never() {
    let adapter = Adapter::of::<Twilio>();
    let plain = adapter.capabilities(&config().to_string()).unwrap();
    let expected = OFFERS.iter().filter(|c| **c != Capability::PresenceSync);
    assert_eq!(plain, expected.copied().collect());
    let more = adapter.capabilities(&with_workspace().to_string()).unwrap();
    assert!(more.contains(&Capability::PresenceSync) && !more.contains(&Capability::Hold));
}

#[test]
fn hosts_follow_edge_and_region() {
    for (edge, region, host) in [
        (None, None, "https://api.twilio.com"),
        (None, Some("ie1"), "https://api.ie1.twilio.com"),
        (Some("dublin"), None, "https://api.dublin.us1.twilio.com"),
        (Some("dublin"), Some("ie1"), "https://api.dublin.ie1.twilio.com"),
    ] {
        let mut config = config();
        config["edge"] = json!(edge);
        config["region"] = json!(region);
        let config: Config = serde_json::from_value(config).unwrap();
        assert_eq!(config.host("api", config.base_url.as_ref()), host);
    }
}

#[test]
fn identities_of_softphones_lead_back_to_users() {
    let mut config: Config = serde_json::from_value(config()).unwrap();
    for (agent, identity) in [
        ("anna", "anna"),
        ("kim.lee", "kim_2Elee"),
        ("kim_lee", "kim_5Flee"),
        ("a\"b c", "a_22b_20c"),
        ("jörg", "j_C3_B6rg"),
        ("kim_f.example#EXT#@c.example", "kim_5Ff_2Eexample_23EXT_23_40c_2Eexample"),
        ("auth0|64a1", "auth0_7C64a1"),
        (r"CONTOSO\kim", "CONTOSO_5Ckim"),
        ("o'brien", "o_27brien"),
        ("a%41", "a_2541"),
        ("a_2541", "a_5F2541"),
    ] {
        assert_eq!(config.identity(agent).unwrap(), identity);
        assert_eq!(config.agent(&format!("client:{identity}")).as_deref(), Some(agent));
    }
    let every = (' '..='~').map(|c| config.identity(&format!("a{c}41")).unwrap());
    assert_eq!(every.collect::<BTreeSet<_>>().len(), 95, "no two users share a softphone");
    config.agent_identity = "desk_{agent}_a".to_owned();
    assert_eq!(config.identity("kim").unwrap(), "desk_kim_a");
    assert_eq!(config.agent("client:desk_kim_a").as_deref(), Some("kim"));
    for party in ["client:kim", "client:desk__a", "+14155550100", "client:desk_k_2_a", "desk_kim_a"]
    {
        assert_eq!(config.agent(party), None, "{party}");
    }
    assert!(config.identity("").is_err() && config.identity(&"a".repeat(122)).is_err());
}

#[test]
fn a_token_lives_as_long_as_twilio_allows() {
    let mut config = config();
    config["region"] = json!("ie1");
    config["edge"] = json!("dublin");
    let twilio = twilio_at(NOW, config, &[(API_KEY_SECRET, "key-secret-1f2e3d")]);
    let mint = |ttl| twilio.mint(&MintToken { agent: "anna".to_owned(), ttl });
    for (ttl, seconds) in
        [(None, 3600), (Some(1000), 1), (Some(1999), 1), (Some(86_400_000), 86_400)]
    {
        let token = mint(ttl.map(Duration::from_millis)).unwrap();
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + seconds);
        assert_eq!(token.expire_time, expected, "{ttl:?}");
    }
    // The last is a life in milliseconds, taken for one in seconds.
    for millis in [0, 999, 86_400_001, 3_600_000 * 1000] {
        let error = mint(Some(Duration::from_millis(millis))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{millis} ms");
    }
    let token = mint(None).unwrap();
    let given: Vec<_> = token.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(given, [("edge", "dublin"), ("identity", "anna"), ("region", "ie1")]);
    let key = Secret::from("key-secret-1f2e3d".to_owned());
    let (header, claims) = vectors::decoded(token.token.expose_secret(), &key).unwrap();
    let expected = json!({"typ": "JWT", "alg": "HS256", "cty": "twilio-fpa;v=1", "twr": "ie1"});
    assert_eq!(header, expected);
    assert_eq!(claims["grants"]["voice"]["outgoing"]["application_sid"], APP);
    assert!(mint_for(&twilio, "").is_err(), "nobody signs in without an identity");
    assert!(!format!("{token:?} {twilio:?}").contains("key-secret"));
}

fn mint_for(twilio: &Twilio, agent: &str) -> Result<ClientToken> {
    twilio.mint(&MintToken { agent: agent.to_owned(), ttl: None })
}

#[tokio::test]
async fn a_check_says_what_is_not_in_order() {
    let activities = json!({"activities": [{"sid": ACTIVE}, {"sid": AWAY}]});
    let few = json!({"activities": [{"sid": ACTIVE}]});
    let none = json!({"code": 20404, "message": "not found", "status": 404});
    let stranger = json!({"code": 20003, "message": "Authenticate", "status": 401});
    let app = json!({"voice_url": HOOK});
    let active = json!({"status": "active"});
    let ok = CheckOutcome::Ok;
    let failed = CheckOutcome::Failed;
    let cases = [
        ((200, &active), (200, &app), &activities, [ok, ok, ok]),
        ((200, &active), (404, &none), &activities, [ok, failed(ErrorKind::InvalidConfig), ok]),
        ((200, &active), (200, &app), &few, [ok, ok, failed(ErrorKind::InvalidConfig)]),
        (
            (200, &json!({"status": "suspended"})),
            (200, &app),
            &activities,
            [failed(ErrorKind::PermissionDenied), CheckOutcome::Skipped, CheckOutcome::Skipped],
        ),
        (
            (401, &stranger),
            (200, &app),
            &activities,
            [failed(ErrorKind::Unauthenticated), CheckOutcome::Skipped, CheckOutcome::Skipped],
        ),
    ];
    for (of_account, of_app, of_space, expected) in cases {
        let (server, twilio) = twilio().await;
        answers(&server, "GET", &account(".json"), of_account.0, of_account.1, 1).await;
        let path = account(&format!("/Applications/{APP}.json"));
        answers(&server, "GET", &path, of_app.0, of_app.1, 0..=1).await;
        let path = format!("/v1/Workspaces/{SPACE}/Activities");
        answers(&server, "GET", &path, 200, of_space, 0..=1).await;
        let checks = twilio.check(&cx()).await;
        let names: Vec<_> = checks.iter().map(|check| check.name.as_ref()).collect();
        assert_eq!(names, ["account", "application", "activities", "webhook"]);
        let outcomes: Vec<_> = checks.iter().map(|check| check.outcome).collect();
        assert_eq!(outcomes, [expected.as_slice(), &[ok]].concat(), "{checks:?}");
    }
}

#[tokio::test]
async fn a_check_compares_urls_as_urls() {
    let this = "the application asks this server what to do";
    let other = "the application asks somebody else what to do with the agent's own calls";
    let nobody = "the application asks nobody what to do with the agent's own calls";
    let spelled = format!("{this}; write its voice URL as {HOOK}, for Twilio signs the text");
    for (url, expected) in [
        (json!(HOOK), this),
        (json!("https://desk.example.com:443/webhooks/contoso_voice"), this),
        (json!("https://Desk.Example.com/webhooks/contoso_voice"), &spelled),
        (json!("HTTPS://desk.example.com/webhooks/contoso%5Fvoice"), &spelled),
        (json!(format!("{HOOK}/")), other),
        (json!("http://desk.example.com/webhooks/contoso_voice"), other),
        (json!("https://desk.example.com/"), other),
        (json!(""), nobody),
        (Value::Null, nobody),
    ] {
        for published in [true, false] {
            let (server, mut twilio) = twilio().await;
            twilio.webhook_url = twilio.webhook_url.filter(|_| published);
            answers(&server, "GET", &account(".json"), 200, &json!({"status": "active"}), 1).await;
            let path = account(&format!("/Applications/{APP}.json"));
            answers(&server, "GET", &path, 200, &json!({"voice_url": url}), 1).await;
            let path = format!("/v1/Workspaces/{SPACE}/Activities");
            answers(&server, "GET", &path, 200, &json!({"activities": []}), 1).await;
            let checks = twilio.check(&cx()).await;
            let detail = if published || expected == nobody { expected } else { other };
            assert_eq!(checks[1].detail, detail, "{url}, published: {published}");
        }
    }
}

#[tokio::test]
async fn presence_becomes_an_activity() {
    let (server, twilio) = twilio().await;
    let path = format!("/v1/Workspaces/{SPACE}/Workers/{WORKER}");
    answers(&server, "POST", &path, 200, &json!({"sid": WORKER}), 3).await;
    let workers = format!("/v1/Workspaces/{SPACE}/Workers");
    let set = |agent: &str, presence| {
        let request = SetPresence { agent: agent.to_owned(), presence };
        let twilio = &twilio;
        async move { twilio.set_presence(&cx(), request).await.map_err(|error| error.kind()) }
    };
    for (presence, activity, reject) in
        [(Presence::Available, ACTIVE, "false"), (Presence::Away, AWAY, "true")]
    {
        set("anna", presence).await.unwrap();
        let expected = pairs(&[("ActivitySid", activity), ("RejectPendingReservations", reject)]);
        assert_eq!(last_form(&server).await, expected);
    }
    assert_eq!(set("anna", Presence::Busy).await, Err(ErrorKind::Unsupported), "not configured");

    let known = json!({"workers": [{"sid": WORKER}]});
    let several = json!({"workers": [{"sid": WORKER}, {"sid": WORKER}]});
    for (found, expected) in [
        (json!({"workers": []}), Err(ErrorKind::NotFound)),
        (several, Err(ErrorKind::Conflict)),
        (known, Ok(())),
    ] {
        let query = matchers::query_param(
            "TargetWorkersExpression",
            r#"contact_uri == "client:kim_2Elee""#,
        );
        let _scope = Mock::given(matchers::path(workers.as_str()))
            .and(query)
            .respond_with(ResponseTemplate::new(200).set_body_json(found))
            .expect(1)
            .mount_as_scoped(&server)
            .await;
        assert_eq!(set("kim.lee", Presence::Away).await, expected);
    }
}
