//! The process as the operating system sees it: its limits, its environment, its signals, its end.

pub mod ending;
pub mod environment;
pub mod handles;
pub mod notifier;
pub mod signals;
mod watchdog;

pub use self::watchdog::Watchdog;
