//! Limit identities remembered with the narrowest record of their subject, so that a hot call hashes no names.

use crate::ledger::LocalRate;
use crate::limit::LimitId;
use once_cell::sync::OnceCell;
use std::sync::{Arc, OnceLock};

/// One slot per limit and rate of the policy, made when the first is asked for.
#[derive(Default)]
pub(crate) struct Slots(OnceLock<Box<[OnceCell<Slot>]>>);

/// What is remembered of one limit for one subject.
pub(crate) struct Slot {
    /// Whose use of what.
    pub(crate) limit_id: LimitId,
    /// The local state of a rate that this process counts for itself.
    pub(crate) rate: Option<Arc<LocalRate>>,
}

impl Slots {
    /// The slot at `index` of `len`, made by `make` the first time. `None` when `index` is not below `len`.
    pub(crate) fn at<E>(
        &self,
        index: usize,
        len: usize,
        make: impl FnOnce() -> Result<Slot, E>,
    ) -> Result<Option<&Slot>, E> {
        let slots = self.0.get_or_init(|| (0..len).map(|_| OnceCell::new()).collect());
        slots.get(index).map(|slot| slot.get_or_try_init(make)).transpose()
    }
}
