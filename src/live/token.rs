//! Resume tokens (SPEC §10.2): what a client holds, in its own hands.
//!
//! A token is text: version, store, incarnation, revision, schema version, digest, app, user and a
//! checksum, in base64url. It grants nothing, so a checksum is all the protection it needs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Reset, StoreId};
use crate::{
    content::SCHEMA_VERSION,
    domain::{App, UserId},
};

/// Most bytes of a token.
pub const MAX_TOKEN: usize = 512;

const VERSION: &str = "1";
/// Fields of a token apart from its checksum.
const FIELDS: usize = 8;

/// What a token is bound to beside the content that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Binding<'a> {
    pub(super) store: &'a StoreId,
    pub(super) user: &'a UserId,
    pub(super) app: App,
}

impl Binding<'_> {
    /// The token of a client that holds the content of that digest as of that revision.
    pub(super) fn issue(&self, revision: i64, digest: &str) -> String {
        let StoreId { store, incarnation } = self.store;
        let (app, user) = (self.app.as_str(), self.user.folded());
        let body = format!(
            "{VERSION}|{}|{}|{revision}|{SCHEMA_VERSION}|{digest}|{app}|{user}",
            store.simple(),
            incarnation.simple(),
        );
        URL_SAFE_NO_PAD.encode(format!("{body}|{}", checksum(&body)))
    }

    /// The digest that a sent token stands for, or why it cannot be used.
    pub(super) fn read(&self, token: &str, newest: i64) -> Result<String, Reset> {
        let text = decode(token, VERSION).ok_or(Reset::TokenInvalid)?;
        // The user comes last and takes the rest: ids may hold the separator, nothing else does.
        let fields: Vec<_> = text.splitn(FIELDS, '|').collect();
        let [_, store, incarnation, revision, schema, digest, app, user] = fields[..] else {
            return Err(Reset::TokenInvalid);
        };
        let revision: i64 = revision.parse().map_err(|_| Reset::TokenInvalid)?;
        if app != self.app.as_str() || user != self.user.folded() {
            Err(Reset::TokenOtherSubject)
        } else if !same(store, self.store.store) {
            Err(Reset::ForeignStore)
        } else if !same(incarnation, self.store.incarnation) || revision > newest {
            Err(Reset::StoreRestored)
        } else if schema != SCHEMA_VERSION.to_string() {
            Err(Reset::SchemaChanged)
        } else {
            Ok(digest.to_owned())
        }
    }
}

/// A place in the stream of transactions: behind a revision of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeToken;

/// Why a token of a stream of transactions cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// Damaged or made up.
    Invalid,
    /// Of another store, or of this one before it was restored.
    Foreign,
}

/// Version of the tokens of transactions; no token of a profile has it.
const CHANGES: &str = "c1";

impl ChangeToken {
    /// The text of the token of a client that has everything up to a revision.
    pub fn issue(StoreId { store, incarnation }: &StoreId, revision: i64) -> String {
        let body = format!("{CHANGES}|{}|{}|{revision}", store.simple(), incarnation.simple());
        URL_SAFE_NO_PAD.encode(format!("{body}|{}", checksum(&body)))
    }

    /// The revision behind which a client goes on.
    ///
    /// # Errors
    /// When the text is no such token, or one of another store.
    pub fn read(id: &StoreId, token: &str) -> Result<i64, TokenError> {
        let text = decode(token, CHANGES).ok_or(TokenError::Invalid)?;
        let fields: Vec<_> = text.split('|').collect();
        let [_, store, incarnation, revision] = fields[..] else {
            return Err(TokenError::Invalid);
        };
        let revision: i64 = revision.parse().map_err(|_| TokenError::Invalid)?;
        match same(store, id.store) && same(incarnation, id.incarnation) {
            true => Ok(revision),
            false => Err(TokenError::Foreign),
        }
    }
}

fn same(text: &str, id: Uuid) -> bool {
    text == id.simple().to_string()
}

/// The text of a whole token of this version, without its checksum.
fn decode(token: &str, version: &str) -> Option<String> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (body, sum) = text.rsplit_once('|')?;
    let whole = sum == checksum(body) && body.split('|').next() == Some(version);
    whole.then(|| body.to_owned())
}

