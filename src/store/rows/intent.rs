//! Changes of several rows, made atomic on a store that can only compare and set one.
//!
//! 1. The change is worked out against what stands, including the version of the head row, and written as the intent.
//! 2. The head is compared and set to name the intent. **That is the commit.** If the head has moved on, what was worked
//!    out is out of date: the intent is withdrawn and all begins again.
//! 3. Each row is written if it still has the version it had; then the intent goes.
//!
//! Whoever finds an intent finishes it first: it commits it (if its head still stands), carries it out, removes it. An
//! intent whose head is past can never be committed by anybody, so removing it is safe. A late finisher's writes meet
//! newer versions and change nothing; for that, a removed row leaves a tombstone, or a finisher that slept could write
//! a row that was new to it and has been removed since.

use super::layout::{self, HEAD, INTENT, decode, encode};
use super::{Row, RowStore};
use crate::clock::Timestamp;
use crate::store::{StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

/// What the head row says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) generation: u64,
    /// The intents that made it and the generations before, the newest last: by them the writer of an intent that others
    /// finished learns that it stands.
    recent: Vec<String>,
}

/// So many intents are remembered in the head.
const RECENT_MAX: usize = 32;

/// A row as it stands for a change: its version, also of a tombstone, and its value, unless it is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) version: Option<u64>,
    pub(super) value: Option<Vec<u8>>,
}

/// What a removed row holds until the store forgets it.
const TOMBSTONE: &[u8] = &[0];
/// Tombstones are kept for longer than any process sleeps and goes on: 30 days.
const TOMBSTONE_US: i64 = 30 * 86_400 * 1_000_000;

/// Reads a row; a tombstone reads as absent.
pub(super) fn read(rows: &dyn RowStore, key: &[u8]) -> Result<Standing, StoreError> {
    Ok(rows.get(key)?.map_or_else(Standing::default, |row| Standing {
        version: Some(row.version),
        value: (row.value != TOMBSTONE).then_some(row.value),
    }))
}

/// A change on its way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    /// Random, so that two intents are never taken for one.
    id: String,
    head_version: Option<u64>,
    generation: u64,
    writes: Vec<RowWrite>,
}

/// One row of a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowWrite {
    key: Vec<u8>,
    expected: Option<u64>,
    value: Vec<u8>,
    /// Of tombstones: when the store may forget them.
    delete_after: Option<Timestamp>,
}

impl RowWrite {
    pub(super) fn put<T: Serialize>(key: Vec<u8>, before: &Standing, value: &T) -> Result<Self, StoreError> {
        Ok(Self { key, expected: before.version, value: encode(value)?, delete_after: None })
    }

    pub(super) fn is_of(&self, key: &[u8]) -> bool {
        self.key == key
    }

    pub(super) fn remove(key: Vec<u8>, before: &Standing, now: Timestamp) -> Self {
        let delete_after = Some(now.plus_micros(TOMBSTONE_US));
        Self { key, expected: before.version, value: TOMBSTONE.to_vec(), delete_after }
    }
}

/// Tries before a busy store is called overloaded.
const TRIES: u32 = 64;

/// Works a change out with `plan` against what stands and makes it stand, as the generation returned. `plan` may answer
/// without a change; it is called again when something moved meanwhile.
pub(super) fn commit<T>(
    rows: &dyn RowStore,
    id: impl Fn() -> Result<String, StoreError>,
    mut plan: impl FnMut(u64) -> Result<Result<Vec<RowWrite>, T>, StoreError>,
) -> Result<Result<u64, T>, StoreError> {
    for _ in 0..TRIES {
        finish_pending(rows)?;
        let head = rows.get(HEAD)?;
        let generation = read_head(head.as_ref())?.generation + 1;
        let writes = match plan(generation)? {
            Ok(writes) => writes,
            Err(answer) => return Ok(Err(answer)),
        };
        let intent = Intent { id: id()?, head_version: head.map(|row| row.version), generation, writes };
        let Some(version) = rows.put_if_version(INTENT, None, &encode(&intent)?, None)? else { continue };
        if finish(rows, &intent, version)? {
            return Ok(Ok(generation));
        }
    }
    Err(StoreError::new(StoreErrorKind::Overloaded, "too many changes at once; none of this one was made"))
}

