//! The write transaction as a call sees it.

use super::failure::{corrupt, store_error};
use super::fence::{Fence, UnderLock, stored_generation};
use crate::clock::monotonic_micros;
use crate::store::StoreError;
use rusqlite::Connection;

/// A transaction that holds the write lock.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    fence: &'a Fence,
    /// The generation before the first change of records, and the highest that any process may have seen.
    began: Option<(u64, u64)>,
    call_changes: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(connection: &'a Connection, fence: &'a Fence) -> Self {
        Self { connection, fence, began: None, call_changes: false }
    }

    /// The next generation, for a change of records by the present call. The triggers that watch other programs stand
    /// aside from here on.
    ///
    /// If the database went back to an earlier state, the generation rises above all that was seen of the later one, and
    /// caches are told to forget everything.
    ///
    /// # Errors
    /// Those of SQLite, and when the database file was replaced.
    pub(super) fn next_generation(&mut self) -> Result<u64, StoreError> {
        let highest = match self.began {
            Some((_, highest)) => highest,
            None => {
                let before = stored_generation(self.connection)?;
                let highest = self.fence.highest(UnderLock { generation: before }, monotonic_micros())?;
                self.began = Some((before, highest));
                highest
            }
        };
        let failed = |e| store_error("taking the next generation", &e);
        let mut raise = self
            .connection
            .prepare_cached(
                "UPDATE tk_store SET writing = 1, generation = max(generation, ?1) + 1,
                   forgotten_upto = CASE WHEN generation < ?1 THEN ?1 + 1 ELSE forgotten_upto END
                 RETURNING generation",
            )
            .map_err(failed)?;
        let next: i64 = raise.query_row([highest.cast_signed()], |row| row.get(0)).map_err(failed)?;
        self.call_changes = true;
        u64::try_from(next).map_err(|_| corrupt("the generation in `tk_store` is negative"))
    }

    /// Begins a call: says whether the one before took a generation.
    pub(super) fn next_call(&mut self) -> bool {
        std::mem::take(&mut self.call_changes)
    }

    /// Ends the changes of records. The generations before and after them, if there are any.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn finish(&self) -> Result<Option<(UnderLock, u64)>, StoreError> {
        let Some((before, _)) = self.began else { return Ok(None) };
        self.connection
            .prepare_cached("UPDATE tk_store SET writing = 0 WHERE writing = 1")
            .and_then(|mut statement| statement.execute([]))
            .map_err(|e| store_error("ending a change", &e))?;
        let after = stored_generation(self.connection)?;
        Ok((after != before).then_some((UnderLock { generation: before }, after)))
    }
}
