//! What stands between the wire and the product.

pub mod filter;
