//! A server as a process of its own: it can be killed, measured, and stopped by a signal.

use std::{
    cell::OnceCell,
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
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
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    /// Whether it ended as the test wished.
    ended: bool,
}

/// The log of a process, as far as it was read.
#[derive(Debug, Default)]
struct Log {
    read: Mutex<Lines>,
    more: Condvar,
}

/// The last lines of a log.
#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    /// Whether there are no more to come.
    over: bool,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.read.lock().unwrap()
    }
}

impl Process {
    /// Starts the program with settings, each named as its variable without the prefix. How full the
    /// disk is makes no difference, unless a setting says so.
    pub(crate) fn spawn(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(folder);
        for (name, value) in [("STORE__MIN_FREE_MIB", "0")].iter().chain(settings) {
            command.env(format!("DESKPLANE_{name}"), value);
        }
        Self::of(command)
    }

    /// The same from a command that serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Log>::default();
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
        self.log.lock().lines.iter().cloned().collect()
    }

    /// Waits for a line of the log that holds a text.
    pub(crate) fn says(&self, text: &str) -> String {
        let found = |log: &Lines| log.lines.iter().find(|line| line.contains(text)).cloned();
        let wait = |log: &mut Lines| !log.over && found(log).is_none();
        let log = self.log.lock();
        let log = self.log.more.wait_timeout_while(log, PATIENCE, wait).unwrap().0;
        let line = found(&log);
        drop(log);
        line.unwrap_or_else(|| panic!("it does not say {text:?}"))
    }

    /// Sends a signal, named without its first three letters.
    pub(crate) fn signal(&self, name: &str) {
        send(self.id(), name);
    }

    /// Waits for the end, as long as a time; answers the status, if it has ended, and how long that took.
    pub(crate) fn ends_within(&mut self, time: Duration) -> (Option<ExitStatus>, Duration) {
        let ended = ends_within(&mut self.child, time);
        self.ended |= ended.0.is_some();
        ended
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
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        self.ended = status.success();
        status
    }
}

/// The program with arguments, and with nothing of the product in its environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DESKPLANE_") {
            command.env_remove(name);
        }
    }
    command.args(args).env("NO_COLOR", "1");
    command
}

/// Sends a signal to a process.
pub(crate) fn send(process: u32, signal: &str) {
    let id = process.to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
    assert!(sent.success(), "SIG{signal} cannot be sent");
}

/// Waits for the end of a process, as long as a time.
pub(crate) fn ends_within(child: &mut Child, time: Duration) -> (Option<ExitStatus>, Duration) {
    let begun = Instant::now();
    loop {
        let status = child.try_wait().unwrap();
        if status.is_some() || begun.elapsed() > time {
            return (status, begun.elapsed());
        }
        thread::sleep(Duration::from_millis(5));
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

fn read_log(stderr: ChildStderr, found: &Sender<SocketAddr>, log: &Log) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            // Who does not wait for it has killed the process.
            let _ = found.send(address);
        }
        let mut read = log.lock();
        read.lines.push_back(line);
        if read.lines.len() > KEPT_LINES {
            read.lines.pop_front();
        }
        drop(read);
        log.more.notify_all();
    }
    log.lock().over = true;
    log.more.notify_all();
}
