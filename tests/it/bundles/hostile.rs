use std::time::Instant;

use super::*;

/// What becomes of a bundle: the reason of its refusal with the first bad field.
async fn refused(server: &Running, bundle: &[u8]) -> (String, String) {
    use tonic_types::StatusExt as _;
    let status = match import(server, overwriting(), bundle).await {
        Ok(answer) => {
            let shown: String = String::from_utf8_lossy(bundle).chars().take(400).collect();
            panic!("{shown} is accepted: {answer:?}")
        }
        Err(status) => status,
    };
    let fields = status.get_error_details().bad_request().map(|bad| bad.field_violations.clone());
    let field = fields.unwrap_or_default().first().map(|bad| bad.field.clone());
    (reason(&status), field.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_a_bundle_that_is_cut_or_changed_is_refused() {
    let server = world().await;
    let before = Api::admin(&server).revision().await;
    let whole = export(&server, everything()).await.unwrap();
    for at in 0..40 {
        let end = whole.len() * at / 40;
        assert_eq!(refused(&server, &whole[..end]).await.0, "FIELD_INVALID", "cut at {end}");
    }
    let text = String::from_utf8(whole).unwrap();
    let changed = text.replacen("\"Rep\"", "\"Top\"", 1);
    assert_ne!(changed, text);
    let (reason, field) = refused(&server, changed.as_bytes()).await;
    assert_eq!((reason.as_str(), field.as_str()), ("FIELD_INVALID", "content_hash"));
    // Blanks and order are no change.
    let pretty: Value = serde_json::from_str(&text).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    assert_eq!(refused(&server, pretty.as_bytes()).await.0, "MANAGED_READ_ONLY");
    assert_eq!(Api::admin(&server).revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_hostile_resources_are_refused_with_their_place() {
    let server = Running::with(Vec::new()).await;
    let before = Api::admin(&server).revision().await;
    let profile = |more: &str| {
        let text = format!(r#"{{"unique_name":"gold_rep","display_name":"Gold"{more}}}"#);
        format!(
            r#"{{"format_version":1,"name":"gold_pack","version":"1","objects":{{"profiles":[{text}]}}}}"#
        )
    };
    let place = "objects.profiles[0]";
    for (more, reason, field) in [
        (r#","unknown":1"#, "FIELD_INVALID", place.to_owned()),
        (r#","display_name":"Twice""#, "FIELD_INVALID", place.to_owned()),
        (r#","displayName":"Twice""#, "FIELD_INVALID", place.to_owned()),
        (r#","pane":{"on":true,"on":false}"#, "FIELD_INVALID", place.to_owned()),
        (r#","pane":{"other":true}"#, "FIELD_INVALID", place.to_owned()),
        (r#","pane":7"#, "FIELD_INVALID", place.to_owned()),
        (r#","uid":"x""#, "FIELD_INVALID", format!("{place}.uid")),
        (r#","etag":"x""#, "FIELD_INVALID", format!("{place}.etag")),
        (r#","createTime":"2026-03-01T08:00:00Z""#, "FIELD_INVALID", format!("{place}.createTime")),
        (r#","unmatched_roles":["a"]"#, "FIELD_INVALID", format!("{place}.unmatched_roles")),
        (r#","rank":101"#, "RANK_OUT_OF_RANGE", format!("{place}.rank")),
        (r#","rank":-1"#, "RANK_OUT_OF_RANGE", format!("{place}.rank")),
        (r#","rank":1e99"#, "FIELD_INVALID", place.to_owned()),
        (r#","roles":["profiles/abc_x"]"#, "FIELD_INVALID", format!("{place}.roles[0]")),
        (r#","state":"STATE_NONE""#, "FIELD_INVALID", place.to_owned()),
        (r#","state":99"#, "FIELD_INVALID", format!("{place}.state")),
        (r#","owner":"\u0000""#, "FIELD_INVALID", format!("{place}.owner")),
        (r#","description":"\ud800""#, "FIELD_INVALID", place.to_owned()),
        (
            r#","pane":{"tools":[{"tool":"bad"}]}"#,
            "FIELD_INVALID",
            format!("{place}.pane.tools[0].tool"),
        ),
    ] {
        let found = refused(&server, profile(more).as_bytes()).await;
        assert_eq!(found, (reason.to_owned(), field), "{more}");
    }
    let provider = by_hand(&json!({"channelProviders": [{"unique_name": "gold_voice",
        "display_name": "V", "label": "V", "channel_url": "https://voice.example/",
        "secrets": {"token": "x"}}]}));
    let found = refused(&server, &provider).await;
    assert_eq!(found.1, "objects.channelProviders[0].secrets");
    let long = "x".repeat(200_000);
    let large = by_hand(&json!({"queues": [{"unique_name": "gold_queue", "display_name": "Q",
        "kind": "QUEUE_KIND_VOICE", "description": long}]}));
    assert_eq!(refused(&server, &large).await.0, "FIELD_INVALID");
    assert_eq!(Api::admin(&server).revision().await, before);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_4_a_sender_without_end_is_stopped_and_holds_nobody_up() {
    let server = Running::with(Vec::new()).await;
    let first = v1::ImportRequest { options: Some(Default::default()), ..Default::default() };
    let chunk = v1::ImportRequest { chunk: vec![b' '; 1 << 20].into(), ..Default::default() };
    let mut client = TransferServiceClient::new(server.channel(As::default()));
    let endless = futures_util::stream::iter(
        std::iter::once(first.clone()).chain(std::iter::repeat(chunk)).take(200),
    );
    let status = client.import(endless).await.unwrap_err();
    assert_eq!(reason(&status), "RESOURCE_TOO_LARGE");
    // Senders that say nothing more keep two places and no other call.
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut client = TransferServiceClient::new(server.channel(As::default()));
        let (sender, messages) = tokio::sync::mpsc::channel::<v1::ImportRequest>(1);
        sender.send(first.clone()).await.unwrap();
        let stream = futures_util::stream::unfold(messages, |mut messages| async {
            messages.recv().await.map(|message| (message, messages))
        });
        let upload = tokio::spawn(async move { client.import(Box::pin(stream)).await });
        silent.push((sender, upload));
    }
    let started = Instant::now();
    Api::admin(&server).ok("ListProfiles", json!({})).await;
    assert!(started.elapsed().as_secs() < 5);
    for (sender, upload) in silent {
        drop(sender);
        assert_eq!(reason(&upload.await.unwrap().unwrap_err()), "FIELD_INVALID");
    }
    server.end().await;
}
