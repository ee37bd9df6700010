//! Page tokens that no call gave, filters and orders that mean nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json};
use tonic::Status;

use super::target::{Target, assert_refused, refused};

const LIST: &str = "ProfileService/ListProfiles";

fn token(answer: &DynamicMessage) -> String {
    let token = answer.get_field_by_name("next_page_token").unwrap();
    token.as_str().unwrap().to_owned()
}

/// The request with a page token.
fn with(request: &Json, token: &str) -> Json {
    let mut request = request.clone();
    request["page_token"] = token.into();
    request
}

fn assert_bad_token(answer: Result<DynamicMessage, Status>, context: &str) {
    assert_refused(answer, "PAGE_TOKEN_INVALID", "page_token", context);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_no_call_gave_are_refused_by_every_list() {
    let target = Target::start().await;
    let first = json!({"page_size": 1});
    let good = token(&target.ask(LIST, &first).await.unwrap());
    assert!(target.ask(LIST, &with(&first, &good)).await.is_ok());

    let mut forged = vec![0; 16];
    forged.extend(br#"{"expires":9223372036854775807,"after":{"key":"None","name":"a"}}"#);
    let made_up = [
        "x".to_owned(),
        "AAAA".to_owned(),
        "=".to_owned(),
        " ".to_owned(),
        "\u{0}".to_owned(),
        "\u{1f600}".to_owned(),
        "../..".to_owned(),
        "A".repeat(100_000),
        URL_SAFE_NO_PAD.encode([0; 17]),
        URL_SAFE_NO_PAD.encode(forged),
        format!("{good}="),
        format!("{good}A"),
        format!(" {good}"),
    ];
    for rpc in target.rpcs() {
        if rpc.input().get_field_by_name("page_token").is_none() {
            continue;
        }
        let path = Target::path(&rpc);
        for bad in &made_up {
            let answer = target.ask(&path, &with(&target.json(&path), bad)).await;
            assert_bad_token(answer, &format!("{path} {:.40}", bad.escape_debug()));
        }
        if path != LIST {
            let answer = target.ask(&path, &with(&target.json(&path), &good)).await;
            assert_bad_token(answer, &format!("{path} with a token of {LIST}"));
        }
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_any_change_is_refused() {
    let target = Target::start().await;
    let first = json!({"page_size": 1});
    let good = token(&target.ask(LIST, &first).await.unwrap());
    for end in 1..good.len() {
        assert_bad_token(target.ask(LIST, &with(&first, &good[..end])).await, "truncated");
    }
    let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let flipped = URL_SAFE_NO_PAD.encode(flipped);
        let context = format!("bit {} of byte {at} flipped", at % 8);
        assert_bad_token(target.ask(LIST, &with(&first, &flipped)).await, &context);
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_its_own_arguments() {
    let target = Target::start().await;
    let asked = json!({"page_size": 1, "filter": "display_name != \"x\"", "order_by": "rank"});
    let good = token(&target.ask(LIST, &asked).await.unwrap());
    for (field, value) in [
        ("filter", "display_name != \"y\""),
        ("filter", ""),
        ("order_by", "rank desc"),
        ("order_by", ""),
    ] {
        let mut other = with(&asked, &good);
        other[field] = value.into();
        assert_bad_token(target.ask(LIST, &other).await, &format!("{field} {value}"));
    }
    // The size of pages is no argument that a token is bound to.
    let mut other = with(&asked, &good);
    other["page_size"] = 2.into();
    assert!(target.ask(LIST, &other).await.is_ok());

    let bulk = json!({"users": ["john.doe", "jane.roe"], "page_size": 1});
    let good = token(&target.ask("AgentService/BulkResolve", &bulk).await.unwrap());
    for other in [
        json!({"users": ["john.doe"]}),
        json!({"users": ["john.doe", "jane.roe"], "app": "APP_OMNICHANNEL"}),
        json!({"users": ["john.doe", "jane.roe"], "view": "BULK_VIEW_FULL"}),
        json!({}),
    ] {
        let answer = target.ask("AgentService/BulkResolve", &with(&other, &good)).await;
        assert_bad_token(answer, &other.to_string());
    }
    let search = json!({"text": "j", "page_size": 1});
    let good = token(&target.ask("InsightService/SearchByUser", &search).await.unwrap());
    for other in [json!({"text": "jo"}), json!({"text": "j", "method": "METHOD_DIRECT"})] {
        let answer = target.ask("InsightService/SearchByUser", &with(&other, &good)).await;
        assert_bad_token(answer, &other.to_string());
    }
    target.end().await;
}

/// Bad filters and the character at which each goes wrong.
const FILTERS: &[(&str, usize)] = &[
    ("x", 0),
    ("nothing = \"a\"", 0),
    ("display_name", 12),
    ("display_name ~ \"a\"", 13),
    ("display_name =", 14),
    ("display_name = \"a", 15),
    ("display_name = \"\u{1f600}\\\"", 15),
    ("display_name = \"a\" OR state = \"b\"", 19),
    ("display_name = \"a\" and state = \"b\"", 19),
    ("display_name = \"a\"AND state = \"b\"", 18),
    ("display_name = \"a\" AND ", 23),
    ("rank = \"x\"", 7),
    ("rank = 99999999999999999999", 7),
    ("rank : 1", 5),
    ("display_name < \"a\"", 13),
    ("is_default = maybe", 13),
    ("create_time > \"yesterday\"", 14),
    ("\u{202e}display_name = \"a\"", 0),
    ("\u{0}", 0),
    ("(display_name = \"a\")", 0),
    ("'; DROP TABLE profiles; --", 0),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_filters_are_refused_with_the_character() {
    let target = Target::start().await;
    let many = vec!["rank = 1"; 21].join(" AND ");
    let long = format!("display_name = \"{}\"", "x".repeat(2_048));
    // The 21st comparison begins behind twenty of eight characters and their joints of five.
    let counted = [(many.as_str(), 20 * 13), (long.as_str(), 2_048)];
    for (filter, offset) in FILTERS.iter().copied().chain(counted) {
        let answer = target.ask(LIST, &json!({"filter": filter})).await;
        let context = format!("{:.60}", filter.escape_debug());
        let found = refused(&answer.expect_err(&context), &context);
        let [(field, rule)] = found.fields.as_slice() else { panic!("{context}: {found:?}") };
        assert_eq!((found.reason.as_str(), field.as_str()), ("FILTER_INVALID", "filter"));
        let named = rule.contains(&format!("{offset}"));
        assert!(named, "{context}: not at character {offset}: {rule}");
    }
    target.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_orders_are_refused_by_every_list() {
    let target = Target::start().await;
    for rpc in target.rpcs() {
        if rpc.input().get_field_by_name("order_by").is_none() {
            continue;
        }
        let path = Target::path(&rpc);
        for order in [
            "nothing",
            "display_name asc",
            "display_name desc desc",
            "display_name, create_time",
            "display_name DESC",
            "-display_name",
            "uid",
            "\u{0}",
            "\u{202e}display_name",
            "\u{2003}\u{2003}nothing",
        ] {
            let answer = target.ask(&path, &json!({"order_by": order})).await;
            assert_refused(answer, "FILTER_INVALID", "order_by", &format!("{path} {order:?}"));
        }
    }
    target.end().await;
}
