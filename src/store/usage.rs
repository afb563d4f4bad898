//! The usage store's contract.

use super::CheckLine;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::limit::batch::{Batch, BatchReply};
use crate::limit::maintain::{Configure, Maintained};
use crate::limit::{Bucket, BucketKey, EventKind, HolderId, LimitId, Settlement};

/// Counts of limits.
///
/// # Contract
/// A store has no rule of its own: inside one transaction (or under its locks) it lends its rows to
/// [`batch::run`](crate::limit::batch::run) and its siblings and writes what they put. [`exchange`](Self::exchange) is
/// the only operation that moves a count. Methods may be called from any thread at once.
///
/// # Atomicity
/// One batch is one transaction: its rows stand or fall together. Stores that cannot say so in
/// [`Capabilities::atomic_batches`] and are only given batches of one request.
///
/// # Time
/// The store's own clock, which may step; the pure functions hold it to the rows' latest.
///
/// # Errors
/// A failure is an error, never a refusal and never an allow. When a batch may have been carried out the error's kind is
/// [`OutcomeUnknown`](crate::error::ErrorKind::OutcomeUnknown); the holder's next exchange settles it.
pub trait UsageStore: Send + Sync {
    /// Carries out one batch.
    ///
    /// # Errors
    /// As the trait says.
    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error>;

    /// Writes a newer configuration to the open buckets of one limit; an older one changes nothing. How many took it.
    ///
    /// # Errors
    /// As the trait says.
    fn configure(&self, change: &Configure) -> Result<usize, Error>;

    /// The buckets of these limits whose periods meet `[from, until)`, in the order of limit and period. Changes
    /// nothing.
    ///
    /// # Errors
    /// As the trait says.
    fn read(&self, limits: &[LimitId], from: Timestamp, until: Timestamp) -> Result<Vec<UsageRow>, Error>;

    /// The operator's word on the expired leases of a dead holder. How many were settled.
    ///
    /// # Errors
    /// As the trait says.
    fn settle(&self, holder: HolderId, settlement: Settlement) -> Result<usize, Error>;

    /// Sweeps, closes, folds and removes what is due; at most `budget` rows.
    ///
    /// # Errors
    /// As the trait says.
    fn maintain(&self, budget: usize) -> Result<Maintained, Error>;

    /// At most `max` events of the outbox after number `after`, in order. Each is delivered at least once: it stays
    /// until it is acknowledged.
    ///
    /// # Errors
    /// As the trait says.
    fn events(&self, after: u64, max: u32) -> Result<Vec<UsageEvent>, Error>;

    /// Removes the events up to number `upto`.
    ///
    /// # Errors
    /// As the trait says.
    fn acknowledge(&self, upto: u64) -> Result<(), Error>;

    /// Removes every row of these limits: one tenant's erasure.
    ///
    /// # Errors
    /// As the trait says.
    fn erase(&self, limits: &[LimitId]) -> Result<(), Error>;

    /// Recomputes every sum from its rows; one line per bucket that does not agree.
    ///
    /// # Errors
    /// As the trait says.
    fn audit(&self) -> Result<Vec<CheckLine>, Error>;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Checks that the store is reachable and safe.
    fn check(&self) -> Vec<CheckLine>;

    /// Finishes what is queued; later calls fail.
    ///
    /// # Errors
    /// Says what could not be written.
    fn close(&self) -> Result<(), Error>;
}

/// One bucket as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Which.
    pub key: BucketKey,
    /// Its numbers.
    pub bucket: Bucket,
}

/// One event of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEvent {
    /// Its number; rises.
    pub number: u64,
    /// The bucket concerned.
    pub key: BucketKey,
    /// What happened.
    pub kind: EventKind,
    /// When, in store time.
    pub at: Timestamp,
}

/// What a usage store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a batch of several requests is one transaction.
    pub atomic_batches: bool,
    /// Whether what it acknowledged survives the process.
    pub durable: bool,
    /// Most requests of one batch.
    pub batch_max: usize,
}
