//! An agent's client, to copy: it follows the profile of one user, keeps the last good one, comes
//! back after every end that allows it, and opens sessions for events from standard input.
//!
//! ```sh
//! cargo run --example agent-client -- --user casey.jensen
//! {"workstream": "contoso_web_shop", "slot": "INCOMING_AUTHENTICATED", "context": {"customerName": "Ada"}}
//! {"entity": "incident", "anchor": {"id": "42", "attributes": {"title": "Wrong size"}}}
//! ```
//!
//! `desktop.rs` keeps the profile, `follow.rs` the stream, `session.rs` renders, `token.rs` says who
//! calls. Each line of standard
//! input is an event in the JSON form of `RenderSessionRequest`; each line of standard output says
//! what the desktop does.

mod desktop;
mod follow;
mod session;
mod token;

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tonic::transport::Endpoint;

use desktop::Desktop;
use token::Token;

/// Time in which a connection must be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two probes of a connection on which nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Follows the profile of one agent, and renders sessions for events.
#[derive(Debug, Parser)]
struct Args {
    /// Address of the server.
    #[arg(long, default_value = "http://127.0.0.1:7700")]
    server: String,
    /// User whose desktop this is.
    #[arg(long)]
    user: String,
    /// Name of this client, the same after every start: a stream of the same name is replaced.
    #[arg(long, default_value = "agent-client")]
    client_id: String,
    /// File with the bearer token of the user, read again for each call; what renews it replaces the
    /// file.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// File that keeps the last good profile, for a start without a server.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // Connects when it is needed, and again when a connection is lost: a client starts without a
    // server, too, and shows what it kept.
    let channel = Endpoint::from_shared(args.server)?
        .connect_timeout(CONNECT_TIMEOUT)
        .keep_alive_while_idle(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .connect_lazy();
    let client = Token { file: args.token_file }.client(channel);
    let desktop = Arc::new(Desktop::open(args.keep)?);
    if let Some(profile) = desktop.profile() {
        println!("kept      {}", follow::described(&profile));
    }
    let stream = follow::Stream { user: args.user.clone(), client_id: args.client_id };
    let following = follow::follow(client.clone(), stream, Arc::clone(&desktop), |line| {
        println!("{line}");
    });
    let events = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            if !line.trim().is_empty() {
                println!("{}", session::open(client.clone(), &args.user, &line).await);
            }
        }
        Ok::<_, std::io::Error>(())
    };
    tokio::select! {
        status = following => Err(format!("the server ended this client for good: {status}").into()),
        read = events => Ok(read?),
    }
}
