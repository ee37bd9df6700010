//! The script that a session shows first (SPEC §9.6).

use std::borrow::Cow;

use super::super::{expression, slug::Body};
use super::{
    template::Template,
    values::{Text, Values},
};

/// Returns the script that the expression chooses if it is active, else the first active one.
pub(super) fn choose<'a>(template: &Template<'a>, values: &Values) -> Option<&'a str> {
    let first = template.scripts.first().copied();
    let parsed = template.expression.filter(|_| first.is_some()).map(expression::parse);
    let Some(Ok(expression)) = parsed else { return first };
    let value = |slug: &Body| values.get(slug, Cow::Borrowed).map(Text::found);
    let chosen = expression.evaluate(&value);
    let active = template.scripts.iter().find(|name| name.eq_ignore_ascii_case(chosen));
    active.copied().or(first)
}
