//! Deskplane: the control plane for agent desktops.
//!
//! Dependencies point one way: `service -> command -> { resolve, content, render } -> catalog -> domain`.
//! [`domain`] holds the nouns and their field rules, [`catalog`] all configuration at one revision,
//! [`command`] the rules of writes, [`content`] what a client gets of a profile, [`resolve`] says which profile applies to a user and why, [`impact`] what a commit means for users, [`read`] looks up both for an answer, [`render`] reads texts with
//! placeholders, [`auth`] says who may call what, [`transfer`] what a bundle is; none of these does I/O, reads a clock or draws a
//! random number. [`store`] keeps what was committed, [`history`] reads the past of it, [`ledger`] orders writes, [`audit`] keeps who did what and what agents saw, [`live`] sends
//! clients what changed for them, [`voice`] drives voice vendors; [`service`] is the API over them, [`transport`] serves connections, [`web`] those of pages, [`server`] assembles all,
//! [`descriptors`] says what the API consists of, [`trace`] names requests in logs, errors and traces, [`tasks`] supervises what runs, [`process`] handles limits and signals of the operating system, and [`cli`] starts a server with
//! its [`config`] or speaks to one.

pub mod audit;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod content;
pub mod credentials;
pub mod descriptors;
pub mod domain;
pub mod executor;
pub mod history;
pub mod impact;
pub mod ledger;
pub mod live;
pub mod process;
pub mod read;
pub mod render;
pub mod resolve;
pub mod scim;
pub mod secrets;
pub mod server;
pub mod service;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod trace;
pub mod transfer;
pub mod transport;
pub mod voice;
pub mod web;
