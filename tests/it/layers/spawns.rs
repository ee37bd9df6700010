//! Tasks and threads are supervised, and channels between them are bounded: nobody goes round
//! `src/tasks.rs`.

use std::collections::BTreeSet;

use super::{PRODUCT, imports::Imports};

/// What starts a task or a thread that nobody supervises, or makes a channel without a bound.
const FORBIDDEN: &[&str] = &[
    "std::sync::mpsc::channel",
    "std::thread::Builder",
    "std::thread::spawn",
    "tokio::spawn",
    "tokio::sync::mpsc::unbounded_channel",
    "tokio::task::JoinSet",
    "tokio::task::spawn",
    "tokio::task::spawn_local",
];

/// Methods that do so, unless they are called on a supervised scope, whose name ends so.
const METHODS: (&[&str], &str) = (&["spawn", "spawn_on", "spawn_local"], "tasks");

/// Where it is done all the same: the file, what it names, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("deskplane::cli::demo", "tokio::spawn", "the server itself, whose end is waited for"),
    ("deskplane::process::watchdog", ".spawn", WATCHDOG),
    ("deskplane::process::watchdog", "std::sync::mpsc::channel", WATCHDOG),
    ("deskplane::process::watchdog", "std::thread::Builder", WATCHDOG),
    (
        "deskplane::server::monitor::listen",
        "tokio::task::JoinSet",
        "at most 64 connections, aborted one by one, each supervised by `Tasks::guard`",
    ),
    ("deskplane::store::durable::engine", "std::sync::mpsc::channel", "one answer to one question"),
    ("deskplane::store::durable::index::tree", ".spawn", STORE),
    ("deskplane::store::durable::index::tree", "std::thread::Builder", STORE),
    ("deskplane::store::durable::state", "scope.spawn", "joined where it is started"),
    ("deskplane::store::durable::worker", ".spawn", STORE),
    ("deskplane::store::durable::worker", "std::sync::mpsc::channel", STORE),
    ("deskplane::store::durable::worker", "std::thread::Builder", STORE),
];

/// It ends the process when everything else hangs, so it depends on nothing else.
const WATCHDOG: &str = "the last resort of the end of a process";
/// The store outlives the server, and makes a panic of its threads an error of the store.
const STORE: &str = "a thread of the store, which reports its failure itself";

/// What the files of the product name of it, without `src/tasks.rs`.
pub(super) fn unsupervised(imports: &Imports) -> BTreeSet<(String, String)> {
    let paths = imports.outside.iter().filter_map(|(from, path, _)| {
        let named = |what: &&&str| {
            path.strip_prefix(**what).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        Some((from.clone(), (*FORBIDDEN.iter().find(named)?).to_owned()))
    });
    let calls = imports.calls.iter().filter_map(|(from, on, method, _)| {
        let starts = METHODS.0.contains(&method.as_str()) && !on.ends_with(METHODS.1);
        starts.then(|| (from.clone(), format!("{on}.{method}")))
    });
    paths.chain(calls).filter(|(from, _)| from != "deskplane::tasks").collect()
}

#[test]
fn tasks_are_supervised_and_channels_bounded_but_for_the_listed_ones() {
    let listed: BTreeSet<_> =
        EXCEPTIONS.iter().map(|(file, what, _)| ((*file).to_owned(), (*what).to_owned())).collect();
    let found = unsupervised(&PRODUCT);
    let news: Vec<_> = found.difference(&listed).collect();
    let idle: Vec<_> = listed.difference(&found).collect();
    assert!(news.is_empty(), "start it with `Tasks`, or bound it: {news:#?}");
    assert!(idle.is_empty(), "no longer needed: {idle:#?}");
}
