//! How large the header block of a refusal is, as HTTP/2 peers count it, and texts cut to a size.
//!
//! A refusal travels in headers: the message percent-encoded, the details in base64 with the message
//! once more in them. Many clients take at most 8 KiB of headers and put an error of their own in
//! the place of a longer refusal, or end the connection with every stream on it.

use tonic::Status;

/// Most bytes of the block. The rest of 8 KiB is left to what proxies add.
pub(super) const MAX_SIZE: usize = 15 << 9;

/// What an entry counts beside its name and value (RFC 9113 §6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE).
pub(super) const ENTRY: usize = 32;

/// What the transport adds to a refusal that is the whole answer.
pub(super) const TRANSPORT: [(&str, &str); 2] =
    [(":status", "200"), ("date", "Sat, 28 Nov 2026 12:00:00 GMT")];

/// Bytes of the block of a status that is the whole answer; at the end of a stream it is smaller.
pub(super) fn size(status: &Status) -> usize {
    let headers = status.clone().into_http::<()>().into_parts().0.headers;
    let own = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let added = TRANSPORT.iter().map(|(name, value)| name.len() + value.len());
    own.chain(added).map(|bytes| bytes + ENTRY).sum()
}

/// Bytes of a character in `grpc-message`.
pub(super) fn percent_encoded(c: char) -> usize {
    match c {
        ' ' | '"' | '#' | '%' | '<' | '>' | '`' | '?' | '{' | '}' => 3,
        '!'..='~' => 1,
        c => 3 * c.len_utf8(),
    }
}

/// The beginning of a text, of at most so many bytes by the size of its characters.
pub(super) fn cut(text: &str, max: usize, size_of: fn(char) -> usize) -> String {
    const MORE: char = '\u{2026}';
    let (mut size, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        size += size_of(c);
        if size > max {
            return format!("{}{MORE}", &text[..end]);
        }
        if size + size_of(MORE) <= max {
            end = at + c.len_utf8();
        }
    }
    text.to_owned()
}
