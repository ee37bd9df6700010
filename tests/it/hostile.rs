//! Hostile requests against a real server: whatever a caller sends, the answer is one that the
//! specification names, a refused call changes nothing, and the server goes on.

mod abuse;
mod bombs;
mod callers;
mod exact;
mod fields;
mod frames;
mod front;
mod numbers;
mod pages;
mod sites;
mod target;
mod unfinished;
mod unread;
