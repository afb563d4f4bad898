//! The rows of the ledger, [`Bucket`] and [`Lease`], and the sums that hold between them.

use super::{ConfigVersion, Incarnation, Nonce, Reason, Units};
use super::{Counters, Lane};
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// No number of a row goes beyond this. One message moves a sum by at most 2^55, so sums cannot overflow.
const LEDGER_BOUND: u64 = 1 << 61;

/// The configuration of a limit as a request carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which configuration this is.
    pub ver: ConfigVersion,
    /// Units that can be admitted in the period; `None` is unlimited, still counted.
    pub cap: Option<Units>,
    /// The soft mark, at most the cap; use above it is overage.
    pub included: Option<Units>,
    /// The thresholds, at most [`Mark::MAX_PER_LIMIT`].
    pub marks: Arc<[Mark]>,
}

/// A threshold in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The percentage it was made from; the mark's identity.
    pub percent: u16,
    /// Reached when the count is at least this.
    pub at: Units,
    /// Which count.
    pub basis: Basis,
    /// When it can fire again.
    pub rearm: Rearm,
}

impl Mark {
    /// At most so many thresholds per limit.
    pub const MAX_PER_LIMIT: usize = 16;

    /// The mark at `percent` of `amount`, rounded up. It fires once, on `confirmed`.
    #[must_use]
    pub fn new(amount: Units, percent: u16) -> Self {
        let at = (u128::from(amount.get()) * u128::from(percent)).div_ceil(100);
        let at = u64::try_from(at).ok().and_then(Units::new).unwrap_or(Units::MAX);
        Self { percent, at, basis: Basis::Confirmed, rearm: Rearm::Never }
    }
}

/// Which count a threshold looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// What was reported as used.
    #[default]
    Confirmed,
    /// What is used or out.
    Charged,
}

/// When a threshold that fired may fire again in the same bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rearm {
    /// Not at all.
    #[default]
    Never,
    /// After the count fell below it.
    OnRecover,
    /// After the configuration changed.
    OnChange,
}

/// A threshold that fired in this bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// Which one, by its percentage.
    pub percent: u16,
    /// Whether the count has been below it since.
    pub recovered: bool,
}

/// What a change of a bucket tells the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A threshold was reached.
    Reached {
        /// The threshold's percentage.
        percent: u16,
        /// The threshold in units.
        at: Units,
    },
    /// The count fell below a threshold that had been reached.
    Recovered {
        /// The threshold's percentage.
        percent: u16,
        /// The threshold in units.
        at: Units,
    },
    /// A closed period's confirmed use changed (or, for a credit, should be corrected) by so many units.
    Adjusted {
        /// The change; negative for a credit.
        units: i64,
    },
    /// The store had forgotten so many granted units; a holder's report restored them.
    Healed {
        /// The units.
        units: i64,
    },
}

/// One limit over one period. Signed numbers are the ledger's own and are never clamped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The first instant after the period; [`Timestamp::MAX`] for a lifetime.
    pub period_end: Timestamp,
    /// The configuration in force.
    pub ver: ConfigVersion,
    /// Its cap; the cap in force adds `bonus`.
    pub cap: Option<Units>,
    /// Its soft mark.
    pub included: Option<Units>,
    /// Its thresholds.
    pub marks: Vec<Mark>,
    /// Units rolled over into this bucket.
    pub bonus: i64,
    /// Units rolled over out of it when it closed.
    pub carried: i64,
    /// Net of what no lease row backs: keyed charges, carried-in charges, folded leases, less refunds by id.
    pub base: i64,
    /// Units used, or out with a holder that may still use them.
    pub charged: i64,
    /// Units reported as used.
    pub confirmed: i64,
    /// Units open in expired leases.
    pub forfeited: i64,
    /// Information: units used beyond a grant, within both sums.
    pub overrun: i64,
    /// Information: units that the store had forgotten and a report restored.
    pub healed: i64,
    /// Leases in state [`LeaseState::Live`].
    pub live: i64,
    /// Smoothed use, units per second; 0 while no holder asks for surplus.
    pub rate: i64,
    /// When `rate` was last set.
    pub rate_at: Timestamp,
    /// `confirmed` at that time.
    pub rate_from: i64,
    /// Thresholds that fired.
    pub fired: Vec<Fired>,
    /// No more grants; only reports move its numbers.
    pub closed: bool,
    /// The latest store time seen here; the bucket's time never goes back.
    pub clk: Timestamp,
    /// When to look for expired leases next.
    pub next_sweep: Timestamp,
    /// The latest `last_at` among folded leases; [`Timestamp::EPOCH`] when none was folded.
    pub fold_mark: Timestamp,
    /// The row's own random id.
    pub incarnation: Incarnation,
}

