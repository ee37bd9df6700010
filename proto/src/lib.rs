//! Generated API of Deskplane: messages, clients and servers of the package `deskplane.v1`, and of the plug-in
//! protocol that external voice providers serve, `deskplane.provider.v1`.
//!
//! The `.proto` files beside this crate are the API; every type here is made from them and carries their comments.
//! One field differs from what other languages see: [`v1::ResolvedProfile::content`] holds the *encoded*
//! [`v1::ProfileContent`], so that a server encodes it once and shares it. The bytes on the wire are the same; decode
//! the field with [`prost::Message::decode`] when its parts are wanted.

pub mod codec;

include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));
include!(concat!(env!("OUT_DIR"), "/operations.rs"));

/// Messages, clients and servers of the package `deskplane.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code follows its generator's rules, not ours"
)]
#[allow(
    rustdoc::all,
    reason = "comments of the .proto files are written for every language, not for rustdoc"
)]
pub mod v1 {
    tonic::include_proto!("deskplane.v1");
}

impl std::fmt::Debug for v1::ChannelProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelProvider")
            .field("name", &self.name)
            .field("unique_name", &self.unique_name)
            .field("etag", &self.etag)
            .field("label", &self.label)
            .field("channel_url", &self.channel_url)
            .field("adapter", &self.adapter)
            .field("secrets", &self.secrets.keys())
            .field("secret_states", &self.secret_states)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// The plug-in protocol of external voice providers.
pub mod provider {
    /// Messages, clients and servers of the package `deskplane.provider.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        missing_debug_implementations,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code follows its generator's rules, not ours"
    )]
    #[allow(
        rustdoc::all,
        reason = "comments of the .proto files are written for every language, not for rustdoc"
    )]
    pub mod v1 {
        tonic::include_proto!("deskplane.provider.v1");
    }
}

/// Encoded `FileDescriptorSet` of the API and the plug-in protocol with their imports and comments, for reflection and for
/// JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
