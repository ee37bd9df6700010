//! L3 and L4: a mock made from Twilio's description, and Twilio's libraries as the other side.
//! `.ci/providers/run` installs what these need, and names it in the environment.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use super::*;
use crate::{
    Effect, ErrorKind, ExposeSecret as _, Presence,
    twilio::signature::{self, SETTINGS, SIGNATURE},
};

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"))
}

/// An adapter of today whose requests go to the mocks.
fn mocked() -> Twilio {
    let mut config = with_workspace();
    config["base_url"] = json!(named("DESKPLANE_TWILIO_MOCK"));
    config["taskrouter_base_url"] = json!(named("DESKPLANE_TASKROUTER_MOCK"));
    let setup = Setup { clock: Clock::new(SystemTime::now, Uuid::new_v4), ..setup(NOW, secrets()) };
    Twilio::build(serde_json::from_value(config).unwrap(), setup).unwrap()
}

#[tokio::test]
#[ignore = "needs prism with Twilio's description; .ci/providers/run starts it"]
async fn our_requests_are_legal_to_twilios_description() {
    let twilio = mocked();
    let cx = Context::within(Duration::from_secs(60));
    let started = twilio.start_call(&cx, start()).await.unwrap();
    let sip = "sip:a&b@pbx.example.com".parse().unwrap();
    twilio.start_call(&cx, StartCall { to: sip, ..start() }).await.unwrap();
    let call = call(&started.provider_call_id);
    twilio.poll_call(&cx, &call).await.unwrap().unwrap();
    twilio.end_call(&cx, &call).await.unwrap();
    let look_up = CallRef { provider_call_id: String::new(), ..call.clone() };
    assert_eq!(twilio.poll_call(&cx, &look_up).await, Ok(None), "the example is of another day");
    let to = "+14155550122".parse().unwrap();
    twilio.transfer(&cx, &call, Transfer { to, blind: true }).await.unwrap();
    // What requests of a kind that the examples do not lead to look like.
    for (status, sid) in [("completed", LEG), ("canceled", CHILD)] {
        twilio.finish(sid, status).await.unwrap().unwrap();
    }
    twilio.children(LEG).await.unwrap();
    for (agent, presence) in [("anna", Presence::Available), ("kim.lee", Presence::Away)] {
        let request = SetPresence { agent: agent.to_owned(), presence };
        twilio.set_presence(&cx, request).await.unwrap();
    }
    for check in twilio.check(&cx).await {
        let kind = check.error().map(|error| error.kind());
        // The examples know other activities than our configuration.
        let expected = (check.name == "activities").then_some(ErrorKind::InvalidConfig);
        assert_eq!(kind, expected, "{check:?}");
    }
}

#[tokio::test]
#[ignore = "needs prism with Twilio's description; .ci/providers/run starts it"]
async fn the_mock_refuses_what_twilio_would_refuse() {
    let twilio = mocked();
    let url = twilio.client.account("/Calls.json");
    let from_nobody = [("To", "client:anna"), ("Twiml", twiml::NOTHING)];
    let odd_method = [("To", "client:anna"), ("From", "+1"), ("StatusCallbackMethod", "PAINT")];
    for form in [&from_nobody[..], &odd_method] {
        let refused = twilio.client.post::<Value>(&url, form).await.unwrap_err();
        assert_eq!((refused.kind(), refused.effect()), (ErrorKind::Refused, Effect::None));
        assert!(refused.message().contains("422"), "{refused}");
    }
    let odd =
        format!("{}/v1/Workspaces/{SPACE}/Workers/nobody", named("DESKPLANE_TASKROUTER_MOCK"));
    assert!(twilio.client.post::<Value>(&odd, &[("ActivitySid", ACTIVE)]).await.is_err());
    let network = setup(NOW, secrets()).network;
    let unsigned = network.send(Request::get(&url).body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(unsigned.status.as_u16(), 401, "no credentials");
}

/// A request as both sides write it down.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Signed {
    url: String,
    params: Vec<(String, String)>,
    json: Option<String>,
    signature: String,
    settings: Option<String>,
}

/// What we made for a library to judge.
#[derive(Serialize)]
struct Ours {
    account_sid: &'static str,
    api_key_sid: &'static str,
    application_sid: &'static str,
    identity: String,
    tokens: Vec<String>,
    signed: Vec<Signed>,
    twiml: Vec<(String, String, String)>,
    hosts: Vec<(Option<&'static str>, Option<&'static str>, String)>,
}

