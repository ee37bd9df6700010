//! `serve`: the server itself.

mod instead;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot, task::spawn_blocking, time::timeout};

use self::instead::Instead;
use super::{Error, Format, Io, Result};
use crate::{
    clock::Clock,
    config::{Config, Flags, Sources},
    credentials::Credentials,
    process::{
        ending::{Asked, CLOSE, Ending},
        handles,
        notifier::Notifier,
        signals::{Request, Signals},
    },
    secrets::{file, vault::Vault},
    server::{self, Monitor, Parts},
    store::{Durable, durable::Host, io::Disk},
    tasks::{OnPanic, Tasks},
    telemetry,
    trace::Tracer,
    transport::{BindError, Endpoint, Listeners, Tls},
    voice::{Log, Voice},
};

/// Time in which the last traces are exported.
const TRACES_CLOSE: Duration = Duration::from_secs(1);

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Settings come from their defaults, then the file, then the environment \
(DESKPLANE_LISTEN, DESKPLANE_WATCH__QUIET_MS), then flags. SIGHUP reads them again, as far as a \
server at work can take them, and so are certificates, keys and tokens. Without credentials \
(the section `auth` of the file) the server listens on loopback addresses only, and every caller is \
an administrator unless the metadata x-deskplane-user and x-deskplane-scopes say otherwise.")]
pub(super) struct Args {
    /// Configuration file, TOML.
    #[arg(long, env = "DESKPLANE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    instead: Instead,
}

/// Runs the server until the process gets a signal to end.
pub(super) async fn run(
    args: Args,
    log: Option<String>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let sources = Sources {
        file: args.config,
        env: std::env::vars_os().collect(),
        flags: Flags { log, ..args.flags },
    };
    if args.instead.answer(&sources, format, io)? {
        return Ok(());
    }
    // From here on no signal ends the process without a word.
    let signals = Signals::listen().map_err(|why| Error::start("handle signals", why))?;
    let ending = Ending::watched().map_err(|why| Error::start("watch over the end", why))?;
    let config = Config::load(&sources)?;
    telemetry::start(&config.log)?;
    let tasks = Tasks::default();
    let door = Door::open(&config, &ending).await?;
    let notifier = Notifier::default();
    let traces = telemetry::traces::start(config.telemetry.settings(), &tasks);
    let (tracer, exporter) = traces.map_err(|why| Error::start("export traces", &why))?;
    let running = (sources, config.clone(), door.clone());
    let obey = obey(signals, ending.clone(), running, notifier.clone());
    tasks.spawn("signals", OnPanic::EndProcess, obey);
    raise_handles();
    let ended = host(&config, (door, tracer), &ending, &tasks, notifier).await;
    ending.drained();
    exporter.close(TRACES_CLOSE).await;
    tasks.cancel();
    ended
}

/// What calls pass before they are answered.
#[derive(Debug, Clone)]
struct Door {
    tls: Option<Tls>,
    credentials: Credentials,
}

impl Door {
    /// Reads the files of TLS and of tokens, which may lie on a disk that does not answer.
    async fn open(config: &Config, ending: &Ending) -> Result<Self> {
        let tls = match config.tls.settings() {
            Some(settings) => Some(read("set up TLS", ending, move || Tls::load(settings)).await?),
            None => None,
        };
        let auth = config.auth.clone();
        let load = move || {
            let settings = auth.settings()?;
            Credentials::load(settings, Clock::system()).map_err(|why| why.to_string())
        };
        let credentials = read("verify credentials", ending, load).await?;
        Ok(Self { tls, credentials })
    }

    /// Reads again what lies in files.
    fn reload(&self) {
        if let Some(Err(error)) = self.tls.as_ref().map(Tls::reload) {
            tracing::error!(%error, "TLS is not reloaded; everything stays as it was");
        }
        self.credentials.reload();
    }

    /// Logs what an operator should know of callers.
    fn warn(&self, config: &Config) {
        let remote = config.listen.0.iter().any(Endpoint::is_remote);
        if !self.credentials.are_required() {
            tracing::warn!(
                remote,
                "no credentials are configured: every caller is an administrator unless the \
                 metadata x-deskplane-user and x-deskplane-scopes say otherwise"
            );
        } else if remote && self.tls.is_none() {
            tracing::warn!(
                "tokens come in clear text: without TLS here, it must end in front of this server"
            );
        }
    }
}

