//! The one operation on a bucket: a holder reports its counters and asks for units, the bucket answers.
//!
//! # Why it is safe
//! A holder can spend at most `seen - returned`, and `granted` is never below what it has seen: every unit that can
//! still be spent is in `charged`, and grants keep `charged` within the cap. No step needs a clock, a timely expiry or
//! ordered delivery. A lost reply costs nothing, because the next message says what was seen: grants that never arrived,
//! and by the holder's rules never will be accepted, fall away.

use super::bucket::{Bucket, EventKind, Lease, LeaseState, Terms};
use super::{BucketKey, ConfigVersion, HolderId, Incarnation, LeaseId, Nonce, Units, grant};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// A clock or hint further ahead of the store's clock than this is ignored, with an alarm.
const MAX_CLOCK_LEAD_US: i64 = 60_000_000;

/// What a holder sends about one bucket.
///
/// A new message has the next `seq` and a fresh `nonce`; a retry is the same message byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRequest {
    /// Which bucket.
    pub bucket: BucketKey,
    /// Its end as the holder computed it; an existing row's own end rules.
    pub period_end: Timestamp,
    /// The configuration as the holder knows it.
    pub terms: Terms,
    /// The process.
    pub holder: HolderId,
    /// Its use of the bucket.
    pub life: u64,
    /// Number of the message within the lease, from 1.
    pub seq: u64,
    /// Random mark of the message.
    pub nonce: Nonce,
    /// Store time of the lease's last answered exchange; [`Timestamp::EPOCH`] if none.
    pub last: Timestamp,
    /// Latest store time seen from this store; [`Timestamp::EPOCH`] if none.
    pub hint: Timestamp,
    /// Sum of the grants received.
    pub seen: i64,
    /// What was used, given back and overrun, since the lease began.
    pub counters: Counters,
    /// Amounts of the waiting calls in order, each at least 1; at most [`ExchangeRequest::MAX_DEMAND`].
    pub demand: Vec<Units>,
    /// Whether what is granted for the demand counts as used at once.
    pub consume: bool,
    /// The holder's use, units per second; 0 asks for no surplus.
    pub rate: i64,
    /// Whether surplus is refused whatever `rate` says.
    pub strict: bool,
    /// Whether the holder has finished with the lease.
    pub last_message: bool,
    /// How long the lease is live without another message, milliseconds.
    pub ttl_ms: i64,
}

/// What a holder reports: cumulative since its lease began, never falling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Units admitted.
    pub used: i64,
    /// Of those, units given back by their callers.
    pub refunded: i64,
    /// Units given back to the bucket.
    pub returned: i64,
    /// Units used beyond any grant.
    pub overrun: i64,
}

impl Counters {
    /// Whether every counter is at least that of `earlier`.
    #[must_use]
    pub fn at_least(&self, earlier: &Self) -> bool {
        self.used >= earlier.used
            && self.refunded >= earlier.refunded
            && self.returned >= earlier.returned
            && self.overrun >= earlier.overrun
    }

    /// Units that are no longer in the holder's hand: used and not refunded, or returned.
    #[must_use]
    pub fn gone(&self) -> i64 {
        self.used - self.refunded + self.returned
    }
}

/// Why no more was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Everything asked for was granted, or nothing was asked for.
    #[default]
    None,
    /// Nothing is left in the period.
    Exhausted,
    /// So many units are left, fewer than the first unserved call needs.
    Insufficient(i64),
    /// The units exist, but are out with a holder that may give them back.
    Contended,
    /// The units were there; another limit of the batch refused.
    NotTaken,
    /// The store's time (`now` in the reply) lies outside the bucket's period.
    WrongPeriod,
    /// The bucket takes no more use.
    Closed,
    /// A newer message of this lease was answered already.
    Stale,
    /// Another user of this lease exists, such as a copy of the process.
    Cloned,
    /// The lease was folded after a long silence; its numbers are kept, and it begins a new life.
    Folded,
}

/// How the units of a call were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lane {
    /// Each call asked the store.
    #[default]
    Strict,
    /// From units taken in advance.
    Leased,
    /// Without the store, within a declared bound.
    Degraded,
}

