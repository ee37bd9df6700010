//! Every text of every request, one at a time, with what does not belong there.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, future, stream};
use prost::Message;
use prost_reflect::{Kind, MethodDescriptor, Value};
use tonic::Code;

use super::{
    sites::{Site, sites},
    target::{Target, read, refused, validate_only},
};

/// What a bad text must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Any answer that the specification has.
    Named,
    /// A bad argument, unless the server takes no notice of the field.
    Invalid,
}

/// Texts of JSON may have 64 KiB, secrets 16 KiB, contexts of calls 4 KiB, all others at most 2048
/// characters.
fn too_long(site: &Site) -> usize {
    let long = ["advanced_filter", "tree", "config", "secrets", "context"];
    if long.contains(&site.last().name()) { (64 << 10) + 1 } else { 2_049 }
}

/// Texts for a place that holds `valid` in an accepted request.
fn texts(site: &Site, valid: &str) -> Vec<(&'static str, String, Expect)> {
    let long = too_long(site);
    let valid = if valid.is_empty() { "abc" } else { valid };
    let swapped = valid.chars().map(|c| {
        if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
    });
    let odd =
        "\u{202e}\u{2066}\u{200b}\u{feff}\u{1f469}\u{200d}\u{1f467} \u{1f600}\"'\\{}${}[]%00%s";
    vec![
        ("empty", String::new(), Expect::Named),
        ("blank", format!(" {valid}"), Expect::Named),
        ("case swapped", swapped.collect(), Expect::Named),
        ("too long", "x".repeat(long), Expect::Invalid),
        ("too long behind", format!("{valid}{}", "\u{1f600}".repeat(long)), Expect::Invalid),
        ("U+0000", format!("{valid}\0"), Expect::Invalid),
        ("U+0007", format!("\u{7}{valid}"), Expect::Invalid),
        ("line break", format!("{valid}\nx"), Expect::Named),
        ("odd characters", format!("{valid}{odd}"), Expect::Named),
        ("odd characters alone", odd.to_owned(), Expect::Named),
        ("slashes", format!("{valid}/x//../../etc/passwd"), Expect::Named),
        ("other collection", "secrets/contoso_rep".to_owned(), Expect::Named),
    ]
}

fn text_sites(rpc: &MethodDescriptor) -> Vec<Site> {
    sites(&rpc.input()).into_iter().filter(|site| site.kind() == Kind::String).collect()
}

/// Sends a request that must be refused in earnest; any other as a question first, and when it is
/// refused in earnest too.
async fn attack(
    target: &Target,
    rpc: &MethodDescriptor,
    site: &Site,
    (text, expect): (&str, Expect),
) -> Result<(), String> {
    let mut request = target.valid(rpc);
    site.put(&mut request, Value::String(text.to_owned()));
    let must = expect == Expect::Invalid && !site.is_ignored(rpc);
    let question = validate_only(request.clone());
    let first = if must { &request } else { &question };
    let mut answer = target.call(rpc, first.encode_to_vec()).await;
    if !must && answer.is_err() && question != request {
        answer = target.call(rpc, request.encode_to_vec()).await;
    } else if !must && answer.is_ok() {
        return Ok(());
    }
    let Err(status) = answer else { return Err("accepted".to_owned()) };
    let found = read(&status)?;
    if must && found.code != Code::InvalidArgument {
        return Err(format!("no bad argument: {found:?}"));
    }
    let named = found.fields.iter().any(|(field, _)| site.is_named_by(field));
    if found.code == Code::InvalidArgument && !named {
        return Err(format!("does not name the field: {found:?}"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_the_table_are_accepted() {
    let target = Target::start().await;
    let before = target.state().await;
    for rpc in target.rpcs() {
        let request = validate_only(target.valid(&rpc));
        let answer = target.call(&rpc, request.encode_to_vec()).await;
        answer.unwrap_or_else(|status| panic!("{}: {status:?}", Target::path(&rpc)));
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_in_any_field_does_harm() {
    let target = Target::start().await;
    let before = target.state().await;
    let mut cases = Vec::new();
    for rpc in target.rpcs() {
        for site in text_sites(&rpc) {
            let valid = site.text(&target.valid(&rpc));
            cases.extend(
                texts(&site, &valid).into_iter().map(|case| (rpc.clone(), site.clone(), case)),
            );
        }
    }
    assert!(cases.len() > 4_000);
    let wrong = stream::iter(&cases).map(async |(rpc, site, (what, text, expect))| {
        let why = attack(&target, rpc, site, (text, *expect)).await.err()?;
        Some(format!("{} {} {what}: {why:.400}", Target::path(rpc), site.name()))
    });
    let wrong: Vec<_> = wrong.buffer_unordered(8).filter_map(future::ready).collect().await;
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(target.state().await, before, "a refused call or a question changed something");
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_megabyte_in_a_field_is_refused() {
    let target = Target::start().await;
    let before = target.state().await;
    let text = "x".repeat(1 << 20);
    let mut met = BTreeSet::new();
    for rpc in target.rpcs() {
        // Once for every field of every message; fields of resources come with several RPCs.
        let sites = text_sites(&rpc).into_iter().filter(|site| !site.is_ignored(&rpc));
        for site in sites.filter(|site| met.insert(site.id())) {
            let mut request = target.valid(&rpc);
            site.put(&mut request, Value::String(text.clone()));
            let context = format!("{} {} 1 MiB", Target::path(&rpc), site.name());
            let status = target.call(&rpc, request.encode_to_vec()).await.expect_err(&context);
            let found = refused(&status, &context);
            assert_eq!(found.code, Code::InvalidArgument, "{context}: {found:?}");
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}

/// Stands in a request where bytes that are no text go.
const MARK: &str = "mark of a text";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text_are_malformed_in_every_field() {
    let target = Target::start().await;
    let before = target.state().await;
    for rpc in target.rpcs() {
        for site in text_sites(&rpc) {
            let mut request = target.valid(&rpc);
            site.put(&mut request, Value::String(MARK.to_owned()));
            let mut bytes = request.encode_to_vec();
            let at = bytes.windows(MARK.len()).position(|w| w == MARK.as_bytes()).unwrap();
            for bad in [&b"\xff\xfe"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
                bytes[at..at + MARK.len()].fill(b'x');
                bytes[at..at + bad.len()].copy_from_slice(bad);
                let context = format!("{} {} {bad:x?}", Target::path(&rpc), site.name());
                let status = target.call(&rpc, bytes.clone()).await.expect_err(&context);
                let found = refused(&status, &context);
                assert_eq!(found.reason, "REQUEST_MALFORMED", "{context}: {found:?}");
            }
        }
    }
    assert_eq!(target.state().await, before);
    target.end().await;
}
