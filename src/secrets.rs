//! Secrets: files that hold them, and the vault, which seals those of providers under the key ring.
//!
//! Every secret of the server that lies in a file is read by [`file::read`], which says who else may
//! read that file.

pub mod file;
pub mod vault;
