//! Records of the shapes that writes of many objects make: an import of every kind in one record,
//! rollbacks of some of it, and the removal of a bundle.

use super::*;
use crate::{
    catalog::builtin,
    domain::{Object, Stamp, Time},
    store::{Record, Request},
};

/// Width at which an import takes several MiB.
pub(super) const WIDE: usize = 20_000;

/// What the write of a revision is; the four follow each other again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Every object, each of some width.
    Import,
    /// Some of them again, narrower, with a user.
    Rollback,
    /// Every other one goes.
    Uninstall,
    /// What went comes back.
    Return,
}

/// The record of a revision, of objects that are about so wide.
pub(super) fn record(at: Revision, width: usize) -> Record {
    let (shape, operation, flags) = match at % 4 {
        1 => (Shape::Import, "Import", vec!["on_existing:OVERWRITE", "managed"]),
        2 => (Shape::Rollback, "Rollback", vec!["replace_current", "displace:SHIFT"]),
        3 => (Shape::Uninstall, "UninstallBundle", vec!["force"]),
        _ => (Shape::Return, "Rollback", Vec::new()),
    };
    let objects = builtin::objects(at, Time::from_micros(at)).into_iter().enumerate();
    let changes = objects.filter_map(|(nth, object)| change(shape, nth, object, at, width));
    let mut changes: Vec<_> = changes.collect();
    if shape == Shape::Rollback {
        changes.push(fixtures::put_user("Kendall", at));
    }
    let answer = serde_json::json!({ "revision": at, "objects": changes.len() });
    let request =
        Request { id: uuid::Uuid::from_u128(at as u128), payload: [at as u8; 32], answer };
    Record {
        operation: operation.to_owned(),
        flags: flags.into_iter().map(str::to_owned).collect(),
        reason: format!("{operation} of revision {at}"),
        request: Some(request),
        ..fixtures::record(at, changes)
    }
}

/// What the write does to one of the objects.
fn change(shape: Shape, nth: usize, object: Object, at: Revision, width: usize) -> Option<Change> {
    // The identity that the stamp notes twice makes an object of any kind as wide as is wanted.
    let written = |object: Object, width: usize| {
        let by = "x".repeat(width);
        let stamp = Stamp::new(uuid::Uuid::from_u128(nth as u128), at, Time::from_micros(at), &by);
        Change::Put(object.with_stamp(stamp))
    };
    let other = nth.is_multiple_of(2) && object.kind() != crate::domain::Kind::Settings;
    match shape {
        Shape::Import => Some(written(object, width)),
        Shape::Rollback => nth.is_multiple_of(3).then(|| written(object, width / 4)),
        Shape::Uninstall => other.then(|| Change::Delete(object.key())),
        Shape::Return => other.then(|| written(object, width / 2)),
    }
}

#[test]
fn an_import_is_several_mib_of_many_kinds_in_one_record() {
    let import = record(1, WIDE);
    let kinds: std::collections::BTreeSet<_> =
        import.changes.iter().map(|change| change.key().kind).collect();
    assert!(kinds.len() > 8 && import.changes.len() > 60, "{} of {kinds:?}", import.changes.len());
    let bytes = serde_json::to_vec(&import.changes).unwrap().len();
    assert!((2 << 20..8 << 20).contains(&bytes), "{bytes}");
    assert!(record(2, WIDE).changes.iter().any(|change| matches!(change, Change::Put(_))));
    assert!(record(3, WIDE).changes.iter().all(|change| matches!(change, Change::Delete(_))));
}
