//! Access tokens: made here, signed with the API key, no request to Twilio.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::{Twilio, config::Config};
use crate::{ClientToken, Error, ErrorKind, ExposeSecret as _, MintToken, Result, Secret};

/// Lifetime unless one is asked for, in seconds.
const DEFAULT_TTL: u64 = 3600;
/// Longest lifetime, in seconds (Twilio's errors 20104, 20157 and 31207).
const MAX_TTL: u64 = 86_400;

impl Twilio {
    /// Makes a token for an agent's softphone.
    pub(super) fn mint(&self, request: &MintToken) -> Result<ClientToken> {
        let ttl = request.ttl.map_or(DEFAULT_TTL, |ttl| ttl.as_secs());
        let too_long = request.ttl.is_some_and(|ttl| ttl > Duration::from_secs(MAX_TTL));
        if ttl == 0 || too_long {
            let message = format!("the ttl must be 1 to {MAX_TTL} s");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let identity = self.config.identity(&request.agent)?;
        let now = self.clock.unix();
        let token = sign(&self.config, &self.token_key, &identity, now, now + ttl)?;
        let expire_time = SystemTime::UNIX_EPOCH + Duration::from_secs(now + ttl);
        let given = [
            ("identity", Some(identity)),
            ("region", self.config.region.clone()),
            ("edge", self.config.edge.clone()),
        ];
        let parameters =
            given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Ok(ClientToken { token, expire_time, parameters })
    }
}

/// A signed token for an identity, valid between two times (seconds since 1970).
pub(super) fn sign(
    config: &Config,
    key: &Secret,
    identity: &str,
    from: u64,
    until: u64,
) -> Result<Secret> {
    let mut header = Header::new(Algorithm::HS256);
    header.cty = Some("twilio-fpa;v=1".to_owned());
    if let Some(region) = &config.region {
        header.extras.insert("twr", region.clone());
    }
    let mut voice = Map::from_iter([("incoming".to_owned(), json!({"allow": true}))]);
    if let Some(app) = &config.twiml_app_sid {
        voice.insert("outgoing".to_owned(), json!({"application_sid": app}));
    }
    let claims: Value = json!({
        "jti": format!("{}-{from}", config.api_key_sid),
        "iss": config.api_key_sid,
        "sub": config.account_sid,
        "nbf": from,
        "exp": until,
        "grants": {"identity": identity, "voice": voice},
    });
    let key = EncodingKey::from_secret(key.expose_secret().as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &key)
        .map_err(|_| Error::new(ErrorKind::Internal, "the token could not be signed"))?;
    Ok(Secret::from(token))
}
