//! Values of fields, and the types that have them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::domain::{Kind, UniqueName, UserId};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A text of one line.
    Text,
    /// A text of several lines.
    Lines,
    /// Texts.
    List,
    /// An integer.
    Number,
    /// True or false.
    Bool,
    /// A point in time.
    Time,
    /// One of these words; the API has an enum of them.
    Choice(&'static [&'static str]),
    /// A unique name that is no reference.
    UniqueName,
    /// Unique names, before the table resolves what they refer to.
    UniqueNames,
    /// A reference to an object of that kind.
    Name(Kind),
    /// References to objects of that kind.
    Names(Kind),
    /// A reference to a user.
    User,
    /// Texts of several lines by their names; the API has a map of them.
    Map,
    /// Records of these parts; the API has a message of them.
    Records(Parts),
    /// What only the kind itself can read.
    Other,
}

/// The parts of a record: their names in the API, and what they hold. A record may have parts that are
/// records like itself, so parts are compared by address and never element by element.
#[derive(Clone, Copy)]
pub struct Parts(pub &'static [(&'static str, FieldType)]);

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text, also one of several lines, or the word of a choice.
    Text(Cow<'a, str>),
    /// Texts.
    List(Vec<Cow<'a, str>>),
    /// An integer; an object may lack it.
    Number(Option<i64>),
    /// True or false.
    Bool(bool),
    /// A point in time, in microseconds since 1970.
    Time(i64),
    /// Texts by their names, ascending.
    Map(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// The bare name of an object or the id of a user; empty when there is none.
    Name(Cow<'a, str>),
    /// The bare names of objects.
    Names(Vec<Cow<'a, str>>),
    /// The parts of each record, in the order of its type.
    Records(Vec<Vec<Value<'a>>>),
}

/// A type that fields may have.
pub trait FieldValue: Sized {
    /// What such a field holds.
    const TYPE: FieldType;

    /// The value.
    fn value(&self) -> Value<'_>;

    /// The typed form of a value; none when it is no value of this type.
    fn of(value: Value<'_>) -> Option<Self>;

    /// Becomes the value; one of another type changes nothing.
    fn assign(&mut self, value: Value<'_>) {
        if let Some(new) = Self::of(value) {
            *self = new;
        }
    }
}

/// A closed set of values, each with its word in the API.
pub trait Choice: Copy + Sized + 'static {
    /// All values.
    const ALL: &'static [Self];

    /// The words of all values.
    const WORDS: &'static [&'static str];

    /// The word of this value.
    fn as_str(self) -> &'static str;

    /// The value of a word.
    fn parse(word: &str) -> Option<Self>;
}

/// Ties a set of values to its words: `PanelMode { Docked = "DOCKED", … }`. The words are those of
/// the enum in the API, without its prefix.
macro_rules! choice {
    ($($type:ident { $($value:ident = $word:literal),+ $(,)? })+) => {$(
        impl $crate::domain::field::Choice for $type {
            const ALL: &'static [Self] = &[$(Self::$value),+];
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word,)+ }
            }

            fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)+ _ => None }
            }
        }
    )+};
}
pub(crate) use choice;

/// One element of a list of records.
pub trait Record: Sized {
    /// Its parts.
    const PARTS: Parts;

    /// The values of its parts, in that order.
    fn values(&self) -> Vec<Value<'_>>;

    /// The record of such values.
    fn of(values: Vec<Value<'_>>) -> Option<Self>;
}

// ===== impl Parts =====

impl PartialEq for Parts {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Parts {}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

// ===== impl Value =====

impl Value<'_> {
    /// The same, without what is borrowed.
    pub fn into_owned(self) -> Value<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Text(text) => Value::Text(own(text)),
            Self::List(texts) => Value::List(texts.into_iter().map(own).collect()),
            Self::Number(number) => Value::Number(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Time(time) => Value::Time(time),
            Self::Name(name) => Value::Name(own(name)),
            Self::Map(texts) => {
                Value::Map(texts.into_iter().map(|(name, text)| (own(name), own(text))).collect())
            }
            Self::Names(names) => Value::Names(names.into_iter().map(own).collect()),
            Self::Records(rows) => Value::Records(
                rows.into_iter()
                    .map(|row| row.into_iter().map(Value::into_owned).collect())
                    .collect(),
            ),
        }
    }

    /// Whether a filter takes it for nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::Name(text) => text.is_empty(),
            Self::List(list) | Self::Names(list) => list.is_empty(),
            Self::Number(number) => number.is_none(),
            Self::Map(texts) => texts.is_empty(),
            Self::Records(rows) => rows.is_empty(),
            Self::Bool(_) | Self::Time(_) => false,
        }
    }

    /// Its texts: none of numbers, truths and times.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts: &[Cow<'_, str>] = match self {
            Self::Text(text) | Self::Name(text) => std::slice::from_ref(text),
            Self::List(list) | Self::Names(list) => list,
            Self::Number(_) | Self::Bool(_) | Self::Time(_) | Self::Map(_) | Self::Records(_) => {
                &[]
            }
        };
        texts.iter().map(AsRef::as_ref)
    }
}

