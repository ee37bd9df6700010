//! `demo`: a server of its own, the documented example, a live update; then it is yours to try.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use deskplane_providers::Registry;
use tokio::{net::TcpListener, sync::oneshot};

use super::{Bearer, Client, Connection, Error, Io, Result, TlsFiles, serve};
use crate::{
    audit,
    clock::Clock,
    config,
    credentials::Credentials,
    live,
    process::{Watchdog, environment, signals::Signals},
    server::{self, Parts},
    store::{Durable, durable::Settings},
    tasks::Tasks,
    trace::Tracer,
    transport::Limits,
};

mod chat;
mod tour;

/// Address that is tried first: the default of every other command.
const DEFAULT_ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7700);

/// Time in which the server of the demo must have ended: its streams have no other clients.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Time after which the process ends, whatever its end waits for.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End after the tour instead of serving on.
    #[arg(long)]
    once: bool,
    /// Loopback address to listen on. Default: 127.0.0.1:7700, or a free port when that is taken.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Runs the demo.
pub(super) async fn run(args: Args, io: &mut Io<'_>) -> Result<()> {
    // From here on no signal ends the process without the folder being removed.
    let mut signals = Signals::listen()?;
    let watchdog = Watchdog::start()?;
    serve::raise_handles();
    let listener = listen(args.listen).await?;
    let address = listener.local_addr()?;
    let folder =
        tempfile::Builder::new().prefix("deskplane-demo-").tempdir_in(environment::temp_dir())?;
    let settings = Settings { min_free_bytes: 0, ..Settings::default() };
    let store = Durable::open(folder.path(), settings).await;
    let store = store.map_err(|error| Error::start("open a store in a temporary folder", error))?;
    let watch = live::Settings {
        drain_window: DRAIN_TIMEOUT,
        drain_deadline: DRAIN_TIMEOUT,
        ..Default::default()
    };
    let network = config::Voice::default().network();
    let network = network.map_err(|error| Error::start("set up TLS", error))?;
    let voice = server::Voice::plain(Registry::builtin().with_fake(), network);
    let (store, clock) = (Arc::new(store), Clock::system());
    let parts = Parts {
        store,
        clock,
        limits: Limits::default(),
        tls: None,
        credentials: Credentials::default(),
        origins: Vec::new(),
        watch,
        voice,
        policy: config::Auth::default().policy(),
        scim: None,
        audit: audit::Settings::default(),
        tracer: Tracer::default(),
        monitor: None,
        serving: None,
        tasks: Tasks::default(),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server::serve(parts, listener, async {
        // Ends as well when the other half is dropped.
        stopped.await.ok();
    }));

    io.line(format!(
        "A Deskplane server runs on {address}, with its store in {}.",
        folder.path().display()
    ))?;
    let outcome = tokio::select! {
        shown = show(address, args.once, io) => shown,
        _ = signals.end() => Ok(()),
    };
    watchdog.within(END_TIMEOUT);
    drop(stop);
    match server.await {
        Ok(Ok(())) => outcome,
        Ok(Err(error)) => outcome.and(Err(Error::start("serve", error))),
        Err(error) => outcome.and(Err(Error::start("serve", error))),
    }
}

async fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener> {
    let Some(address) = wanted else {
        return match TcpListener::bind(DEFAULT_ADDRESS).await {
            Ok(listener) => Ok(listener),
            Err(_) => Ok(TcpListener::bind((DEFAULT_ADDRESS.0, 0)).await?),
        };
    };
    if !address.ip().is_loopback() {
        return Err(Error::Usage(format!("{address} is no loopback address")));
    }
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::start(&format!("listen on {address}"), error))
}

/// Runs the tour, and leaves the server running for visitors.
async fn show(address: SocketAddr, once: bool, io: &mut Io<'_>) -> Result<()> {
    let server = format!("http://{address}");
    let tls = TlsFiles::default();
    let (caller, scopes, bearer) = (None, None, Bearer::default());
    let connection = Connection { server, caller, scopes, bearer, tls };
    let client = Client::connect(&connection).await?;
    let mut surprises = tour::run(&client, io).await?;
    io.line(format!("\n{}. A chat comes in\n", tour::STOPS_OF_TOUR + 1))?;
    surprises.extend(chat::run(&client, io).await?);
    if !surprises.is_empty() {
        let all = surprises.join("\n  ");
        return Err(Error::Partly(format!("this is not as documented:\n  {all}")));
    }
    io.line(try_yourself(address))?;
    if !once {
        io.line("\nServing until Ctrl-C.")?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Commands to go on with.
fn try_yourself(address: SocketAddr) -> String {
    let call = |data: &str, method: &str| {
        format!("  grpcurl -plaintext -d '{data}' {address} deskplane.v1.{method}")
    };
    let lines = [
        "\nTry it yourself, in another terminal:\n".to_owned(),
        format!("  grpcurl -plaintext {address} list"),
        format!("  grpcurl -plaintext {address} describe deskplane.v1.ProfileService"),
        call(r#"{"user": "john.doe"}"#, "AgentService/ResolveProfile"),
        call(r#"{"user": "casey.jensen"}"#, "AgentService/WatchProfile"),
        call(
            r#"{"name": "datum_supervisor", "replace_current": true}"#,
            "ProfileService/SetDefault",
        ),
        "\nThe last one changes what the one before shows. Or with this program:\n".to_owned(),
        format!("  deskplane --server http://{address} list profiles"),
        format!("  deskplane --server http://{address} explain rowan.lee"),
        format!("  deskplane --server http://{address} get profile contoso_rep -o yaml"),
    ];
    lines.join("\n")
}
