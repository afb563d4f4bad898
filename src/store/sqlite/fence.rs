//! The fence: what a process may answer from its cache, and how a writer makes sure that no process answers from an
//! older one.
//!
//! Normally the answer is the generation word of the mapped file (`word.rs`, `generation.rs`). Where the file can't be
//! mapped, a connection of its own compares `PRAGMA data_version` on each check. Three things could fool either, and
//! each process looks for them every 250 ms, at the latest in the call that finds the last look older:
//!
//! * the generation file was replaced: the old mapping stands still. Whoever notices goes on with the present file, and
//!   a writer lets no change return until 500 ms after a file got its name;
//! * another program wrote to the database without touching the word: `data_version` moves all the same;
//! * the database itself was replaced or removed: every call answers an error until it is back, or opened anew.
//!
//! `data_version` stays still for the connection's own writes and inside an open transaction, so the checking
//! connection neither writes nor holds one.

use super::failure::{corrupt, store_error};
use super::generation::{FileIdentity, Found, GenerationFile};
use super::word::{self, Mark, Marks, Seen};
use crate::store::{Freshness, Generation, StoreError, StoreErrorKind};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// How old the last look at the files may be.
pub(super) const LOOK_EVERY_US: i64 = 250_000;
/// How long after a file got its name no change returns: twice the time between two looks.
const HOLD_US: i64 = 500_000;
/// How long one mark may stand before it is taken for a dead writer's.
const STALE_MARK_US: i64 = 100_000;
/// How many replaced files are followed before the process compares `data_version` instead.
const MAX_FILES: usize = 8;
/// No generation is that high, so nothing is answered from a cache.
const TRUST_NOTHING: u64 = u64::MAX;

/// What the database holds, read under its write lock, which the caller still has.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderLock {
    pub(super) generation: u64,
}

/// The present on the fence's two clocks, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instants {
    /// For the age of a look: a few nanoseconds a read. It stands still while the machine sleeps, as do all processes
    /// that share the database.
    pub(super) coarse_us: i64,
    /// For the age of a file: the same for all processes of the host.
    pub(super) boot_us: i64,
}

/// A change that is marked and not yet published.
#[must_use = "publish it after the commit, or abandon it"]
pub(super) struct Pending {
    mark: Option<(usize, Mark)>,
}

/// The fence of one open database.
pub(super) struct Fence {
    database: PathBuf,
    database_file: FileIdentity,
    database_id: [u8; 16],
    path: PathBuf,
    /// The mappings used so far; the last is in use. They stay until close, because a reader may be looking at one.
    files: [OnceLock<GenerationFile>; MAX_FILES],
    /// Index of the mapping in use; `MAX_FILES` when `data_version` is compared instead.
    current: AtomicUsize,
    /// A word below this is not believed.
    floor: AtomicU64,
    looked_at: AtomicI64,
    wants_mending: AtomicBool,
    marks: Marks,
    checker: Mutex<Checker>,
    mark_seen: Mutex<Option<(Mark, i64)>>,
}

/// The connection that compares `data_version`.
struct Checker {
    connection: Connection,
    /// The version last seen and the generation that belonged to it.
    last: Option<(i64, u64)>,
}

impl Fence {
    /// Opens or makes the generation file of `database`, a path without links. `connection` is for looking alone.
    ///
    /// # Errors
    /// When the database file itself can't be looked at. A generation file that can't be had is no error.
    pub(super) fn open(
        database: &Path,
        database_id: [u8; 16],
        tag: u64,
        connection: Connection,
        lock: UnderLock,
        now: Instants,
    ) -> Result<Self, StoreError> {
        let metadata =
            std::fs::metadata(database).map_err(|e| unavailable("looking at the database file", &e))?;
        let fence = Self {
            database: database.into(),
            database_file: FileIdentity::of(&metadata),
            database_id,
            path: GenerationFile::path_beside(database),
            files: Default::default(),
            current: AtomicUsize::new(0),
            floor: AtomicU64::new(TRUST_NOTHING),
            looked_at: AtomicI64::new(now.coarse_us),
            wants_mending: AtomicBool::new(false),
            marks: Marks::new(tag),
            checker: Mutex::new(Checker { connection, last: None }),
            mark_seen: Mutex::new(None),
        };
        fence.mend(lock, now.boot_us)?;
        Ok(fence)
    }

    /// Says that the database was made under this very lock: no process can have mapped an earlier generation file, so
    /// no change has to wait.
    pub(super) fn declare_first(&self) {
        if let Some(file) = self.file() {
            file.made_at().store(1, Ordering::Release);
        }
    }

    /// What may be answered from a cache by a call that began at `now_us` ([`coarse_micros`]).
    ///
    /// # Errors
    /// When the database was replaced or can't be looked at.
    pub(super) fn freshness(&self, now_us: i64) -> Result<Freshness, StoreError> {
        self.look_if_due(now_us)?;
        let Some(file) = self.file() else { return self.ask_database() };
        match word::load(file.word()) {
            Seen::Stable(g) if g >= self.floor.load(Ordering::Acquire) => Ok(Freshness::At(Generation(g))),
            Seen::Stable(_) => Ok(Freshness::ReadStore),
            Seen::Changing(mark) => {
                self.note_mark(mark, now_us);
                Ok(Freshness::ReadStore)
            }
        }
    }

