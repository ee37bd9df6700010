//! Senders that do not keep to the rules of an upload.

use futures_util::stream::{self, pending};

use super::*;
use crate::transfer::MAX_BUNDLE_BYTES;

type Item = Result<v1::ImportRequest, Status>;

fn options() -> v1::ImportRequest {
    v1::ImportRequest { options: Some(v1::ImportOptions::default()), ..Default::default() }
}

fn chunk(bytes: usize) -> v1::ImportRequest {
    v1::ImportRequest { chunk: vec![b'x'; bytes].into(), ..Default::default() }
}

/// What comes of the messages: the bundle, or reason and field of the refusal.
async fn received(messages: impl Stream<Item = Item> + Unpin) -> Result<Upload, (String, String)> {
    let mut messages = messages;
    let refused = |status: Status| {
        use tonic_types::StatusExt as _;
        let details = status.get_error_details();
        let field = details.bad_request().and_then(|bad| bad.field_violations.first());
        let field = field.map(|bad| bad.field.clone()).unwrap_or_default();
        (details.error_info().unwrap().reason.clone(), field)
    };
    let first = first(&mut messages).await.map_err(refused)?;
    Upload::receive(first, &mut messages).await.map_err(refused)
}

fn sent(
    messages: impl IntoIterator<Item = v1::ImportRequest>,
) -> stream::Iter<impl Iterator<Item = Item>> {
    stream::iter(messages.into_iter().map(Ok).collect::<Vec<_>>())
}

#[tokio::test]
async fn the_chunks_are_the_bundle_and_the_first_message_may_have_one() {
    let first = v1::ImportRequest { chunk: "ab".into(), reason: "why".into(), ..options() };
    let later = |text: &'static str| v1::ImportRequest { chunk: text.into(), ..Default::default() };
    let upload = received(sent([first, later("c"), later(""), later("de")])).await.unwrap();
    assert_eq!((upload.bundle.as_slice(), &*upload.envelope.reason), (&b"abcde"[..], "why"));
}

#[tokio::test]
async fn what_stands_in_the_wrong_message_is_refused() {
    let id = || v1::ImportRequest { request_id: "x".into(), ..Default::default() };
    let dry = || v1::ImportRequest { validate_only: true, ..Default::default() };
    let why = || v1::ImportRequest { reason: "x".into(), ..Default::default() };
    for (messages, field) in [
        (vec![], "options"),
        (vec![chunk(1)], "options"),
        (vec![chunk(1), options()], "options"),
        (vec![options(), options()], "options"),
        (vec![options(), chunk(1), id()], "request_id"),
        (vec![options(), dry()], "validate_only"),
        (vec![options(), why()], "reason"),
        (vec![options(), chunk(MAX_CHUNK_BYTES + 1)], "chunk"),
    ] {
        let refused = received(sent(messages)).await.unwrap_err();
        assert_eq!(refused, ("FIELD_INVALID".to_owned(), field.to_owned()));
    }
}

#[tokio::test]
async fn s11_4_chunks_without_end_stop_at_64_mib() {
    let endless = stream::repeat_with(|| Ok(chunk(MAX_CHUNK_BYTES)));
    let mut taken = 0;
    let messages = stream::iter([Ok(options())]).chain(endless).inspect(|_| taken += 1);
    let refused = received(Box::pin(messages)).await.unwrap_err();
    assert_eq!(refused, ("RESOURCE_TOO_LARGE".to_owned(), "chunk".to_owned()));
    assert_eq!(taken, 2 + MAX_BUNDLE_BYTES / MAX_CHUNK_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_stalls_is_refused_after_30_seconds() {
    for sent in [vec![], vec![options()], vec![options(), chunk(1)]] {
        let start = Instant::now();
        let messages = stream::iter(sent.into_iter().map(Ok)).chain(pending());
        let refused = received(Box::pin(messages)).await.unwrap_err();
        assert_eq!(refused.0, "UPLOAD_STALLED");
        assert_eq!(start.elapsed().as_secs(), NEXT.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_trickles_is_refused_after_10_minutes() {
    let start = Instant::now();
    let slow = stream::repeat_with(|| ()).then(|()| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(chunk(1))
    });
    let messages = stream::iter([Ok(options())]).chain(slow);
    let refused = received(Box::pin(messages)).await.unwrap_err();
    assert_eq!(refused.0, "UPLOAD_STALLED");
    assert_eq!(start.elapsed().as_secs(), WHOLE.as_secs());
}

#[test]
fn imports_are_the_same_by_options_and_bundle() {
    let managed = v1::ImportOptions { managed: true, ..Default::default() };
    let plain = payload(&v1::ImportOptions::default(), b"x");
    assert_eq!(plain, payload(&v1::ImportOptions::default(), b"x"));
    assert_ne!(plain, payload(&managed, b"x"));
    assert_ne!(plain, payload(&v1::ImportOptions::default(), b"y"));
}
