//! Opening connections, all with the same settings. A connection belongs to one thread at a time and never keeps a
//! transaction open between two calls.

use super::check;
use super::failure::store_error;
use crate::store::{StoreError, StoreErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No value or statement may be larger, in bytes.
const MAX_VALUE_BYTES: i32 = 4 << 20;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 128;

/// The file's real path; an empty file of mode 0600 is made if there is none. Every process must arrive at one name for
/// one file, because the log and the generation file lie beside it.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] when the directory is missing or can't be written.
pub(super) fn locate(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |e: std::io::Error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("opening `{}`: {e}", path.display()))
    };
    // Only a new file is ever opened by other means than SQLite: closing one drops the locks that this process holds.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    path.canonicalize().map_err(failed)
}

/// A connection that writes, with the file in WAL mode.
///
/// # Errors
/// Those of SQLite; [`StoreErrorKind::Unsafe`] when a setting does not hold.
pub(super) fn writer(database: &Path, patience: Duration) -> Result<Connection, StoreError> {
    let connection = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |e| store_error("opening the database", &e);
    // Turning a new file to WAL needs it alone for a moment.
    let mode: String = retry_while_busy(patience, || {
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
    })
    .map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    let synchronous: i64 =
        connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(failed)?;
    check::settings(&mode, synchronous)?;
    Ok(connection)
}

/// A connection that only reads.
///
/// # Errors
/// Those of SQLite.
pub(super) fn reader(database: &Path) -> Result<Connection, StoreError> {
    let connection = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |e| store_error("opening the database", &e);
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    // It waits only for a recovery after a crash, which is short; no writer is starved by that.
    connection.busy_timeout(Duration::from_millis(100)).map_err(failed)?;
    Ok(connection)
}

fn open(database: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let failed = |e| store_error("opening the database", &e);
    // Neither CREATE (a removed file must not come back empty) nor URI (a path is a path).
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        connection.set_db_config(setting, on).map_err(failed)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES).map_err(failed)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // SQLite's own waiting starves a second process; whoever meets a lock waits in `retry_while_busy` or in the writer.
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    connection.pragma_update(None, "mmap_size", 0).map_err(failed)?;
    connection.pragma_update(None, "cell_size_check", true).map_err(failed)?;
    Ok(connection)
}

/// Tries again while another process holds a lock: at once, then after short sleeps, until `patience` is over.
pub(super) fn retry_while_busy<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let started = Instant::now();
    for tries in 0_u32.. {
        match attempt() {
            Err(e) if is_busy(&e) && started.elapsed() < patience => pause(tries),
            result => return result,
        }
    }
    attempt()
}

/// Whether another connection holds a lock that this one needs.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The wait before try number `tries + 1`: first only a turn for others, then a fifth of a millisecond at most, so that
/// whoever is let go first (`turn.rs`) finds the lock free in time.
pub(super) fn pause(tries: u32) {
    match tries {
        0..4 => std::thread::yield_now(),
        4..20 => std::thread::sleep(Duration::from_micros(50)),
        _ => std::thread::sleep(Duration::from_micros(200)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tempdir::Dir;
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_new_file_is_private() {
        let dir = Dir::new();
        let path = locate(&dir.path("keys.db")).unwrap();
        writer(&path, Duration::from_secs(1)).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        for name in ["keys.db", "keys.db-wal", "keys.db-shm"] {
            let mode = std::fs::metadata(dir.path(name)).map_or(0o600, |m| m.mode() & 0o777);
            assert_eq!(mode, 0o600, "{name}");
        }
    }

    #[test]
    fn all_names_of_a_file_lead_to_one() {
        let dir = Dir::new();
        let real = locate(&dir.path("keys.db")).unwrap();
        std::os::unix::fs::symlink(&real, dir.path("link.db")).unwrap();
        assert_eq!(locate(&dir.path("link.db")).unwrap(), real);
        assert_eq!(locate(&dir.path("./../").join(dir.root()).join("keys.db")).unwrap(), real);
        assert_eq!(locate(&dir.path("absent/keys.db")).unwrap_err().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn a_reader_can_not_write() {
        let dir = Dir::new();
        let path = locate(&dir.path("keys.db")).unwrap();
        writer(&path, Duration::from_secs(1)).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let reader = reader(&path).unwrap();
        assert!(reader.execute("INSERT INTO t VALUES (1)", []).is_err());
        let rows: u32 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0);
    }

    #[test]
    fn a_removed_file_does_not_come_back_empty() {
        let dir = Dir::new();
        let path = locate(&dir.path("keys.db")).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(reader(&path).unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(!path.exists());
    }
}
