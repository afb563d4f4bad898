//! Rates: the generic cell rate algorithm in exact integers, in its leaky-bucket form.
//!
//! A rate of u units per P microseconds (reduced by their greatest common divisor) with burst b keeps a level: a unit
//! adds P to it, each microsecond takes u off it, and units fit while the level stays at or below b*P. In every window of
//! length D at most b + D*u/P units are admitted. A full level means a wait, never a loss: nothing is stored on a
//! refusal, and a message that is repeated only makes the next answer stricter until it has drained.

use super::{ConfigVersion, LimitId, Units};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A clock that steps back by more than this takes the cell's time back with it; by less, it is waited for.
const MAX_STEP_BACK_US: i64 = 1_000_000;
/// `burst * P` stays below this, so that all of a rate's numbers fit 53 bits.
const WEIGHT_BOUND: u64 = 1 << 53;
/// A level that a change of rate would raise beyond this stays here: it is refused for as long as anyone can wait.
const LEVEL_BOUND: u64 = 1 << 62;

/// Units per time with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    units: u64,
    period_us: u64,
    burst: Units,
}

impl Rate {
    /// `units` per `period_us` microseconds, with a burst of `units`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when either is 0, or burst and period are too large to be counted exactly.
    pub fn new(units: Units, period_us: u64) -> Result<Self, Error> {
        if units == Units::ZERO || period_us == 0 {
            return Err(invalid("a rate needs at least 1 unit and 1 microsecond"));
        }
        let divisor = greatest_common_divisor(units.get(), period_us);
        Self { units: units.get() / divisor, period_us: period_us / divisor, burst: units }.checked()
    }

    /// The same rate with another burst, at least 1.
    ///
    /// # Errors
    /// As [`Rate::new`].
    pub fn with_burst(self, burst: Units) -> Result<Self, Error> {
        Self { burst, ..self }.checked()
    }

    /// Reads `200/10s`, `10/hour`, `2/s`: units, a slash, and a time of a number (1 unless given) and one of `ms`, `s`,
    /// `m` (`min`), `h`, `d` or `second`, `minute`, `hour`, `day`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let form = || invalid("a rate is written like `200/10s`, `10/hour` or `2/s`");
        let (units, time) = text.split_once('/').ok_or_else(form)?;
        let units = parse_number(units).and_then(Units::new).ok_or_else(form)?;
        let digits = time.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = time.split_at_checked(digits).ok_or_else(form)?;
        let count = if count.is_empty() { 1 } else { parse_number(count).ok_or_else(form)? };
        let unit_us: u64 = match unit {
            "ms" => 1_000,
            "s" | "sec" | "second" => 1_000_000,
            "m" | "min" | "minute" => 60_000_000,
            "h" | "hour" => 3_600_000_000,
            "d" | "day" => 86_400_000_000,
            _ => return Err(form()),
        };
        Self::new(units, count.checked_mul(unit_us).ok_or_else(form)?)
    }

    /// The most units that are admitted at once.
    #[must_use]
    pub const fn burst(&self) -> Units {
        self.burst
    }

    /// How long an exhausted burst takes to be whole again, microseconds, rounded up: the `w` of a `RateLimit-Policy`.
    #[must_use]
    pub const fn window_us(&self) -> u64 {
        self.capacity().div_ceil(self.units)
    }

    const fn capacity(&self) -> u64 {
        self.burst.get() * self.period_us
    }

    fn checked(self) -> Result<Self, Error> {
        let capacity = self.burst.get().checked_mul(self.period_us);
        if self.burst == Units::ZERO {
            Err(invalid("a burst is at least 1"))
        } else if capacity.is_none_or(|c| c >= WEIGHT_BOUND) {
            Err(invalid("burst and period are too large together; use a shorter period or rounder numbers"))
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} us, burst {}", self.units, self.period_us, self.burst)
    }
}

fn invalid(detail: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "the rate is not valid").with_detail(detail)
}

fn parse_number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How full one subject's rate is. [`RateCell::EMPTY`] is a subject that was not seen lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateCell {
    /// The newest configuration that was judged here.
    pub ver: ConfigVersion,
    /// What a unit weighs in `level`: that configuration's reduced period.
    pub unit_weight: u64,
    /// The level at `at`.
    pub level: u64,
    /// When it was that.
    pub at: Timestamp,
    /// When it will have drained: the row can go then.
    pub expires_at: Timestamp,
}