    /// Makes sure that the database file is still the one that was opened.
    ///
    /// # Errors
    /// When it was replaced or can't be looked at.
    pub(super) fn check_database(&self) -> Result<(), StoreError> {
        self.look_at_database()
    }

    /// Looks at the files if the last look is older than 250 ms.
    ///
    /// # Errors
    /// When the database was replaced or can't be looked at. Every call fails then, until a look succeeds.
    pub(super) fn look_if_due(&self, now_us: i64) -> Result<(), StoreError> {
        if now_us.saturating_sub(self.looked_at.load(Ordering::Acquire)) < LOOK_EVERY_US {
            return Ok(());
        }
        let mut checker = self.checker.lock();
        // Another call may have looked while this one waited.
        if now_us.saturating_sub(self.looked_at.load(Ordering::Acquire)) >= LOOK_EVERY_US {
            self.look(&mut checker)?;
            // The time from before the look: what happens during it is found by the next.
            self.looked_at.store(now_us, Ordering::Release);
        }
        Ok(())
    }

    /// Whether somebody should take the write lock and call [`Self::mend`].
    pub(super) fn wants_mending(&self) -> bool {
        self.wants_mending.load(Ordering::Acquire)
    }

    /// Whether the generation is read from the mapped file.
    pub(super) fn is_mapped(&self) -> bool {
        self.file().is_some()
    }

    /// The highest generation that any process may have seen. It is above the database's own only if the database went
    /// back to an earlier state: then the caller raises it above this before the next change.
    ///
    /// # Errors
    /// When the database was replaced or can't be looked at.
    pub(super) fn highest(&self, lock: UnderLock, boot_us: i64) -> Result<u64, StoreError> {
        self.look_at_database()?;
        self.attach(lock, boot_us);
        Ok(match self.file().map(|file| word::load(file.word())) {
            Some(Seen::Stable(g)) => g.max(lock.generation),
            _ => lock.generation,
        })
    }

    /// Marks the word, as the last thing before the commit.
    ///
    /// # Errors
    /// When the database was replaced or can't be looked at: the caller rolls back.
    pub(super) fn begin(&self, lock: UnderLock, boot_us: i64) -> Result<Pending, StoreError> {
        self.look_at_database()?;
        self.attach(lock, boot_us);
        let index = self.current.load(Ordering::Acquire);
        let mark = self.file().map(|file| {
            let mark = self.marks.next();
            word::begin(file.word(), mark);
            (index, mark)
        });
        Ok(Pending { mark })
    }

    /// Publishes the generation that was committed, and says until when (boot clock) the change must not return.
    pub(super) fn publish(&self, pending: Pending, generation: u64, boot_us: i64) -> Option<i64> {
        let until = match pending.mark.and_then(|(index, mark)| Some((self.files.get(index)?.get()?, mark))) {
            Some((file, mark)) => {
                word::publish(file.word(), mark, generation);
                file.made_at().load(Ordering::Acquire).cast_signed().saturating_add(HOLD_US)
            }
            // Processes that do map the file notice this change by their next look.
            None => boot_us.saturating_add(HOLD_US),
        };
        (until > boot_us).then_some(until)
    }

    /// The commit failed, or nobody knows: the mark stays until it is mended.
    pub(super) fn abandon(&self, _pending: Pending) {
        self.wants_mending.store(true, Ordering::Release);
    }

    /// Sets the word to what the database holds.
    ///
    /// # Errors
    /// When the database was replaced or can't be looked at.
    pub(super) fn mend(&self, lock: UnderLock, boot_us: i64) -> Result<Mended, StoreError> {
        let highest = self.highest(lock, boot_us)?;
        if highest > lock.generation {
            return Ok(Mended::DatabaseWentBack { seen: highest });
        }
        if let Some(file) = self.file() {
            word::mend(file.word(), word::load(file.word()), lock.generation);
        }
        *self.mark_seen.lock() = None;
        self.floor.store(lock.generation, Ordering::Release);
        self.wants_mending.store(false, Ordering::Release);
        Ok(Mended::Done)
    }

    /// The mapping in use.
    pub(super) fn file(&self) -> Option<&GenerationFile> {
        self.files.get(self.current.load(Ordering::Acquire))?.get()
    }

