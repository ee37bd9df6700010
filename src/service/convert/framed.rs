//! The hot answers as they go out: gRPC messages with their frame header, encoded by hand around the
//! fields that all who get one content share. They are, byte for byte, what prost makes of
//! [`resolve_response`] and [`event`](super::event); the tests hold them to that.
//!
//! A field of a message stands behind those of smaller numbers, so a message is its encoded parts one
//! after the other, and a part that prost encodes needs no hand.

use std::{io::Write as _, iter};

use bytes::{Buf as _, Bytes};
use deskplane_proto::v1;

use super::resolved::{self, ResolveAnswer, event, resolve_response};
use crate::{
    content::wire::Coded as _,
    domain::{App, Time},
    live::{self, Hub},
    read::Resolved,
    resolve::Resolution,
};

/// Bytes in front of a message: whether it is compressed, and its length.
const FRAME_HEADER: usize = 5;
/// Type of fields with a length in front.
const DELIMITED: u8 = 2;
/// Most bytes of a length.
const LENGTH: usize = 5;
/// Room in front of the fields of a profile: the frame header, the field `outcome`, and tag and
/// length of a profile within a snapshot, or of one alone.
const ROOM: usize = FRAME_HEADER + 2 + 2 * (1 + LENGTH);
/// What an envelope takes beside its texts, as a rule.
const ENVELOPE: usize = 256;
/// Longest shared fields that are copied into the message. To copy these costs less than to send a
/// message in three pieces; beyond that all streams refer to the same bytes.
const COPIED: usize = 12 << 10;

/// A message with its frame header: one piece, or three of which the middle one is shared.
#[derive(Debug, Clone)]
pub(in crate::service) struct Framed {
    pub(in crate::service) first: Bytes,
    /// The other pieces, the last one first.
    pub(in crate::service) rest: Vec<Bytes>,
}

/// A message that is being put together.
struct Builder {
    buffer: Vec<u8>,
    /// Where the message begins; in front of it is room.
    start: usize,
    /// Where the shared fields belong, unless they are copied.
    shared: Option<(usize, Bytes)>,
}

/// The answer of ResolveProfile.
pub(in crate::service) fn framed_resolve_response(
    answer: &ResolveAnswer,
    hub: &Hub,
    now: Time,
) -> Framed {
    let ResolveAnswer::Resolved(resolved) = answer else {
        return Framed::of(&resolve_response(answer, hub, now));
    };
    let mut message = Builder::of_profile(resolved, hub, now);
    message.enclose(2);
    message.prepend(&[1 << 3, v1::Outcome::Resolved as u8]);
    let revision = resolved.revision;
    message.append(&v1::ResolveProfileResponse { revision, ..Default::default() });
    message.framed()
}

/// One message of WatchProfile.
pub(in crate::service) fn framed_event(message: live::Message, hub: &Hub, now: Time) -> Framed {
    let live::Message::Snapshot(snapshot) = message else {
        return Framed::of(&event(message, hub, now));
    };
    let mut message = Builder::of_profile(&snapshot.resolved, hub, now);
    message.enclose(1);
    message.append(&resolved::snapshot(*snapshot, None));
    message.enclose(1);
    message.framed()
}

// === impl Framed ===

impl Framed {
    /// A message that no other has a part of.
    fn of(message: &impl prost::Message) -> Self {
        let mut builder = Builder::new(ROOM + message.encoded_len());
        builder.append(message);
        builder.framed()
    }
}

// === impl Builder ===

impl Builder {
    fn new(capacity: usize) -> Self {
        let mut buffer = Vec::with_capacity(capacity);
        buffer.resize(ROOM, 0);
        Self { buffer, start: ROOM, shared: None }
    }

