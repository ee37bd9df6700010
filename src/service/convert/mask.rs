//! Update masks (SPEC §7.1 rule 9).

use crate::domain::{Reason, Violations, check, field::COMMON};

pub(super) use crate::domain::field::Access;

/// The fields of a resource, nested ones by their path, and what a write may do with them.
pub(super) type Fields<'a> = &'a [(&'static str, Access)];

/// What a write may do with a field of that path.
pub(super) fn access(path: &str, fields: Fields<'_>) -> Option<Access> {
    let common = COMMON.iter().map(|info| (info.path, info.access));
    common.chain(fields.iter().copied()).find(|(known, _)| *known == path).map(|(_, access)| access)
}

/// Which fields a write sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) enum Mask {
    /// Those that are present in the request.
    Present,
    /// All mutable ones.
    All,
    /// These.
    Paths(Vec<String>),
}

impl Mask {
    /// Reads a mask and notes what it may not name.
    pub(super) fn read(
        v: &mut Violations,
        mask: Option<&prost_types::FieldMask>,
        fields: Fields<'_>,
    ) -> Self {
        let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        if paths.is_empty() {
            return Self::Present;
        }
        if paths == ["*"] {
            return Self::All;
        }
        for path in paths {
            match access(path, fields) {
                Some(Access::Mutable) => {}
                Some(Access::Immutable) => {
                    v.add(Reason::FieldImmutable, path, "is immutable after creation");
                }
                Some(Access::Action(action)) => {
                    v.add(Reason::FieldImmutable, path, format!("is changed by {action} only"));
                }
                Some(Access::Output) => {
                    v.add(Reason::FieldImmutable, path, "is written by the server only");
                }
                None => {
                    let shown: String = path.chars().take(100).collect();
                    let text = format!("`{shown}` is no field of this resource");
                    v.add(Reason::UnknownField, "update_mask", text);
                }
            }
        }
        Self::Paths(paths.to_vec())
    }

    /// Whether the write sets the field; a message in the mask covers what is in it.
    pub(super) fn sets(&self, path: &str, present: bool) -> bool {
        match self {
            Self::Present => present,
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|named| {
                path.strip_prefix(named.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
        }
    }

    /// The value of a field when the write sets it.
    pub(super) fn pick<T>(&self, path: &str, present: bool, value: T) -> Option<T> {
        self.sets(path, present).then_some(value)
    }

    /// A text of several lines; present unless empty.
    pub(super) fn lines(&self, path: &str, value: &str) -> Option<String> {
        self.sets(path, !value.is_empty()).then(|| check::lines(value))
    }

    /// A text; present unless empty.
    pub(super) fn text(&self, path: &str, value: &str) -> Option<String> {
        self.sets(path, !value.is_empty()).then(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields<'static> = &[
        ("pane", Access::Mutable),
        ("pane.on", Access::Mutable),
        ("rank", Access::Action("SetRankAndRoles")),
    ];

    fn read(paths: &[&str]) -> (Mask, Vec<(Reason, String)>) {
        let mut v = Violations::new();
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let mask = Mask::read(&mut v, Some(&prost_types::FieldMask { paths }), FIELDS);
        let found = v.finish().err().map(|refusal| refusal.violations).unwrap_or_default();
        (mask, found.into_iter().map(|v| (v.reason, v.field)).collect())
    }

    #[test]
    fn a_mask_names_mutable_fields_only() {
        let (_, found) = read(&["display_name", "unique_name", "rank", "uid", "nothing", "*"]);
        let want = [
            (Reason::FieldImmutable, "unique_name"),
            (Reason::FieldImmutable, "rank"),
            (Reason::FieldImmutable, "uid"),
            (Reason::UnknownField, "update_mask"),
            (Reason::UnknownField, "update_mask"),
        ];
        assert_eq!(found, want.map(|(reason, field)| (reason, field.to_owned())));
    }

    #[test]
    fn a_message_covers_its_fields_and_no_mask_takes_what_is_present() {
        let (whole, _) = read(&["pane"]);
        assert!(whole.sets("pane.on", false) && !whole.sets("pane_else", true));
        let (part, _) = read(&["pane.on"]);
        assert!(part.sets("pane.on", false) && !part.sets("pane.mode", true));
        let (none, _) = read(&[]);
        assert!(none.sets("pane", true) && !none.sets("pane", false));
        let (all, _) = read(&["*"]);
        assert!(all.sets("owner", false));
    }
}
