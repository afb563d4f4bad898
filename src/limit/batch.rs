//! Several requests on one store: each by itself, or all or nothing.
//!
//! A store implements [`Rows`] and calls [`run`] inside one transaction (or under its locks). Requests that depend on
//! each other are loaded, judged and checked before the first row is written.
//!
//! # All or nothing
//! An atomic batch settles every request, judges all of them, and then applies all grants if every demand is met in
//! full, else none. Requests with an equal `group` are alternatives: the first that can be met is taken. A request that
//! would have fitted answers [`super::Reason::NotTaken`] if the batch failed or another alternative was taken.

use super::desk::Desk;
use super::exchange::{ExchangeRequest, Reply};
use super::gcra::{RateReply, RateRequest};
use super::keyed::{
    self, Credit, CreditOutcome, Operation, OperationLine, OperationOutcome, OperationRecord,
};
use super::rows::Rows;
use super::{Bucket, BucketKey, EventKind, RefundId, Units};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};

/// What is sent to the store in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The requests; answered in the same order.
    pub items: Vec<Item>,
    /// Whether they are granted all or none. Only on stores with atomic batches.
    pub atomic: bool,
    /// What is charged or credited by operation id.
    pub act: Act,
}

/// One request of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Requests of one atomic batch with an equal group are alternatives, in order.
    pub group: Option<u16>,
    /// The request.
    pub request: Request,
}

/// What a batch asks of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly every request is an exchange")]
pub enum Request {
    /// An exchange on a bucket.
    Exchange(ExchangeRequest),
    /// A strict rate.
    Rate(RateRequest),
}

/// What a batch does by operation id. A charge needs an atomic batch, or a batch of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Act {
    /// Nothing: demands are granted to the leases.
    #[default]
    None,
    /// The demands are charged once for this operation.
    Charge(Operation),
    /// Units of an operation are given back; the batch's requests run before it.
    Credit(Credit),
}

/// The answer to a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchReply {
    /// In the order of the requests.
    pub items: Vec<ItemReply>,
    /// What became of the act.
    pub outcome: ActOutcome,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemReply {
    /// Of an exchange.
    Exchange(Reply),
    /// Of a strict rate.
    Rate(RateReply),
}

/// The answer to an [`Act`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActOutcome {
    /// There was none.
    None,
    /// Of a charge.
    Charge(OperationOutcome),
    /// Of a credit.
    Credit(CreditOutcome),
}

/// Runs a batch at the store's `clock`.
///
/// # Errors
/// Those of the rows; [`ErrorKind::InvalidArgument`] for a batch that is not valid; [`ErrorKind::StoreCorrupt`] when a
/// row's numbers are not possible. A transaction must then be rolled back.
pub fn run<R: Rows>(rows: &mut R, batch: &Batch, clock: Timestamp) -> Result<BatchReply, Error> {
    batch.check()?;
    let operation = if let Act::Charge(operation) = &batch.act { Some(operation) } else { None };
    let mut reply = BatchReply { items: Vec::with_capacity(batch.items.len()), outcome: ActOutcome::None };
    if batch.atomic || operation.is_some() {
        reply = run_together(rows, &batch.items, operation, clock)?;
    } else {
        for item in &batch.items {
            let mut desk = Desk::open(rows, &item.request, clock)?;
            desk.judge(true);
            reply.items.push(desk.conclude(true)?);
            desk.write(rows)?;
        }
    }
    if let Act::Credit(credit) = &batch.act {
        reply.outcome = ActOutcome::Credit(run_credit(rows, credit, clock)?);
    }
    Ok(reply)
}

