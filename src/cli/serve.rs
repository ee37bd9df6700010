//! `serve`: the server itself.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::net::TcpListener;

use super::{Error, Format, Io, Result};
use crate::{
    clock::Clock,
    config::{Config, Flags, Sources},
    server::{self, Monitor, Parts},
    store::{Durable, durable::Host, io::Disk},
    telemetry,
    voice::{Log, Voice, vault::Vault},
};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Settings come from their defaults, then the file, then the environment \
(DESKPLANE_LISTEN, DESKPLANE_WATCH__QUIET_MS), then flags. Until credentials can be configured the \
server listens on loopback addresses only, and every caller is an administrator unless the metadata \
x-deskplane-user and x-deskplane-scopes say otherwise.")]
pub(super) struct Args {
    /// Configuration file, TOML.
    #[arg(long, env = "DESKPLANE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Print the settings in effect, and end; as a configuration file unless -o says otherwise.
    #[arg(long)]
    print_config: bool,
}

/// Runs the server until the process is told to end.
pub(super) async fn run(
    args: Args,
    log: Option<String>,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let env = std::env::vars_os();
    let text = |name: std::ffi::OsString| name.into_string().ok();
    let sources = Sources {
        file: args.config,
        env: env.filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect(),
        flags: Flags { log, ..args.flags },
    };
    let config = Config::load(&sources)?;
    if args.print_config {
        return match format {
            Format::Table => Ok(write!(io.out, "{}", config.to_toml()?)?),
            _ => io.value(format, &config),
        };
    }
    telemetry::start(&config.log)?;
    let listener = listen(config.listen).await?;
    let vault = Vault::new(config.voice.vault());
    let vault = vault.map_err(|why| Error::start("open the secrets of providers", why))?;
    let monitor = match config.metrics_listen {
        Some(address) => Some(monitor(address).await?),
        None => None,
    };
    let meters = monitor.as_ref().map(Monitor::meters).unwrap_or_default();
    let host = Host { meters, ..Host::default() };
    let store = Durable::open_on(host, &config.data_dir, config.store.settings()).await;
    let store =
        store.map_err(|why| Error::start(&format!("open {}", config.data_dir.display()), why))?;
    store.attend(config.store.verify()).map_err(|why| Error::start("look after the store", why))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, data_dir = %config.data_dir.display(), "serving");
    tracing::warn!(
        "no credentials are configured: loopback only, and every caller is an administrator unless \
         the metadata x-deskplane-user and x-deskplane-scopes say otherwise"
    );
    let store = Arc::new(store);
    let parts = Parts {
        store: Arc::<Durable>::clone(&store),
        clock: Clock::system(),
        limits: config.limits.settings(),
        watch: config.watch.settings(),
        voice: voice(&config, vault)?,
        monitor,
    };
    // After a failed write only a new start finds out what is on the disk.
    let failed = store.failed();
    let mut failure = None;
    let end = async {
        tokio::select! {
            () = told_to_end() => {}
            why = failed => failure = Some(why),
        }
    };
    let served = server::serve(parts, listener, end).await;
    if let Some(why) = failure {
        return Err(Error::start("go on", why));
    }
    let closed = store.close().await;
    served.map_err(|why| Error::start("serve", why))?;
    closed.map_err(|why| Error::start("close the store", why))
}

/// What drives voice providers: the log of calls beside the store, and the way to vendors.
fn voice(config: &Config, vault: Vault) -> Result<server::Voice> {
    let network = config.voice.network().map_err(|why| Error::start("set up TLS", why))?;
    let (clock, keep) = (Clock::system(), config.voice.keep());
    let folder = config.data_dir.join("calls");
    let calls =
        Log::open(Arc::new(Disk), &folder, move |call| Voice::wants(call, clock.now(), keep));
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
async fn monitor(address: SocketAddr) -> Result<Monitor> {
    let listener = listen(address).await?;
    tracing::info!(monitor = %listener.local_addr()?, "answering probes and collectors of metrics");
    Monitor::start(listener).map_err(|why| Error::start("collect metrics", why))
}

/// Ends when the process is told to: Ctrl-C, or the signal that service managers send.
pub(super) async fn told_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a way to be told there is nothing to wait for but the end of the process.
    if interrupt.await.is_err() {
        std::future::pending::<()>().await;
    }
}
