//! The fence between real processes: two change a record and are killed or stopped between any two of their steps, two
//! answer from a cache. No answer may be older than a change whose caller had been told that it is done.

use super::super::board::Board;
use super::super::spawn::{self, Dice, Fate};
use super::super::tempdir::Dir;
use super::*;
use std::sync::atomic::AtomicU32;

const ID: [u8; 16] = [9; 16];
/// Lives of each of the two writers; all but a few end with `kill -9`.
const LIVES: u64 = 30;
const STEPS: u64 = 4;

/// What is special about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Mapped,
    /// The generation file's name is taken by a directory, so nobody can map it.
    Unmapped,
    /// Somebody removes the generation file now and then.
    Removed,
}

#[test]
fn inv_04_processes_that_map_the_file() {
    run(Case::Mapped, "inv_04_processes_that_map_the_file");
}

#[test]
fn inv_04_processes_that_compare_the_data_version() {
    run(Case::Unmapped, "inv_04_processes_that_compare_the_data_version");
}

#[test]
fn inv_04_processes_whose_file_is_removed_under_them() {
    run(Case::Removed, "inv_04_processes_whose_file_is_removed_under_them");
}

fn run(case: Case, test: &str) {
    match spawn::role().as_deref() {
        Some("writer") => Process::open().write(case),
        Some("reader") => Process::open().read(),
        _ => direct(case, &format!("store::sqlite::fence::processes::{test}")),
    }
}

/// Starts the processes, kills and continues them, and judges what they saw.
fn direct(case: Case, test: &str) {
    let dir = Dir::new();
    let board = Board::make(&dir);
    Connection::open(dir.path("keys.db"))
        .unwrap()
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE tk_store (generation INTEGER NOT NULL, record INTEGER NOT NULL);
             INSERT INTO tk_store VALUES (1, 1);",
        )
        .unwrap();
    if case == Case::Unmapped {
        std::fs::create_dir(dir.path("keys.db-gen")).unwrap();
    }
    let at = |name: &str| dir.path(name).to_str().unwrap().to_owned();
    let values =
        |seed: u64| [("DATABASE", at("keys.db")), ("BOARD", at("board")), ("SEED", seed.to_string())];
    let readers = [0, 1].map(|seed| spawn::start(test, "reader", &values(seed)));
    let killed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (board, killed, values, dir) = (&board, &killed, &values, &dir);
            scope.spawn(move || {
                let lives = if case == Case::Removed { LIVES / 3 } else { LIVES };
                for life in 0..lives {
                    let mut child = spawn::start(test, "writer", &values(writer * LIVES + life));
                    while spawn::wait(&child) == Fate::Stopped {
                        board.await_changes_of_others();
                        spawn::proceed(&child);
                    }
                    // The status was taken above; this only lets go of the pipe.
                    let _ = child.wait();
                    killed.fetch_add(1, Ordering::Relaxed);
                    if case == Case::Removed && life % 4 == 3 {
                        let _ = std::fs::remove_file(dir.path("keys.db-gen"));
                    }
                }
            });
        }
    });
    board.stop();
    let promised = board.promised();
    assert!(promised > 20, "only {promised} changes were acknowledged");
    for reader in readers {
        let lines = spawn::finish(reader);
        let counts: Vec<u64> = lines[0].split(' ').map(|n| n.parse().unwrap()).collect();
        let [cached, asked] = counts[..] else { panic!("{lines:?}") };
        assert!(cached > 100 && asked > 20, "cached {cached}, asked {asked}: too little was seen");
        eprintln!(
            "{case:?}: {promised} changes, {} lives, {cached} cached, {asked} asked",
            killed.load(Ordering::Relaxed)
        );
    }
}

/// One process of a run.
struct Process {
    board: Board,
    connection: Connection,
    fence: Fence,
    dice: Dice,
}

