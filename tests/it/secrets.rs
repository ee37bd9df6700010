//! Planted secrets are nowhere but with the adapter, and their keys rotate on a live server.

mod past;
mod repetitions;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deskplane_proto::v1::{
    ChannelProvider, CloneChannelProviderRequest, CreateChannelProviderRequest,
    CreateProfileRequest, ExplainRequest, GetChannelProviderRequest, ListChannelProvidersRequest,
    ListFindingsRequest, Profile, ResolveProfileRequest, UpdateChannelProviderRequest,
    UpsertUserRequest, User, WatchProfileRequest, agent_service_client::AgentServiceClient,
    directory_service_client::DirectoryServiceClient, insight_service_client::InsightServiceClient,
    profile_service_client::ProfileServiceClient, provider_service_client::ProviderServiceClient,
};
use prost::Message;
use tonic::{Response, Status, transport::Channel};

const PLANTED: usize = 20;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskplane"));
    command.env("NO_COLOR", "1");
    command
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

/// A line of a key ring with a new key.
fn new_key(id: &str) -> String {
    let done = run(&["secrets", "new-key", "--id", id]);
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap()
}

/// A server process, with everything that it logs.
struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    fn command(folder: &Path, ring: &Path) -> Command {
        let mut command = program();
        command
            .args(["--log", "trace", "serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .env("DESKPLANE_VOICE__KEY_RING", ring)
            .env("DESKPLANE_VOICE__FAKE_ADAPTER", "true")
            .env("DESKPLANE_STORE__SEGMENT_MIB", "1")
            .env("DESKPLANE_STORE__MIN_FREE_MIB", "0")
            .stderr(Stdio::piped());
        command
    }

    /// Starts the program and waits until it says where it listens.
    fn start(folder: &Path, ring: &Path) -> Self {
        let mut child = Self::command(folder, ring).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = lines.by_ref().find_map(|line| {
            let address = line.split(" address=").nth(1).and_then(|rest| rest.split(' ').next());
            let address = address.and_then(|text| text.parse().ok());
            said.extend([&line, "\n"]);
            address
        });
        let Some(address) = address else { panic!("the server did not start: {said}") };
        let log = Arc::new(Mutex::new(said));
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            lines.for_each(|line| sink.lock().unwrap().extend([&line, "\n"]));
        });
        Self { child, address, log, reader: Some(reader) }
    }

    /// What the program says when its start is refused.
    fn refused(folder: &Path, ring: &Path) -> String {
        let done = Self::command(folder, ring).output().unwrap();
        assert!(!done.status.success());
        String::from_utf8(done.stderr).unwrap()
    }

    fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn channel(&self) -> Channel {
        Channel::from_shared(self.uri()).unwrap().connect().await.unwrap()
    }

    /// Ends the process; answers everything that it logged.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

impl Drop for Process {
    /// A failed test leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn provider(name: &str, secret: &str) -> ChannelProvider {
    ChannelProvider {
        unique_name: name.to_owned(),
        display_name: format!("Phone {name}"),
        label: "Phone".to_owned(),
        channel_url: "https://voice.contoso.com/".to_owned(),
        adapter: "fake".to_owned(),
        secrets: [("webhook_key".to_owned(), secret.to_owned())].into(),
        ..ChannelProvider::default()
    }
}

fn create(provider: ChannelProvider) -> CreateChannelProviderRequest {
    CreateChannelProviderRequest {
        channel_provider: Some(provider),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..CreateChannelProviderRequest::default()
    }
}

/// A text as it is, in hexadecimal, and in base64 wherever it stands.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let shifted = (0..3).map(|shift| {
        let bytes = [&vec![0; shift], text.as_bytes()].concat();
        let encoded = STANDARD.encode(&bytes).into_bytes();
        encoded[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6].to_vec()
    });
    [text.as_bytes().to_vec(), hex.into_bytes()].into_iter().chain(shifted).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part[0] == needle[0] && part == needle)
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

