//! The alerts and the dashboard of `packaging/monitoring`, and the table of figures in
//! `docs/operations.md`, against what a server shows.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::World;
use crate::{api::Api, credentials::world as credentials};

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a server shows that has been called.
async fn shown() -> String {
    let world = World::new().await;
    let api = Api::admin(&world.server);
    api.ok("UpsertUser", json!({"user": {"id": "ann"}})).await;
    api.ok("ResolveProfile", json!({"user": "ann"})).await;
    let (status, text) = world.get("/metrics");
    assert_eq!(status, 200);
    drop(api);
    world.server.end().await;
    text + &shown_with_credentials().await
}

/// What one shows that has an issuer of tokens.
async fn shown_with_credentials() -> String {
    let (monitor, address) = super::monitor().await;
    let world = credentials::World::monitored(Some(monitor)).await;
    world.admin().ok("GetSettings", json!({})).await;
    let (status, text) = super::get(address, "GET", "/metrics");
    assert_eq!(status, 200);
    world.server.end().await;
    text
}

/// Each name of a figure in a text, with the labels that stand behind it and must have a value.
fn named(text: &str) -> BTreeSet<(String, Vec<String>)> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("deskplane_") {
        let rest = &text[at..];
        let (name, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        let labels = behind.strip_prefix('{').and_then(|labels| labels.split_once('}'));
        let labels = labels.map(|(labels, _)| labels.split(',')).into_iter().flatten();
        let equal = labels
            .map(str::trim)
            .filter(|label| label.contains("=\"") && !label.contains("!=") && !label.contains('$'));
        found.insert((name.to_owned(), equal.map(str::to_owned).collect()));
    }
    found
}

/// Asserts that a text names figures, and only those that are shown.
fn all_shown(text: &str, shown: &str, what: &str) {
    let named = named(text);
    assert!(named.len() > 10, "{what} names {named:?}");
    for (name, labels) in named {
        let sample = |line: &str| {
            let rest = line.strip_prefix(&name)?;
            let own = rest.starts_with(['{', ' ']);
            Some(own && labels.iter().all(|label| rest.contains(label)))
        };
        let found = shown.lines().any(|line| sample(line) == Some(true));
        assert!(found, "{what} names {name}{labels:?}, which no server shows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_name_figures_that_there_are() {
    let shown = shown().await;
    all_shown(&file("packaging/monitoring/alerts.yaml"), &shown, "alerts.yaml");
    let dashboard: Value =
        serde_json::from_str(&file("packaging/monitoring/dashboard.json")).unwrap();
    let mut queries = Vec::new();
    let mut open = vec![&dashboard];
    while let Some(value) = open.pop() {
        queries.extend(value.get("expr").and_then(Value::as_str));
        match value {
            Value::Array(all) => open.extend(all),
            Value::Object(all) => open.extend(all.values()),
            _ => {}
        }
    }
    assert!(queries.len() > 20, "{queries:?}");
    all_shown(&queries.join("\n"), &shown, "dashboard.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_is_in_the_table_of_operations() {
    let shown = shown().await;
    let table = file("docs/operations.md");
    let described = shown.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let names: Vec<_> = described.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(table.contains(&format!("| `{name}` | ")), "{name} is not in the table");
    }
}
