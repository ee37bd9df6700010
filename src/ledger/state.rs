//! The published catalog as the state that a store writes its checkpoints from.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{
    catalog::Catalog,
    domain::{Kind, Object, Time},
    store::{Revision, State, States},
};

/// The newest catalog that was published: every commit in it is durable.
#[derive(Debug)]
pub(super) struct Newest(pub(super) Arc<ArcSwap<Catalog>>);

impl States for Newest {
    fn newest(&self) -> Arc<dyn State> {
        self.0.load_full()
    }
}

impl State for Catalog {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn time(&self) -> Time {
        self.time
    }

    fn objects(&self, kind: Kind) -> Box<dyn Iterator<Item = Object> + '_> {
        self.objects_of(kind)
    }

    fn users<'a>(
        &'a self,
        begin: &'a dyn Fn() -> Vec<u8>,
    ) -> Box<dyn Iterator<Item = (&'a str, Vec<u8>)> + 'a> {
        Box::new(self.encoded_users(begin))
    }
}