/// What a caller sees of an answer: its bytes, and what it prints.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn note<M: Message + std::fmt::Debug>(&mut self, answer: Result<Response<M>, Status>) -> bool {
        let (good, printed, bytes) = match answer {
            Ok(answer) => (true, format!("{answer:?}"), answer.get_ref().encode_to_vec()),
            Err(status) => (false, format!("{status:?}"), status.details().to_vec()),
        };
        self.0.push(("an answer".to_owned(), bytes));
        self.0.push(("a printed answer".to_owned(), printed.into_bytes()));
        good
    }
}

#[test]
fn every_form_of_a_secret_is_found() {
    for prefix in ["", "a", "ab", "abc"] {
        let text = format!("{prefix}planted-secret!");
        let encoded = STANDARD.encode(&text).into_bytes();
        for bytes in [encoded, text.into_bytes()] {
            assert!(forms("planted-secret").iter().any(|form| holds(&bytes, form)), "{prefix}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_nowhere_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let [data, ring, backup] = ["data", "ring", "backup"].map(|name| folder.path().join(name));
    crate::secret_file::write(&ring, new_key("old"));
    let server = Process::start(&data, &ring);
    let channel = server.channel().await;
    let mark = uuid::Uuid::new_v4().simple().to_string();
    let (front, back) = mark.split_at(16);
    let secrets: Vec<_> = (0..PLANTED).map(|n| format!("{front}-{n:02}-{back}")).collect();
    let names: Vec<_> = (0..PLANTED).map(|n| format!("contoso_voice{n:02}")).collect();

    let mut seen = Seen::default();
    let mut providers = ProviderServiceClient::new(channel.clone());
    for (name, secret) in names.iter().zip(&secrets) {
        let request = create(provider(name, secret));
        assert!(!format!("{request:?}").contains(front));
        let first = providers.create_channel_provider(request.clone()).await;
        let state = &first.as_ref().unwrap().get_ref().channel_provider.as_ref().unwrap();
        assert_eq!(state.secret_states[0].name, "webhook_key");
        assert!(state.secret_states[0].set_time.is_some() && state.secrets.is_empty());
        assert!(seen.note(first));
        // Again, with another payload, and as if it were new.
        assert!(seen.note(providers.create_channel_provider(request.clone()).await));
        let mut other = request.clone();
        other.channel_provider.as_mut().unwrap().secrets.clear();
        assert!(!seen.note(providers.create_channel_provider(other).await));
        assert!(
            !seen.note(providers.create_channel_provider(create(provider(name, secret))).await)
        );
        // Mistakes that mention the secret's field.
        for (field, value) in [
            ("token", secret.clone()),
            ("webhook_key", format!("env:{secret}")),
            ("webhook_key", format!("file:../{secret}")),
            ("webhook_key", secret.repeat(1_000)),
        ] {
            let mut bad = provider("contoso_bad", "");
            bad.secrets = [(field.to_owned(), value)].into();
            assert!(!seen.note(providers.create_channel_provider(create(bad)).await), "{field}");
        }
        let mut bad = provider("contoso_bad", secret);
        bad.config = "{\"switchbord\": 1}".to_owned();
        assert!(!seen.note(providers.create_channel_provider(create(bad)).await));
        let request = UpdateChannelProviderRequest {
            channel_provider: Some(provider(name, secret)),
            ..UpdateChannelProviderRequest::default()
        };
        assert!(seen.note(providers.update_channel_provider(request).await));
        let request = GetChannelProviderRequest { name: name.clone() };
        assert!(seen.note(providers.get_channel_provider(request).await));
    }
    let request = CloneChannelProviderRequest {
        name: names[0].clone(),
        unique_name: "contoso_copy".to_owned(),
        display_name: "Copy".to_owned(),
        ..CloneChannelProviderRequest::default()
    };
    let copy = providers.clone_channel_provider(request).await;
    let states = &copy.as_ref().unwrap().get_ref().channel_provider.as_ref().unwrap().secret_states;
    assert!(states.is_empty());
    assert!(seen.note(copy));
    let request = ListChannelProvidersRequest::default();
    assert!(seen.note(providers.list_channel_providers(request).await));

    let profile = Profile {
        unique_name: "contoso_rep".to_owned(),
        display_name: "Rep".to_owned(),
        providers: names[..10].to_vec(),
        ..Profile::default()
    };
    let request = CreateProfileRequest { profile: Some(profile), ..Default::default() };
    let created = ProfileServiceClient::new(channel.clone()).create_profile(request).await;
    assert!(seen.note(created));
    let user = Some(User { id: "ann".to_owned(), ..User::default() });
    let request = UpsertUserRequest { user, ..UpsertUserRequest::default() };
    assert!(seen.note(DirectoryServiceClient::new(channel.clone()).upsert_user(request).await));
    let mut profiles = ProfileServiceClient::new(channel.clone());
    let request = deskplane_proto::v1::AddUsersRequest {
        name: "contoso_rep".to_owned(),
        users: vec!["ann".to_owned()],
        ..Default::default()
    };
    assert!(seen.note(profiles.add_users(request).await));
    let mut agents = AgentServiceClient::new(channel.clone());
    let request = ResolveProfileRequest { user: "ann".to_owned(), ..Default::default() };
    assert!(seen.note(agents.resolve_profile(request).await));
    let request = WatchProfileRequest { user: "ann".to_owned(), ..Default::default() };
    let mut stream = agents.watch_profile(request).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert!(seen.note(Ok(Response::new(first))));
    let mut insight = InsightServiceClient::new(channel);
    let request = ExplainRequest { user: "ann".to_owned(), ..Default::default() };
    assert!(seen.note(insight.explain(request).await));
    assert!(seen.note(insight.list_findings(ListFindingsRequest::default()).await));

    let [from, to] = [&data, &backup].map(|path| path.to_str().unwrap());
    let done = run(&["--log", "trace", "backup", "--data-dir", from, "--to", to]);
    assert!(done.status.success());
    let mut found = seen.0;
    found.extend([("backup".to_owned(), [done.stdout, done.stderr].concat())]);
    drop(stream);
    found.push(("the log".to_owned(), server.end().into_bytes()));
    files(&data, &mut found);
    files(&backup, &mut found);
    let places = found.iter().filter(|(_, bytes)| holds(bytes, names[7].as_bytes()));
    assert!(places.count() > 4, "the search looks at the right places");
    for form in [front, back].into_iter().flat_map(forms) {
        let leaks: Vec<_> = found.iter().filter(|(_, bytes)| holds(bytes, &form)).collect();
        let leaks: Vec<_> = leaks.into_iter().map(|(place, _)| place).collect();
        assert!(leaks.is_empty(), "{} in {leaks:?}", String::from_utf8_lossy(&form));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_on_a_live_server() {
    let folder = tempfile::tempdir().unwrap();
    let [data, ring] = ["data", "ring"].map(|name| folder.path().join(name));
    let [old, new] = ["old", "new"].map(new_key);
    crate::secret_file::write(&ring, &old);
    let server = Process::start(&data, &ring);
    let mut providers = ProviderServiceClient::new(server.channel().await);
    providers.create_channel_provider(create(provider("contoso_voice", "hunter2"))).await.unwrap();
    let rotate = |server: &Process| {
        let done = run(&["--server", &server.uri(), "secrets", "rotate"]);
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(text).unwrap())
    };
    let moved = |count: u32| (true, format!("secrets under another key now: {count}\n"));
    assert_eq!(rotate(&server), moved(0));

    // A ring without the old key is not taken, neither now nor at a start.
    crate::secret_file::write(&ring, &new);
    let (done, output) = rotate(&server);
    assert!(!done && output.contains("KEY_RING_UNUSABLE") && output.contains("old"), "{output}");
    server.end();
    let output = Process::refused(&data, &ring);
    for part in ["contoso_voice", "webhook_key", "key old is not in the key ring"] {
        assert!(output.contains(part), "{output}");
    }
    crate::secret_file::write(&ring, new_key("old"));
    let output = Process::refused(&data, &ring);
    assert!(output.contains("wrong key") && output.contains("contoso_voice"), "{output}");

    crate::secret_file::write(&ring, &old);
    let server = Process::start(&data, &ring);
    crate::secret_file::write(&ring, format!("{new}{old}"));
    assert_eq!(rotate(&server), moved(1));
    assert_eq!(rotate(&server), moved(0));
    crate::secret_file::write(&ring, &new);
    assert_eq!(rotate(&server), moved(0));
    server.end();
    let server = Process::start(&data, &ring);
    assert_eq!(rotate(&server), moved(0));
    server.end();
}
