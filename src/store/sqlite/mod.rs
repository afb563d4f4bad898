//! The default store: one SQLite file, shared by the processes of one host. Records and counts live in one file, in
//! tables that begin with `tk_` and can be read in SQL.
//!
//! # How it works
//! One thread writes (`writer`); a few connections read, each for one thread at a time (`reader`). The log is in WAL mode
//! and flushed at each commit (`synchronous=FULL`), so what was acknowledged survives `kill -9` and a power cut. A small
//! mapped file beside the database (`fence`) tells every process whether its cache may still be used, so that a
//! revocation holds everywhere when its call returns.
//!
//! # What it needs
//! A local disk, SQLite 3.51.3 or later, one name for the file (no hard links), and the file for itself: no other copy of
//! SQLite in the same process may open it, as closing one drops the other's locks. Other programs may read it, and
//! write it if they must. To copy it while it is in use, use SQLite's backup, never a file copy.
//!
//! # Fork
//! A child of a fork gets [`StoreErrorKind::Forked`] from every call and opens the store anew; the inherited handle is
//! neither used nor closed there.

mod apply;
mod breaker;
mod check;
mod columns;
mod connect;
mod failure;
mod faults;
mod fence;
mod fork;
mod generation;
mod guard;
mod key_row;
mod ledger;
mod ledger_row;
mod mapped;
mod queue;
mod reader;
mod records;
mod schema;
mod sql;
mod tenant_row;
mod transaction;
mod turn;
mod usage;
mod word;
mod writer;

#[cfg(test)]
mod board;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod spawn;
#[cfg(test)]
mod tempdir;

use self::breaker::Breaker;
use self::fence::{Fence, Instants, UnderLock, coarse_micros, stored_generation};
use self::fork::ForkMark;
use self::ledger::Scan;
use self::queue::{Queue, Verdict};
use self::reader::Readers;
use self::transaction::Transaction;
use self::turn::Turn;
use self::writer::Writer;
use super::{CheckLine, Freshness, StoreError, StoreErrorKind};
use crate::clock::{Clock, SystemClock, monotonic_micros};
use crate::entropy::{Entropy, OsEntropy};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How a [`SqliteStore`] is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How long a read, or a write of records, may take. 5 seconds.
    pub deadline: Duration,
    /// How long an exchange of units may take. 250 milliseconds.
    pub exchange_deadline: Duration,
    /// How many writes may wait; further ones are refused at once. 1,024.
    pub queue_max: usize,
    /// How many connections read, at most. 4.
    pub readers_max: usize,
    /// Whether the schema is made or brought up to date at open; if not, an outdated one is refused. Yes.
    pub migrate: bool,
    /// The time of the ledger. The system's clock.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("deadline", &self.deadline)
            .field("exchange_deadline", &self.exchange_deadline)
            .field("queue_max", &self.queue_max)
            .field("readers_max", &self.readers_max)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            exchange_deadline: Duration::from_millis(250),
            queue_max: 1_024,
            readers_max: 4,
            migrate: true,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Records and counts in one SQLite file.
pub struct SqliteStore {
    inner: Arc<Inner>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the callers share with the writer thread. The thread keeps it alive, so in a forked child, where the thread is
/// missing, nothing of it is ever closed.
struct Inner {
    database: PathBuf,
    options: SqliteOptions,
    fork: ForkMark,
    fence: Arc<Fence>,
    queue: Arc<Queue>,
    readers: Readers,
    breaker: Breaker,
    scan: Arc<Mutex<Scan>>,
    closed: AtomicBool,
}

impl SqliteStore {
    /// Opens the file at `path`; makes it, with mode 0600, if there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unsafe`] when a check fails (network file system, hard links, another program's file, an old
    /// SQLite); [`StoreErrorKind::Schema`] when the schema is too new or has been changed, or is outdated and
    /// [`SqliteOptions::migrate`] is off; else what SQLite says.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let database = connect::locate(path.as_ref())?;
        check::refuse_unsafe(&check::before_open(&database))?;
        let connection = connect::writer(&database, options.deadline)?;
        let tag = process_tag()?;
        let fence = Arc::new(begin(&connection, &database, &options, tag)?);
        let queue = Arc::new(Queue::new(options.queue_max));
        let inner = Arc::new(Inner {
            readers: Readers::new(database.clone(), options.readers_max),
            fork: ForkMark::new(),
            fence: Arc::clone(&fence),
            queue: Arc::clone(&queue),
            breaker: Breaker::default(),
            scan: Arc::default(),
            closed: AtomicBool::new(false),
            database,
            options,
        });
        let kept = Arc::clone(&inner);
        let writer = Writer::new(inner.database.clone(), connection, queue, fence, Turn::new(tag));
        let thread = std::thread::Builder::new().name("tk-sqlite".to_owned()).spawn(move || {
            writer.run();
            drop(kept);
        });
        let thread = thread.map_err(|e| {
            StoreError::new(StoreErrorKind::Unavailable, format!("starting the writer thread: {e}"))
        })?;
        Ok(Self { inner, writer: Mutex::new(Some(thread)) })
    }

