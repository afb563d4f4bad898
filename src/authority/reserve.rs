//! Work whose cost is known only afterwards: reserve the most it may be, then commit what it was. And giving units back.

use super::call::{Call, Reach, Stop, Want};
use super::charge::Next;
use super::registry::Source;
use super::{Authority, Inner, Request};
use crate::code::Code;
use crate::decision::{Decision, Denial, Grant};
use crate::error::{Error, ErrorKind};
use crate::ledger::HeldLine;
use crate::limit::{Credit, CreditAmount, CreditOutcome, RefundId, Units};
use std::sync::Arc;

/// The answer to a reservation.
#[must_use = "a denial is an answer too"]
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Reserved {
    /// The units are held.
    Held(Reservation),
    /// Refused, and why; nothing is held.
    Denied(Denial),
}

/// Units held for work that goes on. Dropping it gives them back.
#[must_use = "dropping a reservation gives its units back"]
pub struct Reservation {
    inner: Arc<Inner>,
    held: Vec<HeldLine>,
    grant: Arc<Grant>,
    max: Units,
}

impl Authority {
    /// Judges a request as [`authorize`](Self::authorize) does and holds up to `max` units of its variable meter (of its
    /// fixed cost where it has none) until the reservation is committed, released or dropped. A retry reserves again.
    ///
    /// # Errors
    /// As `authorize`; also for a request with an operation id, which cannot be held.
    pub fn reserve(&self, request: &Request<'_>, max: u64) -> Result<Reserved, Error> {
        let max = Units::new(max)
            .ok_or_else(|| Error::invalid_field("max", "is at most 9007199254740991 (2^53 - 1)"))?;
        if request.operation_id.is_some() {
            return Err(Error::invalid_field("operation_id", "can't be held; charge it with `authorize`"));
        }
        let decided = self.inner.decide_holding(request, Want::Reserve(max), Reach::Store);
        match decided {
            Ok((Decision::Allow(grant), held)) => {
                let max = held.iter().map(HeldLine::units).max().unwrap_or(max);
                Ok(Reserved::Held(Reservation {
                    inner: Arc::clone(&self.inner),
                    held,
                    grant: Arc::new(grant),
                    max,
                }))
            }
            other => {
                match self.inner.tell(request, Stop::into_decision(other.map(|(decision, _)| decision)))? {
                    Decision::Deny(denial) => Ok(Reserved::Denied(denial)),
                    Decision::Allow(_) => Err(Error::refused(Code::StoreUnavailable)),
                }
            }
        }
    }

    /// Gives units of an allowed call back, once, through the grant: at most what it charged.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadySettled`] when the grant charged nothing that it can give back, was refunded already, or its
    /// units belong to a lease that is over; `validation_error` for more units than it charged.
    pub fn refund(&self, grant: &mut Grant, units: u64) -> Result<(), Error> {
        let most =
            grant.charges.as_ref().and_then(|charges| charges.units.iter().map(|line| line.units).max());
        if most.is_some_and(|most| units > most) {
            return Err(Error::invalid_field("units", "is more than the grant charged"));
        }
        let charges = grant.charges.take().ok_or_else(|| {
            let text =
                "the grant has no units to give back; a call with an operation id is refunded by that id";
            Error::new(ErrorKind::AlreadySettled, text)
        })?;
        self.inner.ledger.refund(&charges.units, units)
    }

    /// Gives units of a call with an operation id back, from any process: all that is left of it, or `units` on each of
    /// its limits. A refund id that was used before changes nothing. `request` is the call's own, with its operation id.
    ///
    /// # Errors
    /// `resource_not_found` when the operation is not known (any more), `validation_error` when it has fewer units left.
    pub fn refund_operation(
        &self,
        request: &Request<'_>,
        refund_id: &str,
        units: Option<u64>,
    ) -> Result<(), Error> {
        if request.operation_id.is_none() || refund_id.is_empty() || refund_id.len() > 255 {
            return Err(Error::invalid_field(
                "refund_id",
                "has 1 to 255 bytes, beside the call's operation id",
            ));
        }
        let amount = match units.map(Units::new) {
            None => CreditAmount::All,
            Some(Some(units)) => CreditAmount::Each(units),
            Some(None) => {
                return Err(Error::invalid_field("units", "is at most 9007199254740991 (2^53 - 1)"));
            }
        };
        let key = self.inner.operation_key(request)?;
        let primary_only = !self.inner.ledger.store().capabilities().atomic_batches;
        let credit = Credit::Operation { key, refund_id: RefundId::new(refund_id), amount, primary_only };
        match self.inner.ledger.credit(credit)? {
            CreditOutcome::Credited(lines) if primary_only => {
                for line in lines.get(1..).unwrap_or_default() {
                    let (bucket, units) = (line.bucket, line.amount);
                    self.inner.ledger.credit(Credit::Limit {
                        bucket,
                        refund_id: RefundId::new(refund_id),
                        units,
                    })?;
                }
                Ok(())
            }
            CreditOutcome::Credited(_) | CreditOutcome::AlreadyDone => Ok(()),
            CreditOutcome::Unknown => Err(Error::refused(Code::ResourceNotFound)),
            CreditOutcome::TooMuch => {
                Err(Error::invalid_field("units", "is more than the operation has left"))
            }
            CreditOutcome::NotYet => Err(Error::refused(Code::StoreUnavailable)),
        }
    }
}

