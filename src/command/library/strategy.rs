//! What the generic writes need to know of a kind.

use std::borrow::Cow;

use super::Patch;
use crate::{
    catalog::{Catalog, Tabled},
    command::{Context, patch::limit},
    domain::{
        Common, Finding, Kind, Refusal, Stamp, Violations,
        field::{self, Fields, Value, Values},
        named_kinds,
        refusal::Preconditions,
        rules::Rules,
    },
};

/// Names of the writes of a kind, as history and audit keep them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operations {
    pub(super) create: &'static str,
    pub(super) update: &'static str,
    pub(super) clone: &'static str,
    pub(super) activate: &'static str,
    pub(super) deactivate: &'static str,
    pub(super) delete: &'static str,
}

/// Expands to the names of the writes of each kind.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        /// The names of the writes of a kind.
        pub(super) fn operations(kind: Kind) -> Operations {
            match kind {
                $(Kind::$variant => Operations {
                    create: concat!("Create", stringify!($message)),
                    update: concat!("Update", stringify!($message)),
                    clone: concat!("Clone", stringify!($message)),
                    activate: concat!("Activate", stringify!($message)),
                    deactivate: concat!("Deactivate", stringify!($message)),
                    delete: concat!("Delete", stringify!($message)),
                },)+
                Kind::User | Kind::Team | Kind::Settings => {
                    unreachable!("{} is not written by the generic commands", kind.as_str())
                }
            }
        }
    };
}

named_kinds!(operations);

/// A kind that Create, Clone, Update, Activate, Deactivate and Delete write.
///
/// A kind that keeps to its field table and its [`Rules`] has this for nothing. Others say here what
/// else a write of them needs: rules that look at other objects, and new values that are no fields.
///
/// The hooks come in the order in which a write calls them; it answers all bad fields at once, and
/// refuses nothing else before them (SPEC §7.2).
pub trait Strategy: Fields + Tabled + Send + Sync + 'static {
    /// Longest description.
    const MAX_DESCRIPTION: usize = 2_000;

    /// New values of its fields.
    type Patch: Patch<Self>;

    /// An object whose fields all have their defaults.
    fn empty(common: Common, stamp: Stamp) -> Self;

    /// Notes every rule of single fields that the values break.
    fn syntax(patch: &Self::Patch, v: &mut Violations);

    /// Brings the values to their stored form and answers what was not taken over.
    fn canonicalize(
        &mut self,
        _before: Option<&Self>,
        _patch: &Self::Patch,
        _context: &Context,
    ) -> Vec<Finding> {
        Vec::new()
    }

    /// Notes every rule between fields that the object would break, of the fields that are
    /// required too; `before` is the object that it replaces.
    fn validate(
        &self,
        _catalog: &Catalog,
        _before: Option<&Self>,
        _patch: &Self::Patch,
        _v: &mut Violations,
    ) {
    }

    /// Takes out of a copy what does not travel, and notes why an object has no copies.
    fn prepare_clone(&mut self, _source: &Self, _v: &mut Violations) {}

    /// Adds the secrets of an earlier state to its values, for an object that is created again.
    fn keep_secrets(_old: &Self, _values: &mut Self::Patch) {}

    /// Notes every rule between the object and those that it refers to that it would break.
    fn validate_others(&self, _before: Option<&Self>, _catalog: &Catalog, _v: &mut Violations) {}

    /// Refuses when the object refers to what does not exist and is no stored object.
    fn dependencies(&self, _catalog: &Catalog) -> Result<(), Refusal> {
        Ok(())
    }

    /// Notes every precondition that the object would not meet (SPEC §7.4).
    fn preconditions(&self, _catalog: &Catalog, _failed: &mut Preconditions) {}

    /// Keeps what belongs to this store in an object that an import overwrites.
    fn keep_local(&mut self, _before: &Self) {}

    /// The object as an import judges its preconditions: without what an import only reports.
    fn judged_in_import(&self, _catalog: &Catalog) -> Cow<'_, Self> {
        Cow::Borrowed(self)
    }

    /// What an import reports of the object.
    fn import_findings(&self, _catalog: &Catalog) -> Vec<Finding> {
        Vec::new()
    }

    /// Refuses while the object is needed by more than the references to it. A delete by force asks
    /// for references only.
    fn unused(&self, _catalog: &Catalog) -> Result<(), Refusal> {
        Ok(())
    }
}

impl<T: Rules + Tabled> Strategy for T {
    const MAX_DESCRIPTION: usize = <T as Rules>::MAX_DESCRIPTION;

    type Patch = Values<T>;

    fn empty(common: Common, stamp: Stamp) -> Self {
        <T as Rules>::empty(common, stamp)
    }

    fn syntax(values: &Values<T>, v: &mut Violations) {
        field::check(values, v);
        <T as Rules>::syntax(values, v);
    }

    fn canonicalize(&mut self, _: Option<&Self>, _: &Values<T>, _: &Context) -> Vec<Finding> {
        <T as Rules>::canonicalize(self);
        Vec::new()
    }

    fn validate(&self, _: &Catalog, before: Option<&Self>, values: &Values<T>, v: &mut Violations) {
        if before.is_none() {
            values.required(v);
        }
        <T as Rules>::validate(self, before, values, v);
    }

    fn prepare_clone(&mut self, _: &Self, v: &mut Violations) {
        <T as Rules>::prepare_clone(self, v);
    }

    fn validate_others(&self, before: Option<&Self>, catalog: &Catalog, v: &mut Violations) {
        <T as Rules>::validate_others(self, before, catalog, v);
    }

    fn preconditions(&self, _: &Catalog, failed: &mut Preconditions) {
        for field in T::FIELDS {
            let Some(max) = field.info.max_elements else { continue };
            let elements = match field.value(self) {
                Some(Value::Names(names)) => names.len(),
                Some(Value::List(texts)) => texts.len(),
                Some(Value::Records(rows)) => rows.len(),
                _ => continue,
            };
            limit(failed, field.info.path, elements, max);
        }
    }
}

#[cfg(test)]
pub(crate) use samples::samples;

#[cfg(test)]
mod samples {
    use super::Strategy;
    use crate::domain::{
        Common, Object, Stamp, Time, UniqueName,
        field::{Info, Value},
        library, named_kinds,
    };

    /// Expands to [`samples`].
    macro_rules! samples {
        ($(
            $(#[$doc:meta])*
            $variant:ident: $module:ident::$type:ident in $table:ident
                = $collection:literal, $message:ident, $missing:ident, $api:ident;
        )+) => {
            /// An object of every kind that has a unique name: its defaults, and the values that are
            /// answered for its fields.
            pub(crate) fn samples(
                name: &str,
                mut value: impl FnMut(&Info) -> Option<Value<'static>>,
            ) -> Vec<Object> {
                vec![$(sample::<library::$module::$type>(name, &mut value)),+]
            }
        };
    }

    named_kinds!(samples);

    fn sample<T: Strategy>(
        name: &str,
        value: &mut impl FnMut(&Info) -> Option<Value<'static>>,
    ) -> Object {
        let stamp = Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test");
        let common = Common::custom(UniqueName::parse(name).unwrap(), "Sample");
        let mut object = T::empty(common, stamp);
        for field in T::FIELDS {
            if let Some(value) = value(&field.info) {
                field.assign(&mut object, value);
            }
        }
        object.into_object()
    }
}
