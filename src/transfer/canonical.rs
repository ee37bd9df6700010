//! The canonical form of a bundle, and its hash.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{FORMAT_VERSION, Header};
use crate::domain::Kind;

/// Writes the canonical form of a bundle without its hash: keys ascending, no blank, resources in the
/// order in which they come, which is ascending by collection, then by unique name.
#[derive(Debug)]
pub struct Canonical<W> {
    to: W,
    collection: Option<&'static str>,
}

impl<W: Write> Canonical<W> {
    /// Begins a bundle.
    pub fn new(mut to: W, header: &Header) -> io::Result<Self> {
        to.write_all(b"{")?;
        Self::after_hash(to, header)
    }

    /// Begins a bundle that carries its hash.
    pub fn hashed(mut to: W, header: &Header, hash: &str) -> io::Result<Self> {
        to.write_all(b"{")?;
        to.write_all(hash_key(hash).as_bytes())?;
        Self::after_hash(to, header)
    }

    fn after_hash(mut to: W, header: &Header) -> io::Result<Self> {
        write!(to, r#""format_version":{FORMAT_VERSION},"name":"#)?;
        serde_json::to_writer(&mut to, header.name.as_str())?;
        to.write_all(br#","objects":{"#)?;
        Ok(Self { to, collection: None })
    }

    /// Where it is written to.
    pub fn sink(&mut self) -> &mut W {
        &mut self.to
    }

    /// Adds a resource. Maps of [`Value`] are sorted, so its form is canonical by itself.
    pub fn resource(&mut self, kind: Kind, resource: &Value) -> io::Result<()> {
        let collection = kind.collection();
        match self.collection {
            Some(open) if open == collection => self.to.write_all(b",")?,
            open => {
                let before: &[u8] = if open.is_some() { b"]," } else { b"" };
                self.to.write_all(before)?;
                write!(self.to, r#""{collection}":["#)?;
                self.collection = Some(collection);
            }
        }
        Ok(serde_json::to_writer(&mut self.to, resource)?)
    }

    /// Ends the bundle.
    pub fn finish(mut self, header: &Header) -> io::Result<W> {
        let close: &[u8] = if self.collection.is_some() { b"]}" } else { b"}" };
        self.to.write_all(close)?;
        self.to.write_all(br#","version":"#)?;
        serde_json::to_writer(&mut self.to, &header.version)?;
        self.to.write_all(b"}")?;
        Ok(self.to)
    }
}

/// The key with the hash, as it stands behind the opening brace.
pub fn hash_key(hash: &str) -> String {
    format!(r#""content_hash":"{hash}","#)
}

/// The value of the key `content_hash` over a canonical form.
pub fn content_hash(sum: Sha256) -> String {
    let mut text = "sha256:".to_owned();
    for byte in sum.finalize() {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
