//! What readers work out of a role class, kept with the class.
//!
//! Users change all day, and everything else seldom: what follows from a class and from all
//! configuration but users and teams is worked out once and read by every look-up after that.

use std::{any::Any, fmt, sync::Arc};

use arc_swap::ArcSwapOption;

/// Stands for one state of all configuration but users and teams; another state is another pointer.
pub(super) type Epoch = Arc<()>;

/// The place of one value beside a class.
#[derive(Default)]
pub(super) struct Memo(ArcSwapOption<Kept>);

struct Kept {
    epoch: Epoch,
    value: Arc<dyn Any + Send + Sync>,
}

impl Memo {
    /// The value of this epoch. The place holds one type; readers that race may each work it out.
    pub(super) fn get<T: Send + Sync + 'static>(
        &self,
        epoch: &Epoch,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let kept = self.0.load();
        let current = kept.as_ref().filter(|kept| Arc::ptr_eq(&kept.epoch, epoch));
        if let Some(value) = current.and_then(|kept| Arc::clone(&kept.value).downcast().ok()) {
            return value;
        }
        let value = Arc::new(make());
        let kept = Kept { epoch: Arc::clone(epoch), value: Arc::<T>::clone(&value) };
        self.0.store(Some(Arc::new(kept)));
        value
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}
