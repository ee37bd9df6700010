//! Secrets: what can be used, and neither printed nor compared.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
pub use secrecy::ExposeSecret;

/// A value that cannot be printed, serialised or compared, and that is wiped when dropped.
pub type Secret = secrecy::SecretString;

/// What stands in a text where a secret stood.
const REDACTED: &str = "[redacted]";
/// Shorter values are words that a message may well contain by chance.
const SHORTEST: usize = 4;

/// The secrets of one provider by name.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// The secret of that name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text without any of the secrets: as they are, in base64, and percent-encoded.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.0.values().map(ExposeSecret::expose_secret) {
            let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for form in [secret.to_owned(), STANDARD.encode(secret), encoded] {
                if form.len() >= SHORTEST && clean.contains(&form) {
                    clean = clean.replace(&form, REDACTED);
                }
            }
        }
        clean
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let sealed = |(name, value): (N, V)| (name.into(), Secret::from(value.into()));
        Self(pairs.into_iter().map(sealed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_stays_in_a_text() {
        let secrets: Secrets = [("token", "p&ss wörd"), ("pin", "123")].into_iter().collect();
        let base64 = STANDARD.encode("p&ss wörd");
        for form in ["p&ss wörd", base64.as_str(), "p%26ss+w%C3%B6rd"] {
            let text = format!("user said {form}, twice: {form}");
            assert_eq!(secrets.redact(&text), "user said [redacted], twice: [redacted]");
        }
        assert_eq!(
            secrets.redact("call 123"),
            "call 123",
            "too short to be distinguished from a word"
        );
        assert_eq!(format!("{secrets:?}"), r#"{"pin", "token"}"#);
    }
}
