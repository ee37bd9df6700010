//! New values of the fields of an object.

use std::{fmt, marker::PhantomData};

use super::{
    table::{Access, COMMON, Field, Fields, Info},
    value::{FieldType, FieldValue, Value},
};
use crate::domain::{
    Reason, Violations,
    check::{self, Controls},
};

/// New values of the fields of an object, by the paths of [`Fields::FIELDS`] and of [`COMMON`]; what
/// is not given stays.
pub struct Values<T> {
    given: Vec<(&'static str, Value<'static>)>,
    kind: PhantomData<fn(T)>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { given: Vec::new(), kind: PhantomData }
    }
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self { given: self.given.clone(), kind: PhantomData }
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.given.iter().map(|(path, value)| (path, value))).finish()
    }
}

impl<T> Values<T> {
    fn find(&self, path: &str) -> Option<&Value<'static>> {
        self.given.iter().find(|(given, _)| *given == path).map(|(_, value)| value)
    }

    /// Whether the field has a new value.
    pub fn contains(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The new value of a text.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.find(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The new value of a field, in its own type.
    pub fn get<V: FieldValue>(&self, path: &str) -> Option<V> {
        V::of(self.find(path)?.clone())
    }

    /// Gives a field a new value.
    pub fn set(&mut self, path: &'static str, value: Value<'static>) {
        self.take(path);
        self.given.push((path, value));
    }

    /// Leaves the field as it is.
    pub fn take(&mut self, path: &str) {
        self.given.retain(|(given, _)| *given != path);
    }

    /// The same with a new value for that field.
    #[must_use]
    pub fn with(mut self, path: &'static str, value: &impl FieldValue) -> Self {
        self.set(path, value.value().into_owned());
        self
    }
}

impl<T: Fields> Values<T> {
    /// Notes every immutable field whose value would be another one.
    pub fn immutable(&self, before: &T, v: &mut Violations) {
        for field in T::FIELDS.iter().filter(|field| field.info.access == Access::Immutable) {
            let new = self.find(field.info.path);
            if new.is_some() && new != field.value(before).as_ref() {
                v.add(Reason::FieldImmutable, field.info.path, "cannot change");
            }
        }
    }

    /// Notes every required field that has no value.
    pub fn required(&self, v: &mut Violations) {
        let missing = |info: &&Info| info.required && !self.contains(info.path);
        for info in T::FIELDS.iter().map(|field| &field.info).filter(missing) {
            v.invalid(info.path, "is required");
        }
    }

    /// Writes the values; they were or will be checked.
    pub fn apply(&self, object: &mut T) {
        let common = object.common_mut();
        if let Some(name) = self.text("display_name") {
            common.display_name = name.trim().to_owned();
        }
        if let Some(text) = self.text("description") {
            text.clone_into(&mut common.description);
        }
        if let Some(owner) = self.text("owner") {
            owner.clone_into(&mut common.owner);
        }
        for field in T::FIELDS {
            if let Some(value) = self.find(field.info.path) {
                field.assign(object, value.clone());
            }
        }
        debug_assert!(
            self.given.iter().all(|(path, _)| {
                let named = |info: &Info| info.path == *path;
                T::FIELDS.iter().any(|field| named(&field.info)) || COMMON.iter().any(named)
            }),
            "{self:?} names a field that is not in the table"
        );
    }
}

/// Notes every plain field rule that the values break.
pub fn check<T: Fields>(values: &Values<T>, v: &mut Violations) {
    for Field { info, .. } in T::FIELDS {
        if let (Some((least, most)), Some(Value::Number(Some(number)))) =
            (info.range, values.find(info.path))
        {
            check::range(v, info.path, *number, least..=most);
        }
        let (Some((least, most)), Some(text)) = (info.length, values.text(info.path)) else {
            continue;
        };
        let lines = info.holds == FieldType::Lines;
        let controls = if lines { Controls::TabAndNewline } else { Controls::None };
        check::text(v, info.path, text, least..=most, controls);
    }
}
