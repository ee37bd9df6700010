//! What live updates promise, over a real ledger and time that stands still. The tests are named by
//! the rules of SPEC §10.

mod calls;
mod changes;
mod ends;
mod fleet;
mod lag;
mod messages;
mod model;
mod release;
mod rights;
mod visits;
mod world;
