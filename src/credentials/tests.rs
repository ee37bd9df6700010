//! Credentials of every kind, right and wrong.

mod certificates;
mod issuers;
mod jwt;
mod signer;
mod tokens;
mod world;
