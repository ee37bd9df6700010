//! Dependencies point one way, and never in a circle.
//!
//! The sources are parsed, and each path that a file names, in a `use` or in code, is resolved to
//! the file that defines what it means. That is an **import** of that file. The rules:
//!
//! * What is compiled for tests only does not count.
//! * Nor do `mod` declarations, and a `pub use child::Name` of a facade that does not itself use the
//!   name: to show something is not to depend on it.
//! * Who takes a name from a facade that only re-exports it imports the file behind it. So a child
//!   may write `super::Name` for a name of its sibling, but a name that the file of its parent
//!   defines makes the parent its dependency, and the parent must then import nothing of the child.
//! * The name of a module alone is no import; what is named through it is.

mod circles;
mod imports;
mod paths;
mod planted;
mod rules;
mod sources;
mod spawns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use self::{
    circles::circles,
    imports::Imports,
    rules::{
        HOSTS, IMPURE, KINDS, MAKES_NO_STATUS, MAKES_STATUS, MAY_IMPORT, ONLY_IN, PURE, SEE_BOTH,
        VENDORS,
    },
    sources::Sources,
};

static PRODUCT: LazyLock<Imports> = LazyLock::new(|| Sources::of_the_product().imports());

/// The module of the first level that a file is part of; none for the root and for other crates.
fn layer<'a>(module: &'a str, of: &str) -> Option<&'a str> {
    let inside = module.strip_prefix(of)?.strip_prefix("::")?;
    inside.split("::").next()
}

/// Whether a module is that one or inside it.
fn within(module: &str, folder: &str) -> bool {
    module.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What breaks the directions.
fn upwards(imports: &Imports) -> Vec<String> {
    let (rules, mut broken) = (BTreeMap::from_iter(MAY_IMPORT.iter().copied()), Vec::new());
    for file in &imports.files {
        if layer(file, "deskplane").is_some_and(|layer| !rules.contains_key(layer)) {
            broken.push(format!("{file} is in no row of MAY_IMPORT"));
        }
    }
    for ((from, to), lines) in &imports.inside {
        let (Some(low), Some(high)) = (layer(from, "deskplane"), layer(to, "deskplane")) else {
            continue;
        };
        let allowed = rules.get(low).is_some_and(|rule| rule.contains(&high));
        let is_host = HOSTS.0.iter().any(|host| within(from, &format!("deskplane::cli::{host}")));
        let client = low == "cli" && HOSTS.1.contains(&high) && !is_host;
        let data = low == "cli" && high == "domain" && !is_host && !within(from, KINDS);
        if low != high && (!allowed || client || data) {
            broken.push(format!("{from} imports {to}, lines {lines:?}"));
        }
    }
    for (from, to) in imports.inside.keys() {
        let vendors = (layer(from, "deskplane_providers"), layer(to, "deskplane_providers"));
        let (Some(from_vendor), Some(to_vendor)) = vendors else { continue };
        if from_vendor != to_vendor
            && VENDORS.contains(&to_vendor)
            && !["registry", "kit"].contains(&from_vendor)
        {
            broken.push(format!("{from} imports {to}"));
        }
    }
    broken
}

/// What names other crates where it must not.
fn strangers(imports: &Imports) -> Vec<String> {
    let providers = imports.inside.iter().flat_map(|((from, to), lines)| {
        lines.iter().map(move |line| (from.clone(), to.clone(), *line))
    });
    let named: Vec<_> = imports.outside.iter().cloned().chain(providers).collect();
    let mut broken = BTreeSet::new();
    for (from, path, line) in &named {
        // A single word may be a variable.
        let names = |what: &str| path.contains("::") && within(path, what);
        let pure = layer(from, "deskplane").is_some_and(|layer| PURE.contains(&layer));
        if pure && IMPURE.iter().any(|what| names(what)) {
            broken.insert(format!("{from}, line {line}: {path} in a pure module"));
        }
        for (what, places) in ONLY_IN {
            if names(what) && !places.iter().any(|place| within(from, place)) && !within(from, what)
            {
                broken.insert(format!("{from}, line {line}: {path}"));
            }
        }
        let status = path.strip_prefix("tonic::Status::");
        let makes = status.is_some_and(|name| !MAKES_NO_STATUS.contains(&name));
        if makes && !MAKES_STATUS.iter().any(|place| within(from, place)) {
            broken.insert(format!("{from}, line {line}: {path}"));
        }
    }
    broken.into_iter().collect()
}

/// Files that see both generated messages and domain types.
fn seeing_both(imports: &Imports) -> BTreeSet<&str> {
    let messages = |path: &str| path.starts_with("deskplane_proto::v1");
    let of_messages: BTreeSet<_> = imports
        .outside
        .iter()
        .filter(|(_, path, _)| messages(path))
        .map(|(from, _, _)| from.as_str())
        .collect();
    let domain = |file: &&str| {
        imports.inside.keys().any(|(from, to)| from == file && within(to, "deskplane::domain"))
    };
    let both = of_messages.into_iter().filter(domain);
    // Content encodes the message that it is.
    let converts = ["deskplane::service::convert", "deskplane::content"];
    both.filter(|file| !converts.iter().any(|place| within(file, place))).collect()
}

/// Rows of the tables of directions that nothing needs any more.
fn idle_rows(imports: &Imports) -> Vec<String> {
    let mut idle = Vec::new();
    for (low, rule) in MAY_IMPORT {
        for high in *rule {
            let used = imports.inside.keys().any(|(from, to)| {
                layer(from, "deskplane") == Some(low) && layer(to, "deskplane") == Some(high)
            });
            if !used {
                idle.push(format!("{low} imports nothing of {high}"));
            }
        }
    }
    for (what, places) in ONLY_IN {
        for place in *places {
            let outside = imports.outside.iter().map(|(from, path, _)| (from, path));
            let inside = imports.inside.keys().map(|(from, to)| (from, to));
            if !outside.chain(inside).any(|(from, path)| within(from, place) && within(path, what))
            {
                idle.push(format!("{place} names nothing of {what}"));
            }
        }
    }
    for host in HOSTS.0 {
        let host = format!("deskplane::cli::{host}");
        let hosts = imports.inside.keys().any(|(from, to)| {
            within(from, &host) && layer(to, "deskplane").is_some_and(|to| HOSTS.1.contains(&to))
        });
        if !hosts {
            idle.push(format!("{host} hosts nothing"));
        }
    }
    idle
}

#[test]
fn every_module_imports_only_what_lies_below_it() {
    let broken = upwards(&PRODUCT);
    assert!(PRODUCT.files.len() > 250, "{} files", PRODUCT.files.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn other_crates_are_named_only_where_they_may_be() {
    let broken = strangers(&PRODUCT);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn messages_and_domain_types_meet_in_conversions_and_in_the_files_that_are_listed() {
    let listed: BTreeSet<_> = SEE_BOTH.iter().map(|(file, _)| *file).collect();
    assert_eq!(seeing_both(&PRODUCT), listed);
}

#[test]
fn there_is_no_circle() {
    let circles = circles(&PRODUCT.inside.keys().cloned().collect());
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_row_of_a_table_is_idle() {
    assert_eq!(idle_rows(&PRODUCT), [""; 0]);
}
