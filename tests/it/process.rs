//! A server as a process of its own: it can be killed, measured, and told to end.

use std::{
    cell::OnceCell,
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tonic::transport::{Channel, Endpoint};

/// Lines of the log that are kept for the message of a failed test.
const KEPT_LINES: usize = 50;
/// How long a test waits for what a server does, before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The program that is tested: `DESKPLANE_BIN`, or the one that was built with the tests.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("DESKPLANE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_deskplane").into(), PathBuf::from)
}

/// A server process over a folder.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    listens: Receiver<SocketAddr>,
    address: OnceCell<SocketAddr>,
    log: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
    /// Whether it ended as the test wished.
    ended: bool,
}

impl Process {
    /// Starts the program with settings, each named as its variable without the prefix. How full the
    /// disk is makes no difference, unless a setting says so.
    pub(crate) fn spawn(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DESKPLANE_") {
                command.env_remove(name);
            }
        }
        for (name, value) in [("STORE__MIN_FREE_MIB", "0")].iter().chain(settings) {
            command.env(format!("DESKPLANE_{name}"), value);
        }
        let mut child = command.env("NO_COLOR", "1").stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::default();
        let (found, listens) = mpsc::channel();
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        // The pipe must not fill up while the server lives.
        let reader = thread::spawn(move || read_log(stderr, &found, &lines));
        Self { child, listens, address: OnceCell::new(), log, reader: Some(reader), ended: false }
    }

    /// Where it listens, once it says so.
    pub(crate) fn address(&self) -> SocketAddr {
        assert!(self.listens_within(PATIENCE), "no start within {PATIENCE:?}");
        *self.address.get().unwrap()
    }

    /// Whether it says within a time where it listens. A start that fails is no answer.
    pub(crate) fn listens_within(&self, time: Duration) -> bool {
        if self.address.get().is_some() {
            return true;
        }
        match self.listens.recv_timeout(time) {
            Ok(address) => self.address.set(address).is_ok(),
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => panic!("the server did not start"),
        }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Channel {
        let uri = format!("http://{}", self.address());
        Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
    }

    /// The number by which the machine knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().cloned().collect()
    }

    /// SIGKILL: the process gets no chance to do anything.
    pub(crate) fn kill(mut self) {
        // It must have lived until now.
        let ended = self.child.try_wait().unwrap();
        assert_eq!(ended, None, "the server ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ended = true;
    }

    /// SIGTERM: the process ends as a service manager ends it.
    pub(crate) fn end(mut self) -> ExitStatus {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        self.ended = status.success();
        status
    }
}

impl Drop for Process {
    /// A failed test leaves no server behind, and shows what the server said.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let status = self.child.wait();
        let _ = self.reader.take().map(JoinHandle::join);
        if !self.ended {
            eprintln!("the server ended with {status:?}; it said {:#?}", self.log());
        }
    }
}

fn read_log(stderr: ChildStderr, found: &Sender<SocketAddr>, log: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            // Who does not wait for it has killed the process.
            let _ = found.send(address);
        }
        let mut log = log.lock().unwrap();
        log.push_back(line);
        if log.len() > KEPT_LINES {
            log.pop_front();
        }
    }
}
