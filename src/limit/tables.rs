//! The rows of a usage store in plain maps: what the memory store keeps behind its locks, and the oracle of tests.

use super::gcra::RateCell;
use super::rows::{Due, Rows, UpkeepRows};
use super::{
    Bucket, BucketKey, EventKind, HolderId, Lease, LeaseId, LeaseState, LimitId, OperationId, OperationKey,
    OperationRecord, OperationScope, RefundId, Units,
};
use crate::clock::Timestamp;
use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All rows, or those of one shard.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    buckets: BTreeMap<BucketKey, Entry>,
    operations: BTreeMap<(OperationScope, OperationId), OperationRecord>,
    rates: BTreeMap<LimitId, RateCell>,
    events: VecDeque<(BucketKey, EventKind, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Entry {
    bucket: Bucket,
    leases: BTreeMap<LeaseId, Lease>,
    refunds: BTreeSet<RefundId>,
}

impl Tables {
    /// A bucket with all of its leases, for reading and audits.
    #[must_use]
    pub fn look(&self, key: &BucketKey) -> Option<(&Bucket, &BTreeMap<LeaseId, Lease>)> {
        self.buckets.get(key).map(|entry| (&entry.bucket, &entry.leases))
    }

    /// The keys of a limit's buckets, oldest epoch and period first.
    pub fn keys_of(&self, limit_id: &LimitId) -> impl Iterator<Item = &BucketKey> {
        let first = BucketKey {
            limit_id: *limit_id,
            epoch: super::ConfigVersion::default(),
            period_start: Timestamp::from_micros(i64::MIN),
        };
        self.buckets.range(first..).map(|(key, _)| key).take_while(move |key| key.limit_id == *limit_id)
    }

    /// The keys of all buckets.
    pub fn keys(&self) -> impl Iterator<Item = &BucketKey> {
        self.buckets.keys()
    }

    /// Takes the events that were pushed since the last call.
    pub fn take_events(&mut self) -> impl Iterator<Item = (BucketKey, EventKind, Timestamp)> {
        std::mem::take(&mut self.events).into_iter()
    }

    /// Removes a limit's buckets and rate; says how many rows.
    pub fn erase(&mut self, limit_id: &LimitId) -> usize {
        let keys: Vec<BucketKey> = self.keys_of(limit_id).copied().collect();
        for key in &keys {
            self.buckets.remove(key);
        }
        keys.len() + usize::from(self.rates.remove(limit_id).is_some())
    }
}

impl Rows for Tables {
    fn bucket(&mut self, key: &BucketKey) -> Result<Option<Bucket>, Error> {
        Ok(self.buckets.get(key).map(|entry| entry.bucket.clone()))
    }

    fn put_bucket(&mut self, key: &BucketKey, bucket: &Bucket) -> Result<(), Error> {
        match self.buckets.get_mut(key) {
            Some(entry) => entry.bucket.clone_from(bucket),
            None => {
                let entry =
                    Entry { bucket: bucket.clone(), leases: BTreeMap::new(), refunds: BTreeSet::new() };
                self.buckets.insert(*key, entry);
            }
        }
        Ok(())
    }

    fn lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<Option<Lease>, Error> {
        Ok(self.buckets.get(key).and_then(|entry| entry.leases.get(id)).copied())
    }

    fn put_lease(&mut self, key: &BucketKey, id: &LeaseId, lease: &Lease) -> Result<(), Error> {
        if let Some(entry) = self.buckets.get_mut(key) {
            entry.leases.insert(*id, *lease);
        }
        Ok(())
    }

    fn live_leases(
        &mut self,
        key: &BucketKey,
        until: Timestamp,
        max: usize,
    ) -> Result<Vec<(LeaseId, Lease)>, Error> {
        let leases = self.buckets.get(key).into_iter().flat_map(|entry| &entry.leases);
        let due = leases.filter(|(_, lease)| lease.state == LeaseState::Live && lease.expires_at <= until);
        Ok(due.take(max).map(|(id, lease)| (*id, *lease)).collect())
    }

    fn operation(&mut self, key: &OperationKey) -> Result<Option<OperationRecord>, Error> {
        Ok(self.operations.get(&(key.scope, key.id)).cloned())
    }

    fn put_operation(&mut self, key: &OperationKey, record: &OperationRecord) -> Result<(), Error> {
        self.operations.insert((key.scope, key.id), record.clone());
        Ok(())
    }

    fn remove_operation(&mut self, key: &OperationKey) -> Result<(), Error> {
        self.operations.remove(&(key.scope, key.id));
        Ok(())
    }

    fn has_refund(&mut self, key: &BucketKey, refund_id: &RefundId) -> Result<bool, Error> {
        Ok(self.buckets.get(key).is_some_and(|entry| entry.refunds.contains(refund_id)))
    }

    fn put_refund(&mut self, key: &BucketKey, refund_id: &RefundId, _: Units) -> Result<(), Error> {
        if let Some(entry) = self.buckets.get_mut(key) {
            entry.refunds.insert(*refund_id);
        }
        Ok(())
    }

    fn rate(&mut self, limit_id: &LimitId) -> Result<Option<RateCell>, Error> {
        Ok(self.rates.get(limit_id).copied())
    }

    fn put_rate(&mut self, limit_id: &LimitId, cell: &RateCell) -> Result<(), Error> {
        self.rates.insert(*limit_id, *cell);
        Ok(())
    }

    fn push_event(&mut self, key: &BucketKey, kind: EventKind, at: Timestamp) -> Result<(), Error> {
        self.events.push_back((*key, kind, at));
        Ok(())
    }
}

impl UpkeepRows for Tables {
    fn due_buckets(&mut self, due: Due, max: usize) -> Result<Vec<BucketKey>, Error> {
        let is_due = |bucket: &Bucket| match due {
            Due::Close(until) => !bucket.closed && bucket.period_end <= until,
            Due::Sweep(until) => bucket.live > 0 && bucket.next_sweep <= until,
            Due::Retire(until) => bucket.closed && bucket.clk <= until,
        };
        let found = self.buckets.iter().filter(|(_, entry)| is_due(&entry.bucket));
        Ok(found.take(max).map(|(key, _)| *key).collect())
    }

    fn open_buckets(&mut self, limit_id: &LimitId, max: usize) -> Result<Vec<BucketKey>, Error> {
        let is_open = |key: &&BucketKey| self.buckets.get(*key).is_some_and(|entry| !entry.bucket.closed);
        Ok(self.keys_of(limit_id).filter(is_open).take(max).copied().collect())
    }

    fn silent_leases(&mut self, before: Timestamp, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error> {
        let endless = self.buckets.iter().filter(|(_, e)| e.bucket.period_end == Timestamp::MAX);
        let leases = endless.flat_map(|(key, e)| e.leases.iter().map(|(id, lease)| (*key, *id, lease)));
        let silent = leases.filter(|(.., lease)| lease.last_at <= before && lease.open() == 0);
        Ok(silent.take(max).map(|(key, id, _)| (key, id)).collect())
    }

    fn expired_leases(&mut self, holder: &HolderId, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error> {
        let leases = self.buckets.iter().flat_map(|(key, e)| e.leases.iter().map(|(id, l)| (*key, *id, l)));
        let theirs = leases.filter(|(_, id, l)| id.holder == *holder && l.state == LeaseState::Expired);
        Ok(theirs.take(max).map(|(key, id, _)| (key, id)).collect())
    }

    fn remove_lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<(), Error> {
        if let Some(entry) = self.buckets.get_mut(key) {
            entry.leases.remove(id);
        }
        Ok(())
    }

    fn remove_bucket(&mut self, key: &BucketKey) -> Result<(), Error> {
        self.buckets.remove(key);
        Ok(())
    }

    fn remove_expired(&mut self, now: Timestamp, max: usize) -> Result<usize, Error> {
        let ended: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, r)| r.expires_at <= now)
            .map(|(key, _)| *key)
            .take(max)
            .collect();
        for key in &ended {
            self.operations.remove(key);
        }
        let left = max - ended.len();
        let drained: Vec<_> =
            self.rates.iter().filter(|(_, c)| c.expires_at <= now).map(|(id, _)| *id).take(left).collect();
        for id in &drained {
            self.rates.remove(id);
        }
        Ok(ended.len() + drained.len())
    }
}
