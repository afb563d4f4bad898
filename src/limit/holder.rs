//! The other end of a lease: what one process keeps about one bucket between exchanges.
//!
//! # The rules
//! 1. At most one exchange is in flight per bucket. A new one has the next number and a fresh mark; a retry is the same
//!    message byte for byte.
//! 2. A reply is accepted once, and only for the exchange in flight. After a timeout the holder retries or goes on with
//!    the next number and the old `seen`; it then never accepts the earlier reply.
//! 3. Units leave the hand before the message that returns them is sent, and count as used before their caller is
//!    allowed.
//! 4. A grant that is consumed counts as used when it is accepted. Units whose caller has gone meanwhile are refunded.
//! 5. When the lease turns out to have another user, the hand is dropped and a new holder begun; use that the old lease
//!    can no longer report goes into the new one's overrun. A folded lease begins a new life.

use super::exchange::{Counters, ExchangeRequest, Reason, Reply};
use super::{BucketKey, LeaseId, Nonce, Terms, Units, prefix};
use crate::clock::Timestamp;

/// One lease in the hand of its holder.
#[derive(Clone, Debug)]
pub struct Holding {
    bucket: BucketKey,
    id: LeaseId,
    seq: u64,
    in_flight: Option<ExchangeRequest>,
    last: Timestamp,
    seen: i64,
    counters: Counters,
    /// The counters as the store has them since the last accepted reply, consumed grants included.
    reported: Counters,
    reserved: i64,
}

/// What a holder asks for in its next message.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The configuration as this process knows it.
    pub terms: Terms,
    /// The period's end.
    pub period_end: Timestamp,
    /// Amounts of the waiting calls.
    pub demand: Vec<Units>,
    /// Whether what is granted for them counts as used at once.
    pub consume: bool,
    /// Use per second; 0 asks for no surplus.
    pub rate: i64,
    /// Whether the holder has finished with the lease.
    pub last_message: bool,
    /// How long the lease shall be live, milliseconds.
    pub ttl_ms: i64,
    /// Latest store time seen from this store.
    pub hint: Timestamp,
    /// 128 fresh random bits.
    pub nonce: Nonce,
}

/// What a reply meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It was not for the exchange in flight, and changed nothing.
    Ignored,
    /// So many of the waiting calls are served, in order.
    Served(usize),
    /// Another user of the lease exists: go on as a new holder, with `unreported` units of overrun.
    NewHolder {
        /// Use that the old lease can no longer report.
        unreported: i64,
    },
    /// The lease was folded: go on with a new life, with `unreported` units of overrun.
    NewLife {
        /// Use that the old lease can no longer report.
        unreported: i64,
    },
}

impl Holding {
    /// A hand with nothing in it. `overrun` is use that a former lease could not report.
    #[must_use]
    pub fn new(bucket: BucketKey, id: LeaseId, overrun: i64) -> Self {
        Self {
            bucket,
            id,
            seq: 0,
            in_flight: None,
            last: Timestamp::EPOCH,
            seen: 0,
            counters: Counters { overrun, ..Counters::default() },
            reported: Counters::default(),
            reserved: 0,
        }
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &BucketKey {
        &self.bucket
    }

    /// The lease.
    #[must_use]
    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// How many messages were made. A lease without any has no row in the store.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.seq
    }

    /// What was used, given back and overrun since the lease began.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Units that can be spent now.
    #[must_use]
    pub fn in_hand(&self) -> i64 {
        self.seen - self.counters.gone() - self.reserved
    }

    /// Units held by reservations.
    #[must_use]
    pub fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Use that the store does not know yet.
    #[must_use]
    pub fn unreported(&self) -> i64 {
        let net = |c: &Counters| c.used - c.refunded + c.overrun;
        net(&self.counters) - net(&self.reported)
    }

