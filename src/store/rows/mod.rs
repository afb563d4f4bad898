//! A store for any database: implement four calls on opaque, versioned rows ([`RowStore`]), and the core does the rest.
//!
//! [`RowRecords`] keeps keys, tenants and the audit trail in such rows. A change of several rows is made atomic by one
//! *intent* row: it is written first, committed by one compare-and-set of the *head* row, then carried out row by row;
//! whoever meets a committed intent after a crash carries it out. Authorities read such a store on every check.

mod intent;
mod layout;
mod memory;
mod plan;
mod records;

pub use memory::MemoryRows;
pub use records::RowRecords;

use super::StoreError;
use crate::clock::Timestamp;

/// The longest row key, bytes.
pub const ROW_KEY_LEN_MAX: usize = 1_024;
/// The longest row value, bytes.
pub const ROW_VALUE_LEN_MAX: usize = 256 * 1_024;

/// Versioned rows in any database.
///
/// # Contract
/// Reads and writes are linearizable per key. A version is never 0 and is never used twice for one key, also not after
/// a delete. Calls come from any thread, several at once, with no lock of the engine held; they must not call back.
///
/// # Atomicity
/// Each call is atomic on its one row. Nothing else is asked.
///
/// # Durability
/// A write is durable when it returns.
///
/// # Errors
/// A failure is never an absence. [`OutcomeUnknown`](super::StoreErrorKind::OutcomeUnknown) when a write may have
/// happened. A panic is caught by nobody: do not panic.
pub trait RowStore: Send + Sync {
    /// The row with this key.
    ///
    /// # Errors
    /// As the trait says.
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError>;

    /// Writes the row if its version is `expected` (`None`: if there is no row) and returns its new version; `None` if
    /// it is not. `delete_after` is a hint: the row may be removed after that instant.
    ///
    /// # Errors
    /// As the trait says.
    fn put_if_version(
        &self,
        key: &[u8],
        expected: Option<u64>,
        value: &[u8],
        delete_after: Option<Timestamp>,
    ) -> Result<Option<u64>, StoreError>;

    /// Removes the row if its version is `expected`; whether it did.
    ///
    /// # Errors
    /// As the trait says.
    fn delete_if_version(&self, key: &[u8], expected: u64) -> Result<bool, StoreError>;

    /// At most `max` keys that begin with `prefix` and are greater than `after`, in byte order.
    ///
    /// # Errors
    /// As the trait says.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, StoreError>;
}

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its version.
    pub version: u64,
    /// Its bytes.
    pub value: Vec<u8>,
}
