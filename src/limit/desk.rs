//! One request of a batch on the desk: its rows as loaded, judged and changed, until they are written back.

use super::batch::{ItemReply, Request};
use super::bucket::{Bucket, EventKind, Lease};
use super::exchange::{Begun, ExchangeRequest, Kind, Reason, Reply, Verdict, begin, conclude};
use super::gcra::{RateCell, RateReply, RateRequest, RateVerdict};
use super::rows::Rows;
use super::upkeep::{self, CLOSED_RETENTION_US, SWEEP_BATCH};
use super::{Incarnation, LeaseId, OperationLine, Units, grant, keyed};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};

#[allow(clippy::large_enum_variant, reason = "nearly every request is an exchange")]
pub(super) enum Desk<'a> {
    Exchange(ExchangeDesk<'a>),
    Rate { request: &'a RateRequest, cell: RateCell, changed: bool, verdict: RateVerdict, clock: Timestamp },
}

impl<'a> Desk<'a> {
    /// Loads the rows and does everything up to the grant.
    pub(super) fn open<R: Rows>(rows: &mut R, request: &'a Request, clock: Timestamp) -> Result<Self, Error> {
        match request {
            Request::Exchange(request) => ExchangeDesk::open(rows, request, clock).map(Self::Exchange),
            Request::Rate(request) => {
                let cell = rows.rate(&request.limit_id)?.unwrap_or(RateCell::EMPTY);
                let verdict = cell.peek(&request.rate, request.amount, clock);
                Ok(Self::Rate { request, cell, changed: false, verdict, clock })
            }
        }
    }

    /// Whether the request asks for units.
    pub(super) fn has_demand(&self) -> bool {
        match self {
            Self::Exchange(desk) => !desk.request.demand.is_empty(),
            Self::Rate { .. } => true,
        }
    }

    /// Whether the message is new; one that is repeated or refused is granted nothing more.
    pub(super) fn is_fresh(&self) -> bool {
        match self {
            Self::Exchange(desk) => desk.begun.kind == Kind::Fresh,
            Self::Rate { .. } => true,
        }
    }

    /// Applies the grant rule to a new message.
    pub(super) fn judge(&mut self, surplus: bool) {
        if let Self::Exchange(desk) = self
            && desk.begun.kind == Kind::Fresh
        {
            desk.verdict = grant::grant(&desk.bucket, &desk.lease, desk.request, desk.begun.now, surplus);
        }
    }

    /// Whether the whole demand can be served, or was when the message came first.
    pub(super) fn is_met(&self) -> bool {
        match self {
            Self::Exchange(desk) => match desk.begun.kind {
                Kind::Fresh => desk.verdict.reason == Reason::None,
                Kind::Duplicate => desk.lease.reason == Reason::None,
                Kind::Refused(_) => false,
            },
            Self::Rate { verdict, .. } => verdict.fits,
        }
    }

    /// Charges the judged demand by operation id: to the bucket's base, not to the lease.
    pub(super) fn charge(&mut self) -> Option<OperationLine> {
        let Self::Exchange(desk) = self else { return None };
        let amount = Units::from_signed(desk.verdict.granted)?;
        keyed::charge(&mut desk.bucket, amount.signed());
        desk.verdict.granted = 0;
        Some(OperationLine { bucket: desk.request.bucket, amount, refunded: Units::ZERO })
    }

    /// Grants what was judged, or nothing if the request is not `taken`, and answers.
    pub(super) fn conclude(&mut self, taken: bool) -> Result<ItemReply, Error> {
        match self {
            Self::Exchange(desk) => desk.conclude(taken).map(ItemReply::Exchange),
            Self::Rate { request, cell, changed, verdict, clock } => {
                let taken = taken && verdict.fits;
                if taken || !verdict.fits {
                    let before = *cell;
                    cell.take(&request.rate, request.ver, request.amount, *clock);
                    *changed = *cell != before;
                }
                Ok(ItemReply::Rate(RateReply { taken, verdict: *verdict, now: *clock }))
            }
        }
    }

    /// Writes back what changed.
    pub(super) fn write<R: Rows>(self, rows: &mut R) -> Result<(), Error> {
        match self {
            Self::Exchange(desk) => desk.write(rows),
            Self::Rate { request, cell, changed, .. } => {
                if changed {
                    rows.put_rate(&request.limit_id, &cell)?;
                }
                Ok(())
            }
        }
    }
}

pub(super) struct ExchangeDesk<'a> {
    request: &'a ExchangeRequest,
    bucket: Bucket,
    lease: Lease,
    swept: Vec<(LeaseId, Lease)>,
    begun: Begun,
    verdict: Verdict,
    events: Vec<EventKind>,
    /// The period ended so long ago that its row is gone and is not made again.
    retired: bool,
}