/// What the bucket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The message that is answered.
    pub seq: u64,
    /// Units granted; the calls served are the longest prefix of the demand within it.
    pub granted: i64,
    /// Why not more.
    pub reason: Reason,
    /// How they were granted.
    pub lane: Lane,
    /// Whether holders are asked to keep as little as possible.
    pub pressure: bool,
    /// How long the lease is live, milliseconds.
    pub ttl_ms: i64,
    /// Store time of the answer.
    pub now: Timestamp,
    /// The bucket's sums after the exchange.
    pub charged: i64,
    /// Of those, reported as used.
    pub confirmed: i64,
    /// The cap in force, rolled-over units included; `None` is unlimited.
    pub cap: Option<i64>,
    /// The soft mark in force.
    pub included: Option<Units>,
    /// The configuration in force.
    pub ver: ConfigVersion,
    /// The end of the period.
    pub period_end: Timestamp,
    /// Live leases.
    pub live: i64,
    /// The row's random id.
    pub incarnation: Incarnation,
    /// Whether the row's or the holder's idea of the time was too far ahead and was ignored: an alarm.
    pub clock_ignored: bool,
}

/// The grant rule's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Units granted.
    pub granted: i64,
    /// Why not more.
    pub reason: Reason,
    /// How.
    pub lane: Lane,
    /// Whether the bucket is under pressure.
    pub pressure: bool,
}

/// One exchange on one bucket and the sender's lease: the definition that every store follows. An absent lease is
/// [`Lease::ABSENT`] and stays so if the answer is [`Reason::Folded`]. Stores use [`super::batch::run`], which also
/// sweeps, and serves several buckets and operations.
pub fn exchange(
    bucket: &mut Bucket,
    lease: &mut Lease,
    request: &ExchangeRequest,
    clock: Timestamp,
    events: &mut Vec<EventKind>,
) -> Reply {
    let begun = begin(bucket, lease, request, clock, events);
    let verdict = match begun.kind {
        Kind::Fresh => grant::grant(bucket, lease, request, begun.now, true),
        Kind::Duplicate | Kind::Refused(_) => Verdict::default(),
    };
    conclude(bucket, lease, request, &begun, verdict, events)
}

/// What [`begin`] found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) now: Timestamp,
    pub(super) clock_ignored: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new message: its counters are settled, it may be granted something.
    Fresh,
    /// A repeated message: it gets the same answer.
    Duplicate,
    /// A message that changes nothing.
    Refused(Reason),
}

/// Time, configuration, kind of message, and settling of the reported counters: everything up to the grant.
pub(super) fn begin(
    bucket: &mut Bucket,
    lease: &mut Lease,
    request: &ExchangeRequest,
    clock: Timestamp,
    events: &mut Vec<EventKind>,
) -> Begun {
    let (now, clock_ignored) = store_time(clock, bucket.clk, request.hint);
    bucket.clk = now;
    bucket.adopt(&request.terms);
    let kind = kind_of(bucket, lease, request);
    if let Kind::Refused(_) = kind {
        return Begun { now, clock_ignored, kind };
    }
    let confirmed_before = bucket.confirmed;
    bucket.take_out(lease);
    if kind == Kind::Fresh {
        let forgotten = (request.seen - lease.granted).max(0);
        if forgotten > 0 {
            bucket.healed += forgotten;
            events.push(EventKind::Healed { units: forgotten });
        }
        // A lower `granted` drops grants that were never accepted and never will be; a higher one restores grants that
        // the store had lost.
        lease.granted = request.seen;
        lease.ahead = 0;
        lease.counters = request.counters;
    }
    lease.state = if bucket.closed { LeaseState::Expired } else { LeaseState::Live };
    lease.expires_at = now.plus_micros(request.ttl_ms.saturating_mul(1_000));
    bucket.put_in(lease);
    if bucket.closed && bucket.confirmed != confirmed_before {
        events.push(EventKind::Adjusted { units: bucket.confirmed - confirmed_before });
    }
    if request.rate > 0 {
        grant::update_rate(bucket, now);
    }
    Begun { now, clock_ignored, kind }
}

fn kind_of(bucket: &Bucket, lease: &Lease, request: &ExchangeRequest) -> Kind {
    let absent = lease.state == LeaseState::New;
    if absent && request.last > Timestamp::EPOCH && request.last <= bucket.fold_mark {
        return Kind::Refused(Reason::Folded);
    }
    if request.seq < lease.seq {
        return Kind::Refused(Reason::Stale);
    }
    if request.seq == lease.seq {
        return if request.nonce == lease.nonce { Kind::Duplicate } else { Kind::Refused(Reason::Cloned) };
    }
    let counters = &request.counters;
    // What a lone holder can never report: two users of one lease are at work.
    let impossible = !counters.at_least(&lease.counters)
        || counters.refunded > counters.used
        || counters.gone() > request.seen;
    if impossible { Kind::Refused(Reason::Cloned) } else { Kind::Fresh }
}

