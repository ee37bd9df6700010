//! Dependencies point one way: the `use` lines of every module say only what its layer may use.

use std::{fs, path::Path};

/// Layers of `src/`, each with the layers and crates that it must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &["crate::catalog", "crate::resolve", "crate::command", "crate::render", "crate::service"],
    ),
    ("catalog", &["crate::resolve", "crate::command", "crate::render", "crate::service"]),
    ("resolve", &["crate::command", "crate::render", "crate::service"]),
    ("render", &["crate::catalog", "crate::resolve", "crate::command", "crate::service"]),
    ("content", &["crate::resolve", "crate::command", "crate::service"]),
    ("command", &["crate::service", "crate::auth"]),
    (
        "auth",
        &["crate::resolve", "crate::command", "crate::render", "crate::content", "crate::service"],
    ),
];

/// What pure layers never name, wherever they stand.
const IMPURE: &[&str] = &["tokio", "tonic", "sled", "SystemTime", "Instant::now", "new_v4"];

/// The one pure layer that may encode messages.
const ENCODER: &str = "content";

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_layer_uses_only_what_lies_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (layer, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&src.join(layer), &mut files);
        let root = src.join(format!("{layer}.rs"));
        files.push((root.display().to_string(), fs::read_to_string(root).unwrap()));
        assert!(files.len() > 1, "{layer} has no files");
        for (path, text) in files {
            for (at, line) in
                text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//"))
            {
                if *layer != ENCODER && (line.contains("prost") || line.contains("deskplane_proto"))
                {
                    broken.push(format!("{path}:{}: generated messages", at + 1));
                }
                let names = |word: &&&str| line.contains(**word);
                for word in forbidden.iter().chain(IMPURE).filter(names) {
                    broken.push(format!("{path}:{}: {word}", at + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What the command line never names: it knows the product as any other client does.
const INSIDE: &[&str] =
    &["auth", "catalog", "command", "content", "domain", "ledger", "render", "resolve", "service"];

/// What only the files that start a server, or that look after the folder of one, name in addition.
const HOSTS: (&[&str], &[&str]) = (
    &["serve.rs", "demo.rs", "backup.rs", "restore.rs", "doctor.rs"],
    &["clock", "server", "store", "watch"],
);

#[test]
fn the_command_line_talks_to_the_public_api_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src.join("cli"), &mut files);
    assert!(files.len() > 10, "src/cli has no files");
    for (path, text) in files {
        let host = HOSTS.0.iter().any(|name| path.ends_with(&format!("cli/{name}")));
        let hosted = HOSTS.1.iter().filter(|_| !host);
        for module in INSIDE.iter().chain(hosted) {
            let (inline, listed) = (format!("crate::{module}"), format!("{module}::"));
            let named = |line: &str| line.contains(&inline) && !line.contains("crate::cli");
            // `use crate::{` is followed by one module a line.
            let block = text.split_once("use crate::{").map(|(_, rest)| rest.split("};").next());
            let block = block.flatten().unwrap_or_default();
            assert!(!text.lines().any(named), "{path} names {module}");
            assert!(!block.split_whitespace().any(|w| w.starts_with(&listed)), "{path}: {module}");
        }
    }
}
