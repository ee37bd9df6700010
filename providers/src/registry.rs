//! The adapters of this build.

use std::{collections::BTreeMap, fmt};

use crate::{Adapter, Descriptor, fake, widget};

/// Adapters by kind: an explicit list.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Adapter>);

impl Registry {
    /// The adapters that this build has, without the scriptable one.
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        registry.add(Adapter::of::<widget::Widget>());
        #[cfg(feature = "asterisk")]
        registry.add(Adapter::of::<crate::asterisk::Asterisk>());
        #[cfg(feature = "twilio")]
        registry.add(Adapter::of::<crate::twilio::Twilio>());
        #[cfg(feature = "external")]
        registry.add(Adapter::of::<crate::external::External>());
        registry
    }

    /// The same with the scriptable adapter of tests and demo.
    #[must_use]
    pub fn with_fake(mut self) -> Self {
        self.add(Adapter::of::<fake::Fake>());
        self
    }

    /// Adds an adapter.
    ///
    /// # Panics
    /// When there is one of that kind: two would be a defect of the program.
    pub fn add(&mut self, adapter: Adapter) {
        let kind = adapter.descriptor().kind;
        let before = self.0.insert(kind, adapter);
        assert!(before.is_none(), "two adapters of kind {kind}");
    }

    /// The adapter of that kind.
    pub fn find(&self, kind: &str) -> Option<&Adapter> {
        self.0.get(kind)
    }

    /// All of them, ascending by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Adapter> {
        self.0.values()
    }

    /// What they say of themselves, ascending by kind.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static Descriptor> {
        self.0.values().map(Adapter::descriptor)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WIDGET;

    #[test]
    fn every_adapter_describes_itself() {
        let registry = Registry::builtin().with_fake();
        for adapter in registry.iter() {
            let descriptor = adapter.descriptor();
            assert!(!descriptor.kind.is_empty() && descriptor.kind.len() <= 40);
            assert!(!descriptor.title.is_empty(), "{}", descriptor.kind);
            assert!(descriptor.secrets.len() <= 20);
            assert!(adapter.schema().get("properties").is_some() || descriptor.kind == WIDGET);
            assert!(descriptor.proof.is_sorted(), "{}", descriptor.kind);
        }
        assert!(registry.find("Widget").is_none());
        assert!(Registry::builtin().find(fake::KIND).is_none(), "only where it is asked for");
    }
}