/// Reads files on a thread that may wait for them.
async fn read<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    what: &str,
    ending: &Ending,
    files: impl FnOnce() -> std::result::Result<T, E> + Send + 'static,
) -> Result<T> {
    let read = tokio::select! {
        read = spawn_blocking(files) => read,
        () = ending.is_at_once() => return Err(timed_out(what)),
    };
    read.map_err(|why| Error::start(what, why))?.map_err(|why| Error::start(what, &why))
}

/// Does what signals ask for.
async fn obey(
    mut signals: Signals,
    ending: Ending,
    (sources, config, door): (Sources, Config, Door),
    notifier: Notifier,
) {
    let running = Arc::new((sources, Mutex::new(config), door));
    loop {
        let (signal, request) = signals.next().await;
        match request {
            Request::End => match ending.ask() {
                Asked::First => {
                    tracing::info!(signal, "ending; the same signal again ends at once")
                }
                Asked::Again => tracing::warn!(signal, "ending at once"),
            },
            Request::EndNow => {
                tracing::warn!(signal, "ending at once");
                ending.at_once();
            }
            Request::Reload => {
                let (running, notifier) = (Arc::clone(&running), notifier.clone());
                // A file that cannot be read at present holds up no other signal.
                drop(spawn_blocking(move || {
                    let mut config = running.1.lock().unwrap_or_else(PoisonError::into_inner);
                    notifier.reload(|| {
                        reload(&running.0, &mut config);
                        running.2.reload();
                    });
                }));
            }
            Request::Nothing => tracing::info!(signal, "ignored"),
        }
    }
}

/// Reads the configuration again, and applies what a running server can change.
fn reload(sources: &Sources, running: &mut Config) {
    let read = match Config::load(sources) {
        Ok(read) => read,
        Err(mistakes) => {
            let mistakes = mistakes.0.join("; ");
            tracing::error!(mistakes, "not reloaded: everything stays as it was");
            return;
        }
    };
    if read.log != running.log && telemetry::reload(&read.log).is_ok() {
        tracing::info!(before = running.log, now = read.log, "reloaded `log`");
        running.log.clone_from(&read.log);
    } else {
        tracing::info!("reloaded: nothing that can be changed without a restart has changed");
    }
    let waiting = running.differences(&read);
    if !waiting.is_empty() {
        tracing::warn!(settings = waiting.join(", "), "these settings need a restart");
    }
}

/// Lets the process open as many files and connections as the operating system grants.
pub(super) fn raise_handles() {
    match handles::raise() {
        Ok(handles) => tracing::info!(soft = handles.soft, hard = handles.hard, "file handles"),
        Err(error) => {
            let handles = handles::FileHandles::current();
            tracing::warn!(
                %error, soft = handles.soft, hard = handles.hard,
                "the limit of file handles cannot be raised"
            );
        }
    }
}

/// Opens the store, serves, and closes the store, whatever ended the server.
async fn host(
    config: &Config,
    front: (Door, Tracer),
    ending: &Ending,
    tasks: &Tasks,
    notifier: Notifier,
) -> Result<()> {
    let listeners = Listeners::bind(&config.listen.0).await;
    let port = (listeners.map_err(unbound)?, front);
    let vault = vault(config, ending).await?;
    let monitor = match config.metrics_listen {
        Some(address) => Some(monitor(address, tasks).await?),
        None => None,
    };
    let meters = monitor.as_ref().map(Monitor::meters).unwrap_or_default();
    let host = Host { meters, ..Host::default() };
    let unusable = |why| Error::start(&format!("open {}", config.data_dir.display()), why);
    // It cannot be interrupted between two steps, so an end waits until it is open.
    let store = tokio::select! {
        store = Durable::open_on(host, &config.data_dir, config.store.settings()) => store,
        () = ending.is_at_once() => return Err(timed_out("open the store")),
    };
    let store = Arc::new(store.map_err(unusable)?);
    let served = match ending.has_begun() {
        true => Ok(()),
        false => serve(config, ending, &store, port, vault, monitor, (tasks, notifier)).await,
    };
    ending.drained();
    let closed = close(store.close_within(CLOSE)).await;
    served.and(closed)
}

/// Why the server cannot listen.
fn unbound(why: BindError) -> Error {
    Error::start(&format!("listen on {}", why.endpoint()), &why)
}

/// Reads the key ring, which may lie on a disk that does not answer.
async fn vault(config: &Config, ending: &Ending) -> Result<Vault> {
    let settings = config.voice.vault();
    let open = move || {
        warn_of_exposed(settings.secrets_dir.as_deref());
        Vault::new(settings)
    };
    read("open the secrets of providers", ending, open).await
}

