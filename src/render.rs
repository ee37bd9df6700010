//! Texts with placeholders: the slug grammar, what a template may hold, default-script expressions,
//! and the session that a template renders to (SPEC §9).

pub mod expression;
pub mod session;
pub mod slug;
pub mod targets;
