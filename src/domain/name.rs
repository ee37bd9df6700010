//! Names and ids. All of them compare, order and hash without ASCII case, and keep the spelling
//! in which they were first given (SPEC §2.2, §3.2, §3.4).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest unique name, user id and team id, in characters.
pub const MAX_NAME: usize = 128;

/// Prefix of the names that only built-in objects carry (SPEC §2.2 rule 4).
pub const RESERVED_PREFIX: &str = "msdyn";

/// Compares two texts as byte order of their ASCII-lower-cased forms (SPEC §2.2 rule 5).
pub fn cmp_folded(a: &str, b: &str) -> Ordering {
    // Eight bytes at a time; what both spell alike is passed over, as names in order share long heads.
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (words, others) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    for (word, other) in words.iter().zip(others) {
        if word != other {
            let (word, other) =
                (folded(u64::from_be_bytes(*word)), folded(u64::from_be_bytes(*other)));
            if word != other {
                return word.cmp(&other);
            }
        }
    }
    let alike = words.len().min(others.len()) * 8;
    let (word, other) = (first_word(&a[alike..]), first_word(&b[alike..]));
    folded(word).cmp(&folded(other)).then(a.len().cmp(&b.len()))
}

/// Up to eight bytes, the first as the highest; zeros take the place of those that are missing.
fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let count = bytes.len().min(word.len());
    word[..count].copy_from_slice(&bytes[..count]);
    u64::from_be_bytes(word)
}

/// Eight bytes, those of `A` to `Z` in lower case.
fn folded(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = 0x80 * EACH;
    // The high bit of each byte says whether it is at least `A`, and whether it is beyond `Z`. Seven
    // bits and less than 128 never reach the next byte.
    let low = word & !HIGH;
    let (from_a, beyond_z) = (low + (0x80 - 0x41) * EACH, low + (0x80 - 0x5b) * EACH);
    let upper = from_a & !beyond_z & !word & HIGH;
    // `a` is `A` and 0x20.
    word | upper >> 2
}

/// Hashes a text like a name of that spelling.
pub fn hash_folded<H: Hasher>(text: &str, state: &mut H) {
    for part in text.as_bytes().chunks(32) {
        let mut folded = [0; 32];
        let folded = &mut folded[..part.len()];
        folded.copy_from_slice(part);
        folded.make_ascii_lowercase();
        state.write(folded);
    }
    state.write_u8(0xff);
}

/// Reads a name out of a text that need not be copied for it.
struct Parsed<T>(fn(&str) -> Result<T, &'static str>);

impl<T> de::Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(|rule| E::custom(format_args!("{text:?}: {rule}")))
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts a text that keeps the rule of this kind of name; answers the broken rule otherwise.
            pub fn parse(text: &str) -> Result<Self, &'static str> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as it was first spelled.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name in ASCII lower case: the form that keys use.
            pub fn folded(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed(Self::parse))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                // Mostly it is one and the same text.
                Arc::ptr_eq(&self.0, &other.0) || self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) {
                    return Ordering::Equal;
                }
                cmp_folded(&self.0, &other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                hash_folded(&self.0, state);
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

name_type!(
    /// Name of a profile, role or library object: `contoso_rep` (SPEC §2.2).
    UniqueName,
    check_unique_name
);
name_type!(
    /// Id of a user: `john.doe` (SPEC §3.2).
    UserId,
    check_user_id
);
name_type!(
    /// Id of a team: `Contoso desk` (SPEC §3.4).
    TeamId,
    check_team_id
);

impl UniqueName {
    /// Whether the name starts with the prefix of built-in objects, in any case.
    pub fn is_reserved(&self) -> bool {
        self.0
            .get(..RESERVED_PREFIX.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(RESERVED_PREFIX))
    }

    /// A name written in this program's source.
    ///
    /// # Panics
    /// When the text is no unique name: a mistake in the source, found by the tests of its table.
    pub fn known(text: &'static str) -> Self {
        match Self::parse(text) {
            Ok(name) => name,
            Err(rule) => panic!("{text}: {rule}"),
        }
    }
}

fn check_unique_name(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_NAME {
        return Err("must be at most 128 characters");
    }
    let Some((prefix, rest)) = text.split_once('_') else {
        return Err(
            "must be a prefix of 3 to 8 letters or digits, an underscore and a name, as in `contoso_rep`",
        );
    };
    if !(3..=8).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(
            "must start with a prefix of 3 to 8 ASCII letters or digits before the first underscore",
        );
    }
    if rest.is_empty() || rest.len() > 124 {
        return Err("must have 1 to 124 characters after the first underscore");
    }
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err("may hold only ASCII letters, digits and underscores after the prefix");
    }
    Ok(())
}

fn check_user_id(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err("must be 1 to 128 characters");
    }
    if !text.as_bytes()[0].is_ascii_alphanumeric() {
        return Err("must start with an ASCII letter or digit");
    }
    // Separators of resource names, of `host:port`, of addresses in mail headers and of lists. In this
    // form it is one look at a bit set for each byte, in what every ResolveProfile passes.
    let separates =
        |b| matches!(b, b'/' | b':' | b'"' | b'<' | b'>' | b',' | b';' | b'(' | b')' | b'[' | b']');
    if !text.bytes().all(|b| b.is_ascii_graphic() && !separates(b)) {
        return Err(
            r#"may hold only printable ASCII characters, no blank and none of / : " < > , ; ( ) [ ]"#,
        );
    }
    Ok(())
}

