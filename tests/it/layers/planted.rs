//! What the tests of the layers see: each is shown what it has to find.

use super::{
    circles::circles,
    imports::Imports,
    rules::{HOSTS, IMPURE, MAKES_NO_STATUS, MAY_IMPORT, ONLY_IN, PURE},
    seeing_both,
    sources::Sources,
    spawns, strangers, upwards,
};

/// What the files of a crate import, each given with the path of its module.
fn imports(texts: &[(&str, &str)]) -> Imports {
    Sources::planted(texts).imports()
}

/// Whether a file imports another one in each of these texts.
fn imported(of: &str, names: &[&str]) -> Vec<bool> {
    let planted = |text: &&str| {
        let facade = "mod child; mod other; pub mod sub; pub use self::child::Shown as Known;
                      pub use self::other::*; pub struct Own;";
        let texts = [
            ("deskplane", "mod a; mod b;"),
            ("deskplane::b", facade),
            ("deskplane::b::child", "pub struct Shown;"),
            ("deskplane::b::other", "pub struct Starred;"),
            ("deskplane::b::sub", "pub fn call() {}"),
            ("deskplane::a", text),
        ];
        imports(&texts).inside.contains_key(&("deskplane::a".to_owned(), of.to_owned()))
    };
    names.iter().map(planted).collect()
}

#[test]
fn a_path_leads_to_the_file_that_defines_what_it_names() {
    let to_child = [
        "use crate::b::Known;",
        "use super::b::{self, Known as Other};",
        "use crate::{b::{Own, Known}};",
        "fn f(_: crate::b::Known) {}",
        "use crate::b; fn f() -> b::Known { todo!() }",
        "use crate::b as renamed; struct S(renamed::Known);",
        "mod inner { use super::super::b::Known; }",
        "fn f() { use crate::b::Known; }",
        "fn f() { vec![crate::b::Known]; }",
        "macro_rules! m { () => { use $crate::b::{Own, Known}; } }",
        "#[serde(with = \"crate::b::Known\")] struct S;",
        "use deskplane::b::Known;",
    ];
    assert_eq!(imported("deskplane::b::child", &to_child), [true; 12]);
    assert_eq!(imported("deskplane::b::other", &["use crate::b::Starred;"]), [true]);
    let to_sub =
        ["use crate::b::sub; fn f() { sub::call() }", "use crate::b::*; fn f() { sub::call() }"];
    assert_eq!(imported("deskplane::b::sub", &to_sub), [true; 2]);
    assert_eq!(
        imported("deskplane::b", &["use crate::b::Own;", "use crate::b::*; struct S(Own);"]),
        [true; 2]
    );
}

#[test]
fn what_shows_or_tests_a_thing_does_not_depend_on_it() {
    let nothing = [
        "",
        "pub use crate::b::Known;",
        "use crate::b;",
        "#[cfg(test)] mod tests { use crate::b::Known; }",
        "#[cfg(test)] use crate::b::Known;",
        "#[cfg(all(test, unix))] fn f(_: crate::b::Known) {}",
        "// use crate::b::Known;",
        "struct S; impl S { #[cfg(test)] fn f(_: crate::b::Known) {} }",
    ];
    assert_eq!(imported("deskplane::b::child", &nothing), [false; 8]);
    // Shown and used is used.
    let used = ["pub use crate::b::Known; fn f(_: Known) {}"];
    assert_eq!(imported("deskplane::b::child", &used), [true]);
}

