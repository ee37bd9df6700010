//! Sealing: a secret under a key of its own, that key under one of the ring.
//!
//! XChaCha20-Poly1305 with a random nonce in front. What a text belongs to is part of what is
//! authenticated: the secret to its provider and name, the key to the id of the ring's key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use zeroize::Zeroizing;

use super::{
    cause::Cause,
    key::{Key, fresh},
};
use crate::domain::secret::Sealed;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// What is authenticated beside a secret: whose it is and which.
pub(super) fn place(provider: &str, name: &str) -> Vec<u8> {
    [provider.to_ascii_lowercase().as_bytes(), b"\0", name.as_bytes()].concat()
}

/// Seals a secret with a new key of its own.
pub(super) fn seal(ring: &Key, place: &[u8], plain: &str) -> Result<Sealed, Cause> {
    let own = fresh()?;
    let data = encrypt(&own, place, plain.as_bytes())?;
    Ok(Sealed { key: ring.id.clone(), wrapped: wrap(ring, &own)?, data: STANDARD.encode(data) })
}

/// Opens a secret.
pub(super) fn open(ring: &Key, place: &[u8], sealed: &Sealed) -> Result<Zeroizing<String>, Cause> {
    let own = unwrap(ring, sealed)?;
    let data = STANDARD.decode(&sealed.data).map_err(|_| Cause::Damaged)?;
    let plain = decrypt(&own, place, &data).ok_or(Cause::Damaged)?;
    let text = std::str::from_utf8(&plain).map_err(|_| Cause::Damaged)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The same secret, its own key under another one of the ring.
pub(super) fn reseal(old: &Key, new: &Key, sealed: &Sealed) -> Result<Sealed, Cause> {
    let own = unwrap(old, sealed)?;
    Ok(Sealed { key: new.id.clone(), wrapped: wrap(new, &own)?, data: sealed.data.clone() })
}

fn wrap(ring: &Key, own: &[u8; 32]) -> Result<String, Cause> {
    encrypt(&ring.bytes, ring.id.as_bytes(), own).map(|wrapped| STANDARD.encode(wrapped))
}

fn unwrap(ring: &Key, sealed: &Sealed) -> Result<Zeroizing<[u8; 32]>, Cause> {
    let wrong = || Cause::WrongKey(ring.id.clone());
    let wrapped = STANDARD.decode(&sealed.wrapped).map_err(|_| wrong())?;
    let own = decrypt(&ring.bytes, sealed.key.as_bytes(), &wrapped).ok_or_else(wrong)?;
    own.as_slice().try_into().map(Zeroizing::new).map_err(|_| wrong())
}

fn encrypt(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Result<Vec<u8>, Cause> {
    let nonce = XNonce::try_generate().map_err(|_| Cause::NoRandomness)?;
    let cipher = XChaCha20Poly1305::new(key.into());
    // Only a text beyond 256 GiB fails.
    let text = cipher.encrypt(&nonce, Payload { msg, aad }).map_err(|_| Cause::Damaged)?;
    Ok([nonce.as_slice(), &text].concat())
}

pub(super) fn decrypt(key: &[u8; 32], aad: &[u8], text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = text.split_at_checked(NONCE)?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let nonce = XNonce::try_from(nonce).ok()?;
    cipher.decrypt(&nonce, Payload { msg, aad }).ok().map(Zeroizing::new)
}
