//! SCIM over the wire (SPEC §12.4).

mod credentials;
mod groups;
mod load;
mod users;

use deskplane::{domain::UniqueName, scim};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    api::Api,
    server::{Front, Running},
};

/// A server that serves SCIM, and a directory that writes to it.
struct Desk {
    server: Running,
    /// Header fields of each request.
    fields: Vec<(String, String)>,
}

/// An answer: its status, head and document.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// Status, keyword and the reason that the detail begins with.
    fn error(&self) -> (u16, &str, &str) {
        let detail = self.body["detail"].as_str().unwrap_or_default();
        let kind = self.body["scimType"].as_str().unwrap_or_default();
        (self.status, kind, detail.split(':').next().unwrap_or_default())
    }
}

impl Desk {
    async fn start() -> Self {
        Self::with(scim::Settings::default()).await
    }

    async fn with(settings: scim::Settings) -> Self {
        let front = Front { scim: Some(settings), ..Front::default() };
        Self { server: Running::fronted(front).await, fields: Vec::new() }.with_scopes("directory")
    }

    /// A server where these groups are roles.
    async fn mapping(groups: &[(&str, &str)]) -> Self {
        let role = |name: &str| UniqueName::parse(name).unwrap();
        let groups = groups.iter().map(|(group, name)| ((*group).to_owned(), role(name)));
        Self::with(scim::Settings { groups: groups.collect(), ..scim::Settings::default() }).await
    }

    /// The same server, called with these scopes.
    fn with_scopes(mut self, scopes: &str) -> Self {
        self.fields.retain(|(name, _)| name != "x-deskplane-scopes");
        self.with_field("x-deskplane-scopes", scopes)
    }

    fn with_field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn admin(&self) -> Api {
        Api::admin(&self.server)
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_with(method, path, &[("content-type", "application/scim+json")], body).await
    }

    async fn send_with(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: String = own
            .chain(fields.iter().copied())
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "{method} /scim/v2/{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\
             connection: close\r\n{fields}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has refused already may not read the rest.
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Answer { status, head: head.to_owned(), body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &body.to_string()).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, &body.to_string()).await
    }

    async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send("PATCH", path, &body.to_string()).await
    }

    /// Makes a user and answers the SCIM id.
    async fn user(&self, name: &str) -> String {
        let made = self.post("Users", json!({"userName": name, "displayName": name})).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.id()
    }

    /// The revision of the store.
    async fn revision(&self) -> i64 {
        self.admin().revision().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_4_the_endpoint_is_off_until_enabled_and_needs_a_scope() {
    let off = Desk { server: Running::with(Vec::new()).await, fields: Vec::new() };
    assert_eq!(off.get("Users").await.status, 404);
    let mut desk = Desk::start().await;
    for (scopes, status) in [
        ("directory", 200),
        ("admin", 200),
        ("reader", 403),
        ("service", 403),
        ("agent", 403),
        ("", 403),
    ] {
        desk = desk.with_scopes(scopes);
        let answer = desk.get("Users").await;
        assert_eq!(answer.status, status, "{scopes}");
        if status == 403 {
            assert_eq!(answer.error(), (403, "", "SCOPE_REQUIRED"));
        }
    }
    assert_eq!(desk.with_field("origin", "http://evil.example").get("Users").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_says_what_it_can_do() {
    let desk = Desk::start().await;
    let config = desk.get("ServiceProviderConfig").await;
    assert_eq!(config.field("content-type"), Some("application/scim+json"));
    assert_eq!(config.body["patch"]["supported"], true);
    assert_eq!(config.body["filter"]["maxResults"], 1_000);
    assert_eq!(desk.get("ResourceTypes").await.body["totalResults"], 2);
    assert_eq!(desk.get("ResourceTypes/User").await.body["endpoint"], "/Users");
    let schemas = desk.get("Schemas").await;
    assert_eq!(schemas.body["totalResults"], 3);
    let user = "Schemas/urn:ietf:params:scim:schemas:core:2.0:User";
    assert_eq!(desk.get(user).await.body["name"], "User");
    for (method, path, status) in [
        ("GET", "Schemas/none", 404),
        ("GET", "", 404),
        ("GET", "Nothing", 404),
        ("POST", "Bulk", 501),
        ("GET", "Me", 501),
        ("POST", "Schemas", 405),
        ("PUT", "Users", 405),
    ] {
        let answer = desk.send(method, path, "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body["status"], status.to_string(), "{method} {path}");
    }
}