#[test]
fn a_facade_may_show_a_function_with_the_name_of_its_module() {
    for (text, to) in [
        ("use crate::a::explain;\nfn f() { explain() }", "deskplane::a::explain"),
        ("use crate::a::explain::Why;", "deskplane::a::explain"),
        ("use crate::a::{explain::Why, Own};", "deskplane::a"),
    ] {
        let texts = [
            ("deskplane", "mod a; mod b;"),
            ("deskplane::a", "mod explain; pub use self::explain::explain; pub struct Own;"),
            ("deskplane::a::explain", "pub fn explain() {} pub struct Why;"),
            ("deskplane::b", text),
        ];
        let found = imports(&texts).inside;
        assert!(
            found.contains_key(&("deskplane::b".to_owned(), to.to_owned())),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_circle_is_found_through_any_number_of_files() {
    let circle = |first: &str| {
        let texts = [
            ("deskplane", "mod a;"),
            ("deskplane::a", first),
            ("deskplane::a::b", "use super::c::C; pub struct B;"),
            ("deskplane::a::c", "pub struct C(super::A);"),
        ];
        circles(&imports(&texts).inside.into_keys().collect())
    };
    let found = circle("mod b; mod c; use self::b::B; pub struct A(B);");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].len(), 3, "{found:?}");
    // A facade over them is none.
    assert_eq!(circle("mod b; mod c; pub use self::b::B; pub struct A;"), []);
}

#[test]
fn every_arrow_that_is_in_no_row_is_found() {
    for (low, rule) in MAY_IMPORT {
        for (high, _) in MAY_IMPORT.iter().filter(|(high, _)| high != low) {
            let texts = [
                ("deskplane".to_owned(), format!("mod {low}; mod {high};")),
                (format!("deskplane::{high}"), "pub struct Thing;".to_owned()),
                (format!("deskplane::{low}"), "mod inside;".to_owned()),
                (format!("deskplane::{low}::inside"), format!("use crate::{high}::Thing;")),
            ];
            let texts: Vec<_> =
                texts.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
            // The command line has rows for some of its files only.
            let inside = *low != "cli" || !(HOSTS.1.contains(high) || *high == "domain");
            let allowed = rule.contains(high) && inside;
            assert_eq!(upwards(&imports(&texts)).is_empty(), allowed, "{low} imports {high}");
        }
    }
    let unknown = [("deskplane", "mod novel;"), ("deskplane::novel", "")];
    assert_eq!(upwards(&imports(&unknown)), ["deskplane::novel is in no row of MAY_IMPORT"]);
    let vendors = [
        ("deskplane_providers", "mod twilio; mod asterisk;"),
        ("deskplane_providers::twilio", "pub struct Twilio;"),
        ("deskplane_providers::asterisk", "use crate::twilio::Twilio;"),
    ];
    assert_eq!(upwards(&imports(&vendors)).len(), 1);
}

#[test]
fn every_forbidden_name_is_found() {
    let strange = |module: &str, text: String| {
        strangers(&imports(&[("deskplane", ""), (module, &text)])).len()
    };
    for pure in PURE {
        for what in IMPURE {
            let module = format!("deskplane::{pure}::file");
            assert!(strange(&module, format!("use {what}::x;")) > 0, "{pure} names {what}");
        }
    }
    assert_eq!(
        strange("deskplane::domain", "use uuid::Uuid as U; fn f() { U::new_v4(); }".into()),
        1
    );
    for (what, _) in ONLY_IN {
        assert!(strange("deskplane::process::file", format!("use {what}::x;")) > 0, "{what}");
    }
    let status = |name: &str| format!("use tonic::Status; fn f() {{ Status::{name}(); }}");
    assert_eq!(strange("deskplane::service::voice", status("internal")), 1);
    for name in MAKES_NO_STATUS {
        assert_eq!(strange("deskplane::service::voice", status(name)), 0);
    }
}

#[test]
fn a_file_that_sees_messages_and_domain_types_is_found() {
    let both = "use deskplane_proto::v1; use crate::domain::Name; fn f(_: v1::Profile, _: Name) {}";
    let texts = |module| {
        [("deskplane", "mod domain;"), ("deskplane::domain", "pub struct Name;"), (module, both)]
    };
    let seen = |module| seeing_both(&imports(&texts(module))).len();
    assert_eq!(seen("deskplane::service::rows"), 1);
    assert_eq!(seen("deskplane::service::convert::profile"), 0);
}

#[test]
fn every_way_round_supervision_is_found() {
    for text in [
        "fn f() { tokio::spawn(async {}); }",
        "use tokio::task; fn f() { task::spawn(async {}); }",
        "use tokio::{spawn as go}; fn f() { go(async {}); }",
        "fn f(runtime: Runtime) { runtime.spawn(async {}); }",
        "fn f() { tokio::runtime::Handle::current().spawn(async {}); }",
        "use tokio::task::JoinSet; struct S(JoinSet<()>);",
        "fn f() { std::thread::spawn(|| ()); }",
        "use std::thread; fn f() { thread::Builder::new(); }",
        "fn f() { tokio::sync::mpsc::unbounded_channel::<u8>(); }",
        "use std::sync::mpsc; fn f() { mpsc::channel::<u8>(); }",
    ] {
        let found = spawns::unsupervised(&imports(&[("deskplane", ""), ("deskplane::x", text)]));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
    let sound = "use tokio::sync::mpsc; fn f(tasks: Tasks) { tasks.spawn(f); mpsc::channel(8); }";
    let sound = imports(&[("deskplane", ""), ("deskplane::x", sound)]);
    assert!(spawns::unsupervised(&sound).is_empty());
}