impl Process {
    fn open() -> Self {
        let database = spawn::text("DATABASE");
        let connect = || {
            let connection = Connection::open(&database).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
            // Power is not cut here, and kill -9 leaves what was written.
            connection.pragma_update(None, "synchronous", "OFF").unwrap();
            connection
        };
        let (connection, checker) = (connect(), connect());
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let lock = UnderLock { generation: stored_generation(&connection).unwrap() };
        let tag = u64::from(std::process::id());
        let fence = Fence::open(Path::new(&database), ID, tag, checker, lock, Instants::now()).unwrap();
        connection.execute_batch("ROLLBACK").unwrap();
        let dice = Dice(spawn::number("SEED").wrapping_mul(0x9e37_79b9));
        Self { board: Board::find(&spawn::text("BOARD")), connection, fence, dice }
    }

    /// A few changes, the last of which ends between two of its steps.
    fn write(mut self, case: Case) {
        for _ in 0..self.dice.roll(6) {
            self.change(case, |_| {});
        }
        let fatal = self.dice.roll(STEPS);
        let stops = self.dice.roll(5) == 0;
        self.change(case, |step| match step == fatal {
            true if stops => spawn::stop(),
            true => spawn::die(),
            false => {}
        });
    }

    fn change(&mut self, case: Case, step: impl Fn(u64)) {
        self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let lock = UnderLock { generation: stored_generation(&self.connection).unwrap() };
        let boot_us = crate::clock::monotonic_micros();
        assert_eq!(self.fence.highest(lock, boot_us).unwrap(), lock.generation, "the word is never ahead");
        let generation = lock.generation + 1;
        let values = [generation.cast_signed()];
        self.connection.execute("UPDATE tk_store SET generation = ?1, record = ?1", values).unwrap();
        step(0);
        let pending = self.fence.begin(lock, boot_us).unwrap();
        step(1);
        self.connection.execute_batch("COMMIT").unwrap();
        step(2);
        let hold = self.fence.publish(pending, generation, crate::clock::monotonic_micros());
        step(3);
        // Where all compare the data version, nobody would need the wait: leaving it out makes the test sharper.
        if let (Some(until), true) = (hold, case != Case::Unmapped) {
            while crate::clock::monotonic_micros() < until {
                std::thread::yield_now();
            }
        }
        self.board.promise(generation);
    }

    /// Answers "what does the record say?" from a cache wherever the fence lets it.
    fn read(self) {
        let (mut cached, mut asked) = (0_u64, 0_u64);
        let mut cache: Option<(Generation, u64)> = None;
        while !self.board.is_stopped() {
            let promised = self.board.promised();
            let fresh = self.fence.freshness(coarse_micros()).unwrap();
            let record = match (fresh, cache) {
                (Freshness::At(g), Some((at, record))) if g == at => {
                    cached += 1;
                    record
                }
                _ => {
                    asked += 1;
                    let read = "SELECT record FROM tk_store";
                    let record: i64 = self.connection.query_row(read, [], |row| row.get(0)).unwrap();
                    let record = record.cast_unsigned();
                    if let (Freshness::At(g), true) =
                        (fresh, fresh == self.fence.freshness(coarse_micros()).unwrap())
                    {
                        cache = Some((g, record));
                    }
                    record
                }
            };
            assert!(
                record >= promised,
                "answered {record} after {promised} was promised ({fresh:?}, {cache:?})"
            );
            if self.fence.wants_mending() {
                self.mend();
            }
            // Leaves the cores to the writers, whose steps are what is tested.
            std::thread::yield_now();
        }
        spawn::report(format_args!("{cached} {asked}"));
    }

    fn mend(&self) {
        self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let lock = UnderLock { generation: stored_generation(&self.connection).unwrap() };
        assert_eq!(self.fence.mend(lock, crate::clock::monotonic_micros()).unwrap(), Mended::Done);
        self.connection.execute_batch("ROLLBACK").unwrap();
    }
}