fn checksum(body: &str) -> String {
    Sha256::digest(body).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_2_a_token_is_bound_to_everything_that_it_names() {
        let store = StoreId { store: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) };
        let user = UserId::parse("Ann").unwrap();
        let binding = Binding { store: &store, user: &user, app: App::Workspace };
        let digest = format!("d1:{}", "0".repeat(64));
        let token = binding.issue(7, &digest);
        let same_user = UserId::parse("ann").unwrap();
        let folded = Binding { user: &same_user, ..binding.clone() };
        assert_eq!(folded.read(&token, 7), Ok(digest));
        assert_eq!(binding.read(&token, 6), Err(Reset::StoreRestored));
        let other = Binding { app: App::Omnichannel, ..binding.clone() };
        assert_eq!(other.read(&token, 7), Err(Reset::TokenOtherSubject));
        let bob = UserId::parse("bob").unwrap();
        let other = Binding { user: &bob, ..binding.clone() };
        assert_eq!(other.read(&token, 7), Err(Reset::TokenOtherSubject));
        let foreign = StoreId { store: Uuid::from_u128(3), ..store };
        let other = Binding { store: &foreign, ..binding.clone() };
        assert_eq!(other.read(&token, 7), Err(Reset::ForeignStore));
        let restored = StoreId { incarnation: Uuid::from_u128(3), ..store };
        let other = Binding { store: &restored, ..binding.clone() };
        assert_eq!(other.read(&token, 7), Err(Reset::StoreRestored));
    }

    #[test]
    fn s11_2_a_token_of_transactions_is_bound_to_its_store() {
        let store = StoreId { store: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) };
        let token = ChangeToken::issue(&store, i64::MAX);
        assert!(token.len() <= MAX_TOKEN);
        assert_eq!(ChangeToken::read(&store, &token), Ok(i64::MAX));
        for other in [
            StoreId { store: Uuid::from_u128(3), ..store },
            StoreId { incarnation: Uuid::from_u128(3), ..store },
        ] {
            assert_eq!(ChangeToken::read(&other, &token), Err(TokenError::Foreign));
        }
        let ann = UserId::parse("ann").unwrap();
        let profile = Binding { store: &store, user: &ann, app: App::Workspace };
        for bad in ["", "x", &token[1..], &profile.issue(7, "d1:0")] {
            assert_eq!(ChangeToken::read(&store, bad), Err(TokenError::Invalid), "{bad}");
        }
        assert_eq!(profile.read(&token, 7), Err(Reset::TokenInvalid));
    }

    #[test]
    fn p10_2_ids_that_hold_the_separator_are_told_apart() {
        let store = StoreId { store: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) };
        let ids = ["auth0", "auth0|64a1b2", "auth0|64a1b2|", "auth0|", "auth0||64a1b2", "64a1b2"];
        let ids = ids.map(|id| UserId::parse(id).unwrap());
        let binding = |user| Binding { store: &store, user, app: App::Unspecified };
        for holder in &ids {
            let token = binding(holder).issue(7, "d1:0");
            for user in &ids {
                let expected = match user == holder {
                    true => Ok("d1:0".to_owned()),
                    false => Err(Reset::TokenOtherSubject),
                };
                assert_eq!(binding(user).read(&token, 7), expected, "{holder} {user}");
            }
        }
    }

    #[test]
    fn p10_2_a_damaged_token_is_invalid_and_the_longest_is_short_enough() {
        let store = StoreId { store: Uuid::max(), incarnation: Uuid::max() };
        let user = UserId::parse(&"u".repeat(128)).unwrap();
        let binding = Binding { store: &store, user: &user, app: App::ContactCenterWorkspace };
        let token = binding.issue(i64::MAX, &format!("d1:{}", "f".repeat(64)));
        assert!(token.len() <= MAX_TOKEN, "{}", token.len());
        for at in 0..token.len() {
            let mut damaged = token.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(binding.read(&damaged, i64::MAX), Err(Reset::TokenInvalid), "{at}");
        }
        for made_up in ["", "x", "\u{fc}", &"A".repeat(513), &token[..40]] {
            assert_eq!(binding.read(made_up, i64::MAX), Err(Reset::TokenInvalid), "{made_up}");
        }
    }

    #[test]
    fn p10_2_a_token_of_another_schema_asks_for_a_reset() {
        let store = StoreId { store: Uuid::nil(), incarnation: Uuid::nil() };
        let user = UserId::parse("ann").unwrap();
        let binding = Binding { store: &store, user: &user, app: App::Unspecified };
        let nil = Uuid::nil().simple();
        let body = format!("1|{nil}|{nil}|3|0|d1:x||ann");
        let token = URL_SAFE_NO_PAD.encode(format!("{body}|{}", checksum(&body)));
        assert_eq!(binding.read(&token, 3), Err(Reset::SchemaChanged));
    }
}
