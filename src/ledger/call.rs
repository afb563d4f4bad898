//! What a call asks of its limits, and what it is answered.

use crate::clock::Timestamp;
use crate::decision::ChargedUnits;
use crate::limit::gcra::{Rate, RateVerdict};
use crate::limit::period::{Period, Window};
use crate::limit::{
    Attempt, BucketKey, Lane as LaneKind, LimitId, OperationId, OperationKey, OperationScope, Reason, Terms,
    Units,
};
use std::sync::Arc;

use super::rates::LocalRate;
use crate::limit::ConfigVersion;

/// One call's limits, narrowest subject first; rates are judged before quotas.
pub(crate) struct TakeCall {
    pub(crate) now: Timestamp,
    pub(crate) rates: Vec<RateUse>,
    pub(crate) quotas: Vec<QuotaUse>,
    pub(crate) operation: Option<KeyedCall>,
}

impl TakeCall {
    /// Undoes what the call took of this process's rates.
    pub(crate) fn give_back_local_rates(&self) {
        for rate in &self.rates {
            if let Some(local) = &rate.local {
                local.refund(rate.units);
            }
        }
    }

    /// The keyed operation as the store knows it, to credit it.
    pub(crate) fn operation_key(&self) -> Option<OperationKey> {
        let keyed = self.operation.as_ref()?;
        let primary = self.quotas.first()?;
        let window = primary.period.window_at(self.now);
        let home = BucketKey { limit_id: primary.limit_id, epoch: primary.epoch, period_start: window.start };
        let previous =
            (!window.is_lifetime()).then(|| primary.period.window_at(window.start.plus_micros(-1)).start);
        Some(OperationKey { scope: keyed.scope, id: keyed.id, home, previous_start: previous })
    }
}

/// The caller's operation id, on the primary limit's subject.
pub(crate) struct KeyedCall {
    pub(crate) scope: OperationScope,
    pub(crate) id: OperationId,
}

/// A rate that a call meets.
pub(crate) struct RateUse {
    pub(crate) limit_id: LimitId,
    pub(crate) rate: Rate,
    pub(crate) ver: ConfigVersion,
    pub(crate) units: Units,
    /// The local state; `None` for a rate that the store keeps for all processes.
    pub(crate) local: Option<Arc<LocalRate>>,
}

/// A quota that a call meets.
#[derive(Clone)]
pub(crate) struct QuotaUse {
    pub(crate) limit_id: LimitId,
    pub(crate) epoch: ConfigVersion,
    pub(crate) period: Period,
    pub(crate) terms: Terms,
    /// 0 where the call only needs the limit not to be exhausted.
    pub(crate) units: Units,
    /// Where to go on when the quota is used up.
    pub(crate) slow: Option<SlowUse>,
    /// Whether use beyond a reservation is recorded even where the limit refuses it.
    pub(crate) record_overrun: bool,
    /// Whether a reservation that is held too long counts as used whole; else it is given back.
    pub(crate) commit_overdue: bool,
    /// Whether its units are those that a commit says, and not a fixed cost of the call.
    pub(crate) follows_commit: bool,
}

/// The slow mode of a quota: its own rate, kept by the store.
#[derive(Clone)]
pub(crate) struct SlowUse {
    pub(crate) limit_id: LimitId,
    pub(crate) rate: Rate,
    pub(crate) ver: ConfigVersion,
    pub(crate) delay_ms: u64,
}

/// What became of a call.
pub(crate) enum Outcome {
    Taken(Taken),
    Refused(Refusal),
}

/// All limits were charged.
pub(crate) struct Taken {
    /// In the order of the call's rates.
    pub(crate) rates: Vec<RateVerdict>,
    /// In the order of the call's quotas, without those that only have to be open.
    pub(crate) quotas: Vec<QuotaState>,
    /// What an unkeyed call can give back.
    pub(crate) charges: Vec<ChargedUnits>,
    /// The operation id was charged before.
    pub(crate) replayed: bool,
    /// The try that charged a keyed operation: it undoes it whole.
    pub(crate) attempt: Option<Attempt>,
    pub(crate) delay_ms: u64,
}

/// A quota's numbers after the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuotaState {
    pub(crate) window: Window,
    pub(crate) charged: i64,
    pub(crate) confirmed: i64,
    pub(crate) cap: Option<i64>,
    pub(crate) included: Option<Units>,
    pub(crate) lane: LaneKind,
    /// Whether the slow source served the call.
    pub(crate) slow: bool,
}

/// One limit refused; nothing is charged.
pub(crate) struct Refusal {
    pub(crate) by: RefusedBy,
    pub(crate) rates: Vec<RateVerdict>,
    /// The numbers of the quota that refused, if one did and they are known.
    pub(crate) quotas: Vec<QuotaState>,
}

/// Which limit, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedBy {
    /// The rate at this place of the call.
    Rate(usize),
    /// The quota at this place of the call.
    Quota(usize, Reason),
    /// Twice over a period's edge.
    ClockUnsettled(usize),
    /// The slow source of the quota at this place.
    Slow(usize, RateVerdict),
}