impl Inner {
    /// The operation of a request as the usage store knows it: the request is judged, nothing is charged.
    fn operation_key(&self, request: &Request<'_>) -> Result<crate::limit::OperationKey, Error> {
        let engine = self.engine.load();
        let call = Call::new(&engine, request, Want::Inspect, self.now(), self.seal_key.as_ref())?;
        let unknown = || Error::refused(Code::ResourceNotFound);
        let found = || -> Result<Option<crate::limit::OperationKey>, Stop> {
            let presented = call.credential()?;
            let parsed = call.parse(presented)?;
            let noted = engine.records.noted()?;
            for (scheme, digest) in self.digester.candidates(parsed.as_bytes()) {
                let Some(entry) = engine.records.load_key(scheme, &digest, noted)? else { continue };
                let judged = call.judge(&entry, Source::Store(&engine.records, noted))?;
                return Ok(match self.charge_local(&call, judged)? {
                    Next::Ask(pending) => pending.operation_key(),
                    Next::Done(_) => None,
                });
            }
            Ok(None)
        };
        match found() {
            Ok(key) => key.ok_or_else(unknown),
            Err(Stop::Fail(error)) => Err(error),
            Err(_) => Err(unknown()),
        }
    }
}

impl Reservation {
    /// The grant, with the tenant to act as.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The grant, shared with those who work under it. It has nothing to give back: the reservation has.
    #[must_use]
    pub fn shared_grant(&self) -> Arc<Grant> {
        Arc::clone(&self.grant)
    }

    /// The most units it holds on a limit.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max.get()
    }

    /// Counts `actual` units of the variable meter as used, and the fixed costs of the call, and gives the rest back. What was used beyond the reservation is taken like a call;
    /// where a limit refuses that, it is counted as overrun, above the cap, unless the policy says otherwise.
    ///
    /// # Errors
    /// `usage_limit_reached` where the policy does not record overrun: `detail` says how many units stay unrecorded.
    /// [`ErrorKind::Forked`] in a child of the process that reserved. A store that does not answer is no error: the
    /// count is right in this process, and the store is told later.
    pub fn commit(mut self, actual: u64) -> Result<(), Error> {
        let actual = Units::new(actual)
            .ok_or_else(|| Error::invalid_field("actual", "is at most 9007199254740991 (2^53 - 1)"))?;
        let settled =
            self.inner.ledger.settle_held(std::mem::take(&mut self.held), |line| line.used_by(actual))?;
        if settled.unrecorded > 0 {
            let text = format!("{} units were used and are not recorded", settled.unrecorded);
            return Err(Error::refused(Code::UsageLimitReached).with_detail(text));
        }
        Ok(())
    }

    /// Counts all that is held as used: work of a fixed cost was done.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_all(mut self) -> Result<(), Error> {
        self.inner.ledger.settle_held(std::mem::take(&mut self.held), HeldLine::units).map(drop)
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn release(mut self) -> Result<(), Error> {
        self.inner.ledger.settle_held(std::mem::take(&mut self.held), |_| Units::ZERO).map(drop)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            // Only a forked child fails here, and its parent settles the units.
            let _parents = self.inner.ledger.settle_held(std::mem::take(&mut self.held), |_| Units::ZERO);
        }
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation")
            .field("grant", &self.grant)
            .field("max", &self.max.get())
            .finish_non_exhaustive()
    }
}
