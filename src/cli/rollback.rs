//! `rollback`: earlier states of resources, written again.

use clap::ValueEnum;
use deskplane_proto::v1;
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::{
    Client, Format, Io, Result, WriteOptions,
    output::{self, short},
};

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "To undo a write that changed several resources, such as a switch of the default, \
name all of them. Refused is what the writes that lead back are refused for; `--validate-only` says \
so beforehand."
)]
pub(super) struct Args {
    /// Resource names of 1 to 50 resources: `profiles/contoso_rep`, `users/john.doe`, ….
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// The revision: each resource gets the state that it had then.
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    to: i64,
    /// The etag last read of the one resource that is named; refused when it changed since.
    #[arg(long)]
    etag: Option<String>,
    /// Another profile may lose the default flag.
    #[arg(long)]
    replace_current: bool,
    /// A profile that becomes the default again may lose its rank and roles.
    #[arg(long)]
    drop_rank_and_roles: bool,
    /// What happens to a profile that is not named and holds a rank.
    #[arg(long, value_enum, default_value_t)]
    displace: Displace,
    /// Rank and roles of managed profiles may change.
    #[arg(long)]
    override_managed: bool,
    /// Users may leave another profile for the one that they had.
    #[arg(long = "move")]
    move_users: bool,
    #[command(flatten)]
    write: WriteOptions,
}

/// What happens to a profile that holds a rank.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Displace {
    /// The rollback is refused.
    #[default]
    Reject,
    /// It gets the rank that becomes free.
    Swap,
    /// It moves to the next rank, and so does the profile that has that one.
    Shift,
}

/// Rolls resources back, and shows what they are now.
pub(super) async fn run(client: Client, args: Args, format: Format, io: &mut Io<'_>) -> Result<()> {
    let client = client.with(&args.write);
    let displace = match args.displace {
        Displace::Reject => v1::Displace::Reject,
        Displace::Swap => v1::Displace::Swap,
        Displace::Shift => v1::Displace::Shift,
    };
    let request = json!({
        "names": args.names,
        "revision": args.to.to_string(),
        "etag": args.etag.unwrap_or_default(),
        "replace_current": args.replace_current,
        "drop_rank_and_roles": args.drop_rank_and_roles,
        "displace": displace.as_str_name(),
        "override_managed": args.override_managed,
        "move": args.move_users,
    });
    let answer = client.call("HistoryService", "Rollback", request).await?;
    match format {
        Format::Table => show(&args.names, args.to, args.write.validate_only, &answer, io),
        _ => io.value(format, &output::message(&answer)?),
    }
}

fn show(
    names: &[String],
    to: i64,
    validate_only: bool,
    answer: &DynamicMessage,
    io: &mut Io<'_>,
) -> Result<()> {
    let answer: v1::RollbackResponse = answer.transcode_to()?;
    let write = answer.write.unwrap_or_default();
    let affected = write.affected.unwrap_or_default();
    let outcome = match (write.changed, validate_only) {
        (false, _) => format!("already as at revision {to}"),
        (true, true) => format!("would be as at revision {to} again"),
        (true, false) => format!("as at revision {to} again, by revision {}", write.revision),
    };
    io.line(format!("{}: {outcome}", names.join(", ")))?;
    for (count, what) in [
        (affected.total_count, "get another profile"),
        (affected.method_only, "keep their profile by another method"),
        (affected.content_only, "keep their profile with other content"),
    ] {
        if count > 0 {
            io.line(format!("users who {what}: {count}"))?;
        }
    }
    for warning in &write.warnings {
        io.note(format!("warning: {} {}: {}", warning.code, warning.subject, warning.message))?;
    }
    for finding in &write.findings {
        let code = short(finding.code().as_str_name(), "FindingCode");
        io.note(format!("finding: {code} {}: {}", finding.subject, finding.message))?;
    }
    Ok(())
}