/// Parameters that differ in what canonical form and encoding do to them.
fn forms() -> Vec<(String, Vec<(String, String)>)> {
    let plain = pairs(&[("CallSid", LEG), ("CallStatus", "busy"), ("To", "+14155550100")]);
    let odd = pairs(&[("z", ""), ("Caller", "Jörg & Söhne"), ("a b", "x=y&'\"%27"), ("Z", "+ ~")]);
    let urls = [
        hook_with_id(),
        "https://desk.example.com:8443/webhooks/a?x=%20y&z=ü".to_owned(),
        "http://desk.example.com/webhooks/a".to_owned(),
    ];
    urls.into_iter().flat_map(|url| [(url.clone(), plain.clone()), (url, odd.clone())]).collect()
}

fn hook_with_id() -> String {
    format!("{HOOK}?call_id={CALL_ID}")
}

/// Signs as our verifier expects it.
fn sign(url: String, params: Vec<(String, String)>, shared: bool) -> Signed {
    let (algorithm, key, settings) = match shared {
        true => (hmac::HMAC_SHA256, "shared-key-5d6e7f", Some("key=SH1,algorithm=HMAC_SHA256")),
        false => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "auth-token-9a8b7c", None),
    };
    let key = hmac::Key::new(algorithm, key.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, &signature::signed(&url, &params)));
    Signed { url, params, json: None, signature, settings: settings.map(str::to_owned) }
}

fn ours() -> Ours {
    let mut tokens = Vec::new();
    let plain = twilio_of("http://127.0.0.1:9", config());
    for region in [None, Some("ie1")] {
        let mut config = config();
        config["region"] = json!(region);
        let setup =
            Setup { clock: Clock::new(SystemTime::now, Uuid::new_v4), ..setup(NOW, secrets()) };
        let twilio = Twilio::build(serde_json::from_value(config).unwrap(), setup).unwrap();
        let request = MintToken { agent: "kim.lee".to_owned(), ttl: None };
        tokens.push(twilio.mint(&request).unwrap().token.expose_secret().to_owned());
    }
    let dials = ["+14155550100", "sip:a&b'c@pbx.example.com"];
    let twiml = dials.into_iter().map(|to| {
        let text = twiml::dial(&to.parse().unwrap(), "+14155550199", Some(&hook_with_id()));
        (to.to_owned(), hook_with_id(), text)
    });
    let hosts = [(None, None), (None, Some("ie1")), (Some("dublin"), None)];
    let hosts = hosts.into_iter().chain([(Some("dublin"), Some("ie1"))]).map(|(edge, region)| {
        let mut config = config();
        config["edge"] = json!(edge);
        config["region"] = json!(region);
        let config: Config = serde_json::from_value(config).unwrap();
        (edge, region, config.host("api", None))
    });
    let mut signed: Vec<_> =
        forms().into_iter().map(|(url, form)| sign(url, form, false)).collect();
    signed.extend(forms().into_iter().map(|(url, form)| sign(url, form, true)));
    Ours {
        account_sid: ACCOUNT,
        api_key_sid: KEY,
        application_sid: APP,
        identity: plain.config.identity("kim.lee").unwrap(),
        tokens,
        signed,
        twiml: twiml.collect(),
        hosts: hosts.collect(),
    }
}

#[test]
#[ignore = "needs a file to write to; .ci/providers/run names one"]
fn we_make_what_the_libraries_judge() {
    let text = serde_json::to_vec_pretty(&ours()).unwrap();
    std::fs::write(named("DESKPLANE_SDK_OURS"), text).unwrap();
}

#[tokio::test]
#[ignore = "needs requests signed by Twilio's libraries; .ci/providers/run makes them"]
async fn we_accept_what_the_libraries_sign() {
    let text = std::fs::read(named("DESKPLANE_SDK_THEIRS")).unwrap();
    let theirs: Vec<Signed> = serde_json::from_slice(&text).unwrap();
    assert!(theirs.len() >= 6, "{} requests are too few", theirs.len());
    for signed in &theirs {
        assert_eq!(receive(signed).await.map(|_| ()), Ok(()), "{signed:?}");
        let other = Signed { url: format!("{}#", signed.url), ..signed.clone() };
        assert_eq!(receive(&other).await, Err(WebhookRefused::BadSignature), "{other:?}");
    }
    println!("accepted {} requests", theirs.len());
}

async fn receive(signed: &Signed) -> Result<Received, WebhookRefused> {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::from_str(&signed.signature).unwrap());
    if let Some(settings) = &signed.settings {
        headers.insert(SETTINGS, HeaderValue::from_str(settings).unwrap());
    }
    let (kind, body) = match &signed.json {
        Some(text) => ("application/json", text.clone()),
        None => {
            let form = Serializer::new(String::new()).extend_pairs(&signed.params).finish();
            ("application/x-www-form-urlencoded", form)
        }
    };
    headers.insert("content-type", HeaderValue::from_static(kind));
    let (url, body) = (signed.url.as_str(), Bytes::from(body));
    let webhook = Webhook { method: "POST", url, headers: &headers, body: &body };
    twilio_of("http://127.0.0.1:9", config()).receive(&webhook).await
}
