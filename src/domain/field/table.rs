//! A field of a kind, and the list of all.

use super::value::{FieldType, FieldValue, Value};
use crate::domain::{Kind, meta::HasCommon};

/// What a write may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Set it.
    Mutable,
    /// Nothing after creation.
    Immutable,
    /// Nothing: the named action does.
    Action(&'static str),
    /// Nothing: the server writes it; ignored in a resource that is sent.
    Output,
}

/// What is known of a field without its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Path in the resource of the API, such as `expression.tree`.
    pub path: &'static str,
    /// What it holds.
    pub holds: FieldType,
    /// Who may set it, and when.
    pub access: Access,
    /// Whether a creation must give it.
    pub required: bool,
    /// Least and greatest number of characters of a text.
    pub length: Option<(usize, usize)>,
    /// Least and greatest value of a number.
    pub range: Option<(i64, i64)>,
    /// Most elements of a list.
    pub max_elements: Option<usize>,
    /// Whether lists can be filtered by it.
    pub filter: bool,
    /// Heading of its column in the tables of the command line.
    pub column: Option<&'static str>,
}

/// A field of objects of the type `T`.
#[derive(Debug)]
pub struct Field<T> {
    /// What is known without the object.
    pub info: Info,
    access: Option<Accessors<T>>,
}

/// How the value of a field is read and written.
#[derive(Debug)]
struct Accessors<T> {
    value: for<'a> fn(&'a T) -> Value<'a>,
    assign: fn(&mut T, Value<'_>),
}

/// A kind whose fields are listed.
pub trait Fields: HasCommon + Sized + 'static {
    /// Its fields beside those of [`COMMON`], in the order of the API.
    const FIELDS: &'static [Field<Self>];
}

/// The fields that resources with a unique name share.
pub const COMMON: &[Info] = &[
    Info::new("name", FieldType::Text).access(Access::Immutable),
    Info::new("uid", FieldType::Text).access(Access::Output),
    Info::new("unique_name", FieldType::UniqueName).access(Access::Immutable),
    Info::new("display_name", FieldType::Text),
    Info::new("description", FieldType::Lines),
    Info::new("state", FieldType::Text).access(Access::Action("Activate and Deactivate")),
    Info::new("origin", FieldType::Text).access(Access::Output),
    Info::new("bundle", FieldType::Text).access(Access::Output),
    Info::new("bundle_version", FieldType::Text).access(Access::Output),
    Info::new("owner", FieldType::Text),
    Info::new("etag", FieldType::Text).access(Access::Output),
    Info::new("revision", FieldType::Number).access(Access::Output),
    Info::new("create_time", FieldType::Time).access(Access::Output),
    Info::new("update_time", FieldType::Time).access(Access::Output),
    Info::new("created_by", FieldType::Text).access(Access::Output),
    Info::new("updated_by", FieldType::Text).access(Access::Output),
];

/// Expands to a [`Field`] of `Self` with the accessors of a member: `field!(icon)`, or of a member
/// that the API calls otherwise: `field!(session_type as "type")`.
macro_rules! field {
    ($member:ident) => {
        $crate::domain::field::field!($member as stringify!($member))
    };
    ($($member:ident).+ as $path:expr) => {
        $crate::domain::field::Field::new(
            $crate::domain::field::Info::new(
                $path,
                $crate::domain::field::type_of(|object: &Self| &object.$($member).+),
            ),
            |object: &Self| $crate::domain::field::FieldValue::value(&object.$($member).+),
            |object: &mut Self, value| {
                $crate::domain::field::FieldValue::assign(&mut object.$($member).+, value);
            },
        )
    };
}
pub(crate) use field;

/// The type of the member that the closure answers.
pub(crate) const fn type_of<T, V: FieldValue>(_: fn(&T) -> &V) -> FieldType {
    V::TYPE
}

// ===== impl Field =====

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> Clone for Accessors<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Accessors<T> {}

impl<T> Field<T> {
    /// A mutable field with a value; see the macro `field!`.
    pub const fn new(
        info: Info,
        value: for<'a> fn(&'a T) -> Value<'a>,
        assign: fn(&mut T, Value<'_>),
    ) -> Self {
        Self { info, access: Some(Accessors { value, assign }) }
    }

    /// A mutable field that the table describes only: the kind converts and compares it by itself.
    pub const fn described(path: &'static str) -> Self {
        Self { info: Info::new(path, FieldType::Other), access: None }
    }

    /// The value in an object; none of a field that is described only.
    pub fn value<'a>(&self, object: &'a T) -> Option<Value<'a>> {
        self.access.map(|access| (access.value)(object))
    }

    /// Sets the value in an object.
    pub fn assign(&self, object: &mut T, value: Value<'_>) {
        if let Some(access) = self.access {
            (access.assign)(object, value);
        }
    }

    /// The same, set at creation only.
    #[must_use]
    pub const fn immutable(self) -> Self {
        self.with(self.info.access(Access::Immutable))
    }

    /// The same, set by an action of its own.
    #[must_use]
    pub const fn action(self, action: &'static str) -> Self {
        self.with(self.info.access(Access::Action(action)))
    }

    /// The same, written by the server only.
    #[must_use]
    pub const fn output(self) -> Self {
        self.with(self.info.access(Access::Output))
    }

    /// The same, to be given at creation.
    #[must_use]
    pub const fn required(self) -> Self {
        self.with(Info { required: true, ..self.info })
    }

    /// The same text, of so many characters.
    #[must_use]
    pub const fn length(self, least: usize, most: usize) -> Self {
        self.with(Info { length: Some((least, most)), ..self.info })
    }

    /// The same number, within these bounds.
    #[must_use]
    pub const fn range(self, least: i64, most: i64) -> Self {
        self.with(Info { range: Some((least, most)), ..self.info })
    }

    /// The same list, of at most so many elements.
    #[must_use]
    pub const fn at_most(self, elements: usize) -> Self {
        self.with(Info { max_elements: Some(elements), ..self.info })
    }

    /// The same names, of objects of that kind.
    #[must_use]
    pub const fn refers(self, kind: Kind) -> Self {
        let holds = match self.info.holds {
            FieldType::UniqueName => FieldType::Name(kind),
            FieldType::UniqueNames => FieldType::Names(kind),
            other => other,
        };
        self.with(Info { holds, ..self.info })
    }

    /// The same; lists can be filtered by it.
    #[must_use]
    pub const fn filter(self) -> Self {
        self.with(Info { filter: true, ..self.info })
    }

    /// The same, with a column in the tables of the command line.
    #[must_use]
    pub const fn column(self, heading: &'static str) -> Self {
        self.with(Info { column: Some(heading), ..self.info })
    }

    const fn with(self, info: Info) -> Self {
        Self { info, access: self.access }
    }
}

// ===== impl Info =====

impl Info {
    /// A mutable, optional field.
    pub const fn new(path: &'static str, holds: FieldType) -> Self {
        Self {
            path,
            holds,
            access: Access::Mutable,
            required: false,
            length: None,
            range: None,
            max_elements: None,
            filter: false,
            column: None,
        }
    }

    const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }
}
