//! All writes of some documents as one list, for ApplyChanges and PreviewChanges.

use std::{collections::BTreeSet, ops::Range};

use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tonic::Code;

use super::{
    Flags, Outcome, Report, calls,
    document::Document,
    prune::{self, Prune, UNIQUE_NAME},
};
use crate::cli::{
    Client, Error, Result,
    error::lines,
    kind::separated,
    output::{cell, messages},
    read,
};

/// Most writes of a list.
const MAX_OPERATIONS: usize = 50;

/// Most objects that one write removes of a bundle.
const MAX_UNINSTALLED: usize = 1_000;

/// A document, beside what the server holds under its name.
#[derive(Debug)]
pub(in crate::cli) struct Entry {
    /// The document.
    pub document: Document,
    /// The resource as it is now; none when it is new.
    pub existing: Option<DynamicMessage>,
    /// Whether something of it waits until all documents are there.
    linked: bool,
}

/// Documents with the writes that make them so, in the order in which they are sent.
#[derive(Debug)]
pub(in crate::cli) struct List {
    /// The documents, in the order in which one finds what it refers to.
    pub entries: Vec<Entry>,
    /// What is deleted because no document describes it.
    pruned: Vec<String>,
    /// Each write, with the place of its document, or behind them all the places of what it deletes.
    operations: Vec<(Range<usize>, Value)>,
}

impl List {
    /// Reads what the server holds, and derives the writes.
    pub(in crate::cli) async fn read(
        client: &Client,
        mut documents: Vec<Document>,
        flags: &Flags,
    ) -> Result<Self> {
        documents.sort_by_key(|document| document.kind.stage());
        let later = later(&documents);
        let (mut entries, mut own, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (document, later)) in documents.into_iter().zip(later).enumerate() {
            let existing = existing(client, &document).await?;
            let api = client.api();
            let calls = calls::plan(api, &document, existing.as_ref(), &later, flags)?;
            entries.push(Entry { document, existing, linked: !calls.links.is_empty() });
            let operation = |call: calls::Call| {
                (at..at + 1, json!({ separated(&call.method, '_').as_str(): call.request }))
            };
            own.extend(calls.own.into_iter().map(operation));
            links.extend(calls.links.into_iter().map(operation));
        }
        own.extend(links);
        Ok(Self { entries, pruned: Vec::new(), operations: own })
    }

    /// Adds the deletion of what belongs to the documents, is of a library kind of theirs, and is
    /// described by none of them; what refers to others goes first.
    pub(in crate::cli) async fn prune(&mut self, client: &Client, prune: &Prune) -> Result<()> {
        let filter = prune.filter()?;
        let described: BTreeSet<_> = self
            .entries
            .iter()
            .map(|Entry { document, .. }| document.kind.label(&document.id).to_ascii_lowercase())
            .collect();
        let mut kinds: Vec<_> = self.entries.iter().map(|entry| entry.document.kind).collect();
        kinds.dedup();
        let mut of_bundle = Vec::new();
        for kind in kinds.into_iter().rev() {
            let method = format!("Delete{}", kind.name);
            if client.api().method(&kind.service, &method).is_err() || kind.id != Some(UNIQUE_NAME)
            {
                continue;
            }
            for id in prune::found(client, kind, &filter).await? {
                let label = kind.label(&id);
                if described.contains(&label.to_ascii_lowercase()) {
                    continue;
                }
                let name = kind.resource_name(&id);
                match prune {
                    Prune::Owner(_) => {
                        let at = self.entries.len() + self.pruned.len();
                        let request = json!({ "name": name });
                        let operation = json!({ separated(&method, '_').as_str(): request });
                        self.operations.push((at..at + 1, operation));
                    }
                    Prune::Bundle(_) => of_bundle.push(name),
                }
                self.pruned.push(label);
            }
        }
        if let Prune::Bundle(bundle) = prune {
            self.uninstall(bundle, &of_bundle);
        }
        Ok(())
    }

    /// Adds the removal of objects of a bundle, which are locked for every other write.
    fn uninstall(&mut self, bundle: &str, names: &[String]) {
        let mut at = self.entries.len();
        for names in names.chunks(MAX_UNINSTALLED) {
            let request = json!({ "bundle": bundle, "names": names });
            let operation = json!({ "uninstall_bundle": request });
            self.operations.push((at..at + names.len(), operation));
            at += names.len();
        }
    }

