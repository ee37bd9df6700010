//! What is framed by hand is what prost makes of the message.

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message as _;

use super::*;
use crate::{
    content::{Compiled, ContentId, shared_fields},
    domain::{Finding, FindingCode, Method, UniqueName, UserId},
    live::{Cause, CauseKind, Health, HealthState, Reset, Snapshot},
    service::{Service, tests::service},
};

const PROVIDERS: [&str; 3] = ["contoso_voice", "contoso_other", "contoso_silent"];

fn unique_name() -> impl Strategy<Value = UniqueName> {
    "[a-z]{3,8}_[a-z0-9]{1,100}".prop_map(|text| UniqueName::parse(&text).unwrap())
}

fn finding() -> impl Strategy<Value = Finding> {
    let code = select(vec![
        FindingCode::DanglingDirect,
        FindingCode::DuplicateRank,
        FindingCode::UnknownSlug,
        FindingCode::CopilotUnset,
    ]);
    (code, "[a-z]{0,5}", ".{0,200}").prop_map(|(code, subject, message)| Finding {
        code,
        subject,
        message,
    })
}

fn resolution() -> impl Strategy<Value = Resolution> {
    let method = select(vec![
        Method::Direct,
        Method::RoleBased,
        Method::DefaultCustom,
        Method::DefaultBuiltIn,
    ]);
    let roles = vec(unique_name(), 0..4);
    (unique_name(), method, option::of(any::<u8>()), roles, any::<bool>(), vec(finding(), 0..3))
        .prop_map(|(profile, method, rank, matched_roles, ambiguous, findings)| Resolution {
            profile,
            method,
            rank,
            matched_roles,
            ambiguous,
            findings,
        })
}

fn compiled() -> impl Strategy<Value = Compiled> {
    // Around the lengths that take a byte more, and that are copied no more.
    let length = prop_oneof![0..300usize, 16_000..16_800usize, COPIED - 100..COPIED + 100];
    let providers = proptest::sample::subsequence(PROVIDERS.to_vec(), 0..=3);
    (length, any::<u8>(), "d1:[0-9a-f]{64}", vec(finding(), 0..3), providers).prop_map(
        |(length, byte, digest, findings, providers)| {
            let (bytes, fields) = shared_fields(vec![byte; length].into(), &digest);
            Compiled {
                bytes,
                fields,
                id: Arc::new(ContentId { digest: digest.clone(), profile: None }),
                digest,
                findings,
                gates: Vec::new(),
                tools: Vec::new(),
                features: Vec::new(),
                unset: Vec::new(),
                unset_finding: None,
                providers: providers.into_iter().map(name).collect(),
            }
        },
    )
}

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn resolved() -> impl Strategy<Value = Resolved> {
    let app = select(vec![App::Unspecified, App::Workspace, App::CustomApp]);
    let revision = prop_oneof![0..3i64, any::<i64>()];
    ("[a-z][a-z.@]{0,127}", app, revision, resolution(), compiled()).prop_map(
        |(user, app, revision, resolution, content)| Resolved {
            revision,
            user: UserId::parse(&user).unwrap(),
            app,
            resolution: Arc::new(resolution),
            content: Arc::new(content),
        },
    )
}

fn cause() -> impl Strategy<Value = Cause> {
    let kind = select(vec![CauseKind::Initial, CauseKind::LibraryChanged, CauseKind::Reset]);
    (kind, any::<i64>(), option::of(any::<u128>())).prop_map(|(kind, revision, id)| Cause {
        kind,
        revision,
        request_id: id.map(uuid::Uuid::from_u128),
    })
}

