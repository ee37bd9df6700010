//! Generated API of Deskplane: messages, clients and servers of the package `deskplane.v1`.
//!
//! The `.proto` files beside this crate are the API; every type here is made from them and carries their comments.
//! One field differs from what other languages see: [`v1::ResolvedProfile::content`] holds the *encoded*
//! [`v1::ProfileContent`], so that a server encodes it once and shares it. The bytes on the wire are the same; decode
//! the field with [`prost::Message::decode`] when its parts are wanted.

pub mod codec;

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

/// Encoded `FileDescriptorSet` of the API with its imports and comments, for reflection and for JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
