//! Pages of lists (SPEC §2.4).

use std::{cmp::Ordering, collections::BinaryHeap, ops::ControlFlow};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::filter::{Fields, Filter, FilterError, Order};
use crate::domain::{Reason, Refusal, Time, Violations, field::Value};

/// Rows of a page when the call names no number.
const DEFAULT_SIZE: usize = 100;
/// Most rows of a page; larger numbers are lowered to it.
const MAX_SIZE: usize = 1_000;
/// A page ends before its rows pass this many bytes.
const MAX_BYTES: usize = 3 << 20;
/// How long a page token is good for, in microseconds: 1 hour.
const MAX_AGE: i64 = 3_600 * 1_000_000;

/// A request for a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest<'a> {
    /// Path of the RPC, and every other argument: a token is good for these only.
    pub arguments: &'a [&'a str],
    /// As sent.
    pub size: i32,
    /// As sent.
    pub token: &'a str,
    /// The time now.
    pub now: Time,
}

/// Where a row stands in the order of its list. Ties go by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    key: Key,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    None,
    Number(i64),
    Text(String),
}

impl Position {
    /// The position of a row in a list that is ordered by name.
    pub(super) fn named(name: &str) -> Self {
        Self { key: Key::None, name: name.to_ascii_lowercase() }
    }

    /// The position of a row in a list that is ordered by a number.
    pub(super) fn numbered(number: i64, name: &str) -> Self {
        Self { key: Key::Number(number), name: name.to_ascii_lowercase() }
    }

    /// The position of a row in a list that distinguishes cases.
    pub(super) fn exact(name: String) -> Self {
        Self { key: Key::None, name }
    }

    /// The position of a row in a list that is ordered by one of its fields.
    fn of(row: &impl Fields, order: Option<&Order>, name: &str) -> Self {
        let Some(order) = order else { return Self::named(name) };
        let key = match row.field(&order.field) {
            Some(Value::Number(Some(number)) | Value::Time(number)) => Key::Number(number),
            // Rows without the value stand last.
            Some(Value::Number(None)) => Key::Number(i64::MAX),
            Some(Value::Text(text) | Value::Name(text)) => Key::Text(text.to_ascii_lowercase()),
            _ => Key::None,
        };
        Self { key, name: name.to_ascii_lowercase() }
    }

    /// The number of a position in a list that is ordered by one.
    pub(super) fn number(&self) -> Option<i64> {
        match self.key {
            Key::Number(number) => Some(number),
            Key::None | Key::Text(_) => None,
        }
    }

    /// The name part: where a list ordered by name goes on.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Serialize, Deserialize)]
struct Token {
    expires: i64,
    after: Position,
}

/// Length of the checksum in front of a token.
const SUM: usize = 16;

fn sum(arguments: &[&str], token: &[u8]) -> [u8; SUM] {
    let mut hash = Sha256::new();
    for argument in arguments {
        hash.update((argument.len() as u64).to_be_bytes());
        hash.update(argument);
    }
    hash.update(token);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hash.finalize()[..SUM]);
    sum
}

/// A short text that stands for arguments.
pub(super) fn fingerprint(arguments: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(&sum(arguments, &[])[..6])
}

