//! Limit identities remembered with the narrowest record of their subject, so that a hot call hashes no names.

use crate::ledger::RateCell;
use crate::limit::LimitId;
use std::sync::{Arc, OnceLock};

/// One slot per limit and rate of the policy, made when the first is asked for.
#[derive(Default)]
pub(crate) struct Slots(OnceLock<Box<[OnceLock<Slot>]>>);

/// What is remembered of one limit for one subject.
pub(crate) struct Slot {
    /// Whose use of what.
    pub(crate) limit_id: LimitId,
    /// The local state of a rate.
    pub(crate) rate: Option<Arc<RateCell>>,
}

impl Slots {
    /// The slot at `index` of `len`, made by `make` the first time. `None` when `index` is not below `len`.
    pub(crate) fn at(&self, index: usize, len: usize, make: impl FnOnce() -> Slot) -> Option<&Slot> {
        let slots = self.0.get_or_init(|| (0..len).map(|_| OnceLock::new()).collect());
        slots.get(index).map(|slot| slot.get_or_init(make))
    }
}
