//! Texts with placeholders: the slug grammar, what a template may hold, default-script expressions
//! (SPEC §9).

pub mod expression;
pub mod slug;
pub mod targets;
