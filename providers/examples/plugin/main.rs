//! A plug-in for Deskplane: a small voice vendor that lives in this process.
//!
//! Start it with an address, `127.0.0.1:7001` or `unix:/run/plugin.sock`; it prints where it
//! listens. `PLUGIN_TOKEN` is what callers must show, `PLUGIN_WEBHOOK_KEY` signs webhooks. Everybody
//! answers at once, but for `sip:busy@example.com` and `sip:nobody@example.com`.

mod service;
mod vendor;

use std::{error::Error, io::Write as _, sync::Arc};

use deskplane_proto::provider::v1::channel_provider_plugin_server::ChannelProviderPluginServer;
use futures_util::stream;
use tokio::net::{TcpListener, UnixListener};
use tonic::transport::{Server, server::TcpIncoming};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: plugin ADDRESS")?;
    let plugin = service::Plugin {
        vendor: Arc::default(),
        token: std::env::var("PLUGIN_TOKEN").unwrap_or_default(),
        webhook_key: std::env::var("PLUGIN_WEBHOOK_KEY").unwrap_or_default(),
    };
    let server = Server::builder().add_service(ChannelProviderPluginServer::new(plugin));
    match address.strip_prefix("unix:") {
        Some(path) => {
            let listener = UnixListener::bind(path)?;
            say(&address)?;
            let accepted = stream::unfold(listener, async |listener| {
                Some((listener.accept().await.map(|(stream, _)| stream), listener))
            });
            server.serve_with_incoming(accepted).await?;
        }
        None => {
            let listener = TcpListener::bind(&address).await?;
            say(&format!("http://{}", listener.local_addr()?))?;
            server.serve_with_incoming(TcpIncoming::from(listener)).await?;
        }
    }
    Ok(())
}

fn say(endpoint: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on {endpoint}")?;
    out.flush()
}
