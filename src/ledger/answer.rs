//! What a record keeps of the answer to its request, and the answer that a repetition gets from it.
//!
//! Objects that the record puts are named by their place among its changes. The others that an
//! answer shows, those that the write found as they were to be, are kept as they are: they may change
//! later. Format 1 of records kept all of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::write::Outcome;
use crate::{
    command::{Step, Warning, bundle::ImportSummary},
    domain::{Change, Finding, Object, Reason, Refusal, UserId},
    impact::Affected,
    store::Record,
};

/// An answer without what its record says anyway.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown: Vec<Shown>,
    /// The objects, in format 1 of records.
    #[serde(skip_serializing)]
    objects: Vec<Object>,
    #[serde(skip_serializing_if = "is_default")]
    affected: Affected,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_assigned: Vec<UserId>,
    #[serde(skip_serializing_if = "is_default")]
    resealed: i32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<Box<ImportSummary>>,
}

/// Objects of an answer, in order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    /// What these changes of the record put, from the first place to the last.
    Changes(usize, usize),
    /// An object that the record does not change.
    Object(Object),
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a record with these changes keeps of its answer.
pub(super) fn keep(outcome: &Outcome, changes: &[Change]) -> serde_json::Result<Value> {
    let puts = |at: usize, object: &Object| match changes.get(at) {
        Some(Change::Put(put)) => put.is(object),
        _ => false,
    };
    let mut shown = Vec::new();
    // Answers come in the order of the changes, so the next one is the first guess.
    let mut next = 0;
    for object in &outcome.objects {
        let found = if puts(next, object) {
            Some(next)
        } else {
            (0..changes.len()).find(|at| puts(*at, object))
        };
        match (found, shown.last_mut()) {
            (Some(at), Some(Shown::Changes(_, last))) if *last + 1 == at => *last = at,
            (Some(at), _) => shown.push(Shown::Changes(at, at)),
            (None, _) => shown.push(Shown::Object(object.clone())),
        }
        next = found.map_or(next, |at| at + 1);
    }
    serde_json::to_value(Kept {
        shown,
        objects: Vec::new(),
        affected: outcome.affected.clone(),
        warnings: outcome.warnings.clone(),
        findings: outcome.findings.clone(),
        not_assigned: outcome.not_assigned.clone(),
        resealed: outcome.resealed,
        steps: outcome.steps.clone(),
        imported: outcome.imported.clone(),
    })
}

/// The answer that the write of a record was given, from the record alone.
pub(super) fn restore(record: Record) -> Result<Outcome, Refusal> {
    let unreadable = |what: &dyn std::fmt::Display| {
        Refusal::new(Reason::Internal, format!("The stored answer cannot be read: {what}"))
    };
    let answer = record.request.map(|request| request.answer).unwrap_or_default();
    let kept: Kept = serde_json::from_value(answer).map_err(|error| unreadable(&error))?;
    let mut objects = kept.objects;
    for shown in kept.shown {
        match shown {
            Shown::Object(object) => objects.push(object),
            Shown::Changes(first, last) => {
                let part = record.changes.get(first..=last);
                for change in part.ok_or_else(|| unreadable(&"it shows what was not changed"))? {
                    if let Change::Put(object) = change {
                        objects.push(object.clone());
                    }
                }
            }
        }
    }
    Ok(Outcome {
        revision: record.revision,
        // A write that changes nothing has no record.
        changed: true,
        objects,
        affected: kept.affected,
        warnings: kept.warnings,
        findings: kept.findings,
        not_assigned: kept.not_assigned,
        resealed: kept.resealed,
        steps: kept.steps,
        imported: kept.imported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::fixtures;

    fn user(id: &str) -> Object {
        match fixtures::put_user(id, 3) {
            Change::Put(object) => object,
            Change::Delete(_) => unreachable!("a user is put"),
        }
    }

    fn outcome(objects: Vec<Object>) -> Outcome {
        Outcome {
            revision: 3,
            changed: true,
            objects,
            affected: Affected { total_count: 7, ..Affected::default() },
            warnings: Vec::new(),
            findings: Vec::new(),
            not_assigned: vec![UserId::parse("nobody").unwrap()],
            resealed: 2,
            steps: vec![Step { operation: "SetDefault".into(), changed: true, ..Step::default() }],
            imported: None,
        }
    }

    /// The record of a write with that answer, over its stored form.
    fn stored(outcome: &Outcome, changes: Vec<Change>) -> Record {
        let answer = keep(outcome, &changes).unwrap();
        let mut record = fixtures::asked(fixtures::record(3, changes), 9);
        record.request.as_mut().unwrap().answer = answer;
        Record::decode(&record.encode().unwrap()).unwrap()
    }

    #[test]
    fn an_answer_is_restored_from_its_record_in_every_order() {
        let (a, b, c, unchanged) = (user("a"), user("b"), user("c"), user("unchanged"));
        let put = |object: &Object| Change::Put(object.clone());
        let changes = vec![put(&a), fixtures::delete_user("gone"), put(&b), put(&c)];
        for objects in
            [vec![], vec![&a], vec![&c, &a], vec![&b, &c], vec![&unchanged, &b, &c, &unchanged, &a]]
        {
            let first = outcome(objects.into_iter().cloned().collect());
            assert_eq!(restore(stored(&first, changes.clone())).unwrap(), first);
        }
    }

    #[test]
    fn an_answer_that_shows_what_changed_is_kept_in_a_few_bytes() {
        let objects: Vec<_> = (0..1_000).map(|n| user(&format!("user{n}"))).collect();
        let changes: Vec<_> = objects.iter().cloned().map(Change::Put).collect();
        let first = outcome(objects);
        let size = keep(&first, &changes).unwrap().to_string().len();
        assert!(size < 200, "{size} bytes");
        assert_eq!(restore(stored(&first, changes)).unwrap(), first);
    }

    #[test]
    fn an_answer_of_format_1_is_restored_from_itself() {
        let first = outcome(vec![user("jane"), user("john")]);
        let mut record = stored(&first, vec![fixtures::put_user("jane", 3)]);
        record.request.as_mut().unwrap().answer = serde_json::to_value(&first).unwrap();
        assert_eq!(restore(record).unwrap(), first);
    }

    #[test]
    fn an_answer_that_does_not_fit_its_record_is_refused() {
        let jane = user("jane");
        let first = outcome(vec![jane.clone()]);
        let mut record = stored(&first, vec![Change::Put(jane)]);
        record.changes.clear();
        assert_eq!(restore(record).unwrap_err().reason, Reason::Internal);
    }
}
