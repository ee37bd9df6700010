//! The last stop: a chat comes in, and what two agents of different profiles see of it.

use deskplane_proto::v1::{
    self, agent_service_client::AgentServiceClient, watch_profile_response::Event,
};
use serde_json::json;
use tonic::Streaming;

use super::tour::{CLICK_PAUSE, indented, load, next};
use crate::cli::{Client, Io, Result, output::table, watch};

/// Agents with their profiles, and whether their sessions show the script.
const AGENTS: [(&str, &str, bool); 2] =
    [("casey.jensen", "contoso_rep", true), ("kendall.collins", "datum_rep", false)];

/// A customer whose name must not reach an address as it is.
const CUSTOMER: &str = "Ada & Sons";

const TITLES: [&str; 2] = ["Chat with Ada & Sons", "Web shop: Ada & Sons"];

/// Shows the chat, then a change of its template; answers what is not as expected.
pub(super) async fn run(client: &Client, io: &mut Io<'_>) -> Result<Vec<String>> {
    load(client, include_str!("chat.yaml")).await?;
    let mut surprises = Vec::new();
    let mut rows = Vec::new();
    for (user, profile, shows_script) in AGENTS {
        let session = render(client, user).await?;
        surprises.extend(surprise(user, &session, TITLES[0], shows_script));
        rows.push(row(user, profile, &session));
    }
    let alert = "WHAT POPS UP";
    io.line(indented(&table(&["WHO", "PROFILE", alert, "SESSION", "TABS", "SCRIPT"], rows)))?;

    let (user, _, shows_script) = AGENTS[0];
    let mut stream = watch(client, user).await?;
    io.line("\n  Now an administrator gives the session another title. Casey's client is open:\n")?;
    tokio::time::sleep(CLICK_PAUSE).await;
    let change = json!({
        "session_template": {"name": "contoso_chat_session", "title": "Web shop: {customerName}"},
    });
    client.call("SessionTemplateService", "UpdateSessionTemplate", change).await?;
    let pushed = next(&mut stream).await?;
    io.line(format!("  {}", watch::line(&pushed)?))?;
    let session = render(client, user).await?;
    surprises.extend(surprise(user, &session, TITLES[1], shows_script));
    let title = session.session.as_ref().map(|session| session.title.as_str());
    io.line(format!("\n  The same chat opens as \"{}\" now.", title.unwrap_or_default()))?;
    if digest(&pushed).is_none_or(|digest| digest != session.digest) {
        surprises.push("Casey's client was not sent what the session was rendered from".to_owned());
    }
    Ok(surprises)
}

/// Opens a stream, and takes its first message.
async fn watch(client: &Client, user: &str) -> Result<Streaming<v1::WatchProfileResponse>> {
    let request = v1::WatchProfileRequest {
        user: user.to_owned(),
        client_id: "demo".to_owned(),
        ..Default::default()
    };
    let mut agent = AgentServiceClient::new(client.channel());
    let mut stream = agent.watch_profile(request).await?.into_inner();
    next(&mut stream).await?;
    Ok(stream)
}

/// What opens for the chat on an agent's desktop.
async fn render(client: &Client, user: &str) -> Result<v1::RenderSessionResponse> {
    let request = json!({
        "user": user,
        "workstream": "contoso_web_shop",
        "slot": "NOTIFICATION_SLOT_INCOMING_AUTHENTICATED",
        "context": {
            "customerName": CUSTOMER,
            "caseTitle": "Wrong size",
            "LiveWorkItemId": "9d2c8f1e-0000-4000-8000-000000000001",
        },
    });
    let answer = client.call("AgentService", "RenderSession", request).await?;
    Ok(answer.transcode_to()?)
}

fn row(user: &str, profile: &str, found: &v1::RenderSessionResponse) -> [String; 6] {
    let alert = found.notification.as_ref().map(|alert| {
        let lines = alert.fields.iter().map(|line| format!("{}: {}", line.header, line.value));
        std::iter::once(alert.title.clone()).chain(lines).collect::<Vec<_>>().join("; ")
    });
    let tabs: Vec<_> = found.tabs.iter().map(|tab| tab.title.as_str()).collect();
    [
        user.to_owned(),
        profile.to_owned(),
        alert.unwrap_or_default(),
        found.session.as_ref().map(|session| session.title.clone()).unwrap_or_default(),
        tabs.join(", "),
        if found.default_script.is_empty() { "-".to_owned() } else { found.default_script.clone() },
    ]
}

/// How a session differs from what it should be.
fn surprise(
    user: &str,
    found: &v1::RenderSessionResponse,
    title: &str,
    shows_script: bool,
) -> Option<String> {
    let session = found.session.clone().unwrap_or_default();
    let alert = found.notification.clone().unwrap_or_default();
    // What a customer is called is a value in an address and no part of it.
    let address = found.tabs.get(1).and_then(|tab| tab.parameters.first());
    let escaped = address.is_some_and(|url| url.value.ends_with("customer=Ada%20%26%20Sons"));
    let right = session.title == title
        && alert.title == "Ada & Sons is chatting"
        && escaped
        && found.unresolved.is_empty()
        && (found.default_script == "contoso_greeting") == shows_script;
    (!right).then(|| format!("the chat opens for {user} as {found:?}"))
}

fn digest(message: &v1::WatchProfileResponse) -> Option<&str> {
    match &message.event {
        Some(Event::Snapshot(snapshot)) => Some(&snapshot.profile.as_ref()?.digest),
        _ => None,
    }
}
