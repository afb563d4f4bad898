//! Changes of several rows, made atomic on a store that can only compare and set one.
//!
//! 1. The change is worked out against what stands, including the version of the head row, and written as the intent.
//! 2. The head is compared and set to name the intent. **That is the commit.** If the head has moved on, what was worked
//!    out is out of date: the intent is withdrawn and all begins again.
//! 3. Each row is written if it still has the version it had; then the intent goes.
//!
//! Whoever finds an intent finishes it first: it commits it (if its head still stands), carries it out, removes it. An
//! intent whose head is past can never be committed by anybody, so removing it is safe. A late finisher's writes meet
//! newer versions and change nothing.

use super::layout::{self, HEAD, INTENT, decode, encode};
use super::{Row, RowStore};
use crate::store::{StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

/// What the head row says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) generation: u64,
    /// The intent that made it.
    intent: String,
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
    /// `None` removes the row.
    value: Option<Vec<u8>>,
}

impl RowWrite {
    pub(super) fn put<T: Serialize>(key: Vec<u8>, before: Option<&Row>, value: &T) -> Result<Self, StoreError> {
        Ok(Self { key, expected: before.map(|row| row.version), value: Some(encode(value)?) })
    }

    pub(super) fn delete(key: Vec<u8>, before: &Row) -> Self {
        Self { key, expected: Some(before.version), value: None }
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
    let next = Head { generation: intent.generation, intent: intent.id.clone() };
    let committed = rows.put_if_version(HEAD, intent.head_version, &encode(&next)?, None)?.is_some()
        || read_head(rows.get(HEAD)?.as_ref())?.intent == intent.id;
    if committed {
        intent.writes.iter().try_for_each(|write| carry_out(rows, write))?;
    }
    rows.delete_if_version(INTENT, intent_version)?;
    Ok(committed)
}

/// Does one write unless it is done: a row with another version than expected has been written by another finisher.
fn carry_out(rows: &dyn RowStore, write: &RowWrite) -> Result<(), StoreError> {
    match (&write.value, write.expected) {
        (Some(value), expected) => {
            rows.put_if_version(&write.key, expected, value, None)?;
        }
        (None, Some(version)) => {
            rows.delete_if_version(&write.key, version)?;
        }
        (None, None) => {}
    }
    Ok(())
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
