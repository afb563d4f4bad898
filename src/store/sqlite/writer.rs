//! The one thread that writes. All calls that wait run in order in one transaction, each in a savepoint of its own, and
//! are answered after the one commit: waiting for the disk is shared.

use super::connect::{self, is_busy, pause};
use super::failure::store_error;
use super::faults;
use super::fence::{Fence, LOOK_EVERY_US, Mended, UnderLock, coarse_micros, stored_generation};
use super::queue::{Call, Next, Queue};
use super::transaction::Transaction;
use super::turn::Turn;
use crate::clock::monotonic_micros;
use crate::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, ErrorCode};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// At most so many calls share one commit.
const MAX_BATCH: usize = 256;
/// How long mending the fence waits for the write lock before calls are looked at again.
const MEND_PATIENCE: Duration = Duration::from_millis(20);

/// What the thread works with.
pub(super) struct Writer {
    database: PathBuf,
    connection: Connection,
    queue: Arc<Queue>,
    fence: Arc<Fence>,
    turn: Turn,
}

type Batch = Vec<Box<dyn Call>>;

impl Writer {
    /// A writer on its own connection to `database`.
    pub(super) fn new(
        database: PathBuf,
        connection: Connection,
        queue: Arc<Queue>,
        fence: Arc<Fence>,
        turn: Turn,
    ) -> Self {
        Self { database, connection, queue, fence, turn }
    }

    /// Serves calls until the queue is closed and empty. Between calls it looks at the files and mends the fence.
    pub(super) fn run(mut self) {
        let look_every = Duration::from_micros(LOOK_EVERY_US.unsigned_abs());
        let mut batch = Batch::new();
        while self.queue.take(&mut batch, look_every, MAX_BATCH) == Next::Go {
            // A look that fails is repeated by the calls themselves, which then get its error.
            let _ = self.fence.look_if_due(coarse_micros());
            if self.fence.wants_mending() {
                self.mend();
            }
            if !batch.is_empty() {
                self.serve(&mut batch);
            }
        }
    }

    fn serve(&mut self, batch: &mut Batch) {
        match self.lock(batch) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return fail_all(batch, &error),
        }
        // Whoever came while this thread waited for the lock shares the commit.
        self.queue.top_up(batch, MAX_BATCH);
        batch.retain(|call| call.take());
        match self.transact(batch) {
            Ok((hold_until, changes)) => {
                for (call, changes) in batch.drain(..).zip(changes) {
                    call.answer(hold_until.filter(|_| changes));
                }
            }
            Err(error) => {
                self.roll_back();
                fail_all(batch, &error);
            }
        }
    }

    /// Takes the write lock; `false` when nobody waits for it any more.
    fn lock(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let file = self.fence.file();
        if let Some(file) = file {
            self.turn.give_way(file);
        }
        for tries in 0.. {
            match self.execute("BEGIN IMMEDIATE") {
                Err(e) if is_busy(&e) => {
                    if let Some(file) = file {
                        self.turn.ask(file);
                    }
                }
                Err(e) => return Err(store_error("beginning a transaction", &e)),
                Ok(()) => {
                    if let Some(file) = file.filter(|_| tries > 0) {
                        self.turn.take(file);
                    }
                    return Ok(true);
                }
            }
            batch.retain(|call| !call.is_abandoned());
            if batch.is_empty() {
                break;
            }
            pause(tries);
        }
        Ok(false)
    }

    /// Runs the calls and commits. Says until when answers to changes of records are held back, and which those are.
    /// After an error nothing stands, unless it says that this is not known.
    fn transact(&self, batch: &mut Batch) -> Result<(Option<i64>, Vec<bool>), StoreError> {
        self.fence.check_database()?;
        let mut transaction = Transaction::new(&self.connection, &self.fence);
        let mut changes = Vec::with_capacity(batch.len());
        for call in batch.iter_mut() {
            changes.push(self.run_one(call.as_mut(), &mut transaction)?);
        }
        faults::point("before the mark");
        let hold_until = match transaction.finish()? {
            Some((lock, generation)) => self.commit_change(lock, generation)?,
            None => {
                self.commit()?;
                faults::point("after the commit");
                None
            }
        };
        Ok((hold_until, changes))
    }

    /// Runs one call in its savepoint; whether it changed records.
    fn run_one(&self, call: &mut dyn Call, transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
        let step = |sql| self.execute(sql).map_err(|e| store_error("running a call", &e));
        step("SAVEPOINT tk_call")?;
        let kept = call.run(transaction);
        let changes = transaction.next_call();
        if !kept {
            if self.connection.is_autocommit() {
                // SQLite gave the whole transaction up, as it does when the disk is full.
                let kind = call.failure().unwrap_or(StoreErrorKind::Unavailable);
                return Err(StoreError::new(
                    kind,
                    "the database gave up a transaction; none of its writes stands",
                ));
            }
            step("ROLLBACK TO tk_call")?;
        }
        step("RELEASE tk_call")?;
        Ok(kept && changes)
    }

    /// Commits a change of records behind the fence; until when it must not return.
    fn commit_change(&self, lock: UnderLock, generation: u64) -> Result<Option<i64>, StoreError> {
        let pending = self.fence.begin(lock, monotonic_micros())?;
        faults::point("before the commit");
        if let Err(error) = self.commit() {
            self.fence.abandon(pending);
            return Err(error);
        }
        faults::point("after the commit");
        let hold_until = self.fence.publish(pending, generation, monotonic_micros());
        faults::point("after the publication");
        Ok(hold_until)
    }

    fn commit(&self) -> Result<(), StoreError> {
        self.execute("COMMIT").map_err(|error| {
            let failure = store_error("committing", &error);
            // If the log was written and could not be flushed, a recovery may yet find the transaction in it.
            match error.sqlite_error_code() {
                Some(ErrorCode::SystemIoFailure) => {
                    StoreError::new(StoreErrorKind::OutcomeUnknown, failure.to_string())
                }
                _ => failure,
            }
        })
    }

    /// Sets the generation word to what the database holds.
    fn mend(&mut self) {
        let locked = connect::retry_while_busy(MEND_PATIENCE, || self.execute("BEGIN IMMEDIATE"));
        if locked.is_err() {
            // Its holder is alive, or the next round finds the lock free.
            return;
        }
        let mended = stored_generation(&self.connection)
            .and_then(|generation| self.fence.mend(UnderLock { generation }, monotonic_micros()));
        if let Ok(Mended::DatabaseWentBack { .. }) = mended {
            let mut transaction = Transaction::new(&self.connection, &self.fence);
            let raised = transaction.next_generation().and_then(|_| transaction.finish());
            if let Ok(Some((lock, generation))) = raised {
                // What is held back is an answer, and nobody waits for one here.
                let _ = self.commit_change(lock, generation);
            }
        }
        self.roll_back();
    }

    fn roll_back(&mut self) {
        if self.connection.is_autocommit() || self.execute("ROLLBACK").is_ok() {
            return;
        }
        // A connection that can't even roll back is of no use any more; closing it drops its transaction.
        if let Ok(fresh) = connect::writer(&self.database, MEND_PATIENCE) {
            self.connection = fresh;
        }
    }

    fn execute(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

fn fail_all(batch: &mut Batch, error: &StoreError) {
    for call in batch.drain(..) {
        call.fail(StoreError::new(error.kind(), error.to_string()));
    }
}
