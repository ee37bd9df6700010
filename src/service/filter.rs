//! The `filter` and `order_by` language of the list calls.
//!
//! A filter is compiled against the schema of its list, so that evaluation can neither fail nor guess:
//! unknown fields, misplaced operators and bad numbers are refused before the first row is read.
//!
//! Between double quotes `\\` is a backslash and `\"` a quote; a backslash before anything else stands
//! for itself. So ids such as `CONTOSO\kim` can be written as they are, and clients that double every
//! backslash and escape every quote can write any text.

mod error;
mod lex;

use std::borrow::Cow;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::lex::{Lexer, Op, Word};
pub use self::{error::FilterError, lex::MAX_CHARS};
use crate::domain::{Kind, field::Value, resource_name::Reference};

/// Most comparisons in a filter.
pub const MAX_COMPARISONS: usize = 20;

/// What a field holds, as far as comparing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text that compares without ASCII case.
    Text,
    /// Texts of which one is meant.
    List,
    /// An integer.
    Number,
    /// True or false.
    Bool,
    /// A point in time, given in RFC 3339.
    Time,
    /// A reference to an object of that kind: `profiles/x` means `x`.
    Name(Kind),
    /// References of which one is meant.
    Names(Kind),
}

/// A row that can be filtered.
pub trait Fields {
    /// Returns the value of a field of the schema; a field without a value counts as empty.
    fn field(&self, name: &str) -> Option<Value<'_>>;
}

/// A compiled filter: comparisons that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    comparisons: Vec<Comparison>,
}

/// One field to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Name of the field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Parses an order such as `rank desc`; blank text asks for none.
pub fn parse_order(text: &str, allowed: &[&str]) -> Result<Option<Order>, FilterError> {
    let mut words = text.split_whitespace();
    let Some(field) = words.next() else {
        return Ok(None);
    };
    let offset_of = |word: &str| text.find(word).map_or(0, |at| text[..at].chars().count());
    if !allowed.contains(&field) {
        let message = format!("use one of {}", allowed.join(", "));
        return Err(FilterError::new(offset_of(field), message));
    }
    let rest = text.trim_start()[field.len()..].trim();
    if !matches!(rest, "" | "desc") {
        let message = "one field is expected, then nothing or `desc`";
        let offset = text.trim_end().chars().count() - rest.chars().count();
        return Err(FilterError::new(offset, message));
    }
    Ok(Some(Order { field: field.to_owned(), descending: rest == "desc" }))
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    field: String,
    op: Op,
    operand: Operand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Empty,
    /// For text, references and lists of them.
    Text(String),
    Number(i64),
    Bool(bool),
    Time(i64),
}

// ===== impl Filter =====

impl Filter {
    /// Compiles a filter for rows of the given schema; blank text matches every row.
    pub fn parse(text: &str, schema: &[(&str, FieldType)]) -> Result<Self, FilterError> {
        let mut lexer = Lexer::new(text)?;
        let mut comparisons = Vec::new();
        while !lexer.at_end() {
            if !comparisons.is_empty() {
                lexer.expect_and()?;
            }
            if comparisons.len() == MAX_COMPARISONS {
                lexer.at_end();
                let message = format!("at most {MAX_COMPARISONS} comparisons are allowed");
                return Err(FilterError::new(lexer.offset(), message));
            }
            comparisons.push(Comparison::parse(&mut lexer, schema)?);
        }
        Ok(Self { comparisons })
    }

    /// Whether a row passes.
    pub fn matches(&self, row: &impl Fields) -> bool {
        self.comparisons
            .iter()
            .all(|comparison| comparison.holds(row.field(&comparison.field).as_ref()))
    }

    /// Whether every row passes.
    pub fn is_empty(&self) -> bool {
        self.comparisons.is_empty()
    }
}

// ===== impl Comparison =====

