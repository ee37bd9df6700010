//! The token of the agent, read again for each call: what renews it replaces the file.

use std::{fs, path::PathBuf};

use deskplane_proto::v1::agent_service_client::AgentServiceClient;
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// A client whose calls carry the token.
pub(super) type Client = AgentServiceClient<InterceptedService<Channel, Token>>;

/// Where the token is; without a file calls carry none.
#[derive(Debug, Clone, Default)]
pub(super) struct Token {
    pub(super) file: Option<PathBuf>,
}

impl Token {
    /// A client over a channel.
    pub(super) fn client(self, channel: Channel) -> Client {
        AgentServiceClient::with_interceptor(channel, self)
    }
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(file) = &self.file {
            // A file that is being replaced is there a moment later.
            let unread = |why| Status::unavailable(format!("{}: {why}", file.display()));
            let token = fs::read_to_string(file).map_err(unread)?;
            let value = format!("Bearer {}", token.trim()).parse();
            let value = value.map_err(|_| Status::unauthenticated("the file holds no token"))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}