// ===== impl FieldValue =====

impl FieldValue for String {
    const TYPE: FieldType = FieldType::Text;

    fn value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        Some(text.into_owned())
    }
}

impl FieldValue for bool {
    const TYPE: FieldType = FieldType::Bool;

    fn value(&self) -> Value<'_> {
        Value::Bool(*self)
    }

    fn of(value: Value<'_>) -> Option<Self> {
        let Value::Bool(truth) = value else { return None };
        Some(truth)
    }
}

/// Implements [`FieldValue`] for integers, which an object has or may lack.
macro_rules! numbers {
    ($($type:ty)+) => {$(
        impl FieldValue for $type {
            const TYPE: FieldType = FieldType::Number;

            fn value(&self) -> Value<'_> {
                Value::Number(Some(i64::from(*self)))
            }

            fn of(value: Value<'_>) -> Option<Self> {
                let Value::Number(Some(number)) = value else { return None };
                number.try_into().ok()
            }
        }

        impl FieldValue for Option<$type> {
            const TYPE: FieldType = FieldType::Number;

            fn value(&self) -> Value<'_> {
                Value::Number(self.map(i64::from))
            }

            fn of(value: Value<'_>) -> Option<Self> {
                let Value::Number(number) = value else { return None };
                number.map(TryInto::try_into).transpose().ok()
            }
        }
    )+};
}

numbers! { u8 u16 i32 }

impl FieldValue for Option<UniqueName> {
    const TYPE: FieldType = FieldType::UniqueName;

    fn value(&self) -> Value<'_> {
        Value::Name(Cow::Borrowed(self.as_ref().map(UniqueName::as_str).unwrap_or_default()))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Name(name) if name.is_empty() => Some(None),
            Value::Name(name) => UniqueName::parse(&name).ok().map(Some),
            _ => None,
        }
    }
}

impl FieldValue for Option<UserId> {
    const TYPE: FieldType = FieldType::User;

    fn value(&self) -> Value<'_> {
        Value::Name(Cow::Borrowed(self.as_ref().map(UserId::as_str).unwrap_or_default()))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Name(id) if id.is_empty() => Some(None),
            Value::Name(id) => UserId::parse(&id).ok().map(Some),
            _ => None,
        }
    }
}

impl FieldValue for BTreeMap<String, String> {
    const TYPE: FieldType = FieldType::Map;

    fn value(&self) -> Value<'_> {
        let borrowed = |(name, text)| (Cow::Borrowed(name), Cow::Borrowed(text));
        Value::Map(
            self.iter().map(|(name, text)| (name.as_str(), text.as_str())).map(borrowed).collect(),
        )
    }

    fn of(value: Value<'_>) -> Option<Self> {
        let Value::Map(texts) = value else { return None };
        Some(texts.into_iter().map(|(name, text)| (name.into_owned(), text.into_owned())).collect())
    }
}

/// Implements [`FieldValue`] for collections of names and of texts.
macro_rules! lists {
    ($($collection:ident)+) => {$(
        impl FieldValue for $collection<UniqueName> {
            const TYPE: FieldType = FieldType::UniqueNames;

            fn value(&self) -> Value<'_> {
                Value::Names(self.iter().map(|name| Cow::Borrowed(name.as_str())).collect())
            }

            fn of(value: Value<'_>) -> Option<Self> {
                let Value::Names(names) = value else { return None };
                names.iter().map(|name| UniqueName::parse(name).ok()).collect()
            }
        }

        impl FieldValue for $collection<String> {
            const TYPE: FieldType = FieldType::List;

            fn value(&self) -> Value<'_> {
                Value::List(self.iter().map(|text| Cow::Borrowed(text.as_str())).collect())
            }

            fn of(value: Value<'_>) -> Option<Self> {
                let Value::List(texts) = value else { return None };
                Some(texts.into_iter().map(Cow::into_owned).collect())
            }
        }
    )+};
}

lists! { Vec BTreeSet }

impl<C: Choice> FieldValue for C {
    const TYPE: FieldType = FieldType::Choice(C::WORDS);

    fn value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self.as_str()))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        let Value::Text(word) = value else { return None };
        C::parse(&word)
    }
}

impl<R: Record> FieldValue for Vec<R> {
    const TYPE: FieldType = FieldType::Records(R::PARTS);

    fn value(&self) -> Value<'_> {
        Value::Records(self.iter().map(Record::values).collect())
    }

    fn of(value: Value<'_>) -> Option<Self> {
        let Value::Records(rows) = value else { return None };
        rows.into_iter().map(R::of).collect()
    }
}
