//! What the processes of one test tell each other, through a mapped file.

use super::generation::{Found, GenerationFile};
use super::tempdir::Dir;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const ID: [u8; 16] = [0xb0; 16];

/// What all processes of a run share besides the database: the newest change whose caller was told, and when to stop.
pub(super) struct Board(GenerationFile);

impl Board {
    pub(super) fn make(dir: &Dir) -> Self {
        Self(GenerationFile::replace(&dir.path("board"), &ID, 1, &dir.metadata()).unwrap())
    }

    pub(super) fn find(path: &str) -> Self {
        match GenerationFile::open(Path::new(path), &ID).unwrap() {
            Found::Ours(file) => Self(file),
            Found::Nothing => panic!("no board"),
        }
    }

    pub(super) fn promise(&self, generation: u64) {
        self.0.word().fetch_max(generation, Ordering::SeqCst);
    }

    pub(super) fn promised(&self) -> u64 {
        self.0.word().load(Ordering::SeqCst)
    }

    /// Counts one call that process `who` (0 or 1) was served.
    pub(super) fn count_call(&self, who: u64) {
        self.counter(who).fetch_add(1, Ordering::SeqCst);
    }

    /// How many it was served.
    pub(super) fn calls(&self, who: u64) -> u64 {
        self.counter(who).load(Ordering::SeqCst)
    }

    fn counter(&self, who: u64) -> &AtomicU64 {
        if who == 0 { self.0.word() } else { self.0.made_at() }
    }

    pub(super) fn stop(&self) {
        self.0.made_at().store(1, Ordering::SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.made_at().load(Ordering::SeqCst) == 1
    }

    /// Waits a while for the other writer. It can't go on if the stopped one holds the lock, so the wait is bounded.
    pub(super) fn await_changes_of_others(&self) {
        let before = self.promised();
        for _ in 0..500 {
            if self.promised() >= before + 3 {
                return;
            }
            std::thread::yield_now();
        }
    }
}