impl Bucket {
    /// An unused bucket.
    #[must_use]
    pub fn new(period_end: Timestamp, terms: &Terms, incarnation: Incarnation, now: Timestamp) -> Self {
        Self {
            period_end,
            ver: terms.ver,
            cap: terms.cap,
            included: terms.included,
            marks: terms.marks.to_vec(),
            bonus: 0,
            carried: 0,
            base: 0,
            charged: 0,
            confirmed: 0,
            forfeited: 0,
            overrun: 0,
            healed: 0,
            live: 0,
            rate: 0,
            rate_at: Timestamp::EPOCH,
            rate_from: 0,
            fired: Vec::new(),
            closed: false,
            clk: now,
            next_sweep: now.plus_micros(super::upkeep::SWEEP_EVERY_US),
            fold_mark: Timestamp::EPOCH,
            incarnation,
        }
    }

    /// The cap in force; `None` is unlimited.
    #[must_use]
    pub fn cap_in_force(&self) -> Option<i64> {
        self.cap.map(|cap| cap.signed().saturating_add(self.bonus))
    }

    /// Units out with live holders.
    #[must_use]
    pub fn outstanding(&self) -> i64 {
        self.charged - self.confirmed - self.forfeited
    }

    /// Whether the row's numbers are possible at all. A row that is not sound is never written, and never repaired.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let bounded = |n: i64| n.unsigned_abs() <= LEDGER_BOUND;
        [
            self.base,
            self.charged,
            self.confirmed,
            self.forfeited,
            self.overrun,
            self.healed,
            self.bonus,
            self.carried,
        ]
        .into_iter()
        .all(bounded)
            && self.confirmed >= 0
            && self.forfeited >= 0
            && self.overrun >= 0
            && self.live >= 0
            && self.charged >= self.confirmed + self.forfeited
    }

    /// Takes over a newer configuration; an older or equal one changes nothing (I15). Says whether it was newer.
    pub fn adopt(&mut self, terms: &Terms) -> bool {
        if terms.ver <= self.ver {
            return false;
        }
        self.ver = terms.ver;
        self.cap = terms.cap;
        self.included = terms.included;
        self.marks = terms.marks.to_vec();
        let marks = &self.marks;
        self.fired.retain(|f| !marks.iter().any(|m| m.percent == f.percent && m.rearm == Rearm::OnChange));
        true
    }

    /// Takes a lease's share out of the sums. Every change of a lease is bracketed by this and [`Bucket::put_in`].
    pub(super) fn take_out(&mut self, lease: &Lease) {
        self.charged -= lease.charge_share();
        self.confirmed -= lease.use_share();
        self.overrun -= lease.counters.overrun;
        self.forfeited -= if lease.state == LeaseState::Expired { lease.open() } else { 0 };
        self.live -= i64::from(lease.state == LeaseState::Live);
    }

    /// Puts a lease's share into the sums.
    pub(super) fn put_in(&mut self, lease: &Lease) {
        self.charged += lease.charge_share();
        self.confirmed += lease.use_share();
        self.overrun += lease.counters.overrun;
        self.forfeited += if lease.state == LeaseState::Expired { lease.open() } else { 0 };
        self.live += i64::from(lease.state == LeaseState::Live);
    }

    /// Fires the thresholds that the counts have reached, and tells which were left again. To be called after every
    /// change of the sums or the configuration.
    pub(super) fn fire_marks(&mut self, events: &mut Vec<EventKind>) {
        for mark in &self.marks {
            let count = match mark.basis {
                Basis::Confirmed => self.confirmed,
                Basis::Charged => self.charged,
            };
            let reached = count >= mark.at.signed();
            match self.fired.iter_mut().find(|f| f.percent == mark.percent) {
                None if reached => {
                    self.fired.push(Fired { percent: mark.percent, recovered: false });
                    events.push(EventKind::Reached { percent: mark.percent, at: mark.at });
                }
                Some(fired) if !reached && !fired.recovered => {
                    fired.recovered = true;
                    events.push(EventKind::Recovered { percent: mark.percent, at: mark.at });
                }
                _ => {}
            }
        }
        let marks = &self.marks;
        self.fired.retain(|f| {
            !f.recovered || !marks.iter().any(|m| m.percent == f.percent && m.rearm == Rearm::OnRecover)
        });
    }
}

