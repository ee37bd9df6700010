//! `findings`: what is odd about the configuration.

use deskplane_proto::v1;
use serde_json::json;

use super::{
    Client, Format, Io, Result,
    output::{self, cell, short, table},
};

/// Arguments of `findings`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only findings of this code, e.g. `DUPLICATE_RANK`.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

/// Lists all findings on the organisation.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = json!({ "page_size": 1000, "page_token": token });
        let page = client.call("InsightService", "ListFindings", request).await?;
        found.extend(output::messages(&page, "findings"));
        token = cell(&page, "next_page_token");
        if token.is_empty() {
            break;
        }
    }
    if let Some(code) = &args.code {
        found.retain(|finding| cell(finding, "code").eq_ignore_ascii_case(code));
    }
    if format != Format::Table {
        let all: Result<Vec<_>> = found.iter().map(output::message).collect();
        return io.value(format, &all?);
    }
    let mut rows = Vec::new();
    for finding in found {
        let finding: v1::Finding = finding.transcode_to()?;
        let code = short(finding.code().as_str_name(), "FindingCode").to_owned();
        rows.push([code, finding.subject, finding.message]);
    }
    match rows.is_empty() {
        true => io.note("no findings"),
        false => io.line(table(&["FINDING", "ABOUT", ""], rows)),
    }
}
