//! What stands between the wire and the product.

pub mod filter;
mod status;

pub use status::status;
