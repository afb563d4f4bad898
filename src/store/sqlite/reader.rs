//! Connections that read. Each serves one thread at a time, on that thread, and keeps no transaction afterwards; one
//! that failed is closed.

use super::connect;
use super::failure::store_error;
use crate::clock::monotonic_micros;
use crate::store::{StoreError, StoreErrorKind};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How many steps of SQLite's machine lie between two looks at the deadline: a few microseconds of work.
const STEPS_PER_LOOK: i32 = 2_000;

/// A pool of reading connections, opened when they are first needed.
pub(super) struct Readers {
    database: PathBuf,
    pool: Mutex<Pool>,
    freed: Condvar,
    max: usize,
}

struct Pool {
    idle: Vec<Reader>,
    open: usize,
    closed: bool,
}

struct Reader {
    connection: Connection,
    /// When the present read is to be broken off, in [`monotonic_micros`].
    deadline_us: Arc<AtomicI64>,
}

impl Readers {
    pub(super) fn new(database: PathBuf, max: usize) -> Self {
        let pool = Pool { idle: Vec::with_capacity(max), open: 0, closed: false };
        Self { database, pool: Mutex::new(pool), freed: Condvar::new(), max: max.max(1) }
    }

    /// Runs `read` on a connection of its own.
    ///
    /// # Errors
    /// Those of `read`; `Timeout` when no connection was free, or the read was not done, by the deadline.
    pub(super) fn read<T>(
        &self,
        deadline_us: i64,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = self.borrow(deadline_us)?;
        reader.deadline_us.store(deadline_us, Ordering::Relaxed);
        let result = read(&reader.connection);
        let sound = reader.connection.is_autocommit()
            && !matches!(&result, Err(e) if matches!(e.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Timeout));
        self.give_back(sound.then_some(reader));
        result
    }

    /// Closes the idle connections; those in use are closed when they come back.
    pub(super) fn close(&self) {
        let mut pool = self.pool.lock();
        pool.closed = true;
        pool.open -= pool.idle.len();
        pool.idle.clear();
    }

    fn borrow(&self, deadline_us: i64) -> Result<Reader, StoreError> {
        let mut pool = self.pool.lock();
        loop {
            if pool.closed {
                return Err(super::queue::closed());
            }
            if let Some(reader) = pool.idle.pop() {
                return Ok(reader);
            }
            if pool.open < self.max {
                pool.open += 1;
                drop(pool);
                return self.open().inspect_err(|_| self.give_back(None));
            }
            let left_us = deadline_us.saturating_sub(monotonic_micros());
            if left_us <= 0 {
                let text = "every reading connection was busy until the deadline";
                return Err(StoreError::new(StoreErrorKind::Timeout, text));
            }
            self.freed.wait_for(&mut pool, Duration::from_micros(left_us.unsigned_abs()));
        }
    }

    fn give_back(&self, reader: Option<Reader>) {
        let mut pool = self.pool.lock();
        match reader {
            Some(reader) if !pool.closed => pool.idle.push(reader),
            _ => pool.open = pool.open.saturating_sub(1),
        }
        drop(pool);
        self.freed.notify_one();
    }

    fn open(&self) -> Result<Reader, StoreError> {
        let mut connection = connect::reader(&self.database)?;
        let deadline_us = Arc::new(AtomicI64::new(i64::MAX));
        let limit = Arc::clone(&deadline_us);
        let is_over = move || monotonic_micros() >= limit.load(Ordering::Relaxed);
        let failed = |e| store_error("opening the database", &e);
        connection.progress_handler(STEPS_PER_LOOK, Some(is_over)).map_err(failed)?;
        Ok(Reader { connection, deadline_us })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tempdir::Dir;
    use super::*;

    fn readers(max: usize) -> (Dir, Readers) {
        let dir = Dir::new();
        let path = connect::locate(&dir.path("keys.db")).unwrap();
        let writer = connect::writer(&path, Duration::from_secs(1)).unwrap();
        writer.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        (dir, Readers::new(path, max))
    }

    fn one(connection: &Connection) -> Result<i64, StoreError> {
        connection.query_row("SELECT a FROM t", [], |row| row.get(0)).map_err(|e| store_error("reading", &e))
    }

    #[test]
    fn a_connection_is_used_again() {
        let (_dir, readers) = readers(4);
        for _ in 0..5 {
            assert_eq!(readers.read(i64::MAX, one).unwrap(), 1);
        }
        let pool = readers.pool.lock();
        assert_eq!((pool.open, pool.idle.len()), (1, 1));
    }

    #[test]
    fn a_read_is_broken_off_at_its_deadline_and_its_connection_closed() {
        let (_dir, readers) = readers(1);
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let deadline = monotonic_micros() + 10_000;
        let error = readers.read(deadline, |connection| {
            connection.query_row(endless, [], |_| Ok(())).map_err(|e| store_error("reading", &e))
        });
        assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Timeout);
        assert_eq!(readers.pool.lock().open, 0);
        assert_eq!(readers.read(i64::MAX, one).unwrap(), 1);
    }

    #[test]
    fn a_caller_without_a_free_connection_gets_an_error_at_its_deadline() {
        let (_dir, readers) = readers(1);
        let held = readers.borrow(i64::MAX).unwrap();
        let error = readers.read(monotonic_micros() + 1_000, one).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        readers.give_back(Some(held));
        assert!(readers.read(i64::MAX, one).is_ok());
    }

    #[test]
    fn an_open_transaction_does_not_come_back_to_the_pool() {
        let (_dir, readers) = readers(1);
        readers
            .read(i64::MAX, |connection| {
                connection.execute_batch("BEGIN").map_err(|e| store_error("reading", &e))?;
                one(connection)
            })
            .unwrap();
        assert_eq!(readers.pool.lock().idle.len(), 0);
    }

    #[test]
    fn a_closed_pool_answers_so() {
        let (_dir, readers) = readers(1);
        readers.read(i64::MAX, one).unwrap();
        readers.close();
        assert_eq!(readers.read(i64::MAX, one).unwrap_err().kind(), StoreErrorKind::Closed);
    }
}
