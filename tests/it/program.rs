//! The program and the machine: signals, a start that takes long, the environment, the log.

mod configuration;
mod environment;
mod log;
mod manager;
mod signals;
mod start;
