//! L1: signatures and tokens that Twilio's own libraries agree on.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    signature::{Keys, SETTINGS, SIGNATURE},
    token,
};
use crate::{
    ExposeSecret as _, MintToken, Secret, Webhook, WebhookRefused,
    twilio::tests::{config, twilio_at},
    vectors::Case,
};

/// Runs one vector; `None` for a kind that is not ours.
pub(crate) fn run(case: &Case) -> Option<Result<(), String>> {
    match case.kind.as_str() {
        "x-twilio-signature" => Some(signature(case, case.text("auth_token"))),
        "x-twilio-signature-settings" => Some(signature(case, case.text("secret"))),
        "access-token" => Some(access_token(case)),
        _ => None,
    }
}

/// A request as the case describes it is accepted exactly when it should be, and never with any
/// other signature.
fn signature(case: &Case, secret: &str) -> Result<(), String> {
    let secret = || Secret::from(secret.to_owned());
    let keys = Keys::new(secret(), Some(secret()), None);
    let given = case.text("signature");
    let done = judge(case, &keys, given);
    if !case.expect {
        return match done {
            Err(WebhookRefused::BadSignature) => Ok(()),
            other => Err(format!("must be refused for its signature, is {other:?}")),
        };
    }
    done.map_err(|refused| format!("must be accepted: {refused}"))?;
    let mut other = given.as_bytes().to_vec();
    other[0] ^= 1;
    match judge(case, &keys, &String::from_utf8_lossy(&other)) {
        Err(WebhookRefused::BadSignature) => Ok(()),
        other => Err(format!("another signature must be refused, is {other:?}")),
    }
}

fn judge(case: &Case, keys: &Keys, signature: &str) -> Result<(), WebhookRefused> {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
    if !case.text("settings_header").is_empty() {
        headers.insert(SETTINGS, HeaderValue::from_str(case.text("settings_header")).unwrap());
    }
    let (kind, body) = match case.rest["raw_body"].as_str() {
        Some(text) => ("application/json", text.to_owned()),
        None => {
            let pairs = case.rest["params"].as_array().into_iter().flatten();
            let pairs = pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
            let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
            ("application/x-www-form-urlencoded; charset=UTF-8", form)
        }
    };
    headers.insert("content-type", HeaderValue::from_static(kind));
    let body = Bytes::from(body);
    let url = case.text("url");
    keys.verify(&Webhook { method: "POST", url, headers: &headers, body: &body }).map(|_| ())
}

/// A token has the very header and claims; one that may not be made is not made.
fn access_token(case: &Case) -> Result<(), String> {
    let input = &case.rest["input"];
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let number = |name: &str| input[name].as_u64().unwrap_or_default();
    let expected = &case.rest["claims"];
    let mut config = config();
    config["account_sid"] = input["account_sid"].clone();
    config["api_key_sid"] = input["api_key_sid"].clone();
    config["region"] = input["region"].clone();
    let app = expected["grants"]["voice"]["outgoing"]["application_sid"].clone();
    config["twiml_app_sid"] = app;
    let secret = Secret::from(text("api_key_secret").to_owned());
    let (now, ttl) = (number("now"), number("ttl"));
    let twilio = twilio_at(now, config, &[(super::API_KEY_SECRET, secret.expose_secret())]);
    let ttl_asked = Some(std::time::Duration::from_secs(ttl));
    let minted = twilio.mint(&MintToken { agent: text("identity").to_owned(), ttl: ttl_asked });
    if !case.expect {
        return minted.err().map(|_| ()).ok_or_else(|| "must not be made".to_owned());
    }
    minted.map_err(|error| error.to_string())?;
    let made = token::sign(&twilio.config, &secret, text("identity"), now, now + ttl)
        .map_err(|error| error.to_string())?;
    let made = decoded(made.expose_secret(), &secret)?;
    if made != (case.rest["header"].clone(), expected.clone()) {
        return Err(format!("is {made:?}"));
    }
    let theirs = case.text("token");
    if !theirs.is_empty() && decoded(theirs, &secret)? != made {
        return Err("the token of the case has other claims".to_owned());
    }
    Ok(())
}

/// Header and claims of a token that the key signed.
pub(super) fn decoded(token: &str, key: &Secret) -> Result<(Value, Value), String> {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(key.expose_secret().as_bytes());
    let token = jsonwebtoken::decode::<Value>(token, &key, &validation)
        .map_err(|error| error.to_string())?;
    Ok((json!(token.header), token.claims))
}
