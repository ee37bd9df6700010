//! `whoami`: who the server takes the caller for.

use deskplane_proto::v1;
use serde_json::json;

use super::{
    Client, Format, Io, Result,
    changes::time,
    output::{self, short, table},
};

/// Arguments of `whoami`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Asks who calls.
pub(super) async fn run(client: &Client, _: Args, format: Format, io: &mut Io<'_>) -> Result<()> {
    let answer = client.call("IdentityService", "GetCaller", json!({})).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    let caller: v1::GetCallerResponse = answer.transcode_to()?;
    let scopes: Vec<_> = caller.scopes().map(|scope| short(scope.as_str_name(), "Scope")).collect();
    let source = short(caller.scope_source().as_str_name(), "ScopeSource").to_owned();
    let kind = short(caller.credential_kind().as_str_name(), "CredentialKind").to_owned();
    let expires = time(caller.expire_time.as_ref());
    let rows = [
        ["caller".to_owned(), caller.subject.clone()],
        ["user".to_owned(), caller.user.clone()],
        ["scopes".to_owned(), scopes.join(", ")],
        ["scopes from".to_owned(), source],
        ["credential".to_owned(), format!("{kind} {}", caller.credential_name).trim().to_owned()],
        ["accepted until".to_owned(), expires],
        ["server".to_owned(), caller.server_version.clone()],
        ["features".to_owned(), caller.features.join(", ")],
    ];
    let rows = rows.into_iter().filter(|[_, value]| !value.is_empty());
    io.line(table(&["", ""], rows.collect::<Vec<_>>()))
}
