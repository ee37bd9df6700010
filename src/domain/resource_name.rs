//! Resource names, `users/john.doe`, and the bare names and ids that requests take in their place
//! (SPEC §2.5; decision 0008).
//!
//! Behind the slash a name is percent-encoded, as in the path of a URI: `%` and two hexadecimal
//! digits stand for a byte, anything else for itself. A text without a slash is a bare name or id
//! and is taken literally. What a text means depends on the text alone, never on what is stored.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Kind;

/// How a request names an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Collection of a resource name; none of a bare name.
    pub collection: Option<&'a str>,
    /// The unique name or id, decoded; whether it is a legal one is left to its type.
    pub id: Cow<'a, str>,
}

impl<'a> Reference<'a> {
    /// Reads a resource name or a bare name; answers the broken rule of its encoding else.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let Some((collection, encoded)) = text.split_once('/') else {
            return Ok(Self { collection: None, id: Cow::Borrowed(text) });
        };
        // The slash is looked for first: an encoded one is part of the id, and no id may hold it.
        let id = percent_decode_str(encoded)
            .decode_utf8()
            .map_err(|_| "must be UTF-8 behind its percent-encoding; a `%` itself is `%25`")?;
        Ok(Self { collection: Some(collection), id })
    }

    /// The name or id of an object of that kind; answers what would be right else.
    pub fn of_kind(text: &'a str, kind: Kind) -> Result<Cow<'a, str>, String> {
        let reference = Self::parse(text)?;
        match reference.collection {
            Some(other) if other != kind.collection() => {
                Err(format!("must be `{}/…` or a bare name", kind.collection()))
            }
            _ => Ok(reference.id),
        }
    }
}

/// The resource name of an object. Of what a name or id may hold only `%` would be read as
/// something else, so only `%` is written as `%25`.
pub fn resource_name(kind: Kind, id: &str) -> String {
    format!("{}/{}", kind.collection(), id.replace('%', "%25"))
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{TeamId, UserId};

    fn user(text: &str) -> Result<String, String> {
        Reference::of_kind(text, Kind::User).map(Cow::into_owned)
    }

    #[test]
    fn a_bare_id_is_literal_and_a_resource_name_is_decoded() {
        for (text, id) in [
            ("kim#EXT#@contoso.example", "kim#EXT#@contoso.example"),
            ("users/kim#EXT#@contoso.example", "kim#EXT#@contoso.example"),
            ("users/kim%23EXT%23%40contoso.example", "kim#EXT#@contoso.example"),
            ("users/CONTOSO%5ckim", "CONTOSO\\kim"),
            ("users/%6B%69%6D", "kim"),
            ("a%41", "a%41"),
            ("users/a%2541", "a%41"),
            ("users/a%41", "aA"),
            ("users/100%", "100%"),
            ("users/100%25", "100%"),
            ("users/50% more", "50% more"),
            ("users/a%zz%4", "a%zz%4"),
            ("users%2Fkim", "users%2Fkim"),
            ("users/a%2Fb", "a/b"),
            ("users/", ""),
        ] {
            assert_eq!(user(text).as_deref(), Ok(id), "{text}");
        }
        for bad in ["users/%FF", "users/a%C3", "profiles/kim", "Users/kim", "%75sers/kim", "/kim"] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_id_is_found_by_its_resource_name_and_by_any_encoding_of_it(
            id in "[ -.0-~\u{e4}\u{1f600}]{1,40}",
            every in any::<bool>(),
        ) {
            let name = resource_name(Kind::Team, &id);
            let read = Reference::of_kind(&name, Kind::Team);
            prop_assert_eq!(read.as_deref(), Ok(id.as_str()));
            let encoded = match every {
                true => id.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>(),
                false => utf8_percent_encode(&id, NON_ALPHANUMERIC).to_string(),
            };
            let encoded = format!("teams/{encoded}");
            let read = Reference::of_kind(&encoded, Kind::Team);
            prop_assert_eq!(read.as_deref(), Ok(id.as_str()));
        }

        #[test]
        fn two_ids_have_two_resource_names(a in "[a%25F]{1,6}", b in "[a%25F]{1,6}") {
            let same = resource_name(Kind::User, &a) == resource_name(Kind::User, &b);
            prop_assert_eq!(same, a == b);
        }

        #[test]
        fn any_text_is_judged(text in any::<String>(), tail in "[/%0-9a-f]{0,12}") {
            for text in [&text, &format!("users/{tail}"), &format!("teams/{text}")] {
                if let Ok(reference) = Reference::parse(text) {
                    let _ = (UserId::parse(&reference.id), TeamId::parse(&reference.id));
                }
            }
        }
    }
}
