//! The example of an agent's client, against a real server: what people copy has to work.

#[path = "../../examples/agent-client/desktop.rs"]
mod desktop;
#[path = "../../examples/agent-client/follow.rs"]
mod follow;
#[path = "../../examples/agent-client/session.rs"]
mod session;
#[path = "../../examples/agent-client/token.rs"]
mod token;

mod renewal;
mod restart;

use std::sync::Arc;

use deskplane_proto::v1;
use prost::Message as _;
use serde_json::json;
use tokio::sync::mpsc;
use tonic::{Code, transport::Channel};

use self::desktop::{Desktop, Taken};
use crate::{api::Api, server::Running};

/// A server with one agent, whose profile opens sessions for chats and cases.
async fn server() -> Running {
    let server = Running::with(Vec::new()).await;
    let api = Api::admin(&server);
    for (rpc, q) in [
        (
            "CreateSessionTemplate",
            json!({"session_template": {
                "unique_name": "contoso_case", "display_name": "Case",
                "type": "SESSION_TEMPLATE_TYPE_ENTITY", "entity": "incident",
                "title": "Case {anchor.title}", "title_on_anchor_tab": true,
            }}),
        ),
        (
            "CreateWorkstream",
            json!({"workstream": {"unique_name": "contoso_chat", "display_name": "Chat",
                "channel": "msdyn_channel_chat"}}),
        ),
        (
            "CreateProfile",
            json!({"profile": {"unique_name": "contoso_rep", "display_name": "Rep",
                "session_templates": ["contoso_case"], "channels": {"all_active": true}}}),
        ),
        ("UpsertUser", json!({"user": {"id": "john.doe"}})),
        ("AddUsers", json!({"name": "contoso_rep", "users": ["john.doe"]})),
    ] {
        api.ok(rpc, q).await;
    }
    server
}

fn client(server: &Running) -> token::Client {
    let endpoint = Channel::from_shared(server.uri()).unwrap();
    token::Token::default().client(endpoint.connect_lazy())
}

fn stream() -> follow::Stream {
    follow::Stream { user: "john.doe".to_owned(), client_id: "desk-1".to_owned() }
}

/// Follows in the background; answers the lines that the desktop says.
fn following(
    server: &Running,
    desktop: &Arc<Desktop>,
) -> (mpsc::UnboundedReceiver<String>, tokio::task::JoinHandle<tonic::Status>) {
    let (said, lines) = mpsc::unbounded_channel();
    let say = move |line| said.send(line).unwrap_or_default();
    let task = follow::follow(client(server), stream(), Arc::clone(desktop), say);
    (lines, tokio::spawn(task))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_the_desktop_and_a_start_finds_what_was_kept() {
    let server = server().await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("profile");
    let desktop = Arc::new(Desktop::open(Some(file.clone())).unwrap());
    assert!(desktop.profile().is_none());
    let (mut lines, task) = following(&server, &desktop);
    assert!(lines.recv().await.unwrap().starts_with("profile   contoso_rep of revision"));

    let title = json!({"session_template": {"name": "contoso_case", "title": "{anchor.title}"}});
    Api::admin(&server).ok("UpdateSessionTemplate", title).await;
    let line = lines.recv().await.unwrap();
    assert!(line.ends_with("(CAUSE_LIBRARY_CHANGED)"), "{line}");
    let profile = desktop.profile().unwrap();
    assert_eq!(profile.content().session_templates[0].title, "{anchor.title}");
    task.abort();

    // Another start has the profile before it meets the server, which then says that it is current.
    let again = Arc::new(Desktop::open(Some(file)).unwrap());
    assert_eq!(again.profile().as_deref(), Some(&*profile));
    let (mut lines, task) = following(&server, &again);
    assert!(lines.recv().await.unwrap().starts_with("in sync"));

    // A user who is deleted ends it for good.
    Api::admin(&server).ok("DeleteUser", json!({"name": "john.doe"})).await;
    assert_eq!(task.await.unwrap().code(), Code::NotFound);
    assert_eq!(again.profile().as_deref(), Some(&*profile), "the last good one stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bad_or_older_never_replaces_what_is_good() {
    let server = server().await;
    let q = v1::ResolveProfileRequest { user: "john.doe".into(), ..Default::default() };
    let answer = client(&server).resolve_profile(q).await.unwrap().into_inner();
    let good = answer.profile.unwrap();
    let snapshot = |profile: v1::ResolvedProfile, reset| v1::Snapshot {
        profile: Some(profile),
        reset,
        resume_token: "token".to_owned(),
        ..Default::default()
    };
    let desktop = Desktop::open(None).unwrap();
    assert_eq!(desktop.take(snapshot(good.clone(), false)), Taken::Applied);
    assert_eq!(desktop.take(snapshot(good.clone(), false)), Taken::Older);
    assert_eq!(desktop.take(snapshot(good.clone(), true)), Taken::Applied, "a reset goes back");

    let newer = |change: &dyn Fn(&mut v1::ResolvedProfile)| {
        let mut profile = v1::ResolvedProfile { revision: good.revision + 1, ..good.clone() };
        change(&mut profile);
        desktop.take(snapshot(profile, false))
    };
    let rejected = |taken| matches!(taken, Taken::Rejected(_));
    assert!(rejected(newer(&|profile| profile.digest = "d1:00".to_owned())));
    assert!(rejected(newer(&|profile| profile.content = vec![0xff].into())));
    assert!(rejected(desktop.take(v1::Snapshot::default())));
    assert_eq!(desktop.profile().unwrap().revision(), good.revision);
    assert_eq!(newer(&|_| {}), Taken::Applied);
    let content = v1::ProfileContent::decode(good.content.clone()).unwrap();
    assert_eq!(content.schema_version, 2, "tell the example when the schema changes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_open_sessions() {
    let server = server().await;
    for (event, expected) in [
        (
            json!({"workstream": "contoso_chat", "slot": "INCOMING_AUTHENTICATED",
                "context": {"customerName": "Ada"}}),
            "session   Ada: [Active Conversation] [Knowledge Search]; announced as \"Chat - incoming authenticated - default\"",
        ),
        (
            json!({"entity": "incident", "anchor": {"id": "42", "attributes": {"title": "Size"}}}),
            "session   Case Size: [Case Size]",
        ),
        (
            json!({"entity": "account"}),
            "plain     there is no session for it: its plain form opens",
        ),
        (json!({"slot": "SOON"}), "no event  there is no slot SOON"),
        (
            json!({"context": {"a": []}}),
            "no event  context.a is neither text, number, true, false nor null",
        ),
    ] {
        let line = session::open(client(&server), "john.doe", &event.to_string()).await;
        assert_eq!(line, expected, "{event}");
    }
    let line = session::open(client(&server), "john.doe", "{}").await;
    assert!(line.starts_with("no session  "), "{line}");
    let request = session::read("john.doe", r#"{"context": {"a": 1.5, "b": true, "c": null}}"#);
    assert_eq!(request.unwrap().context.unwrap().fields.len(), 3);
}
