//! The client of a collector.

use std::{fs, path::Path};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::{
    Code, Request, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::{
    super::settings::{Settings, StartError},
    message::Resource,
};
use crate::trace::Finished;

/// A collector of traces. Its connection is made when something is sent, and made again when it broke.
pub(super) struct Collector {
    endpoint: Endpoint,
    /// Made on the runtime that drives it.
    channel: Option<Channel>,
    headers: MetadataMap,
    resource: Resource,
}

impl Collector {
    pub(super) fn new(settings: &Settings) -> Result<Self, StartError> {
        let unusable = |why: &dyn std::fmt::Display| {
            StartError::Unusable(format!("`telemetry.endpoint` cannot be used: {why}"))
        };
        let endpoint = Endpoint::from_shared(settings.endpoint.clone());
        let mut endpoint = endpoint.map_err(|why| unusable(&why))?;
        endpoint = endpoint.timeout(settings.timeout).connect_timeout(settings.timeout);
        if endpoint.uri().scheme_str() == Some("https") {
            let mut tls = ClientTlsConfig::new();
            tls = match &settings.ca {
                Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
                None => tls.with_native_roots(),
            };
            endpoint = endpoint.tls_config(tls).map_err(|why| unusable(&why))?;
        }
        let headers = match &settings.headers_file {
            Some(path) => headers(&read(path)?).map_err(|line| {
                let path = path.display();
                StartError::Unusable(format!("{path}, line {line}: write `name: value`"))
            })?,
            None => MetadataMap::new(),
        };
        let resource = Resource::of(&settings.service_name);
        Ok(Self { endpoint, channel: None, headers, resource })
    }

    /// Sends spans; answers how many of them the collector refused.
    pub(super) async fn send(&mut self, spans: &[Finished]) -> Result<u64, Status> {
        let channel = self.channel.get_or_insert_with(|| self.endpoint.connect_lazy()).clone();
        let mut request = Request::new(self.resource.request(spans));
        *request.metadata_mut() = self.headers.clone();
        let answer = TraceServiceClient::new(channel).export(request).await?.into_inner();
        let refused = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(refused).unwrap_or_default())
    }
}

/// Whether a collector may take later what it did not take now (OTLP, "Failures").
pub(super) fn may_repeat(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DataLoss, DeadlineExceeded, OutOfRange, Unavailable};
    matches!(code, Aborted | Cancelled | DataLoss | DeadlineExceeded | OutOfRange | Unavailable)
}

fn read(path: &Path) -> Result<String, StartError> {
    fs::read_to_string(path)
        .map_err(|why| StartError::Unusable(format!("{} cannot be read: {why}", path.display())))
}

/// The headers of a file, or the line that holds none. Their values are never shown.
fn headers(text: &str) -> Result<MetadataMap, usize> {
    let mut headers = MetadataMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').and_then(|(name, value)| {
            let name: AsciiMetadataKey = name.trim().to_ascii_lowercase().parse().ok()?;
            let mut value: AsciiMetadataValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = header.ok_or(at + 1)?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_header_a_line() {
        let read = headers("Authorization: Bearer secret\n\nx-tenant: a:b\n").unwrap();
        assert_eq!(read.get("authorization").unwrap(), "Bearer secret");
        assert_eq!(read.get("x-tenant").unwrap(), "a:b");
        assert!(!format!("{read:?}").contains("secret"), "{read:?}");
        assert_eq!(headers("a: b\nno header\n").unwrap_err(), 2);
    }
}