fn message() -> impl Strategy<Value = live::Message> {
    let reset = option::of(select(vec![Reset::TokenInvalid, Reset::StoreRestored]));
    let sections = proptest::sample::subsequence(vec!["pane", "copilot", "channels"], 0..=3);
    let snapshot = (resolved(), reset, vec(cause(), 0..4), sections, "[A-Za-z0-9]{0,200}")
        .prop_map(|(resolved, reset, causes, changed_sections, resume_token)| {
            live::Message::Snapshot(Box::new(Snapshot {
                resolved,
                reset,
                causes,
                changed_sections,
                resume_token,
            }))
        });
    let bookmark = (any::<i64>(), "[a-z]{0,200}")
        .prop_map(|(revision, resume_token)| live::Message::Bookmark { revision, resume_token });
    let in_sync = (any::<i64>(), "d1:[0-9a-f]{64}", "[a-z]{0,200}").prop_map(
        |(revision, digest, resume_token)| live::Message::InSync { revision, digest, resume_token },
    );
    let health = select(PROVIDERS.to_vec()).prop_map(|provider| {
        let health = Health { state: HealthState::Down, since: Some(Time::from_micros(7)) };
        live::Message::ProviderHealth { provider: name(provider), health }
    });
    let drain = any::<u16>().prop_map(|seconds| {
        let reconnect_after = Duration::from_secs(seconds.into());
        live::Message::Drain { reconnect_after, deadline: Duration::from_secs(30) }
    });
    prop_oneof![6 => snapshot, 1 => bookmark, 1 => in_sync, 1 => health, 1 => drain]
}

/// A service that knows the health of two of the providers.
fn known_health() -> (tokio::runtime::Runtime, Service) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(service());
    for (provider, state) in
        [(PROVIDERS[0], HealthState::Healthy), (PROVIDERS[1], HealthState::Down)]
    {
        service.hub.report(&name(provider), state, String::new(), Time::from_micros(42));
    }
    (runtime, service)
}

/// The message in the pieces of a frame; the lengths are those of the header.
fn unframed(framed: &Framed) -> Vec<u8> {
    let pieces = framed.rest.iter().rev();
    let whole: Vec<u8> = [&framed.first].into_iter().chain(pieces).flatten().copied().collect();
    let ([0, length @ ..], message) = whole.split_first_chunk::<FRAME_HEADER>().unwrap() else {
        panic!("compressed");
    };
    assert_eq!(u32::from_be_bytes(*length) as usize, message.len());
    message.to_vec()
}

#[test]
fn an_answer_is_what_prost_makes_of_its_message() {
    let (_runtime, service) = known_health();
    let answer = prop_oneof![
        8 => resolved().prop_map(ResolveAnswer::Resolved),
        1 => resolved().prop_map(ResolveAnswer::NotModified),
        1 => any::<i64>().prop_map(ResolveAnswer::NotApplicable),
    ];
    proptest!(|(answer in answer, micros in any::<u32>())| {
        let now = Time::from_micros(micros.into());
        let typed = resolve_response(&answer, &service.hub, now);
        let framed = framed_resolve_response(&answer, &service.hub, now);
        prop_assert_eq!(&unframed(&framed), &typed.encode_to_vec());
        let decoded = v1::ResolveProfileResponse::decode(unframed(&framed).as_slice());
        prop_assert_eq!(decoded.unwrap(), typed);
    });
}

#[test]
fn an_event_is_what_prost_makes_of_its_message() {
    let (_runtime, service) = known_health();
    proptest!(|(message in message(), micros in any::<u32>())| {
        let now = Time::from_micros(micros.into());
        let typed = event(message.clone(), &service.hub, now);
        let framed = framed_event(message, &service.hub, now);
        prop_assert_eq!(&unframed(&framed), &typed.encode_to_vec());
        let decoded = v1::WatchProfileResponse::decode(unframed(&framed).as_slice());
        prop_assert_eq!(decoded.unwrap(), typed);
    });
}

/// What is long is not copied for each answer.
#[test]
fn answers_share_the_bytes_of_a_long_content() {
    let (_runtime, service) = known_health();
    proptest!(|(resolved in resolved())| {
        let fields = resolved.content.fields.clone();
        let answer = ResolveAnswer::Resolved(resolved);
        let framed = framed_resolve_response(&answer, &service.hub, Time::from_micros(1));
        let shared = framed.rest.iter().any(|piece| piece.as_ptr() == fields.as_ptr());
        prop_assert_eq!(shared, fields.len() > COPIED);
    });
}
