//! Plans, limits and rates: how much of what may be used.

use super::table::Named;
use crate::clock::Timestamp;
use crate::limit::gcra::Rate;
use crate::limit::period::{AnchorUnit, Period, Zone};
use crate::limit::{Basis, Rearm, Units};
use crate::policy::knobs::{OnHoldTimeout, OnPlanChange, Overrun, RateMode, ThresholdAction, Who};
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Something that is counted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Meter {
    /// Position in [`super::Policy::meters`].
    pub index: u16,
    /// Its name, part of the identity of every count on it.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// The unit as the `RateLimit` fields name it: `requests`, `content-bytes` or the meter's own name.
    pub unit: Box<str>,
}

/// A contract: entitlements and limits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Position in [`super::Policy::plans`].
    pub index: u16,
    /// Its name, at most 64 bytes.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// One bit per entry of [`super::Policy::entitlements`].
    pub entitlements: u64,
}

/// One bound on the units of one meter, for one subject, in one period.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitDef {
    /// Position in [`super::Policy::limits`].
    pub index: u16,
    /// Its name, at most 64 bytes; part of the identity of the count, so a renamed limit starts at 0.
    pub name: Box<str>,
    /// The plan it belongs to; `None` for a limit that holds whatever the plan.
    pub plan: Option<u16>,
    /// The meter, an index into [`super::Policy::meters`].
    pub meter: u16,
    /// Whose count it is, besides the account.
    pub subject: Box<[Dimension]>,
    /// The time that is counted over.
    pub period: PeriodRule,
    /// Units; `None` counts without a bound.
    pub amount: Option<Units>,
    /// What happens at the amount.
    pub mode: LimitMode,
    /// States and actions on the way, by rising percentage.
    pub thresholds: Box<[Threshold]>,
    /// Whom it applies to.
    pub filter: Filter,
    /// Whether a subject's own record may carry another amount.
    pub overridable: bool,
    /// Whether callers with a narrower binding than the subject see what remains.
    pub expose: bool,
    /// The HTTP status of its refusal: 429, 402 or 403.
    pub exhausted_status: u16,
    /// What thresholds, pages and bills go by.
    pub basis: Basis,
    /// Whether thresholds fire again.
    pub rearm: Rearm,
    /// What a plan change does to the count.
    pub on_plan_change: OnPlanChange,
    /// What becomes of a reservation held too long.
    pub on_hold_timeout: OnHoldTimeout,
    /// What happens to units used beyond a reservation.
    pub overrun: Overrun,
}

/// The time that a limit counts over, before it is known whose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeriodRule {
    /// The same for every subject.
    Known(Period),
    /// Months or years from the instant at which the subject got its plan.
    FromPlanStart {
        /// Which unit.
        unit: AnchorUnit,
        /// Whose calendar.
        zone: Zone,
    },
    /// A fixed length from the instant at which the subject got its plan.
    FixedFromPlanStart {
        /// The length in seconds.
        length_s: NonZeroU32,
    },
}

/// One bound on how fast a subject may go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RateDef {
    /// Position in [`super::Policy::rates`].
    pub index: u16,
    /// Its name, at most 64 bytes.
    pub name: Box<str>,
    /// The plan it belongs to; `None` for a rate that holds whatever the plan.
    pub plan: Option<u16>,
    /// The meter it bounds; `None` counts each call as 1, free ones too.
    pub meter: Option<u16>,
    /// Whose rate it is, besides the account.
    pub subject: Box<[Dimension]>,
    /// Units per time and burst.
    pub rate: Rate,
    /// Per process or over all of them.
    pub mode: RateMode,
    /// Whom it applies to.
    pub filter: Filter,
    /// Whether callers with a narrower binding than the subject see what remains.
    pub expose: bool,
}

/// What happens when a limit's amount is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitMode {
    /// Refuse.
    Hard,
    /// Go on, marked as over the included amount, up to the cap if there is one.
    Soft {
        /// The most units that can be admitted, at least the amount; `None` for no bound.
        overage_cap: Option<Units>,
    },
    /// Go on slowly: at this rate, with a hint to delay the call.
    Slow {
        /// The rate after the amount.
        rate: Rate,
        /// How long the host should delay each call, in seconds.
        delay_s: u32,
    },
}

/// A percentage of a limit's amount that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Threshold {
    /// Percent; reached means at least. 1 to 100, for soft limits to 1,000.
    pub at: u16,
    /// The state from here on, such as `yellow`.
    pub state: Box<str>,
    /// What else happens.
    pub action: ThresholdAction,
}