/// Requests that are met all or none, and charged to leases or, with an operation, by its id.
fn run_together<R: Rows>(
    rows: &mut R,
    items: &[Item],
    operation: Option<&Operation>,
    clock: Timestamp,
) -> Result<BatchReply, Error> {
    let mut desks = Vec::with_capacity(items.len());
    for item in items {
        desks.push(Desk::open(rows, &item.request, clock)?);
    }
    let known = match operation {
        Some(operation) => known_outcome(rows, operation, &desks, clock)?,
        None => None,
    };
    let mut taken = vec![false; items.len()];
    let mut lines = Vec::new();
    if known.is_none() {
        desks.iter_mut().for_each(|desk| desk.judge(operation.is_none()));
        taken = choose(items, &desks);
        if operation.is_some() {
            let charged = desks.iter_mut().zip(&taken).filter(|(_, taken)| **taken);
            lines.extend(charged.filter_map(|(desk, _)| desk.charge()));
        }
    }
    let mut replies = Vec::with_capacity(items.len());
    for (desk, taken) in desks.iter_mut().zip(&taken) {
        replies.push(desk.conclude(*taken)?);
    }
    for desk in desks {
        desk.write(rows)?;
    }
    let outcome = match (operation, known) {
        (None, _) => ActOutcome::None,
        (Some(_), Some(known)) => ActOutcome::Charge(known),
        (Some(_), None) if !taken.contains(&true) => ActOutcome::Charge(OperationOutcome::Refused),
        (Some(operation), None) => ActOutcome::Charge(record(rows, operation, lines, clock)?),
    };
    Ok(BatchReply { items: replies, outcome })
}

