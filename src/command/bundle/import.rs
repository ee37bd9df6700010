//! The import as one write.

use super::{
    ImportOptions, ImportResult, ImportSummary, MAX_FINDINGS, OnExisting, OnPinnedUrl, adopt,
    defaults,
    incoming::{Incoming, Site},
    ranks,
    refused::Refused,
    roles,
    row::{Fate, Row},
};
use crate::{
    catalog::Catalog,
    command::{Command, Context, Plan},
    domain::{
        Change, Finding, FindingCode, Kind, Object, ObjectKey, Origin, Reason, Refusal, UniqueName,
        profile::Profile,
    },
};

/// Name of the operation in refusals.
const OPERATION: &str = "IMPORT";
/// Writes what a bundle holds, or nothing.
#[derive(Debug)]
pub struct ImportBundle {
    /// Name of the bundle.
    pub bundle: UniqueName,
    /// Its version, 1 to 40 characters.
    pub version: String,
    /// How it is taken over.
    pub options: ImportOptions,
    /// Its objects, each once.
    pub objects: Vec<Box<dyn Incoming>>,
}

impl Command for ImportBundle {
    fn operation(&self) -> &'static str {
        "Import"
    }

    fn flags(&self) -> Vec<&'static str> {
        let set = |(flag, set): (&'static str, bool)| set.then_some(flag);
        self.options.flags().into_iter().filter_map(set).collect()
    }

    fn plan(&self, catalog: &Catalog, context: &Context) -> Result<Plan, Refusal> {
        let mut refused = Refused::default();
        let mut findings = Vec::new();
        let mut rows = self.rows(catalog, &mut refused);
        self.drafts(&mut rows, catalog, context, &mut refused, &mut findings);
        if rows.iter().any(|row| row.fate == Fate::Adopt) {
            refused.origin(adopt::allowed(catalog));
        }
        refused.first()?;

        let options = &self.options;
        roles::assign(&mut rows, catalog, options, &mut refused);
        let lost =
            defaults::assign(&mut rows, catalog, context, options, &mut refused, &mut findings);
        ranks::assign(&mut rows, catalog, options, &mut refused, &mut findings);
        roles::report(&mut rows, &mut findings);

        let staged = staged(catalog, &rows, context);
        for row in rows.iter_mut().filter(|row| row.object.is_some()) {
            row.object = row.incoming.judge(catalog, &staged, &mut refused, &mut findings);
        }
        refused.finish()?;
        Ok(self.finish(rows, lost, findings, context))
    }
}

