//! The program and the machine: signals, a start that takes long, the environment, the log.

mod environment;
mod log;
mod signals;
mod start;