    /// Whether all of it fits into one transaction.
    pub(in crate::cli) fn fits(&self) -> bool {
        self.operations.len() <= MAX_OPERATIONS
    }

    /// Whether there is nothing to write.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The request that holds the list; refused when it is too long for one.
    pub(in crate::cli) fn request(&self) -> Result<Value> {
        if !self.fits() {
            let count = self.operations.len();
            return Err(Error::Usage(format!(
                "the documents take {count} writes; at most {MAX_OPERATIONS} go together: split them"
            )));
        }
        let operations: Vec<_> = self.operations.iter().map(|(_, operation)| operation).collect();
        Ok(json!({ "operations": operations }))
    }

    /// What an answer with a result for each write says of the documents. Users who get another
    /// profile are those of all documents together; they stand at the last one that changed.
    pub(in crate::cli) fn reports(&self, answer: &DynamicMessage) -> Vec<Report> {
        let mut reports = self.unchanged();
        let (results, mut last) = (messages(answer, "results"), None);
        for ((places, _), result) in self.operations.iter().zip(&results) {
            for at in places.clone().filter(|_| cell(result, "changed") == "yes") {
                let report = &mut reports[at];
                report.outcome = match self.entries.get(at).map(|entry| &entry.existing) {
                    Some(Some(_)) => Outcome::Changed,
                    Some(None) => Outcome::Created,
                    None => Outcome::Deleted,
                };
                report.revision = cell(answer, "write.revision").parse().ok();
                last = last.max(Some(at));
            }
            reports[places.start].note(result);
        }
        if let Some(last) = last {
            let counts = ["write.affected.total_count", "total_count"].map(|at| cell(answer, at));
            reports[last].affected =
                counts.iter().find_map(|count| count.parse().ok()).unwrap_or(0);
        }
        self.in_order(reports)
    }

    /// The reports when the server refused the list: it names the write that is to blame.
    pub(in crate::cli) fn refused(
        &self,
        status: &tonic::Status,
        index: Option<usize>,
    ) -> Vec<Report> {
        let mut reports = self.unchanged();
        let places = index.and_then(|index| self.operations.get(index)).map(|(places, _)| places);
        for (at, report) in reports.iter_mut().enumerate() {
            if places.is_none_or(|places| places.contains(&at)) {
                report.outcome = Outcome::Refused;
                report.refusal = lines(status);
            }
        }
        self.in_order(reports)
    }

    fn unchanged(&self) -> Vec<Report> {
        let documents = self.entries.iter().map(|entry| Report::of(&entry.document));
        documents.chain(self.pruned.iter().cloned().map(Report::unchanged)).collect()
    }

    /// Reports of documents with links come last: so do their last writes.
    fn in_order(&self, reports: Vec<Report>) -> Vec<Report> {
        let linked = |at: usize| self.entries.get(at).map(|entry| entry.linked);
        let mut reports: Vec<_> = reports.into_iter().enumerate().collect();
        reports.sort_by_key(|(at, _)| (linked(*at).is_none(), linked(*at)));
        reports.into_iter().map(|(_, report)| report).collect()
    }
}

/// What the server holds under the name of a document.
pub(super) async fn existing(
    client: &Client,
    document: &Document,
) -> Result<Option<DynamicMessage>> {
    match read::read(client, document.kind, &document.id).await {
        Ok(found) => Ok(Some(found)),
        // The write reports what is wrong with a name, together with all other mistakes.
        Err(Error::Refused(status))
            if matches!(status.code(), Code::NotFound | Code::InvalidArgument) =>
        {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// For each document the names of those of the same kind that are sent later, where one may refer to
/// another.
pub(super) fn later(documents: &[Document]) -> Vec<BTreeSet<String>> {
    let mut all = vec![BTreeSet::new(); documents.len()];
    let mut later = BTreeSet::new();
    for (at, document) in documents.iter().enumerate().rev() {
        if documents.get(at + 1).is_some_and(|next| next.kind != document.kind) {
            later.clear();
        }
        if document.kind.refers_to_own {
            all[at].clone_from(&later);
            later.insert(document.id.to_ascii_lowercase());
        }
    }
    all
}
