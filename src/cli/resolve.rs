//! `resolve`: the profile that applies to a user.

use std::collections::BTreeSet;

use deskplane_proto::v1;
use prost::Message;
use serde_json::{Value, json};

use super::{
    Client, Error, Format, Io, Result,
    output::{self, prefix, short, table},
};

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Digest of what is known already; when it is current, no profile is sent.
    #[arg(long, value_name = "DIGEST")]
    if_digest_matches: Option<String>,
}

/// The user whose profile is resolved, and the app.
#[derive(Debug, clap::Args)]
pub(super) struct Subject {
    /// Id of the user.
    #[arg(value_name = "USER")]
    pub id: String,
    /// App that the agent works in, e.g. workspace or omnichannel.
    #[arg(long)]
    app: Option<String>,
}

impl Subject {
    /// The two arguments of every request about a user.
    pub(super) fn request(&self, client: &Client) -> Result<Value> {
        Ok(json!({ "user": self.id, "app": self.app(client)? }))
    }

    fn app(&self, client: &Client) -> Result<Option<String>> {
        let app = self.app.as_ref();
        app.map(|word| choice(client, "ResolveProfileRequest", "app", word)).transpose()
    }
}

/// The value of an enum field of a request that a word of the command line means.
pub(super) fn choice(client: &Client, message: &str, field: &str, word: &str) -> Result<String> {
    let descriptor = client.api().message(message)?.get_field_by_name(field);
    let values = descriptor.and_then(|field| field.kind().as_enum().cloned());
    let kind = values.as_ref().map(|values| values.name().to_owned()).unwrap_or_default();
    let values = || values.iter().flat_map(|all| all.values()).filter(|value| value.number() != 0);
    let wanted = word.to_ascii_uppercase().replace('-', "_");
    let mut known = values().map(|value| value.name().to_owned());
    if let Some(value) = known.find(|name| *name == wanted || *name == prefix(&kind) + &wanted) {
        return Ok(value);
    }
    let all = values()
        .map(|value| short(value.name(), &kind).to_ascii_lowercase().replace('_', "-"))
        .collect::<Vec<_>>();
    Err(Error::Usage(format!("there is no {field} `{word}`; there are {}", all.join(", "))))
}

/// Resolves one user.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut request = args.subject.request(client)?;
    request["ifDigestMatches"] = json!(args.if_digest_matches);
    let answer = client.call("AgentService", "ResolveProfile", request).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    let answer = answer.transcode_to::<v1::ResolveProfileResponse>()?;
    if let Some(current) = &answer.not_modified {
        return io.line(format!("{} is current at revision {}", current.digest, current.revision));
    }
    match &answer.profile {
        Some(profile) => io.line(table(&[], rows(profile)?)),
        None => io.line("profiles do not apply in this app"),
    }
}

/// The parts of a resolved profile, one a row.
pub(super) fn rows(resolved: &v1::ResolvedProfile) -> Result<Vec<[String; 2]>> {
    let content = v1::ProfileContent::decode(resolved.content.clone())?;
    let identity = content.profile.unwrap_or_default();
    let resolution = resolved.resolution.clone().unwrap_or_default();
    let pane = content.pane.unwrap_or_default();
    let channels = content.channels.unwrap_or_default();
    let inbox = content.inbox.unwrap_or_default();
    let list = |names: Vec<String>| names.join(", ");
    let sessions = content.session_templates.into_iter();
    let sessions = sessions.map(|session| format!("{} ({})", session.unique_name, session.entity));
    let kinds = channels.kinds().map(|kind| short(kind.as_str_name(), "ChannelKind").to_owned());
    let findings = resolved.findings.iter();
    let findings = findings.map(|f| short(f.code().as_str_name(), "FindingCode").to_owned());
    let findings: BTreeSet<_> = findings.collect();
    let rows = [
        ("USER", resolved.user.clone()),
        ("PROFILE", format!("{} ({})", identity.unique_name, identity.display_name)),
        ("HOW", resolution.label.clone()),
        ("WHY", resolution.reason),
        ("SESSION TEMPLATES", list(sessions.collect())),
        ("TOOLS", list(pane.tools.into_iter().map(|tool| tool.tool).collect())),
        ("COPILOT", list(content.copilot.into_iter().map(|feature| feature.feature).collect())),
        ("INBOX", list(inbox.views.into_iter().map(|view| view.name).collect())),
        ("CHANNELS", list(kinds.collect())),
        ("PROVIDERS", list(content.providers.into_iter().map(|p| p.unique_name).collect())),
        ("FINDINGS", list(findings.into_iter().collect())),
        ("DIGEST", resolved.digest.clone()),
        ("REVISION", resolved.revision.to_string()),
    ];
    let set = rows.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(set.map(|(name, value)| [name.to_owned(), value]).collect())
}
