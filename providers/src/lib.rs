//! Voice provider adapters of Deskplane, as data.
//!
//! An adapter is known by its kind. The only kind so far is [`WIDGET`]: the vendor's softphone page
//! does everything by itself, and the server holds neither configuration nor secrets for it.

/// Kind of the adapter that drives nothing.
pub const WIDGET: &str = "widget";

/// What an adapter says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Name by which a provider chooses the adapter; at most 40 characters.
    pub kind: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// Who offers the service; empty when nobody in particular.
    pub vendor: &'static str,
    /// Names of the secrets that it takes, and whether each is required.
    pub secrets: &'static [(&'static str, bool)],
}

/// The adapters that this build has, ascending by kind.
pub const REGISTRY: &[Descriptor] =
    &[Descriptor { kind: WIDGET, title: "Softphone page only", vendor: "", secrets: &[] }];

/// The adapter of that kind.
pub fn find(kind: &str) -> Option<&'static Descriptor> {
    REGISTRY.iter().find(|d| d.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_unique_ascending_and_short() {
        assert!(REGISTRY.windows(2).all(|w| w[0].kind < w[1].kind));
        assert!(REGISTRY.iter().all(|d| !d.kind.is_empty() && d.kind.len() <= 40));
        assert_eq!(find(WIDGET).map(|d| d.kind), Some("widget"));
        assert!(find("Widget").is_none());
    }
}