/// Warns of secrets that will be refused when a provider refers to them.
fn warn_of_exposed(folder: Option<&Path>) {
    for exposed in folder.and_then(|folder| file::exposed_below(folder).ok()).into_iter().flatten()
    {
        tracing::warn!(%exposed, "a secret of providers cannot be used");
    }
}

/// Why a start did not come to its end.
fn timed_out(what: &str) -> Error {
    Error::start(what, "the process was asked to end at once")
}

/// Serves a store until the end of the server, whatever brings it about.
async fn serve(
    config: &Config,
    ending: &Ending,
    store: &Arc<Durable>,
    (listeners, (door, tracer)): (Listeners, (Door, Tracer)),
    vault: Vault,
    monitor: Option<Monitor>,
    (tasks, notifier): (&Tasks, Notifier),
) -> Result<()> {
    store
        .run_maintenance(config.store.verify())
        .map_err(|why| Error::start("look after the store", why))?;
    for listener in listeners.iter() {
        let (address, tls) = (listener.endpoint(), door.tls.is_some());
        tracing::info!(%address, tls, data_dir = %config.data_dir.display(), "serving");
    }
    door.warn(config);
    let Door { tls, credentials } = door;
    let watch = config.watch.settings();
    ending.allow_drain(watch.drain_deadline);
    let (notify, serving) = oneshot::channel();
    tasks.spawn("service-manager", OnPanic::EndProcess, notifier.clone().follow(serving));
    let parts = Parts {
        store: Arc::<Durable>::clone(store),
        clock: Clock::system(),
        limits: config.limits.settings(),
        tls,
        credentials,
        origins: config.web.origins.0.clone(),
        watch,
        voice: voice(config, vault, tasks)?,
        policy: config.auth.policy(),
        scim: config.scim.settings(),
        audit: config.audit(),
        tracer,
        monitor,
        serving: Some(notify),
        tasks: tasks.child(),
    };
    // After a failed write only a new start finds out what is on the disk.
    let (failed, mut failure) = (store.failed(), None);
    let end = async {
        tokio::select! {
            () = ending.begun() => {}
            why = failed => {
                failure = Some(why);
                ending.ask();
            }
        }
        notifier.stopping();
    };
    let served = tokio::select! {
        served = server::serve(parts, listeners, end) => served,
        // Connections are cut with the process.
        () = ending.is_at_once() => Ok(()),
    };
    match failure {
        Some(why) => Err(Error::start("go on", why)),
        None => served.map_err(|why| Error::start("serve", why)),
    }
}

/// Waits for the store to be closed, as long as that may take.
async fn close(closing: impl Future<Output = crate::store::Result<()>>) -> Result<()> {
    let failed = |why: &dyn std::fmt::Display| Error::start("close the store", why);
    match timeout(CLOSE, closing).await {
        Ok(closed) => closed.map_err(|why| failed(&why)),
        Err(_) => Err(failed(&format!("it is not closed after {} s", CLOSE.as_secs()))),
    }
}

/// What drives voice providers: the log of calls beside the store, and the way to vendors.
fn voice(config: &Config, vault: Vault, tasks: &Tasks) -> Result<server::Voice> {
    let network = config.voice.network().map_err(|why| Error::start("set up TLS", why))?;
    let (clock, keep) = (Clock::system(), config.voice.keep());
    let folder = config.data_dir.join("calls");
    let retained = move |call: &_| Voice::retains(call, clock.now(), keep);
    let calls = Log::open(tasks, Arc::new(Disk), &folder, retained);
    let calls = calls.map_err(|why| Error::start(&format!("open {}", folder.display()), why))?;
    Ok(server::Voice {
        public_url: config.voice.public_url(),
        vault: Arc::new(vault),
        calls,
        keep,
        check_every: config.voice.check_every(),
        ..server::Voice::plain(config.voice.adapters(), network)
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let unusable = |why| Error::start(&format!("listen on {address}"), why);
    TcpListener::bind(address).await.map_err(unusable)
}

/// Answers probes from now on: a start may take its time.
async fn monitor(address: SocketAddr, tasks: &Tasks) -> Result<Monitor> {
    let listener = listen(address).await?;
    tracing::info!(monitor = %listener.local_addr()?, "answering probes and collectors of metrics");
    Monitor::start(listener, tasks).map_err(|why| Error::start("collect metrics", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_close_is_given_up() {
        let begun = tokio::time::Instant::now();
        let hung = close(std::future::pending()).await.unwrap_err();
        assert_eq!(begun.elapsed(), CLOSE);
        assert_eq!(hung.to_string(), "cannot close the store: it is not closed after 10 s");
        assert_eq!(hung.exit_code(), 1);
        close(async { Ok(()) }).await.unwrap();
    }
}