impl Comparison {
    fn parse(lexer: &mut Lexer, schema: &[(&str, FieldType)]) -> Result<Self, FilterError> {
        let (offset, field) = lexer.field()?;
        let Some((_, kind)) = schema.iter().find(|(name, _)| *name == field) else {
            let known: Vec<_> = schema.iter().map(|(name, _)| *name).collect();
            let shown: String = field.chars().take(60).collect();
            let message = format!("unknown field `{shown}`; use one of {}", known.join(", "));
            return Err(FilterError::new(offset, message));
        };
        let (offset, op) = lexer.op()?;
        if !op.fits(*kind) {
            let message =
                format!("this operator does not compare `{field}`, which is a {}", kind.noun());
            return Err(FilterError::new(offset, message));
        }
        let (offset, word) = lexer.value()?;
        let operand = Operand::parse(word, *kind, op).map_err(|message| {
            FilterError::new(offset, format!("`{field}` is a {}: {message}", kind.noun()))
        })?;
        Ok(Self { field, op, operand })
    }

    fn holds(&self, value: Option<&Value<'_>>) -> bool {
        match self.op {
            Op::Equal => self.operand.equals(value),
            Op::NotEqual => !self.operand.equals(value),
            Op::Contains => value.is_some_and(|value| self.operand.is_within(value)),
            Op::Less => self.ordered(value, |ordering| ordering.is_lt()),
            Op::LessOrEqual => self.ordered(value, |ordering| ordering.is_le()),
            Op::Greater => self.ordered(value, |ordering| ordering.is_gt()),
            Op::GreaterOrEqual => self.ordered(value, |ordering| ordering.is_ge()),
        }
    }

    fn ordered(&self, value: Option<&Value<'_>>, test: fn(std::cmp::Ordering) -> bool) -> bool {
        match (value, &self.operand) {
            (Some(Value::Number(Some(left))), Operand::Number(right))
            | (Some(Value::Time(left)), Operand::Time(right)) => test(left.cmp(right)),
            _ => false,
        }
    }
}

// ===== impl Op =====

impl Op {
    fn fits(self, kind: FieldType) -> bool {
        match self {
            Self::Equal | Self::NotEqual => true,
            Self::Contains => kind.is_text(),
            _ => matches!(kind, FieldType::Number | FieldType::Time),
        }
    }
}

// ===== impl Operand =====

impl Operand {
    fn parse(word: Word, kind: FieldType, op: Op) -> Result<Self, Cow<'static, str>> {
        if !word.quoted && kind.is_text() {
            return Err("put the value in double quotes".into());
        }
        if word.text.is_empty() && matches!(op, Op::Equal | Op::NotEqual) {
            return Ok(Self::Empty);
        }
        match kind {
            FieldType::Text | FieldType::List => Ok(Self::Text(word.text)),
            FieldType::Name(kind) | FieldType::Names(kind) => {
                let name = Reference::of_kind(&word.text, kind).map_err(Cow::Owned)?;
                Ok(Self::Text(name.into_owned()))
            }
            FieldType::Number => match word.text.parse() {
                Ok(number) => Ok(Self::Number(number)),
                Err(_) => Err("use an integer such as `10`".into()),
            },
            FieldType::Bool => match word.text.parse() {
                Ok(truth) => Ok(Self::Bool(truth)),
                Err(_) => Err("use `true` or `false`".into()),
            },
            FieldType::Time => match micros(&word.text) {
                Some(time) => Ok(Self::Time(time)),
                None => Err("use RFC 3339 such as `2026-01-31T08:00:00Z`".into()),
            },
        }
    }

    fn equals(&self, value: Option<&Value<'_>>) -> bool {
        let Some(value) = value else {
            return *self == Self::Empty;
        };
        match (self, value) {
            (Self::Empty, value) => value.is_empty(),
            (Self::Text(wanted), value) => {
                value.texts().any(|text| text.eq_ignore_ascii_case(wanted))
            }
            (Self::Number(wanted), Value::Number(number)) => *number == Some(*wanted),
            (Self::Bool(wanted), Value::Bool(truth)) => truth == wanted,
            (Self::Time(wanted), Value::Time(time)) => time == wanted,
            _ => false,
        }
    }

    fn is_within(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Text(wanted) => value.texts().any(|text| contains(text, wanted)),
            _ => false,
        }
    }
}

fn micros(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).ok()
}

fn contains(text: &str, wanted: &str) -> bool {
    let mut windows = text.as_bytes().windows(wanted.len().max(1));
    wanted.is_empty() || windows.any(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

// ===== impl FieldType =====

impl FieldType {
    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::List | Self::Name(_) | Self::Names(_))
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::List => "list of texts",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Time => "time",
            Self::Name(_) => "name",
            Self::Names(_) => "list of names",
        }
    }
}

#[cfg(test)]
mod tests;
