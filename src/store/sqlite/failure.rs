//! What SQLite reports, in the store's own terms.

use crate::store::{StoreError, StoreErrorKind};
use rusqlite::{Error, ErrorCode, ffi};

/// The store error for `error`; `doing` says what was being done. Bound values never show up in SQLite's texts.
pub(super) fn store_error(doing: &str, error: &Error) -> StoreError {
    StoreError::new(kind_of(error), format!("{doing}: {error}"))
}

/// A row that can't be read.
pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, what.to_string())
}

fn kind_of(error: &Error) -> StoreErrorKind {
    use StoreErrorKind as Kind;
    match error {
        Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted => {
                Kind::Timeout
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
                Kind::Corrupt
            }
            ErrorCode::TooBig => Kind::TooLarge,
            ErrorCode::SchemaChanged => Kind::Schema,
            ErrorCode::SystemIoFailure if is_torn_file(failure.extended_code) => Kind::Corrupt,
            _ if misses_schema(message.as_deref()) => Kind::Schema,
            _ => Kind::Unavailable,
        },
        Error::SqlInputError { msg, .. } if misses_schema(Some(msg)) => Kind::Schema,
        // A column holds what no release of ours writes there, or the single row of a table is gone.
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows
        | Error::QueryReturnedMoreThanOneRow => Kind::Corrupt,
        _ => Kind::Unavailable,
    }
}

/// A page that should be there is not, or the file system says that it is damaged.
fn is_torn_file(extended_code: i32) -> bool {
    matches!(extended_code, ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS)
}

fn misses_schema(message: Option<&str>) -> bool {
    message.is_some_and(|m| m.starts_with("no such table") || m.starts_with("no such column"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn codes_map_to_kinds() {
        use StoreErrorKind as Kind;
        let cases = [
            (ffi::SQLITE_BUSY, Kind::Timeout),
            (ffi::SQLITE_BUSY_SNAPSHOT, Kind::Timeout),
            (ffi::SQLITE_FULL, Kind::Unavailable),
            (ffi::SQLITE_READONLY, Kind::Unavailable),
            (ffi::SQLITE_READONLY_DBMOVED, Kind::Unavailable),
            (ffi::SQLITE_IOERR_WRITE, Kind::Unavailable),
            (ffi::SQLITE_IOERR_SHORT_READ, Kind::Corrupt),
            (ffi::SQLITE_CORRUPT, Kind::Corrupt),
            (ffi::SQLITE_NOTADB, Kind::Corrupt),
            (ffi::SQLITE_CONSTRAINT_CHECK, Kind::Corrupt),
            (ffi::SQLITE_CANTOPEN, Kind::Unavailable),
            (ffi::SQLITE_NOMEM, Kind::Unavailable),
        ];
        for (code, kind) in cases {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(store_error("testing", &error).kind(), kind, "{code}");
        }
    }

    #[test]
    fn a_missing_table_is_a_matter_of_schema() {
        let connection = Connection::open_in_memory().unwrap();
        let error = connection.query_row("SELECT 1 FROM tk_key", [], |_| Ok(())).unwrap_err();
        assert_eq!(store_error("reading a key", &error).kind(), StoreErrorKind::Schema);
    }
}
