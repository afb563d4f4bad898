//! What a usage store is to the arithmetic: rows to read and write within one transaction.

use super::gcra::RateCell;
use super::{
    Bucket, BucketKey, EventKind, HolderId, Lease, LeaseId, LimitId, OperationKey, OperationRecord, RefundId,
    Units,
};
use crate::clock::Timestamp;
use crate::error::Error;

/// The rows of a usage store, within one transaction.
///
/// # Contract
/// What was put is read back by the same transaction, and everything put becomes durable together or not at all. Reads
/// see the latest committed rows, and no other transaction may change rows that were read until this one ends. A row
/// that cannot be decoded is an error, never an absent row.
pub trait Rows {
    /// The bucket's row.
    fn bucket(&mut self, key: &BucketKey) -> Result<Option<Bucket>, Error>;
    /// Writes the bucket's row.
    fn put_bucket(&mut self, key: &BucketKey, bucket: &Bucket) -> Result<(), Error>;
    /// A lease's row.
    fn lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<Option<Lease>, Error>;
    /// Writes a lease's row.
    fn put_lease(&mut self, key: &BucketKey, id: &LeaseId, lease: &Lease) -> Result<(), Error>;
    /// Leases of the bucket in state [`super::LeaseState::Live`] that expire at or before `until`, at most `max`.
    fn live_leases(
        &mut self,
        key: &BucketKey,
        until: Timestamp,
        max: usize,
    ) -> Result<Vec<(LeaseId, Lease)>, Error>;
    /// The operation's record, expired or not.
    fn operation(&mut self, key: &OperationKey) -> Result<Option<OperationRecord>, Error>;
    /// Writes the operation's record.
    fn put_operation(&mut self, key: &OperationKey, record: &OperationRecord) -> Result<(), Error>;
    /// Removes the operation's record.
    fn remove_operation(&mut self, key: &OperationKey) -> Result<(), Error>;
    /// Whether the bucket knows this refund id.
    fn has_refund(&mut self, key: &BucketKey, refund_id: &RefundId) -> Result<bool, Error>;
    /// Remembers a refund id of the bucket.
    fn put_refund(&mut self, key: &BucketKey, refund_id: &RefundId, units: Units) -> Result<(), Error>;
    /// A strict rate's cell.
    fn rate(&mut self, limit_id: &LimitId) -> Result<Option<RateCell>, Error>;
    /// Writes a strict rate's cell.
    fn put_rate(&mut self, limit_id: &LimitId, cell: &RateCell) -> Result<(), Error>;
    /// Appends to the outbox.
    fn push_event(&mut self, key: &BucketKey, kind: EventKind, at: Timestamp) -> Result<(), Error>;
}

/// What housekeeping looks for. The rules are those of [`maintain`](super::maintain); a store only has to find the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Open buckets whose `period_end` is at or before the instant.
    Close(Timestamp),
    /// Buckets with live leases whose `next_sweep` is at or before the instant.
    Sweep(Timestamp),
    /// Closed buckets whose `clk` is at or before the instant.
    Retire(Timestamp),
}

/// The further reads and removals of housekeeping. A candidate that is found too often is only looked at again.
pub trait UpkeepRows: Rows {
    /// Buckets that are due, at most `max`.
    fn due_buckets(&mut self, due: Due, max: usize) -> Result<Vec<BucketKey>, Error>;
    /// The limit's open buckets, at most `max`.
    fn open_buckets(&mut self, limit_id: &LimitId, max: usize) -> Result<Vec<BucketKey>, Error>;
    /// Leases that may be folded: last heard of at or before `before`, with nothing open, in buckets
    /// whose period does not end (or in any bucket, where a bucket and its leases share a row of bounded size).
    fn silent_leases(&mut self, before: Timestamp, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error>;
    /// Expired leases of a holder, at most `max`.
    fn expired_leases(&mut self, holder: &HolderId, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error>;
    /// Removes a lease's row.
    fn remove_lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<(), Error>;
    /// Removes a bucket's row with its leases and refund ids.
    fn remove_bucket(&mut self, key: &BucketKey) -> Result<(), Error>;
    /// Removes operation records and rate cells that expired at or before `now`, at most `max`; says how many.
    fn remove_expired(&mut self, now: Timestamp, max: usize) -> Result<usize, Error>;
}