    /// The fields of a resolved profile.
    fn of_profile(resolved: &Resolved, hub: &Hub, now: Time) -> Self {
        let fields = &resolved.content.fields;
        let copied = fields.len() <= COPIED;
        let mut message = Self::new(ROOM + ENVELOPE + if copied { fields.len() } else { 0 });
        let buffer = &mut message.buffer;
        put_text(buffer, 1, resolved.user.as_str());
        put_message(buffer, 2, |buffer| put_resolution(buffer, resolved.app, &resolved.resolution));
        match copied {
            true => buffer.extend_from_slice(fields),
            false => message.shared = Some((buffer.len(), fields.clone())),
        }
        message.append(&resolved::behind_content(resolved, hub, now));
        message
    }

    fn len(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, |(_, fields)| fields.len());
        self.buffer.len() - self.start + shared
    }

    /// Makes what there is the field of that number of another message.
    fn enclose(&mut self, number: u8) {
        let length = self.len();
        let (begin, end) = (self.start - prost::length_delimiter_len(length), self.start);
        put_length(&mut self.buffer[begin..end], length);
        self.start = begin;
        self.prepend(&[number << 3 | DELIMITED]);
    }

    fn prepend(&mut self, bytes: &[u8]) {
        let begin = self.start - bytes.len();
        self.buffer[begin..self.start].copy_from_slice(bytes);
        self.start = begin;
    }

    /// Appends the fields of a message that has none but those behind.
    fn append(&mut self, fields: &impl prost::Message) {
        // A vector has room for everything.
        let _ = fields.encode(&mut self.buffer);
    }

    fn framed(mut self) -> Framed {
        let length = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.prepend(&length.to_be_bytes());
        self.prepend(&[0]);
        let mut first = Bytes::from(self.buffer);
        let split = self.shared.map(|(at, fields)| vec![first.split_off(at), fields]);
        first.advance(self.start);
        Framed { first, rest: split.unwrap_or_default() }
    }
}

/// The fields of `Resolution`.
fn put_resolution(buffer: &mut Vec<u8>, app: App, r: &Resolution) {
    put_number(buffer, 1, app.wire() as u8);
    put_number(buffer, 2, r.method.wire() as u8);
    put_text(buffer, 3, r.method.label());
    if let Some(rank) = r.rank {
        // Zero counts: it is not the same as none.
        buffer.push(4 << 3);
        put_varint(buffer, rank.into());
    }
    for role in &r.matched_roles {
        put_text(buffer, 5, role.as_str());
    }
    put_number(buffer, 6, r.ambiguous.into());
    put_message(buffer, 7, |buffer| {
        let _ = write!(buffer, "{}", r.reason());
    });
}

/// A number below 128, unless it is zero.
fn put_number(buffer: &mut Vec<u8>, number: u8, value: u8) {
    if value != 0 {
        buffer.extend_from_slice(&[number << 3, value]);
    }
}

/// A text, unless it is empty.
fn put_text(buffer: &mut Vec<u8>, number: u8, text: &str) {
    if !text.is_empty() {
        buffer.push(number << 3 | DELIMITED);
        put_varint(buffer, text.len());
        buffer.extend_from_slice(text.as_bytes());
    }
}

/// What `fields` writes, with its length in front.
fn put_message(buffer: &mut Vec<u8>, number: u8, fields: impl FnOnce(&mut Vec<u8>)) {
    buffer.extend_from_slice(&[number << 3 | DELIMITED, 0]);
    let begin = buffer.len();
    fields(buffer);
    let length = buffer.len() - begin;
    let more = prost::length_delimiter_len(length) - 1;
    if more > 0 {
        buffer.splice(begin..begin, iter::repeat_n(0, more));
    }
    put_length(&mut buffer[begin - 1..begin + more], length);
}

fn put_varint(buffer: &mut Vec<u8>, value: usize) {
    // A vector has room for everything.
    let _ = prost::encode_length_delimiter(value, buffer);
}

/// Writes a length where there is exactly as much room as it takes.
fn put_length(mut room: &mut [u8], length: usize) {
    let _ = prost::encode_length_delimiter(length, &mut room);
}

#[cfg(test)]
mod tests;
