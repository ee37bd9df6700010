//! Dependencies point one way: the `use` lines of every module say only what its layer may use.

use std::{collections::BTreeSet, fs, path::Path};

/// Layers of `src/`, each with the modules that it may use beside itself.
const MAY_USE: &[(&str, &[&str])] = &[
    // Rules of single fields parse slugs and expressions.
    ("domain", &["render"]),
    ("catalog", &["domain"]),
    ("render", &[]),
    ("process", &[]),
    ("resolve", &["catalog", "domain"]),
    ("content", &["catalog", "domain", "render"]),
    ("command", &["catalog", "content", "domain", "render", "resolve"]),
    ("auth", &["catalog", "domain"]),
    ("store", &["domain"]),
    ("ledger", &["catalog", "clock", "command", "domain", "store"]),
    ("read", &["catalog", "content", "domain", "resolve"]),
    ("live", &["catalog", "content", "domain", "ledger", "read", "resolve", "store"]),
    ("voice", &["catalog", "clock", "command", "domain", "live", "resolve", "store"]),
    (
        "service",
        &[
            "auth", "catalog", "clock", "command", "content", "domain", "ledger", "live", "read",
            "resolve", "voice",
        ],
    ),
];

/// The layers that do nothing but compute.
const PURE: &[&str] = &["domain", "catalog", "resolve", "content", "render", "command", "auth"];

/// What pure layers never name, wherever they stand.
const IMPURE: &[&str] = &["tokio", "tonic", "sled::", "SystemTime", "Instant::now", "new_v4"];

/// Words that stand in some files only: the folder or file, from `src/` on.
const ONLY_IN: &[(&str, &[&str])] = &[
    (
        "deskplane_providers",
        &[
            "catalog",
            "command/library/provider",
            "config",
            "ledger.rs",
            "service/convert/voice.rs",
            "service/voice.rs",
            "voice",
            "server",
            "cli",
        ],
    ),
    ("chacha20poly1305", &["voice/vault"]),
    // The table of access is expanded from the table of RPCs; it knows no message.
    ("deskplane_proto", &["auth/table.rs", "content", "service", "server", "cli"]),
    ("Status::with_error_details", &["service/status.rs", "cli"]),
    ("::sled", &["store/durable/index"]),
    ("metrics::", &["store/durable/meters.rs", "server/monitor", "server/accept/meters.rs"]),
    ("metrics_exporter_prometheus", &["server/monitor"]),
];

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

/// What the product's part of a file says: no comments, and nothing of its tests.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every module of the crate that a text names: `crate::a` and each branch of `crate::{a, b::c}`.
fn modules(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `super::crate` are the same; `other_crate::` is not ours.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(block) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (at, c) in block.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.insert(word(&block[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn files_of(layer: &str) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src.join(layer), &mut files);
    let root = src.join(format!("{layer}.rs"));
    files.push((root.display().to_string(), fs::read_to_string(root).unwrap()));
    assert!(files.len() > 1, "{layer} has no files");
    // Tests may use whatever helps them.
    files.retain(|(path, _)| !path.contains("/tests") && !path.contains("conformance"));
    files
}

#[test]
fn modules_are_read_from_every_form_of_use() {
    let text = "use crate::{\n a,\n b::{c, d::{e}},\n f::g,\n};\nlet x = crate::h::i();\n\
                // crate::comment\n my_crate::j;";
    let found: Vec<_> = modules(&code(text)).into_iter().collect();
    assert_eq!(found, ["a", "b", "f", "h"]);
}

#[test]
fn every_layer_uses_only_what_lies_below_it() {
    let mut broken = Vec::new();
    for (layer, may_use) in MAY_USE {
        for (path, text) in files_of(layer) {
            let code = code(&text);
            for module in modules(&code) {
                if module != *layer && !may_use.contains(&module.as_str()) {
                    broken.push(format!("{path}: {module}"));
                }
            }
            let impure = IMPURE.iter().filter(|word| PURE.contains(layer) && code.contains(**word));
            broken.extend(impure.map(|word| format!("{path}: {word}")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn some_words_stand_in_few_files_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut broken = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !path.contains("/tests")) {
        let inside = path.strip_prefix(&format!("{}/", src.display())).unwrap();
        for (word, places) in ONLY_IN {
            let allowed = places.iter().any(|place| inside.starts_with(place));
            if !allowed && code(text).contains(word) {
                broken.push(format!("{inside}: {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What the command line never names: it knows the product as any other client does.
const INSIDE: &[&str] =
    &["auth", "catalog", "command", "content", "domain", "ledger", "render", "resolve", "service"];

/// The file that reads the list of kinds and their field tables, which are data.
const KINDS: &str = "cli/kind.rs";

/// What only the files that start a server, or that look after the folder of one, name in addition.
const HOSTS: (&[&str], &[&str]) = (
    &["serve.rs", "demo.rs", "backup.rs", "restore.rs", "doctor.rs", "secrets.rs"],
    &["clock", "live", "server", "store", "voice"],
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
        let kinds = path.ends_with(KINDS);
        let inside = INSIDE.iter().filter(|module| !(kinds && **module == "domain"));
        for module in inside.chain(hosted) {
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
