//! Writing a bundle: once to know its hash and size, then chunk by chunk.

use std::{io, sync::Arc};

use bytes::Bytes;
use deskplane_proto::v1;
use sha2::{Digest as _, Sha256};

use super::super::{Service, convert};
use crate::{
    catalog::Catalog,
    domain::{Object, Reason, Refusal},
    transfer::{
        Canonical, Header, MAX_BUNDLE_BYTES, MAX_CHUNK_BYTES, Selection, content_hash, hash_key,
    },
};

/// A bundle that is being written.
#[derive(Debug)]
pub(super) struct Export {
    service: Service,
    catalog: Arc<Catalog>,
    header: Header,
    objects: std::vec::IntoIter<Object>,
    total: usize,
    /// What is written and not sent yet.
    canonical: Option<Canonical<Vec<u8>>>,
    rest: Vec<u8>,
}

impl Export {
    /// Chooses the objects of a bundle and measures it.
    pub(super) fn measure(
        service: Service,
        catalog: Arc<Catalog>,
        header: Header,
        selection: &Selection,
    ) -> Result<Self, Refusal> {
        let objects = selection.objects(&catalog)?;
        let mut canonical = Canonical::new(Measure::default(), &header).map_err(too_large)?;
        for object in &objects {
            let value = convert::bundled(object, service.resource_context(&catalog))?;
            canonical.resource(object.kind(), &value).map_err(too_large)?;
        }
        let Measure { sum, bytes } = canonical.finish(&header).map_err(too_large)?;
        let hash = content_hash(sum);
        let total = bytes + hash_key(&hash).len();
        let canonical = Canonical::hashed(Vec::new(), &header, &hash).map_err(too_large)?;
        Ok(Self {
            service,
            catalog,
            header,
            objects: objects.into_iter(),
            total,
            canonical: Some(canonical),
            rest: Vec::new(),
        })
    }

    /// The next chunk; none behind the last one.
    pub(super) fn chunk(mut self) -> Result<Option<(v1::ExportResponse, Self)>, Refusal> {
        while self.rest.len() < MAX_CHUNK_BYTES
            && let Some(mut canonical) = self.canonical.take()
        {
            let written = match self.objects.next() {
                Some(object) => {
                    let context = self.service.resource_context(&self.catalog);
                    let value = convert::bundled(&object, context)?;
                    canonical.resource(object.kind(), &value).map_err(too_large)?;
                    let written = std::mem::take(canonical.sink());
                    self.canonical = Some(canonical);
                    written
                }
                None => canonical.finish(&self.header).map_err(too_large)?,
            };
            self.rest.extend(written);
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let left = self.rest.split_off(self.rest.len().min(MAX_CHUNK_BYTES));
        let chunk = Bytes::from(std::mem::replace(&mut self.rest, left));
        let response = v1::ExportResponse {
            chunk,
            revision: self.catalog.revision,
            total_bytes: i64::try_from(self.total).unwrap_or(i64::MAX),
        };
        Ok(Some((response, self)))
    }
}

/// Counts bytes and sums them up; more than a bundle may have are an error.
#[derive(Debug, Default)]
struct Measure {
    sum: Sha256,
    bytes: usize,
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        // The hash itself comes on top.
        if self.bytes > MAX_BUNDLE_BYTES - 128 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.sum.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The refusal because a bundle cannot be written: it has too many bytes.
fn too_large(_: io::Error) -> Refusal {
    let text = format!("the bundle would have more than {MAX_BUNDLE_BYTES} bytes");
    let message = format!("Nothing is exported: {text}; name fewer profiles.");
    Refusal::new(Reason::ResourceTooLarge, message)
        .with("limit", MAX_BUNDLE_BYTES)
        .violation("profiles", text)
}