    /// Goes on with the file that has the name now, or makes one. Only under the write lock.
    fn attach(&self, lock: UnderLock, boot_us: i64) {
        let current = self.current.load(Ordering::Acquire);
        let next = match self.files.get(current).map(OnceLock::get) {
            None => return,
            Some(Some(file)) if file.is_at(&self.path).unwrap_or(false) => return,
            Some(Some(_)) => current + 1,
            Some(None) => current,
        };
        let attached = match (self.files.get(next), self.find_or_make(lock)) {
            (Some(slot), Ok(file)) => {
                settle_age(&file, boot_us);
                // Only holders of the write lock get here, one at a time, so the slot is free.
                let _ = slot.set(file);
                next
            }
            _ => MAX_FILES,
        };
        // The word of another's file may be stale: nothing is answered from it until it has been mended.
        self.distrust();
        self.current.store(attached, Ordering::Release);
    }

    fn find_or_make(&self, lock: UnderLock) -> std::io::Result<GenerationFile> {
        match GenerationFile::open(&self.path, &self.database_id)? {
            Found::Ours(file) => Ok(file),
            Found::Nothing => {
                let owner = std::fs::metadata(&self.database)?;
                GenerationFile::replace(&self.path, &self.database_id, lock.generation, &owner)
            }
        }
    }

    fn distrust(&self) {
        self.floor.store(TRUST_NOTHING, Ordering::Release);
        self.wants_mending.store(true, Ordering::Release);
    }

    fn look(&self, checker: &mut Checker) -> Result<(), StoreError> {
        self.look_at_database()?;
        let Some(file) = self.file() else { return Ok(()) };
        let same = file.is_at(&self.path).map_err(|e| unavailable("looking at the generation file", &e))?;
        if !same {
            self.distrust();
            return Ok(());
        }
        // A writer may commit between the two readings; it does not do so many times in a row.
        for _ in 0..3 {
            let stored = checker.generation()?;
            match word::load(file.word()) {
                Seen::Stable(g) if g == stored => return Ok(()),
                Seen::Stable(_) => {}
                Seen::Changing(_) => return Ok(()),
            }
        }
        self.distrust();
        Ok(())
    }

    fn look_at_database(&self) -> Result<(), StoreError> {
        let metadata = std::fs::metadata(&self.database);
        let metadata = metadata.map_err(|e| unavailable("looking at the database file", &e))?;
        if FileIdentity::of(&metadata) == self.database_file {
            Ok(())
        } else {
            Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "the database file was replaced; open the store anew to use the present one",
            ))
        }
    }

    fn ask_database(&self) -> Result<Freshness, StoreError> {
        self.checker.lock().generation().map(|g| Freshness::At(Generation(g)))
    }

    fn note_mark(&self, mark: Mark, now_us: i64) {
        let mut seen = self.mark_seen.lock();
        match *seen {
            Some((same, since)) if same == mark => {
                if now_us.saturating_sub(since) >= STALE_MARK_US {
                    self.wants_mending.store(true, Ordering::Release);
                }
            }
            _ => *seen = Some((mark, now_us)),
        }
    }
}

/// What came of mending the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// The word is what the database holds.
    Done,
    /// The database went back to an earlier state, such as a backup copied into it: the caller raises its generation
    /// above `seen`, as a change of everything.
    DatabaseWentBack { seen: u64 },
}

impl Checker {
    /// The generation, read again only when `data_version` says that somebody has written.
    fn generation(&mut self) -> Result<u64, StoreError> {
        let read = |e| store_error("comparing the data version", &e);
        let version = self.connection.prepare_cached("PRAGMA data_version").map_err(read)?;
        let version = { version }.query_row([], |row| row.get(0)).map_err(read)?;
        if let Some((at, generation)) = self.last
            && at == version
        {
            return Ok(generation);
        }
        let generation = stored_generation(&self.connection)?;
        self.last = Some((version, generation));
        Ok(generation)
    }
}

/// The generation the database holds, as this connection sees it.
pub(super) fn stored_generation(connection: &Connection) -> Result<u64, StoreError> {
    let read = |e| store_error("reading the generation", &e);
    let mut statement = connection.prepare_cached("SELECT generation FROM tk_store").map_err(read)?;
    let generation: i64 = statement.query_row([], |row| row.get(0)).map_err(read)?;
    u64::try_from(generation).map_err(|_| corrupt("the generation in `tk_store` is negative"))
}

impl Instants {
    pub(super) fn now() -> Self {
        Self { coarse_us: coarse_micros(), boot_us: crate::clock::monotonic_micros() }
    }
}

/// The present as [`Instants::coarse_us`].
pub(super) fn coarse_micros() -> i64 {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::MonotonicCoarse;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(id);
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000)
}

/// Notes when the file got its name, if its maker did not live to do so or did so before the machine was started anew:
/// now is late enough, and the write lock admits no other here.
fn settle_age(file: &GenerationFile, boot_us: i64) {
    let made_at = file.made_at().load(Ordering::Acquire);
    if made_at == 0 || made_at > boot_us.cast_unsigned() {
        file.made_at().store(boot_us.cast_unsigned(), Ordering::Release);
    }
}

fn unavailable(doing: &str, error: &std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("{doing}: {error}"))
}

#[cfg(test)]
#[path = "fence_bench.rs"]
pub(super) mod bench;

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "fence_processes.rs"]
mod processes;