impl<'a> ExchangeDesk<'a> {
    fn open<R: Rows>(rows: &mut R, request: &'a ExchangeRequest, clock: Timestamp) -> Result<Self, Error> {
        let stored = rows.bucket(&request.bucket)?;
        let retired = stored.is_none() && request.period_end.plus_micros(CLOSED_RETENTION_US) <= clock;
        let mut bucket = stored.unwrap_or_else(|| {
            let incarnation = Incarnation::new(request.nonce, clock);
            let mut bucket = Bucket::new(request.period_end, &request.terms, incarnation, clock);
            bucket.closed = retired;
            bucket
        });
        let mut lease = rows.lease(&request.bucket, &request.lease_id())?.unwrap_or(Lease::ABSENT);
        check_sound(&bucket, &lease)?;
        let mut events = Vec::new();
        let begun = begin(&mut bucket, &mut lease, request, clock, &mut events);
        let verdict = Verdict::default();
        let mut desk = Self { request, bucket, lease, swept: Vec::new(), begun, verdict, events, retired };
        desk.sweep(rows)?;
        Ok(desk)
    }

    fn sweep<R: Rows>(&mut self, rows: &mut R) -> Result<(), Error> {
        let refused = matches!(self.begun.kind, Kind::Refused(_));
        if refused || self.retired || self.begun.now < self.bucket.next_sweep {
            return Ok(());
        }
        let until = if self.bucket.closed { Timestamp::MAX } else { self.begun.now };
        let mut due = rows.live_leases(&self.request.bucket, until, SWEEP_BATCH)?;
        let full = due.len() == SWEEP_BATCH;
        // The sender's own row is on the desk, and live again.
        due.retain(|(id, _)| *id != self.request.lease_id());
        upkeep::sweep(&mut self.bucket, due.iter_mut().map(|(_, lease)| lease), self.begun.now, full);
        self.swept = due;
        Ok(())
    }

    fn conclude(&mut self, taken: bool) -> Result<Reply, Error> {
        let mut verdict = self.verdict;
        if !taken && !self.request.demand.is_empty() {
            verdict.granted = 0;
            if verdict.reason == Reason::None {
                verdict.reason = Reason::NotTaken;
            }
        }
        let reply =
            conclude(&mut self.bucket, &mut self.lease, self.request, &self.begun, verdict, &mut self.events);
        check_sound(&self.bucket, &self.lease)?;
        Ok(reply)
    }

    fn write<R: Rows>(self, rows: &mut R) -> Result<(), Error> {
        if self.retired {
            return Ok(());
        }
        let key = &self.request.bucket;
        rows.put_bucket(key, &self.bucket)?;
        if !matches!(self.begun.kind, Kind::Refused(_)) {
            rows.put_lease(key, &self.request.lease_id(), &self.lease)?;
        }
        for (id, lease) in &self.swept {
            rows.put_lease(key, id, lease)?;
        }
        for kind in self.events {
            rows.push_event(key, kind, self.begun.now)?;
        }
        Ok(())
    }
}

fn check_sound(bucket: &Bucket, lease: &Lease) -> Result<(), Error> {
    if bucket.is_sound() && lease.is_sound() {
        return Ok(());
    }
    let message = "a usage row holds numbers that are not possible; run an audit of the store";
    Err(Error::new(ErrorKind::StoreCorrupt, message))
}
