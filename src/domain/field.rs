//! Field tables: what each kind holds, as data.
//!
//! A kind lists its fields once, in [`Fields::FIELDS`]. Everything that goes through the fields of a
//! kind reads this table: update masks and the plain rules of writes, the conversion from and to the
//! messages of the API, filters, the columns and documents of the command line, and comparisons of
//! two states. What the table cannot express is a rule of the kind (see [`Rules`](super::rules::Rules)).

mod table;
mod value;
mod values;

pub use self::{
    table::{Access, COMMON, Field, Fields, Info},
    value::{Choice, FieldType, FieldValue, Parts, Record, Value},
    values::{Values, check},
};
pub(crate) use self::{
    table::{field, type_of},
    value::choice,
};
