//! The process as the operating system sees it: its limits, its signals, its end.

pub mod handles;
