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