/// Applies the verdict on a new message, closes a finished lease, fires thresholds and writes the answer.
pub(super) fn conclude(
    bucket: &mut Bucket,
    lease: &mut Lease,
    request: &ExchangeRequest,
    begun: &Begun,
    verdict: Verdict,
    events: &mut Vec<EventKind>,
) -> Reply {
    let verdict = match begun.kind {
        Kind::Refused(reason) => Verdict { reason, ..Verdict::default() },
        Kind::Fresh => {
            bucket.take_out(lease);
            lease.granted += verdict.granted;
            lease.ahead = if request.consume { grant::prefix(&request.demand, verdict.granted).0 } else { 0 };
            bucket.put_in(lease);
            (lease.seq, lease.nonce) = (request.seq, request.nonce);
            (lease.reason, lease.lane) = (verdict.reason, verdict.lane);
            verdict
        }
        // Below zero only if the operator declared the open units unused in between.
        Kind::Duplicate => Verdict {
            granted: (lease.granted - request.seen).max(0),
            reason: lease.reason,
            lane: lease.lane,
            pressure: false,
        },
    };
    if !matches!(begun.kind, Kind::Refused(_)) {
        // Also for a repeated message: its answer sets the holder's `last`, which must stay at or before the fold mark
        // once the lease is folded. For the same reason it never goes back with the store's clock.
        lease.last_at = lease.last_at.max(begun.now);
        if request.last_message && lease.open() == 0 {
            bucket.take_out(lease);
            lease.state = LeaseState::Closed;
            bucket.put_in(lease);
        }
    }
    bucket.fire_marks(events);
    reply(bucket, request, begun, verdict)
}

fn reply(bucket: &Bucket, request: &ExchangeRequest, begun: &Begun, verdict: Verdict) -> Reply {
    Reply {
        seq: request.seq,
        granted: verdict.granted,
        reason: verdict.reason,
        lane: verdict.lane,
        pressure: verdict.pressure,
        ttl_ms: request.ttl_ms,
        now: begun.now,
        charged: bucket.charged,
        confirmed: bucket.confirmed,
        cap: bucket.cap_in_force(),
        included: bucket.included,
        ver: bucket.ver,
        period_end: bucket.period_end,
        live: bucket.live,
        incarnation: bucket.incarnation,
        clock_ignored: begun.clock_ignored,
    }
}

/// The time of an exchange: the latest of the store's clock, the bucket's last time and the holder's hint, but nothing
/// more than a minute ahead of the clock; and whether something was ignored for that.
#[must_use]
pub fn store_time(clock: Timestamp, clk: Timestamp, hint: Timestamp) -> (Timestamp, bool) {
    let bound = clock.plus_micros(MAX_CLOCK_LEAD_US);
    let mut now = clock;
    let mut ignored = false;
    for other in [clk, hint] {
        if other > bound {
            ignored = true;
        } else {
            now = now.max(other);
        }
    }
    (now, ignored)
}

impl ExchangeRequest {
    /// At most so many waiting calls in one message.
    pub const MAX_DEMAND: usize = 64;
    /// At most so long a lease without a message: one hour.
    pub const MAX_TTL_MS: i64 = 3_600_000;
    /// At most so high a holder's rate, units per second.
    pub const MAX_RATE: i64 = 1_000_000_000;

    /// The sender's lease.
    #[must_use]
    pub fn lease_id(&self) -> LeaseId {
        LeaseId { holder: self.holder, life: self.life }
    }

    /// Checks that every number is within its bounds, so that no sum of the ledger can overflow.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]; nothing may then be applied.
    pub fn check(&self) -> Result<(), Error> {
        let amount = 0..=Units::MAX.signed();
        let counters =
            [self.counters.used, self.counters.refunded, self.counters.returned, self.counters.overrun];
        let fault = if self.seq == 0 {
            "the first message has `seq` 1"
        } else if !amount.contains(&self.seen) || counters.iter().any(|c| !amount.contains(c)) {
            "a counter is negative or above 2^53 - 1"
        } else if self.demand.len() > Self::MAX_DEMAND || self.demand.contains(&Units::ZERO) {
            "a demand has at most 64 amounts, each at least 1"
        } else if self.terms.marks.len() > super::Mark::MAX_PER_LIMIT {
            "a limit has at most 16 thresholds"
        } else if self.period_end <= self.bucket.period_start {
            "the period ends before it begins"
        } else if !(1..=Self::MAX_TTL_MS).contains(&self.ttl_ms) || !(0..=Self::MAX_RATE).contains(&self.rate)
        {
            "`ttl_ms` or `rate` is out of range"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, "the usage request is not valid").with_detail(fault))
    }
}

#[cfg(test)]
mod tests;