impl ImportBundle {
    /// What becomes of each object by its name alone.
    fn rows(&self, catalog: &Catalog, refused: &mut Refused) -> Vec<Row<'_>> {
        let mut rows = Vec::with_capacity(self.objects.len());
        for incoming in &self.objects {
            let incoming = incoming.as_ref();
            let key = ObjectKey::new(incoming.kind(), incoming.name().as_str());
            let before = catalog.tables.get(&key);
            if let Some(fate) = self.fate(incoming, before.as_ref(), refused) {
                rows.push(Row { incoming, fate, before, object: None });
            }
        }
        rows
    }

    fn fate(
        &self,
        incoming: &dyn Incoming,
        before: Option<&Object>,
        refused: &mut Refused,
    ) -> Option<Fate> {
        let name = incoming.name();
        let Some(common) = before.and_then(Object::common) else {
            if name.is_reserved() {
                let field = format!("{}.unique_name", incoming.path());
                let rule = "the prefix msdyn is reserved for built-in objects";
                refused.fields.add(Reason::ReservedPrefix, field, rule);
                return None;
            }
            return Some(Fate::Create);
        };
        let (kind, stored) = (incoming.kind().as_str(), common.unique_name.as_str());
        if common.is_built_in() {
            if self.options.adopt_built_in && incoming.kind() == Kind::Profile {
                return Some(Fate::Adopt);
            }
            let message = format!("{kind} {stored} is built in; an import cannot change it.");
            refused.origin(locked(Reason::BuiltInReadOnly, message, (kind, stored), "built in"));
            return None;
        }
        match self.options.on_existing {
            OnExisting::Fail => {
                let message = format!("{kind} {stored} exists; set on_existing to import it.");
                let taken = Refusal::new(Reason::UniqueNameTaken, message);
                refused.taken.fail(taken.resource(kind, stored, "holds the name"));
                None
            }
            OnExisting::Skip => Some(Fate::Skip),
            OnExisting::Overwrite if common.is_managed() && !self.options.managed => {
                let message =
                    format!("{kind} {stored} is managed; only a managed import overwrites it.");
                refused.origin(locked(Reason::ManagedReadOnly, message, (kind, stored), "managed"));
                None
            }
            OnExisting::Overwrite => Some(Fate::Overwrite),
        }
    }

    /// What each object becomes by itself.
    fn drafts(
        &self,
        rows: &mut [Row<'_>],
        catalog: &Catalog,
        context: &Context,
        refused: &mut Refused,
        findings: &mut Vec<Finding>,
    ) {
        let origin = match self.options.managed {
            true => Origin::Managed {
                bundle: self.bundle.as_str().to_owned(),
                version: self.version.clone(),
            },
            false => Origin::Custom,
        };
        for (at, row) in rows.iter_mut().enumerate() {
            if row.fate == Fate::Skip {
                let message = "An object of that name exists and was left as it is.";
                findings.push(row.finding(FindingCode::SkippedExisting, message));
                continue;
            }
            let uid = uuid::Uuid::from_u128(context.uid.as_u128().wrapping_add(at as u128));
            let site = Site { catalog, context, uid, origin: &origin };
            let (mut object, mut found) = row.incoming.draft(&site, &mut refused.fields);
            if row.fate == Fate::Adopt {
                object = adopt::adopted(row, object, &mut refused.fields);
                found.push(row.finding(
                    FindingCode::BuiltInAdopted,
                    "The built-in profile has the settings of the bundle.",
                ));
            }
            let drifted = found.iter().any(|f| f.code == FindingCode::ProviderUrlDrift);
            if drifted && self.options.on_pinned_url == OnPinnedUrl::Fail {
                refused.pinned(row.incoming.name());
            }
            findings.append(&mut found);
            row.object = Some(object);
        }
    }

    fn finish(
        &self,
        rows: Vec<Row<'_>>,
        lost: Vec<Profile>,
        mut findings: Vec<Finding>,
        context: &Context,
    ) -> Plan {
        let mut summary = ImportSummary {
            bundle: self.bundle.as_str().to_owned(),
            version: self.version.clone(),
            ..ImportSummary::default()
        };
        let mut plan = Plan::default();
        for row in rows {
            let (kind, name) = (row.incoming.kind(), row.incoming.name().as_str());
            let result = match (row.before, row.object) {
                (_, None) => ImportResult::Skipped,
                (Some(before), Some(object)) if before == object => ImportResult::Unchanged,
                (before, Some(object)) => {
                    plan.changes.push(Change::Put(touched(object, context)));
                    if before.is_some() { ImportResult::Updated } else { ImportResult::Created }
                }
            };
            summary.add(kind, name, result);
        }
        for profile in lost {
            plan.put(profile, context);
        }
        findings.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
        findings.dedup_by(|a, b| (a.code, &a.subject) == (b.code, &b.subject));
        findings.truncate(MAX_FINDINGS);
        Plan { findings, imported: Some(Box::new(summary)), ..plan }
    }
}

/// The object with the notes of this commit.
fn touched(object: Object, context: &Context) -> Object {
    let mut stamp = object.stamp().clone();
    stamp.touch(context.revision, context.time, &context.actor.subject);
    object.with_stamp(stamp)
}

fn locked(
    reason: Reason,
    message: String,
    (kind, name): (&str, &str),
    about: &str,
) -> Result<(), Refusal> {
    Err(Refusal::new(reason, message).with("operation", OPERATION).resource(kind, name, about))
}

/// The catalog with all objects of the bundle in place.
fn staged(catalog: &Catalog, rows: &[Row<'_>], context: &Context) -> Catalog {
    let puts = rows.iter().filter_map(|row| row.object.clone()).map(Change::Put);
    catalog.apply(&puts.collect::<Vec<_>>(), context.revision, context.time)
}
