//! What `apply --prune` deletes when no document describes it.

use std::convert::Infallible;

use serde_json::json;

use crate::cli::{
    Client, Error, Result,
    kind::Kind,
    output::{cell, messages},
};

/// Field that names what can be pruned.
pub(super) const UNIQUE_NAME: &str = "unique_name";
/// What stands before the name of a bundle.
const BUNDLE: &str = "bundle:";

/// By what resources belong to the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Prune {
    /// Custom ones, by their `owner`.
    Owner(String),
    /// Managed ones, by the bundle that brought them.
    Bundle(String),
}

impl Prune {
    /// Reads the value of the flag.
    pub(super) fn read(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text.strip_prefix(BUNDLE) {
            Some(bundle) => Self::Bundle(bundle.to_owned()),
            None => Self::Owner(text.to_owned()),
        })
    }

    /// The filter that finds them.
    pub(super) fn filter(&self) -> Result<String> {
        let (what, text) = match self {
            Self::Owner(owner) => ("owner", owner),
            Self::Bundle(bundle) => ("bundle", bundle),
        };
        if text.is_empty() || text.contains(['"', '\\']) {
            return Err(Error::Usage(format!("--prune: `{text}` is no {what} to look for")));
        }
        let origin = match self {
            Self::Owner(_) => "CUSTOM",
            Self::Bundle(_) => "MANAGED",
        };
        Ok(format!("{what} = \"{text}\" AND origin = \"{origin}\""))
    }
}

/// The unique names of the resources of a kind that a filter finds.
pub(super) async fn found(client: &Client, kind: &Kind, filter: &str) -> Result<Vec<String>> {
    let Some((method, field)) = &kind.list else { return Ok(Vec::new()) };
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = json!({ "filter": filter, "page_size": 1000, "page_token": token });
        let page = client.call(&kind.service, method, request).await?;
        found.extend(messages(&page, field).iter().map(|row| cell(row, UNIQUE_NAME)));
        token = cell(&page, "next_page_token");
        if token.is_empty() {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_a_prefix_and_an_owner_has_none() {
        for (text, filter) in [
            ("gitops", Some("owner = \"gitops\" AND origin = \"CUSTOM\"")),
            ("team a", Some("owner = \"team a\" AND origin = \"CUSTOM\"")),
            ("bundle:contoso_pack", Some("bundle = \"contoso_pack\" AND origin = \"MANAGED\"")),
            ("bundle", Some("owner = \"bundle\" AND origin = \"CUSTOM\"")),
            ("", None),
            ("bundle:", None),
            ("a\"b", None),
            ("bundle:a\\b", None),
        ] {
            let Ok(prune) = Prune::read(text);
            assert_eq!(prune.filter().ok().as_deref(), filter, "{text}");
        }
    }
}
