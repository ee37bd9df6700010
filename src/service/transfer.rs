//! TransferService: bundles out and in (SPEC §11.4).
//!
//! A bundle may have 64 MiB. It is written twice, once for its hash and size and then chunk by chunk as
//! the caller reads, so a slow reader holds one chunk; and it is taken in by few callers at a time, each
//! within a time. The work on it is done on threads of its own.

mod export;
mod upload;

use std::sync::Arc;

use deskplane_proto::v1;
use futures_util::stream;
use tokio::task::spawn_blocking;
use tonic::Status;

use self::{export::Export, upload::Upload};
use super::{
    EventStream, Service,
    context::{Admitted, CallContext, MessageAttributes},
    convert::{self, Answer, Envelope, Reader},
    places::place,
};
use crate::{
    catalog::Catalog,
    command::{Command, ImportBundle, bundle::ImportOptions},
    domain::{Reason, Refusal, Violations},
    trace::carry,
    transfer::{Canonical, Document, content_hash},
};

/// Runs work that takes long on a thread of its own.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    spawn_blocking(carry(work)).await.unwrap_or_else(|_| {
        Err(Refusal::new(Reason::Internal, "The bundle made the server fail; nothing was done."))
    })
}

impl Service {
    /// Streams a bundle.
    pub(super) async fn export(
        &self,
        context: &CallContext,
        q: v1::ExportRequest,
    ) -> Result<EventStream<v1::ExportResponse>, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let (header, selection) = convert::export(&q, &mut reader);
        reader.v.finish()?;
        let place = place(&self.places.exports).await?;
        let (service, catalog) = (self.clone(), Arc::clone(&call.catalog));
        let measured = apart(move || {
            let _place = place;
            Export::measure(service, catalog, header, &selection)
        });
        let chunks = stream::try_unfold(measured.await?, |export| async {
            let next = apart(move || export.chunk()).await;
            next.map_err(Status::from)
        });
        Ok(Box::pin(chunks))
    }

    /// Takes a bundle in and writes what it holds.
    pub(super) async fn import(
        &self,
        context: &CallContext,
        mut messages: impl upload::Messages + Unpin,
    ) -> Result<v1::ImportResponse, Status> {
        let first = upload::first(&mut messages).await?;
        let attributes = || MessageAttributes {
            validate_only: first.as_ref().is_some_and(|first| first.validate_only),
            ..MessageAttributes::default()
        };
        self.data.admit(context, attributes())?;
        let _place = place(&self.places.imports).await?;
        let upload = Upload::receive(first.clone(), &mut messages).await?;
        // Rights may have gone while the bundle came.
        let call = self.data.admit(context, attributes())?;
        Ok(self.write_bundle(context, call, upload).await?)
    }

    async fn write_bundle(
        &self,
        context: &CallContext,
        call: Admitted,
        upload: Upload,
    ) -> Result<v1::ImportResponse, Refusal> {
        let Upload { options, envelope, bundle } = upload;
        let (catalog, validate_only) = (Arc::clone(&call.catalog), envelope.validate_only);
        let (payload, (command, mut v)) = apart(move || {
            // To hash the longest bundle takes 50 ms.
            let payload = upload::payload(&options, &bundle);
            Ok((payload, read(&options, bundle, &catalog)))
        })
        .await?;
        let request = self.idempotency(context, &envelope, &payload, &call.catalog, &mut v);
        let command: Box<dyn Command> = match (v.finish(), command) {
            (Ok(()), Ok(command)) => Box::new(command),
            (Err(bad), _) | (_, Err(bad)) => return Err(bad),
        };
        let Envelope { reason, .. } = envelope;
        let submission =
            Self::submission(context, &call, command, (request, validate_only, reason));
        let accepted = self.data.write(context, call, submission).await?;
        let context = self.resource_context(&accepted.catalog);
        Ok(v1::ImportResponse::from(Answer { outcome: &accepted.outcome, context }))
    }
}

/// The import that options and a bundle ask for, and the bad fields of the options.
fn read(
    options: &v1::ImportOptions,
    bundle: Vec<u8>,
    catalog: &Catalog,
) -> (Result<ImportBundle, Refusal>, Violations) {
    let mut reader = Reader::new(catalog);
    let options = convert::options(options, &mut reader);
    (command(options, &bundle, catalog), reader.v)
}

fn command(
    options: ImportOptions,
    bundle: &[u8],
    catalog: &Catalog,
) -> Result<ImportBundle, Refusal> {
    let document = Document::read(bundle)?;
    let mut reader = Reader::new(catalog);
    let mut objects = Vec::with_capacity(document.resources.len());
    let mut canonical = Canonical::new(sha2::Sha256::default(), &document.header).ok();
    for resource in &document.resources {
        let value = match resource.value() {
            Ok(value) => value,
            Err(why) => {
                reader.v.invalid(resource.path(), why);
                continue;
            }
        };
        let hashed = |mut to: Canonical<_>| to.resource(resource.kind, &value).ok().map(|()| to);
        canonical = canonical.and_then(hashed);
        objects.extend(convert::incoming(resource, value, &mut reader));
    }
    let sum = canonical.and_then(|canonical| canonical.finish(&document.header).ok());
    let computed = sum.map(content_hash);
    if document.content_hash.is_some() && document.content_hash != computed {
        let rule =
            "is not the hash of this content: the bundle was cut, or changed after its export";
        reader.v.invalid("content_hash", rule);
    }
    reader.v.finish()?;
    Ok(ImportBundle {
        bundle: document.header.name,
        version: document.header.version,
        options,
        objects,
    })
}
