//! The smallest row store there is: a map. It shows what an implementation owes, and tests are run on it.

use super::{Row, RowStore};
use crate::clock::Timestamp;
use crate::store::StoreError;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows in memory, gone when the process ends.
#[derive(Default)]
pub struct MemoryRows(Mutex<State>);

#[derive(Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Row>,
    last_version: u64,
}

impl RowStore for MemoryRows {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        Ok(self.0.lock().rows.get(key).cloned())
    }

    fn put_if_version(
        &self,
        key: &[u8],
        expected: Option<u64>,
        value: &[u8],
        _delete_after: Option<Timestamp>,
    ) -> Result<Option<u64>, StoreError> {
        let mut state = self.0.lock();
        if state.rows.get(key).map(|row| row.version) != expected {
            return Ok(None);
        }
        // One counter for all rows: no version comes twice, also after a delete.
        state.last_version += 1;
        let version = state.last_version;
        state.rows.insert(key.to_vec(), Row { version, value: value.to_vec() });
        Ok(Some(version))
    }

    fn delete_if_version(&self, key: &[u8], expected: u64) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        let stands = state.rows.get(key).is_some_and(|row| row.version == expected);
        if stands {
            state.rows.remove(key);
        }
        Ok(stands)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        let state = self.0.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let keys = state.rows.range::<[u8], _>((start, Bound::Unbounded)).map(|(key, _)| key.clone());
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(max as usize).collect())
    }
}
