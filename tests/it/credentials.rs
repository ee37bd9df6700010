//! Callers who show credentials: every call, every credential, over the wire (SPEC §12).

mod existence;
pub(crate) mod limits;
mod program;
#[allow(dead_code, reason = "unit tests use the rest")]
#[path = "../../src/credentials/tests/signer.rs"]
mod signer;
mod streams;
mod table;
pub(crate) mod world;
