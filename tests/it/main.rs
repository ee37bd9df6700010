//! Integration tests: one binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod agent_client;
mod api;
mod audit;
mod auth;
mod backup;
mod big_writes;
mod bundles;
mod cases;
mod cli;
mod crash;
mod credentials;
mod deadlines;
mod fleet;
mod folder;
mod foreign;
mod handles;
mod history;
mod hostile;
mod lacks;
mod layers;
mod metrics;
mod operations;
mod process;
mod program;
mod properties;
mod scim;
mod secret_file;
mod secrets;
mod server;
mod soak;
mod storm;
mod supervision;
mod telemetry;
mod tls;
mod users_import;
mod voice;
mod web;
