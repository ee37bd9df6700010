//! Sends batches: what the server refuses of one is left out, and the rest sent again.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::rows::Row;
use crate::cli::{Client, Error, Result, error::reason};

/// Rows that are sent in one call.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    /// The last line that it covers.
    pub(super) last_line: u64,
    pub(super) rows: Vec<Row>,
    /// Rows among them that could not be read.
    pub(super) unread: u64,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) imported: u64,
    /// Rows that could not be read.
    pub(super) unread: u64,
    /// Lines that were refused, and why.
    pub(super) refused: BTreeMap<u64, String>,
}

/// Sends the batches of one import.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    /// Names the import: equal rows of another one are other calls.
    run: Uuid,
}

// === impl Sender ===

impl Sender {
    pub(super) fn new(client: Client, run: Uuid) -> Self {
        Self { client, run }
    }

    /// Sends a batch, without the rows that are refused.
    ///
    /// # Errors
    /// When the server does not answer, or refuses whatever the rows are.
    pub(super) async fn send(&self, batch: Batch) -> Result<Sent> {
        let Batch { number, rows, unread, .. } = batch;
        let mut sent = Sent { number, imported: 0, unread, refused: BTreeMap::new() };
        let mut pieces = vec![rows];
        while let Some(mut piece) = pieces.pop() {
            if piece.is_empty() {
                continue;
            }
            let Err(status) = self.call(&piece).await? else {
                sent.imported += piece.len() as u64;
                continue;
            };
            let bad = rows_of(&status, piece.len());
            if !bad.is_empty() {
                for (at, why) in &bad {
                    sent.refused.insert(piece[*at].line, why.clone());
                }
                let mut at = 0..;
                piece.retain(|_| at.next().is_some_and(|at| !bad.contains_key(&at)));
                pieces.push(piece);
            } else if let [row] = &piece[..] {
                let why = format!("{}: {}", reason(&status), one_line(status.message()));
                sent.refused.insert(row.line, why);
            } else {
                // The refusal names no row: the one that it is about is looked for.
                let half = piece.split_off(piece.len() / 2);
                pieces.extend([half, piece]);
            }
        }
        Ok(sent)
    }

    /// One call; the inner error is about some of the rows.
    async fn call(&self, rows: &[Row]) -> Result<Result<(), Box<Status>>> {
        let all: Vec<&Value> = rows.iter().map(|row| &row.json).collect();
        let request = json!({ "rows": all, "requestId": self.request_id(rows) });
        match self.client.call("DirectoryService", "BatchUpsertUsers", request).await {
            Ok(_) => Ok(Ok(())),
            Err(Error::Refused(status)) if is_about_rows(&status) => Ok(Err(status)),
            Err(error) => Err(error),
        }
    }

    /// The same rows of the same import get the same id, so a repetition does nothing.
    fn request_id(&self, rows: &[Row]) -> String {
        let mut hash = Sha256::new().chain_update(self.run);
        rows.iter().for_each(|row| hash.update(row.line.to_be_bytes()));
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

/// Whether some of the rows are the cause, or their number.
fn is_about_rows(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => true,
        Code::AlreadyExists => true,
        Code::ResourceExhausted => reason(status) == "REQUEST_TOO_LARGE",
        Code::PermissionDenied => reason(status) == "PRIVILEGED_ROLE",
        _ => false,
    }
}

/// The rows that a refusal names, and why; among so many.
pub(super) fn rows_of(status: &Status, count: usize) -> BTreeMap<usize, String> {
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    let mut note = |place: &str, why: String| {
        let Some((at, field)) = row(place).filter(|(at, _)| *at < count) else { return };
        let why = if field.is_empty() { why } else { format!("{field}: {why}") };
        let texts = found.entry(at).or_default();
        if !texts.is_empty() {
            texts.push_str("; ");
        }
        texts.push_str(&one_line(&why));
    };
    let details = status.get_error_details();
    for bad in details.bad_request().iter().flat_map(|bad| &bad.field_violations) {
        note(&bad.field, bad.description.clone());
    }
    for broken in details.precondition_failure().iter().flat_map(|broken| &broken.violations) {
        let text = format!("{} {}: {}", broken.r#type, broken.subject, broken.description);
        note(&broken.description, text);
    }
    found
}

/// The row in `rows[3].user.email`, wherever that stands, and the field behind it.
fn row(text: &str) -> Option<(usize, &str)> {
    let (_, rest) = text.split_once("rows[")?;
    let (at, rest) = rest.split_once(']')?;
    let field = rest.strip_prefix('.').unwrap_or_default();
    let field = field.split(|letter: char| letter == ')' || letter.is_whitespace()).next()?;
    Some((at.parse().ok()?, field.strip_prefix("user.").unwrap_or(field)))
}

/// A text without line breaks: a refused row is one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