fn check_team_id(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.chars().count() > MAX_NAME {
        return Err("must be 1 to 128 characters");
    }
    if text.chars().any(|c| c == '/' || c.is_control()) {
        return Err("may hold only printable characters other than `/`");
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err("must neither start nor end with a blank");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unique_names_keep_the_rule_of_their_form() {
        let long = format!("contoso_{}", "x".repeat(120));
        for good in ["abc_x", "Contoso_Rep_2", "a1234567_0", "con_a__b", long.as_str()] {
            assert!(UniqueName::parse(good).is_ok(), "{good}");
        }
        let over = format!("abc_{}", "x".repeat(125));
        for bad in [
            "",
            "_",
            "ab_short",
            "noprefix",
            "waytoolong_x",
            "con-t_x",
            "contoso_",
            "contoso_a b",
            " contoso_x",
            "contoso_\u{fc}ber",
            "contoso_x\n",
            "abc_x\u{202e}",
            over.as_str(),
        ] {
            assert!(UniqueName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_ignore_case_and_keep_their_spelling() {
        let (a, b) = (UniqueName::known("Contoso_Rep"), UniqueName::known("contoso_REP"));
        assert_eq!(a, b);
        assert_eq!(a.as_str(), "Contoso_Rep");
        assert_eq!(a.folded(), b.folded());
    }

    #[test]
    fn order_is_digit_underscore_letter() {
        let sorted = ["abc_a", "abc_A1", "abc_a_", "abc_aB"].map(|s| UniqueName::parse(s).unwrap());
        assert!(sorted.windows(2).all(|w| w[0] < w[1]), "{sorted:?}");
    }

    proptest! {
        #[test]
        fn comparison_is_that_of_the_folded_texts(
            head in "[aB_\u{fc}]{0,20}",
            a in "[aAbBzZ_0@`\\[\\{\u{0}\u{fc}\u{461}]{0,12}",
            b in "[aAbBzZ_0@`\\[\\{\u{0}\u{fc}\u{461}]{0,12}",
            upper in any::<bool>(),
        ) {
            let other = if upper { head.to_ascii_uppercase() } else { head.clone() };
            let (a, b) = (format!("{head}{a}"), format!("{other}{b}"));
            let naive = a.to_ascii_lowercase().into_bytes().cmp(&b.to_ascii_lowercase().into_bytes());
            prop_assert_eq!(cmp_folded(&a, &b), naive);
            if let (Ok(a), Ok(b)) = (TeamId::parse(&a), TeamId::parse(&b)) {
                let hash = |id: &TeamId| {
                    let mut state = std::hash::DefaultHasher::new();
                    id.hash(&mut state);
                    state.finish()
                };
                prop_assert_eq!(a == b, naive.is_eq());
                prop_assert_eq!(hash(&a) == hash(&b), naive.is_eq());
            }
        }
    }

    #[test]
    fn every_byte_of_a_word_is_folded_by_itself() {
        for byte in u8::MIN..=u8::MAX {
            for others in [0x00, 0x41, 0x5a, 0x7f, 0x80, 0xff] {
                for place in 0..8 {
                    let mut bytes = [others; 8];
                    bytes[place] = byte;
                    let expected = bytes.map(|byte| byte.to_ascii_lowercase());
                    assert_eq!(folded(u64::from_be_bytes(bytes)), u64::from_be_bytes(expected));
                }
            }
        }
    }

    #[test]
    fn stored_names_are_read_by_their_rule() {
        let read = serde_json::from_str::<UniqueName>;
        assert_eq!(read(r#""Contoso_Rep""#).unwrap().as_str(), "Contoso_Rep");
        assert_eq!(read(r#""contoso_\u0072ep""#).unwrap().as_str(), "contoso_rep");
        assert_eq!(serde_json::to_string(&UniqueName::known("abc_X")).unwrap(), r#""abc_X""#);
        for bad in ["7", "null", r#""noprefix""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let error = read(r#""noprefix""#).unwrap_err().to_string();
        assert!(error.starts_with(r#""noprefix": must be"#), "{error}");
    }

    #[test]
    fn reserved_prefix_is_seen_in_any_case() {
        assert!(UniqueName::known("MSDYN_mine").is_reserved());
        assert!(UniqueName::known("msdynx_mine").is_reserved());
        assert!(!UniqueName::known("case_entity_session_default_template").is_reserved());
    }

    #[test]
    fn ids_of_users_and_teams() {
        for good in [
            "john.doe",
            "a",
            "0@x+y-z_",
            "J.D@contoso.com",
            "o'brien@contoso.example",
            "kim_fabrikam.example#EXT#@contoso.example",
            "auth0|64a1b2",
            r"CONTOSO\kim",
            "100%",
            "1!#$%&'*+-.=?@\\^_`{|}~",
            "5b1f3c0e-8d0a-4f6e-9d59-0b9e3f6f4f11",
        ] {
            assert!(UserId::parse(good).is_ok(), "{good}");
        }
        assert!(UserId::parse(&"#".repeat(127).replacen('#', "a#", 1)).is_ok());
        for bad in ["", ".a", "#a", "'a", "\u{fc}", "a\u{fc}", "a\0", "a\x7f", "a\n"] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
        }
        for c in " /:\"<>,;()[]".chars() {
            assert!(UserId::parse(&format!("a{c}b")).is_err(), "{c:?}");
        }
        assert!(UserId::parse(&"a".repeat(129)).is_err());
        assert_eq!(UserId::parse("Auth0|A"), UserId::parse("auth0|a"));
        for good in ["Contoso desk", "\u{fc}ber", "a"] {
            assert!(TeamId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a/b", "a\u{7}"] {
            assert!(TeamId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