/// A rate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateVerdict {
    /// Whether the units fit (and were taken, by [`RateCell::take`]).
    pub fits: bool,
    /// Units that fit after it.
    pub remaining: Units,
    /// On a refusal: microseconds until the units fit; `None` if they are more than the burst and never will.
    pub wait_us: Option<i64>,
    /// Microseconds until one unit more fits than does after this answer; 0 when the burst is whole.
    pub next_us: i64,
}

impl RateCell {
    /// A cell that nothing was taken from.
    pub const EMPTY: Self = Self {
        ver: ConfigVersion::from_raw(0),
        unit_weight: 1,
        level: 0,
        at: Timestamp::EPOCH,
        expires_at: Timestamp::EPOCH,
    };

    /// Judges `amount` units at `now`, and takes them if they fit. A refusal changes nothing, but for following a clock
    /// that was set back.
    pub fn take(&mut self, rate: &Rate, ver: ConfigVersion, amount: Units, now: Timestamp) -> RateVerdict {
        let (level, at) = self.drained(rate, now);
        let verdict = verdict(rate, level, amount);
        let takes = verdict.fits && amount > Units::ZERO;
        let stepped_back = at < self.at;
        if !takes && !stepped_back {
            return verdict;
        }
        let taken = if takes { amount.get() * rate.period_us } else { 0 };
        let level = level + taken;
        // A process with an older configuration counts, but does not bring its configuration back (I15).
        if ver >= self.ver {
            self.ver = ver;
            self.unit_weight = rate.period_us;
        }
        self.level = rescale(level, rate.period_us, self.unit_weight);
        self.at = at;
        self.expires_at = at.plus_micros(level.div_ceil(rate.units).cast_signed());
        verdict
    }

    /// As [`RateCell::take`], charging nothing.
    #[must_use]
    pub fn peek(&self, rate: &Rate, amount: Units, now: Timestamp) -> RateVerdict {
        verdict(rate, self.drained(rate, now).0, amount)
    }

    /// Gives `amount` units back, as far as they have not drained yet.
    pub fn refund(&mut self, amount: Units) {
        let weight = u128::from(amount.get()) * u128::from(self.unit_weight);
        self.level = u64::try_from(u128::from(self.level).saturating_sub(weight)).unwrap_or(0);
    }

    /// The level at `now` in the weights of `rate`, and the instant it is the level of.
    fn drained(&self, rate: &Rate, now: Timestamp) -> (u64, Timestamp) {
        let level = rescale(self.level, self.unit_weight, rate.period_us);
        let back = self.at.micros_since(now);
        if back > MAX_STEP_BACK_US {
            return (level, now);
        }
        if back >= 0 {
            return (level, self.at);
        }
        let elapsed = u128::from(back.unsigned_abs()) * u128::from(rate.units);
        (u64::try_from(u128::from(level).saturating_sub(elapsed)).unwrap_or(0), now)
    }
}

/// `level` counted in another weight of the unit, rounded up: never to the subject's advantage.
fn rescale(level: u64, from: u64, to: u64) -> u64 {
    if from == to {
        return level;
    }
    let scaled = (u128::from(level) * u128::from(to)).div_ceil(u128::from(from.max(1)));
    u64::try_from(scaled).unwrap_or(LEVEL_BOUND).min(LEVEL_BOUND)
}

fn verdict(rate: &Rate, level: u64, amount: Units) -> RateVerdict {
    let capacity = rate.capacity();
    let within_burst = amount <= rate.burst;
    let weight = if within_burst { amount.get() * rate.period_us } else { 0 };
    let fits = amount == Units::ZERO || (within_burst && level + weight <= capacity);
    let after = if fits { level + weight } else { level };
    let remaining = capacity.saturating_sub(after) / rate.period_us;
    let wait = |target: u64| target.saturating_sub(capacity).div_ceil(rate.units).cast_signed();
    RateVerdict {
        fits,
        remaining: Units::new(remaining).unwrap_or(Units::MAX),
        wait_us: if fits { Some(0) } else { within_burst.then(|| wait(level + weight)) },
        next_us: if after == 0 { 0 } else { wait(after + (remaining + 1) * rate.period_us) },
    }
}

/// A strict rate in a batch: judged by the store, for all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRequest {
    /// Whose rate.
    pub limit_id: LimitId,
    /// Which configuration `rate` is of.
    pub ver: ConfigVersion,
    /// The rate.
    pub rate: Rate,
    /// What the call takes.
    pub amount: Units,
}

/// The answer to a [`RateRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateReply {
    /// Whether the units were taken; they may fit and not be taken because another limit of the batch refused.
    pub taken: bool,
    /// The rate's own answer.
    pub verdict: RateVerdict,
    /// Store time of the answer.
    pub now: Timestamp,
}

#[cfg(test)]
mod tests;