/// One use of a bucket by one process. A lease that has no row yet is [`Lease::ABSENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The number of the last new message; 0 when there was none.
    pub seq: u64,
    /// Its mark.
    pub nonce: Nonce,
    /// Its answer, from which a repeated message is answered again.
    pub reason: Reason,
    /// The lane of that answer.
    pub lane: Lane,
    /// Store time of the last message, new or repeated.
    pub last_at: Timestamp,
    /// Units granted since the lease began, as far as the holder has seen them or may still.
    pub granted: i64,
    /// What the holder reported, cumulative since the lease began.
    pub counters: Counters,
    /// Units of the last grant that count as used before the holder reports them.
    pub ahead: i64,
    /// Live, expired or closed.
    pub state: LeaseState,
    /// When a silent lease is relabelled as expired. No unit is handed out again because of it.
    pub expires_at: Timestamp,
}

/// The label of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseState {
    /// No row: nothing was ever exchanged, or the lease was folded.
    #[default]
    New,
    /// Its open units may be used.
    Live,
    /// Its holder has been silent, or the bucket is closed: what is open counts as forfeited, and stays charged.
    Expired,
    /// Its holder has finished with it, or the operator has.
    Closed,
}

impl Lease {
    /// A lease without a row: all zero.
    pub const ABSENT: Self = Self {
        seq: 0,
        nonce: Nonce::from_bytes([0; 16]),
        reason: Reason::None,
        lane: Lane::Strict,
        last_at: Timestamp::EPOCH,
        granted: 0,
        counters: Counters { used: 0, refunded: 0, returned: 0, overrun: 0 },
        ahead: 0,
        state: LeaseState::New,
        expires_at: Timestamp::EPOCH,
    };

    /// Whether the row's numbers are possible at all (I6).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let c = &self.counters;
        [self.granted, self.ahead, c.used, c.refunded, c.returned, c.overrun]
            .into_iter()
            .all(|n| n >= 0 && n.unsigned_abs() <= LEDGER_BOUND)
            && c.refunded <= c.used
            && self.open() >= 0
    }

    /// Its part of `charged`.
    #[must_use]
    pub fn charge_share(&self) -> i64 {
        self.granted - self.counters.returned + self.counters.overrun
    }

    /// Its part of `confirmed`.
    #[must_use]
    pub fn use_share(&self) -> i64 {
        self.counters.used + self.ahead - self.counters.refunded + self.counters.overrun
    }

    /// Units that the holder has, or may have, and has not reported as used; never negative.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.charge_share() - self.use_share()
    }
}

#[cfg(test)]
mod tests;