/// One part of a limit's subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// A dimension the host passes, or the operation's resource if that has this type.
    Named(Box<str>),
    /// The key's lineage, so that a rotation keeps the count.
    Key,
    /// The user, in its org.
    User,
    /// The org.
    Org,
    /// The account; always part of a subject.
    Account,
}

/// Which calls a limit or rate applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Keys of these kinds, one bit each; `None` for every key and for people.
    pub kinds: Option<u64>,
    /// Environments, one bit each.
    pub environments: u64,
    /// Which users, for subjects with a user.
    pub who: Who,
}

/// A limit that a call meets, with the units it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charge {
    /// Index into [`super::Policy::limits`].
    pub limit: u16,
    /// Index into [`Operation::costs`](super::Operation::costs): how many units. `None` only where an exhausted limit
    /// blocks every operation: nothing is charged, but the limit must not be exhausted.
    pub cost: Option<u16>,
}

/// A rate that a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateCharge {
    /// Index into [`super::Policy::rates`].
    pub rate: u16,
    /// Index into [`Operation::costs`](super::Operation::costs); `None` for a rate that counts calls.
    pub cost: Option<u16>,
}

impl PeriodRule {
    /// The period of a subject that got its plan at `plan_start`.
    #[must_use]
    pub fn of(&self, plan_start: Timestamp) -> Cow<'_, Period> {
        match self {
            Self::Known(period) => Cow::Borrowed(period),
            Self::FromPlanStart { unit, zone } => {
                Cow::Owned(Period::Anchored { unit: *unit, anchor: plan_start, zone: zone.clone() })
            }
            Self::FixedFromPlanStart { length_s } => {
                Cow::Owned(Period::Fixed { length_s: *length_s, anchor: plan_start })
            }
        }
    }
}

impl LimitDef {
    /// The most units that can be admitted in a period; `None` is unlimited.
    #[must_use]
    pub fn cap(&self) -> Option<Units> {
        match self.mode {
            LimitMode::Soft { overage_cap } => overage_cap,
            LimitMode::Hard | LimitMode::Slow { .. } => self.amount,
        }
    }
}

impl Threshold {
    /// The mark in units: the smallest count that reaches this percentage of `amount`.
    #[must_use]
    pub fn mark(&self, amount: Units) -> Units {
        let units = u128::from(amount.get()) * u128::from(self.at);
        u64::try_from(units.div_ceil(100)).ok().and_then(Units::new).unwrap_or(Units::MAX)
    }
}

impl Filter {
    /// Whether the limit applies to a call by a key of this kind (`None`: by a person) in this environment. Who the user
    /// is, is still to be asked.
    #[must_use]
    pub fn matches(&self, kind_bit: Option<u64>, environment_bit: u64) -> bool {
        let kind = self.kinds.is_none_or(|kinds| kind_bit.is_some_and(|bit| kinds & bit != 0));
        kind && self.environments & environment_bit != 0
    }
}

impl Named for Meter {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Plan {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for LimitDef {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for RateDef {
    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_smallest_count_that_reaches_the_percentage() {
        let mark = |at, amount: u32| {
            let threshold = Threshold { at, state: "s".into(), action: ThresholdAction::None };
            threshold.mark(amount.into()).get()
        };
        for (at, amount, expected) in
            [(80, 50, 40), (80, 49, 40), (80, 51, 41), (50, 7, 4), (1, 1, 1), (100, 50, 50), (150, 3, 5)]
        {
            assert_eq!(mark(at, amount), expected, "{at} % of {amount}");
        }
        let all = Threshold { at: 100, state: "s".into(), action: ThresholdAction::None };
        assert_eq!(all.mark(Units::MAX), Units::MAX);
    }

    #[test]
    fn a_filter_by_kind_is_for_keys_of_these_kinds() {
        let filter = |kinds| Filter { kinds, environments: 0b01, who: Who::Any };
        for (kinds, caller, matches) in [
            (None, None, true),
            (None, Some(0b10), true),
            (Some(0b10), Some(0b10), true),
            (Some(0b10), Some(0b01), false),
            (Some(0b10), None, false),
        ] {
            assert_eq!(filter(kinds).matches(caller, 0b01), matches, "{kinds:?} {caller:?}");
            assert!(!filter(kinds).matches(caller, 0b10), "another environment");
        }
    }
}
