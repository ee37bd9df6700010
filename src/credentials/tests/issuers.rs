//! Issuers whose keys change, and those that cannot be reached, in paused time where time matters.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use serde_json::json;
use tokio::net::TcpListener;

use super::world::*;
use crate::{
    credentials::{Authentication, Credentials, KeySource, Recent, Settings},
    tasks::{OnPanic, Tasks},
};

/// What an issuer answers, and how often it was asked.
#[derive(Clone, Default)]
struct Answers {
    /// A key set; none while the issuer fails.
    keys: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
    discovery: Arc<Mutex<String>>,
}

impl Answers {
    fn set(&self, signers: &[&Signer]) {
        *self.keys.lock().unwrap() = Some(key_set(signers));
    }

    fn fail(&self) {
        *self.keys.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// An issuer on this machine, and its address.
async fn serve(answers: &Answers, tasks: &Tasks) -> String {
    let keys = async |State(answers): State<Answers>| {
        answers.asked.fetch_add(1, Ordering::Relaxed);
        let keys = answers.keys.lock().unwrap().clone();
        keys.ok_or(StatusCode::SERVICE_UNAVAILABLE)
    };
    let discovery =
        async |State(answers): State<Answers>| answers.discovery.lock().unwrap().clone();
    let routes = Router::new()
        .route("/keys", get(keys))
        .route("/.well-known/openid-configuration", get(discovery))
        .with_state(answers.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn("issuer", OnPanic::Report, async move {
        axum::serve(listener, routes).await.unwrap();
    });
    address
}

/// Credentials of that issuer.
async fn credentials(answers: &Answers, tasks: &Tasks) -> Credentials {
    let address = serve(answers, tasks).await;
    let keys = KeySource::Url(format!("{address}/keys").parse().unwrap());
    let settings = Settings { issuers: vec![issuer(keys)], ..Settings::default() };
    let credentials = Credentials::load(settings, Hands::new().clock()).unwrap();
    credentials.start(tasks);
    credentials
}

fn ann() -> Result<String, String> {
    Ok("ann".to_owned())
}

fn unknown() -> Result<String, String> {
    Err("CREDENTIAL_INVALID KEY_UNKNOWN".to_owned())
}

fn unavailable() -> Result<String, String> {
    Err("ISSUER_UNAVAILABLE KEYS_UNAVAILABLE".to_owned())
}

#[tokio::test]
async fn the_first_call_waits_for_the_keys_and_the_next_does_not() {
    let (signer, answers, tasks) = (Signer::new("k"), Answers::default(), Tasks::default());
    answers.set(&[&signer]);
    let credentials = credentials(&answers, &tasks).await;
    assert_eq!(judge(&credentials, &token(&signer, "ann")).await, ann());
    let headers = bearer(&token(&signer, "bob"));
    let found = credentials.authenticate(&headers, None, &mut Recent::default());
    assert!(matches!(found, Authentication::Now(Ok(_))));
    assert_eq!(answers.asked(), 1);
}

#[tokio::test]
async fn tokens_with_unknown_keys_bring_about_one_fetch_in_thirty_seconds() {
    let (signer, answers, tasks) = (Signer::new("k"), Answers::default(), Tasks::default());
    answers.set(&[&signer]);
    let credentials = credentials(&answers, &tasks).await;
    assert_eq!(judge(&credentials, &token(&signer, "ann")).await, ann());
    for at in 0..50 {
        let stranger = Signer::new(&format!("k{at}"));
        assert_eq!(judge(&credentials, &token(&stranger, "ann")).await, unknown());
    }
    assert_eq!(answers.asked(), 1);
    // The issuer has a new key, and its tokens come: they are refused until the keys are old enough.
    let next = Signer::new("next");
    answers.set(&[&signer, &next]);
    assert_eq!(judge(&credentials, &token(&next, "ann")).await, unknown());
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    tokio::time::resume();
    let (first, second) = (token(&next, "ann"), token(&next, "bob"));
    let both = tokio::join!(judge(&credentials, &first), judge(&credentials, &second));
    assert_eq!(both, (ann(), Ok("bob".to_owned())));
    assert_eq!(answers.asked(), 2, "both calls waited for one fetch");
}

#[tokio::test]
async fn an_outage_leaves_known_keys_in_use_and_is_seen() {
    let (signer, answers, tasks) = (Signer::new("k"), Answers::default(), Tasks::default());
    let credentials = credentials(&answers, &tasks).await;
    let mut changes = credentials.changes().unwrap();
    assert_eq!(judge(&credentials, &token(&signer, "ann")).await, unavailable());
    assert!(!credentials.figures().unwrap().all_reachable());
    assert!(changes.has_changed().unwrap(), "the first failure is news");
    changes.mark_unchanged();

    answers.set(&[&signer]);
    // Fetched again by itself.
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    tokio::time::resume();
    changes.changed().await.unwrap();
    assert!(credentials.figures().unwrap().all_reachable());
    assert_eq!(judge(&credentials, &token(&signer, "ann")).await, ann());

    answers.fail();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    tokio::time::resume();
    changes.changed().await.unwrap();
    let figures = credentials.figures().unwrap();
    assert!(!figures.all_reachable() && figures.issuers[0].failed >= 2, "{figures:?}");
    // Remembered or not.
    assert_eq!(judge(&credentials, &token(&signer, "ann")).await, ann());
    assert_eq!(judge(&credentials, &token(&signer, "bob")).await, Ok("bob".to_owned()));
    assert_eq!(judge(&credentials, &token(&Signer::new("x"), "ann")).await, unavailable());
}

/// A token comes before the keys of its issuer do, and these come before it asks for them.
#[tokio::test]
async fn keys_that_come_meanwhile_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let signer = Signer::new("k");
    std::fs::write(&path, key_set(&[&signer])).unwrap();
    let credentials = Credentials::load(with_file(&path), Hands::new().clock()).unwrap();
    let headers = bearer(&token(&signer, "ann"));
    let waits = credentials.authenticate(&headers, None, &mut Recent::default());
    let Authentication::Later(waits) = waits else { panic!("there are no keys yet") };
    let tasks = Tasks::default();
    credentials.start(&tasks);
    assert_eq!(judge(&credentials, &token(&signer, "bob")).await, Ok("bob".to_owned()));
    assert_eq!(waits.0.await.unwrap().name(), "ann");
}

#[tokio::test]
async fn a_key_that_leaves_the_set_takes_its_tokens_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let (stays, goes) = (Signer::new("stays"), Signer::new("goes"));
    std::fs::write(&path, key_set(&[&stays, &goes])).unwrap();
    let credentials = Credentials::load(with_file(&path), Hands::new().clock()).unwrap();
    let tasks = Tasks::default();
    credentials.start(&tasks);
    let (kept, lost) = (token(&stays, "ann"), token(&goes, "ann"));
    assert_eq!(judge(&credentials, &kept).await, ann());
    assert_eq!(judge(&credentials, &lost).await, ann());
    let recent = &mut Recent::default();
    let Authentication::Now(Ok(credential)) =
        credentials.authenticate(&bearer(&lost), None, recent)
    else {
        panic!("it is remembered");
    };
    let identity = credential.identity().unwrap();
    assert!(!identity.revocation.is_revoked());

    let mut changes = credentials.changes().unwrap();
    changes.mark_unchanged();
    // A file that is half written changes nothing.
    std::fs::write(&path, "{\"keys\": [").unwrap();
    credentials.reload();
    changes.changed().await.unwrap();
    assert!(!credentials.figures().unwrap().all_reachable());
    assert_eq!(judge(&credentials, &lost).await, ann());

    std::fs::write(&path, key_set(&[&stays])).unwrap();
    credentials.reload();
    changes.changed().await.unwrap();
    assert!(identity.revocation.is_revoked());
    assert_eq!(judge(&credentials, &kept).await, ann());
    // Remembered, and then read again.
    assert_eq!(judge(&credentials, &lost).await, Err("TOKEN_EXPIRED".to_owned()));
    assert_eq!(judge(&credentials, &lost).await, unknown());
    // A key of the same name is another one.
    let other = Signer::new("goes");
    std::fs::write(&path, key_set(&[&stays, &other])).unwrap();
    credentials.reload();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(judge(&credentials, &token(&other, "ann")).await, ann());
    assert_eq!(judge(&credentials, &lost).await, Err("CREDENTIAL_INVALID SIGNATURE".to_owned()));
}

#[tokio::test]
async fn keys_are_found_where_the_issuer_says() {
    let (answers, tasks) = (Answers::default(), Tasks::default());
    let (address, signer) = (serve(&answers, &tasks).await, Signer::new("k"));
    answers.set(&[&signer]);
    let document =
        |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": keys}).to_string();
    let keys = format!("{address}/keys");
    let cases = [
        (document(&address, &keys), ann()),
        (document("https://evil.example", &keys), unavailable()),
        (document(&address, "http://keys.example/keys"), unavailable()),
        (document(&address, "file:///etc/passwd"), unavailable()),
        (document(&address, &format!("{address}/nothing")), unavailable()),
        ("<html>".to_owned(), unavailable()),
    ];
    for (text, want) in cases {
        *answers.discovery.lock().unwrap() = text.clone();
        let mut settings = issuer(KeySource::Discovery);
        settings.issuer.clone_from(&address);
        let settings = Settings { issuers: vec![settings], ..Settings::default() };
        let credentials = Credentials::load(settings, Hands::new().clock()).unwrap();
        let scope = tasks.child();
        credentials.start(&scope);
        let mut claims = claims("ann");
        claims["iss"] = json!(address);
        let token = signer.sign(&signer.head(), &claims);
        assert_eq!(judge(&credentials, &token).await, want, "{text}");
        scope.cancel();
    }
}