    /// The schema as a script for `sqlite3`, for sites where the program may not change it itself.
    #[must_use]
    pub fn schema_script() -> String {
        schema::script()
    }

    /// What can be checked of a database without opening it.
    #[must_use]
    pub fn check_file(path: &Path) -> Vec<CheckLine> {
        check::before_open(path)
    }

    /// The file's real path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.database
    }

    /// Runs a read on a connection of its own.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let now_us = self.enter()?;
        self.inner.fence.look_if_due(coarse_micros())?;
        let deadline_us = now_us.saturating_add(micros(self.inner.options.deadline));
        let result = self.inner.readers.read(deadline_us, read);
        self.inner.breaker.note(result.as_ref().err().map(StoreError::kind), monotonic_micros());
        result
    }

    /// Runs a write of records on the writer thread.
    fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<Verdict<T>, StoreError> + Send + 'static,
    {
        self.write_within(self.inner.options.deadline, write)
    }

    fn write_within<T, F>(&self, time: Duration, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<Verdict<T>, StoreError> + Send + 'static,
    {
        let now_us = self.enter()?;
        let result = self.inner.queue.call(now_us.saturating_add(micros(time)), write);
        self.inner.breaker.note(result.as_ref().err().map(StoreError::kind), monotonic_micros());
        result
    }

    /// What every call begins with. The time on the boot clock.
    fn enter(&self) -> Result<i64, StoreError> {
        self.inner.fork.check()?;
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(queue::closed());
        }
        let now_us = monotonic_micros();
        self.inner.breaker.admit(now_us)?;
        Ok(now_us)
    }

    /// The hot path: three atomic loads and a coarse clock, where the generation file is mapped.
    fn fresh(&self) -> Result<Freshness, StoreError> {
        let inner = &*self.inner;
        inner.fork.check()?;
        if inner.closed.load(Ordering::Acquire) {
            return Err(queue::closed());
        }
        let fresh = inner.fence.freshness(coarse_micros())?;
        if fresh == Freshness::ReadStore && inner.fence.wants_mending() {
            inner.queue.nudge();
        }
        Ok(fresh)
    }

    fn options(&self) -> &SqliteOptions {
        &self.inner.options
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.options.clock)
    }

    fn scan(&self) -> Arc<Mutex<Scan>> {
        Arc::clone(&self.inner.scan)
    }

    fn fence(&self) -> &Fence {
        &self.inner.fence
    }

    /// Serves what is queued, ends the writer thread and closes the connections. A second call does nothing.
    fn shut(&self) -> Result<(), StoreError> {
        self.inner.fork.check()?;
        self.inner.closed.store(true, Ordering::Release);
        self.inner.queue.close();
        let thread = self.writer.lock().take();
        let ended = thread.map_or(Ok(()), JoinHandle::join);
        self.inner.readers.close();
        ended.map_err(|_| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "the writer thread had ended by a panic; queued writes are lost",
            )
        })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // A forked child leaves everything as it is: closing would touch the parent's files.
        let _ = self.shut();
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.inner.database).finish_non_exhaustive()
    }
}

/// Under the write lock: brings the schema up to date and the fence into agreement with the database.
fn begin(
    connection: &Connection,
    database: &Path,
    options: &SqliteOptions,
    tag: u64,
) -> Result<Fence, StoreError> {
    let failed = |e| failure::store_error("opening the database", &e);
    connect::retry_while_busy(options.deadline, || connection.execute_batch("BEGIN IMMEDIATE"))
        .map_err(failed)?;
    let opened = begin_locked(connection, database, options, tag);
    let end = if opened.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(failed)?;
    opened
}

fn begin_locked(
    connection: &Connection,
    database: &Path,
    options: &SqliteOptions,
    tag: u64,
) -> Result<Fence, StoreError> {
    let standing = schema::inspect(connection)?;
    match standing {
        schema::Standing::Behind(version) if !options.migrate => {
            let text = format!("the schema has version {version}; run `tenantkit store migrate`");
            return Err(StoreError::new(StoreErrorKind::Schema, text));
        }
        _ => schema::migrate(connection)?,
    }
    let id: [u8; 16] = connection
        .query_row("SELECT database_id FROM tk_store", [], |row| row.get(0))
        .map_err(|e| failure::store_error("reading the database id", &e))?;
    let lock = UnderLock { generation: stored_generation(connection)? };
    let checker = connect::reader(database)?;
    let fence = Fence::open(database, id, tag, checker, lock, Instants::now())?;
    if standing == schema::Standing::Behind(0) {
        fence.declare_first();
    }
    Ok(fence)
}

/// Tells this use of the store from all others, in this process and elsewhere.
fn process_tag() -> Result<u64, StoreError> {
    let mut tag = [0; 8];
    let filled = OsEntropy.fill(&mut tag);
    filled.map_err(|e| StoreError::new(StoreErrorKind::Unavailable, e.to_string()))?;
    Ok(u64::from_ne_bytes(tag))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod usage_tests;