    /// Whether the store should hear from this lease: an unanswered message, something to report or units to return.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.in_flight.is_some() || self.counters != self.reported || self.in_hand() > 0
    }

    /// The next message. It supersedes an unanswered one, whose reply is then never accepted.
    pub fn next(&mut self, ask: Ask) -> ExchangeRequest {
        self.seq += 1;
        let request = ExchangeRequest {
            bucket: self.bucket,
            period_end: ask.period_end,
            terms: ask.terms,
            holder: self.id.holder,
            life: self.id.life,
            seq: self.seq,
            nonce: ask.nonce,
            last: self.last,
            hint: ask.hint,
            seen: self.seen,
            counters: self.counters,
            demand: ask.demand,
            consume: ask.consume,
            rate: ask.rate,
            strict: ask.rate == 0,
            last_message: ask.last_message,
            ttl_ms: ask.ttl_ms,
        };
        self.in_flight = Some(request.clone());
        request
    }

    /// The unanswered message, to be sent again as it is.
    #[must_use]
    pub fn in_flight(&self) -> Option<&ExchangeRequest> {
        self.in_flight.as_ref()
    }

    /// Takes a reply.
    pub fn accept(&mut self, reply: &Reply) -> Accepted {
        let Some(request) = self.in_flight.take_if(|request| request.seq == reply.seq) else {
            return Accepted::Ignored;
        };
        match reply.reason {
            Reason::Stale | Reason::Cloned => {
                return Accepted::NewHolder { unreported: self.unreported().max(0) };
            }
            Reason::Folded => return Accepted::NewLife { unreported: self.unreported().max(0) },
            _ => {}
        }
        let (units, calls) = prefix(&request.demand, reply.granted);
        self.seen += reply.granted;
        self.last = reply.now;
        self.reported = request.counters;
        if request.consume {
            self.counters.used += units;
            self.reported.used += units;
        }
        Accepted::Served(calls)
    }

    /// Uses units in hand; `false` if they are not there.
    pub fn spend(&mut self, units: i64) -> bool {
        let enough = self.in_hand() >= units;
        self.counters.used += if enough { units } else { 0 };
        enough
    }

    /// Sets units in hand aside; `false` if they are not there.
    pub fn reserve(&mut self, units: i64) -> bool {
        let enough = self.in_hand() >= units;
        self.reserved += if enough { units } else { 0 };
        enough
    }

    /// Ends a reservation of `held` units of which `used` (at most `held`) were used; the rest is in hand again.
    pub fn commit(&mut self, held: i64, used: i64) {
        self.reserved -= held;
        self.counters.used += used.min(held);
    }

    /// Takes used units back into the hand; `false` if more than were used.
    pub fn refund(&mut self, units: i64) -> bool {
        let possible = self.counters.refunded + units <= self.counters.used;
        self.counters.refunded += if possible { units } else { 0 };
        possible
    }

    /// Counts use beyond any grant.
    pub fn overrun(&mut self, units: i64) {
        self.counters.overrun += units;
    }

    /// Takes all units out of the hand; the next message returns them. Says how many.
    pub fn give_back(&mut self) -> i64 {
        let units = self.in_hand();
        self.counters.returned += units;
        units
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Bucket, ConfigVersion, Incarnation, Lease, exchange};

    fn ask(demand: &[u32], consume: bool) -> Ask {
        let cap = Some(Units::from(10));
        Ask {
            terms: Terms { ver: ConfigVersion::from_raw(1), cap, included: cap, marks: [].into() },
            period_end: Timestamp::MAX,
            demand: demand.iter().map(|n| Units::from(*n)).collect(),
            consume,
            rate: 0,
            last_message: false,
            ttl_ms: 1_000,
            hint: Timestamp::EPOCH,
            nonce: Nonce::default(),
        }
    }

    fn pair() -> (Bucket, Lease, Holding) {
        let terms = ask(&[], false).terms;
        let bucket = Bucket::new(Timestamp::MAX, &terms, Incarnation::default(), Timestamp::EPOCH);
        let key = BucketKey { period_start: Timestamp::MIN, ..BucketKey::default() };
        (bucket, Lease::ABSENT, Holding::new(key, LeaseId::default(), 0))
    }

    fn send(bucket: &mut Bucket, lease: &mut Lease, request: &ExchangeRequest) -> Reply {
        exchange(bucket, lease, request, Timestamp::from_seconds(1), &mut Vec::new())
    }

    #[test]
    fn a_reply_is_accepted_once_and_only_for_the_message_in_flight() {
        let (mut bucket, mut lease, mut holding) = pair();
        let first = holding.next(ask(&[4], true));
        let late = send(&mut bucket, &mut lease, &first);
        let second = holding.next(ask(&[3], true));
        assert_eq!(holding.accept(&late), Accepted::Ignored);
        let reply = send(&mut bucket, &mut lease, &second);
        assert_eq!(holding.accept(&reply), Accepted::Served(1));
        assert_eq!(holding.accept(&reply), Accepted::Ignored);
        assert_eq!((bucket.charged, bucket.confirmed), (3, 3), "the first grant fell away");
        assert!(!holding.has_news());
    }

    #[test]
    fn a_retry_is_answered_as_the_first_time() {
        let (mut bucket, mut lease, mut holding) = pair();
        let request = holding.next(ask(&[4, 4, 4], true));
        let lost = send(&mut bucket, &mut lease, &request);
        let again = send(&mut bucket, &mut lease, holding.in_flight().unwrap());
        assert_eq!((again.granted, again.reason), (lost.granted, lost.reason));
        assert_eq!(holding.accept(&again), Accepted::Served(2));
        assert_eq!(bucket.charged, 8);
    }

    #[test]
    fn units_go_through_the_hand() {
        let (mut bucket, mut lease, mut holding) = pair();
        let request = holding.next(ask(&[8], false));
        let reply = send(&mut bucket, &mut lease, &request);
        assert_eq!(holding.accept(&reply), Accepted::Served(1));
        assert!(holding.reserve(6) && !holding.reserve(3) && holding.spend(2) && !holding.spend(1));
        holding.commit(6, 1);
        assert!(holding.refund(2) && !holding.refund(2));
        holding.overrun(1);
        assert_eq!((holding.in_hand(), holding.unreported(), holding.has_news()), (7, 2, true));
        assert_eq!((holding.give_back(), holding.in_hand()), (7, 0));
        let request = holding.next(ask(&[], false));
        let reply = send(&mut bucket, &mut lease, &request);
        assert_eq!(holding.accept(&reply), Accepted::Served(0));
        assert_eq!((bucket.charged, bucket.confirmed, holding.has_news()), (2, 2, false));
        assert!(!holding.refund(2) && holding.refund(1), "3 were used, 2 are refunded");
    }

    #[test]
    fn use_that_cannot_be_reported_any_more_is_told() {
        let (mut bucket, mut lease, mut holding) = pair();
        let request = holding.next(ask(&[5], true));
        let reply = send(&mut bucket, &mut lease, &request);
        holding.accept(&reply);
        let mut copy = holding.clone();
        let request = holding.next(Ask { nonce: Nonce::from_bytes([1; 16]), ..ask(&[2], true) });
        let reply = send(&mut bucket, &mut lease, &request);
        holding.accept(&reply);
        copy.overrun(3);
        let request = copy.next(Ask { nonce: Nonce::from_bytes([2; 16]), ..ask(&[2], true) });
        let reply = send(&mut bucket, &mut lease, &request);
        assert_eq!(copy.accept(&reply), Accepted::NewHolder { unreported: 3 });
    }
}