/// Finishes what a crash may have left.
pub(super) fn finish_pending(rows: &dyn RowStore) -> Result<(), StoreError> {
    if let Some(row) = rows.get(INTENT)? {
        let intent: Intent = decode("intent", &row.value)?;
        finish(rows, &intent, row.version)?;
    }
    Ok(())
}

/// The generation that stands.
pub(super) fn generation(rows: &dyn RowStore) -> Result<u64, StoreError> {
    Ok(read_head(rows.get(HEAD)?.as_ref())?.generation)
}

fn read_head(row: Option<&Row>) -> Result<Head, StoreError> {
    row.map_or_else(|| Ok(Head::default()), |row| decode("head", &row.value))
}

/// Commits the intent if its head still stands, carries it out if it is committed, and removes it. Whether it stands.
fn finish(rows: &dyn RowStore, intent: &Intent, intent_version: u64) -> Result<bool, StoreError> {
    let committed = commit_head(rows, intent)?;
    if committed {
        for write in &intent.writes {
            // A row with another version than expected has been written by another finisher.
            rows.put_if_version(&write.key, write.expected, &write.value, write.delete_after)?;
        }
    }
    rows.delete_if_version(INTENT, intent_version)?;
    Ok(committed)
}

fn commit_head(rows: &dyn RowStore, intent: &Intent) -> Result<bool, StoreError> {
    let row = rows.get(HEAD)?;
    let head = read_head(row.as_ref())?;
    if head.recent.contains(&intent.id) {
        return Ok(true);
    }
    if row.map(|row| row.version) != intent.head_version {
        // Out of date, and never committed: unless so much has happened since that nobody remembers.
        let forgotten = head.generation >= intent.generation + RECENT_MAX as u64;
        return if forgotten {
            Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "a change was overtaken by many others"))
        } else {
            Ok(false)
        };
    }
    let mut recent = head.recent;
    recent.push(intent.id.clone());
    if recent.len() > RECENT_MAX {
        recent.remove(0);
    }
    let next = Head { generation: intent.generation, recent };
    if rows.put_if_version(HEAD, intent.head_version, &encode(&next)?, None)?.is_some() {
        return Ok(true);
    }
    // Somebody was faster: with this intent, or with another one.
    Ok(read_head(rows.get(HEAD)?.as_ref())?.recent.contains(&intent.id))
}

/// Row keys of a prefix, all of them, page by page.
pub(super) fn scan_all(rows: &dyn RowStore, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    const PAGE: u32 = 500;
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = rows.scan(prefix, all.last().map(Vec::as_slice), PAGE)?;
        let full = page.len() == PAGE as usize;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// A row that is read and written by itself: tried until nobody was faster.
pub(super) fn update<T, R>(
    rows: &dyn RowStore,
    key: &[u8],
    what: &str,
    mut change: impl FnMut(Option<T>) -> (Option<T>, R),
) -> Result<R, StoreError>
where
    T: Serialize + serde::de::DeserializeOwned,
{
    for _ in 0..TRIES {
        let row = rows.get(key)?;
        let value = row.as_ref().map(|row| decode::<T>(what, &row.value)).transpose()?;
        let (next, answer) = change(value);
        let Some(next) = next else { return Ok(answer) };
        let expected = row.map(|row| row.version);
        if rows.put_if_version(key, expected, &layout::encode(&next)?, None)?.is_some() {
            return Ok(answer);
        }
    }
    Err(StoreError::new(StoreErrorKind::Overloaded, format!("the {what} row is too busy")))
}
