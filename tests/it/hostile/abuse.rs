//! Abuse of the port by clients that are written by hand. Each is bounded or closed: the server
//! process hardly grows, another client's calls go on, and afterwards everything is as before.
//!
//! Each abuse comes in two sizes: a small one with small limits, and the full one with the limits
//! that a server has by default, in the release set.

mod floods;
mod packed;
mod shapes;
mod shed;
mod siege;
mod slow;
mod windows;
mod wire;

/// Two tests of an abuse: in small, and in full.
macro_rules! sizes {
    ($($abuse:ident: $small:expr, $full:expr;)+) => {$(
        mod $abuse {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_small() {
                super::$abuse($small).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "the release set; its command is in docs/operations.md"]
            async fn in_full() {
                super::$abuse($full).await;
            }
        }
    )+};
}
use sizes;