/// What a keyed batch answers without judging anything: its record's answer, or that it must not charge now.
fn known_outcome<R: Rows>(
    rows: &mut R,
    operation: &Operation,
    desks: &[Desk<'_>],
    clock: Timestamp,
) -> Result<Option<OperationOutcome>, Error> {
    if let Some(record) = rows.operation(&operation.key)?
        && record.expires_at > clock
    {
        return Ok(Some(keyed::look_up(&record, operation)));
    }
    if operation.ask {
        return Ok(Some(OperationOutcome::Unknown));
    }
    // A repeated or refused message charges nothing: had it charged, the record would be there.
    let fresh = desks.iter().all(|desk| !desk.has_demand() || desk.is_fresh());
    Ok(if fresh { None } else { Some(OperationOutcome::Refused) })
}

/// Which requests are taken: of each group the first that can be met, and none at all if a group has none.
fn choose(items: &[Item], desks: &[Desk<'_>]) -> Vec<bool> {
    let mut taken = vec![false; desks.len()];
    let mut groups: Vec<(Option<u16>, Option<usize>)> = Vec::with_capacity(items.len());
    for (i, (item, desk)) in items.iter().zip(desks).enumerate() {
        if !desk.has_demand() {
            continue;
        }
        let met = desk.is_met().then_some(i);
        match groups.iter_mut().find(|(group, _)| group.is_some() && *group == item.group) {
            Some((_, chosen)) => *chosen = chosen.or(met),
            None => groups.push((item.group, met)),
        }
    }
    if groups.iter().all(|(_, chosen)| chosen.is_some()) {
        let chosen = groups.iter().filter_map(|(_, chosen)| *chosen);
        chosen.for_each(|i| taken.iter_mut().skip(i).take(1).for_each(|slot| *slot = true));
    }
    taken
}

/// Writes the record of a charged operation; calls that only rates judged keep none.
fn record<R: Rows>(
    rows: &mut R,
    operation: &Operation,
    mut lines: Vec<OperationLine>,
    clock: Timestamp,
) -> Result<OperationOutcome, Error> {
    lines.extend_from_slice(&operation.also);
    if !lines.is_empty() {
        let record = OperationRecord {
            fingerprint: operation.fingerprint,
            attempt: operation.attempt,
            lines: lines.clone(),
            expires_at: clock.plus_micros(operation.ttl_ms.saturating_mul(1_000)),
        };
        rows.put_operation(&operation.key, &record)?;
    }
    Ok(OperationOutcome::Granted(lines))
}

fn run_credit<R: Rows>(rows: &mut R, credit: &Credit, clock: Timestamp) -> Result<CreditOutcome, Error> {
    match credit {
        Credit::Limit { bucket, refund_id, units } => {
            let line = OperationLine { bucket: *bucket, amount: *units, refunded: Units::ZERO };
            credit_buckets(rows, refund_id, &[line], clock)
        }
        Credit::Operation { key, refund_id, amount, primary_only } => {
            let Some(mut record) = rows.operation(key)?.filter(|record| record.expires_at > clock) else {
                let known = rows.has_refund(&key.home, refund_id)?;
                return Ok(if known { CreditOutcome::AlreadyDone } else { CreditOutcome::Unknown });
            };
            let home = record.lines.first().map_or(key.home, |line| line.bucket);
            if rows.has_refund(&home, refund_id)? {
                return Ok(CreditOutcome::AlreadyDone);
            }
            let Some(credits) = keyed::credit_lines(&record, amount) else {
                return Ok(CreditOutcome::TooMuch);
            };
            let here = if *primary_only { credits.get(..1).unwrap_or_default() } else { &credits };
            let outcome = credit_buckets(rows, refund_id, here, clock)?;
            if outcome == CreditOutcome::NotYet {
                return Ok(outcome);
            }
            if keyed::undoes(&record, *refund_id, &credits) {
                rows.remove_operation(key)?;
            } else {
                for (line, credit) in record.lines.iter_mut().zip(&credits) {
                    line.refunded = Units::clamped(line.refunded.signed() + credit.amount.signed());
                }
                rows.put_operation(key, &record)?;
            }
            Ok(CreditOutcome::Credited(credits))
        }
    }
}

/// Credits each bucket once under this refund id, or none if one is not confirmed that far.
fn credit_buckets<R: Rows>(
    rows: &mut R,
    refund_id: &RefundId,
    lines: &[OperationLine],
    clock: Timestamp,
) -> Result<CreditOutcome, Error> {
    let mut changed: Vec<(BucketKey, Option<Bucket>, Units, Vec<EventKind>)> =
        Vec::with_capacity(lines.len());
    for line in lines {
        if rows.has_refund(&line.bucket, refund_id)? {
            continue;
        }
        let mut events = Vec::new();
        let mut bucket = rows.bucket(&line.bucket)?;
        match &mut bucket {
            Some(bucket) => {
                if !keyed::credit(bucket, line.amount.signed(), &mut events) {
                    return Ok(CreditOutcome::NotYet);
                }
            }
            // The period is over and its row gone; whoever bills it is told.
            None => events.push(EventKind::Adjusted { units: -line.amount.signed() }),
        }
        changed.push((line.bucket, bucket, line.amount, events));
    }
    if changed.is_empty() && !lines.is_empty() {
        return Ok(CreditOutcome::AlreadyDone);
    }
    for (key, bucket, units, events) in changed {
        if let Some(bucket) = bucket {
            rows.put_bucket(&key, &bucket)?;
        }
        rows.put_refund(&key, refund_id, units)?;
        for kind in events {
            rows.push_event(&key, kind, clock)?;
        }
    }
    Ok(CreditOutcome::Credited(lines.to_vec()))
}

impl Batch {
    /// At most so many requests in one batch.
    pub const MAX_ITEMS: usize = 64;

    /// Checks the batch's form and every number in it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn check(&self) -> Result<(), Error> {
        let keyed = matches!(self.act, Act::Charge(_));
        let together = self.atomic || keyed;
        let fault = if self.items.len() > Self::MAX_ITEMS {
            "a batch has at most 64 requests"
        } else if keyed && !self.atomic && self.items.len() != 1 {
            "a charge by operation id needs an atomic batch or a single request"
        } else if together && self.names_a_limit_twice() {
            "requests of one atomic batch are on different buckets and rates"
        } else if !together && self.items.iter().any(|item| item.group.is_some()) {
            "alternatives need an atomic batch"
        } else {
            for item in &self.items {
                if let Request::Exchange(request) = &item.request {
                    request.check()?;
                }
            }
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, "the usage batch is not valid").with_detail(fault))
    }

    fn names_a_limit_twice(&self) -> bool {
        let same = |a: &Request, b: &Request| match (a, b) {
            (Request::Exchange(a), Request::Exchange(b)) => a.bucket == b.bucket,
            (Request::Rate(a), Request::Rate(b)) => a.limit_id == b.limit_id,
            _ => false,
        };
        let later = |i: usize| self.items.iter().skip(i + 1);
        self.items.iter().enumerate().any(|(i, a)| later(i).any(|b| same(&a.request, &b.request)))
    }
}

#[cfg(test)]
mod tests;