impl PageRequest<'_> {
    /// Number of rows that the page may hold.
    pub(super) fn rows(&self, v: &mut Violations) -> usize {
        match usize::try_from(self.size) {
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
            Err(_) => {
                v.invalid("page_size", format!("must not be negative, is {}", self.size));
                DEFAULT_SIZE
            }
        }
    }

    /// The position after which the page begins.
    pub(super) fn after(&self, v: &mut Violations) -> Option<Position> {
        if self.token.is_empty() {
            return None;
        }
        let mut refuse = |why: &str| {
            v.add(Reason::PageTokenInvalid, "page_token", why);
            None
        };
        let Some(bytes) = URL_SAFE_NO_PAD.decode(self.token).ok().filter(|b| b.len() > SUM) else {
            return refuse("is no page token of this server");
        };
        let (sent, token) = bytes.split_at(SUM);
        if sent != sum(self.arguments, token) {
            return refuse("belongs to another call; keep all other arguments as they were");
        }
        match serde_json::from_slice::<Token>(token) {
            Ok(token) if token.expires >= self.now.micros() => Some(token.after),
            Ok(_) => refuse("is older than one hour; begin with the first page again"),
            Err(_) => refuse("is no page token of this server"),
        }
    }

    /// The token of the page behind a position.
    pub(super) fn token(&self, after: Position) -> String {
        let token = Token { expires: self.now.micros() + MAX_AGE, after };
        // A struct of numbers and texts always encodes.
        let token = serde_json::to_vec(&token).unwrap_or_default();
        let mut bytes = sum(self.arguments, &token).to_vec();
        bytes.extend(token);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// One page of messages, and the token of the next.
#[derive(Debug)]
pub(super) struct Page<M> {
    /// The rows.
    pub rows: Vec<M>,
    /// Empty after the last page.
    pub next: String,
}

impl<M> Page<M> {
    /// The page with a next one behind a position, where it would be the last.
    pub(super) fn or_behind(mut self, asked: &PageRequest<'_>, position: Option<Position>) -> Self {
        if let Some(position) = position.filter(|_| self.next.is_empty()) {
            self.next = asked.token(position);
        }
        self
    }
}

/// Rows that come one by one, in the order of the list, until they are more than a page holds.
#[derive(Debug)]
pub(super) struct Rows<M> {
    rows: Vec<(Position, M)>,
    size: usize,
    bytes: usize,
}

impl<M: Message> Rows<M> {
    /// No row yet, of a page of that size.
    pub(super) fn new(size: usize) -> Self {
        Self { rows: Vec::new(), size, bytes: 0 }
    }

    /// Adds a row; breaks when no further one can be part of the page.
    pub(super) fn push(&mut self, position: Position, row: M) -> ControlFlow<()> {
        self.bytes += row.encoded_len();
        self.rows.push((position, row));
        match self.rows.len() > self.size || self.bytes > MAX_BYTES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// The page.
    pub(super) fn page(self, asked: &PageRequest<'_>) -> Page<M> {
        cut(asked, self.size, self.rows.into_iter())
    }
}

/// Cuts a page out of rows in the order of the list, after the requested position.
pub(super) fn cut<M: Message>(
    asked: &PageRequest<'_>,
    size: usize,
    rows: impl Iterator<Item = (Position, M)>,
) -> Page<M> {
    let mut page = Page { rows: Vec::new(), next: String::new() };
    let (mut bytes, mut last) = (0, None);
    for (position, row) in rows {
        bytes += row.encoded_len() + 8;
        if page.rows.len() == size || (bytes > MAX_BYTES && last.is_some()) {
            page.next = last.map(|after| asked.token(after)).unwrap_or_default();
            break;
        }
        page.rows.push(row);
        last = Some(position);
    }
    page
}

/// The filter and order of a list call, compiled.
#[derive(Debug, Default)]
pub(super) struct Selection {
    filter: Filter,
    order: Option<Order>,
}

/// Reads a filter alone, noting what is wrong.
pub(super) fn filter(
    v: &mut Violations,
    filter: &str,
    schema: &[(&str, super::filter::FieldType)],
) -> Filter {
    Selection::read(v, filter, "", schema, &[]).filter
}

impl Selection {
    /// Reads both, noting what is wrong.
    pub(super) fn read(
        v: &mut Violations,
        filter: &str,
        order_by: &str,
        schema: &[(&str, super::filter::FieldType)],
        orders: &[&str],
    ) -> Self {
        let mut note = |field: &str, error: FilterError| {
            v.add(Reason::FilterInvalid, field, error.to_string());
        };
        let filter = Filter::parse(filter, schema).map_err(|e| note("filter", e)).ok();
        let order = super::filter::parse_order(order_by, orders).map_err(|e| note("order_by", e));
        Self { filter: filter.unwrap_or_default(), order: order.ok().flatten() }
    }

    /// Whether rows go ascending by name, so that a page can begin in the middle.
    fn by_name(&self) -> bool {
        let name = |order: &Order| matches!(order.field.as_str(), "unique_name" | "id");
        self.order.as_ref().is_none_or(|order| name(order) && !order.descending)
    }

    /// The page of rows that pass the filter. `rows` are ascending by name; those up to `after` may
    /// have been left out already, as [`Self::seek`] allows.
    pub(super) fn page<R: Fields, M: Message>(
        &self,
        asked: &PageRequest<'_>,
        (size, after): (usize, Option<Position>),
        rows: impl Iterator<Item = (R, String)>,
        message: impl Fn(&R) -> M,
    ) -> Page<M> {
        let rows = rows.filter(|(row, _)| self.filter.matches(row));
        if self.by_name() {
            let rows = rows
                .map(|(row, name)| (Position::named(&name), row))
                .filter(|(at, _)| after.as_ref().is_none_or(|after| at > after));
            return cut(asked, size, rows.map(|(at, row)| (at, message(&row))));
        }
        let order = self.order.as_ref();
        let descending = order.is_some_and(|order| order.descending);
        let mut first = BinaryHeap::new();
        for (row, name) in rows {
            let row = Ordered { at: Position::of(&row, order, &name), descending, row };
            if after.as_ref().is_some_and(|after| row.place(after).is_le()) {
                continue;
            }
            // One more than the page holds, to know whether there are more.
            if first.len() <= size {
                first.push(row);
            } else if let Some(mut last) = first.peek_mut()
                && row < *last
            {
                *last = row;
            }
        }
        let rows = first.into_sorted_vec().into_iter();
        cut(asked, size, rows.map(|ordered| (ordered.at, message(&ordered.row))))
    }

    /// The name after which rows are of interest at all.
    pub(super) fn seek<'p>(&self, after: Option<&'p Position>) -> Option<&'p str> {
        after.filter(|_| self.by_name()).map(Position::name)
    }
}

/// A row in a list that is ordered by one of its fields.
struct Ordered<R> {
    at: Position,
    descending: bool,
    row: R,
}

impl<R> Ordered<R> {
    /// Whether it stands before or behind a position.
    fn place(&self, other: &Position) -> Ordering {
        let by_key = self.at.key.cmp(&other.key);
        let by_key = if self.descending { by_key.reverse() } else { by_key };
        by_key.then_with(|| self.at.name.cmp(&other.name))
    }
}

impl<R> Ord for Ordered<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place(&other.at)
    }
}

impl<R> PartialOrd for Ordered<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Eq for Ordered<R> {}

impl<R> PartialEq for Ordered<R> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

/// Refuses a page whose arguments are bad.
pub(super) fn read(
    asked: &PageRequest<'_>,
    mut v: Violations,
) -> Result<(usize, Option<Position>), Refusal> {
    let size = asked.rows(&mut v);
    let after = asked.after(&mut v);
    v.finish()?;
    Ok((size, after))
}

/// The rows behind a position.
pub(super) fn after<M>(
    rows: impl Iterator<Item = (Position, M)>,
    position: Option<Position>,
) -> impl Iterator<Item = (Position, M)> {
    rows.filter(move |(at, _)| position.as_ref().is_none_or(|position| at > position))
}

#[cfg(test)]
mod tests;
