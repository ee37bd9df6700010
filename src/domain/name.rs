//! Names and ids. All of them compare, order and hash without ASCII case, and keep the spelling
//! in which they were first given (SPEC §2.2, §3.2, §3.4).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// Longest unique name, user id and team id, in characters.
pub const MAX_NAME: usize = 128;

/// Prefix of the names that only built-in objects carry (SPEC §2.2 rule 4).
pub const RESERVED_PREFIX: &str = "msdyn";

/// Compares two texts as byte order of their ASCII-lower-cased forms (SPEC §2.2 rule 5).
pub fn cmp_folded(a: &str, b: &str) -> Ordering {
    a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase()))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that keeps the rule of this kind of name; answers the broken rule else.
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

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).map_err(|rule| format!("{text:?}: {rule}"))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
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
                for byte in self.0.bytes() {
                    state.write_u8(byte.to_ascii_lowercase());
                }
                state.write_u8(0xff);
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
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b)) {
        return Err("may hold only ASCII letters, digits and the characters . _ @ + -");
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

    #[test]
    fn reserved_prefix_is_seen_in_any_case() {
        assert!(UniqueName::known("MSDYN_mine").is_reserved());
        assert!(UniqueName::known("msdynx_mine").is_reserved());
        assert!(!UniqueName::known("case_entity_session_default_template").is_reserved());
    }

    #[test]
    fn ids_of_users_and_teams() {
        for good in ["john.doe", "a", "0@x+y-z_", "J.D@contoso.com"] {
            assert!(UserId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "a b", "a/b", "\u{fc}", "a\0"] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["Contoso desk", "\u{fc}ber", "a"] {
            assert!(TeamId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a/b", "a\u{7}"] {
            assert!(TeamId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
