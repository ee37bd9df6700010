//! A server that is killed while a vendor is being asked never asks twice.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{TO, request};
use crate::{api::Api, process::Process, server::As};

/// The options of the process beside its folder.
const SETTINGS: &[(&str, &str)] = &[
    ("VOICE__ALLOW_PROVIDER_NET", "127.0.0.0/8"),
    ("VOICE__PUBLIC_URL", "https://desk.example.com"),
    ("SECRET_TWILIO", "a-secret-of-the-vendor"),
];

/// A vendor at the other end of a socket: it outlives the server.
struct Vendor {
    address: std::net::SocketAddr,
    /// How many requests to dial have arrived.
    dialled: Arc<AtomicUsize>,
    arrived: watch::Receiver<usize>,
}

impl Vendor {
    /// Takes every request to dial and never answers it; knows of no call when it is asked.
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialled = Arc::new(AtomicUsize::new(0));
        let (sender, arrived) = watch::channel(0);
        let count = Arc::clone(&dialled);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&count), sender.clone()));
            }
        });
        Self { address, dialled, arrived }
    }
}

async fn serve(mut stream: TcpStream, dialled: Arc<AtomicUsize>, arrived: watch::Sender<usize>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
        if request.starts_with("POST") {
            let so_far = dialled.fetch_add(1, Ordering::SeqCst) + 1;
            arrived.send_replace(so_far);
            // The rest of the body may follow; the answer never does.
            while let Ok(1..) = stream.read(&mut buffer).await {}
            return;
        }
        let body = r#"{"calls": [], "status": "active", "next_page_uri": null}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The API of a server process.
async fn api(process: &Process, scopes: &str) -> Api {
    Api::over(process.connect().await, As::new(None, Some(scopes)))
}

async fn set_up(process: &Process, vendor: &Vendor) {
    let admin = api(process, "admin").await;
    let user = json!({"user": {"id": "anna", "display_name": "Anna", "roles": ["msdyn_csr"]}});
    admin.ok("UpsertUser", user).await;
    let digits = "0123456789abcdef0123456789abcdef";
    let config = json!({
        "account_sid": format!("AC{digits}"),
        "api_key_sid": format!("SK{digits}"),
        "caller_id": "+14155550123",
        "base_url": format!("http://{}", vendor.address),
    });
    let secret = "env:DESKPLANE_SECRET_TWILIO";
    let provider = json!({"channel_provider": {
        "unique_name": "con_one", "display_name": "Voice", "label": "Voice", "outbound": true,
        "channel_url": "https://voice.example.com", "adapter": "twilio",
        "config": config.to_string(),
        "secrets": {"api_key_secret": secret, "auth_token": secret},
    }});
    admin.ok("CreateChannelProvider", provider).await;
    let profile = json!({"profile": {"unique_name": "con_rep", "display_name": "Rep", "providers": ["con_one"]}});
    admin.ok("CreateProfile", profile).await;
    admin.ok("SetDefault", json!({"name": "con_rep"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_a_kill_cut_off_is_never_dialled_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut vendor = Vendor::start().await;
    let process = Process::spawn(folder.path(), SETTINGS);
    set_up(&process, &vendor).await;
    let mut asked = request(TO);
    asked["user"] = "anna".into();
    let (service, first) = (api(&process, "service").await, asked.clone());
    let waiting = tokio::spawn(async move { service.call("StartCall", first).await });
    vendor.arrived.wait_for(|dialled| *dialled == 1).await.unwrap();
    process.kill();
    waiting.await.unwrap().unwrap_err();

    let process = Process::spawn(folder.path(), SETTINGS);
    let service = api(&process, "service").await;
    let call = service.ok("StartCall", asked.clone()).await["call"].clone();
    assert_eq!(
        (call["state"].as_str(), call["to"].as_str()),
        (Some("CALL_STATE_UNKNOWN"), Some(TO)),
        "{call}"
    );
    let again = service.ok("StartCall", asked).await["call"].clone();
    assert_eq!(again["name"], call["name"]);
    assert_eq!(vendor.dialled.load(Ordering::SeqCst), 1, "dialled once, whatever happened");
    assert!(process.end().success());
}
