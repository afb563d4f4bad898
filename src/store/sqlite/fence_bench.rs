//! What tests of the fence stand on.

use super::super::tempdir::Dir;
use super::*;

const ID: [u8; 16] = [9; 16];
pub(in super::super) const AT: Instants = Instants { coarse_us: 10_000_000, boot_us: 70_000_000 };

/// A database with nothing but a generation, and as many fences on it as a test wants.
pub(in super::super) struct Bench {
    pub(in super::super) dir: Dir,
    writer: Connection,
}

impl Bench {
    pub(in super::super) fn new() -> Self {
        let dir = Dir::new();
        let writer = Connection::open(dir.path("keys.db")).unwrap();
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE tk_store (generation INTEGER NOT NULL);
                 INSERT INTO tk_store VALUES (1);",
            )
            .unwrap();
        Self { dir, writer }
    }

    pub(in super::super) fn connection(&self) -> &Connection {
        &self.writer
    }

    pub(in super::super) fn database(&self) -> PathBuf {
        self.dir.path("keys.db")
    }

    pub(in super::super) fn generation_file(&self) -> PathBuf {
        self.dir.path("keys.db-gen")
    }

    pub(in super::super) fn fence_at(&self, now: Instants) -> Fence {
        let checker = Connection::open(self.database()).unwrap();
        let tag = now.coarse_us.cast_unsigned();
        self.locked(|lock| Fence::open(&self.database(), ID, tag, checker, lock, now).unwrap())
    }

    pub(in super::super) fn fence(&self) -> Fence {
        self.fence_at(AT)
    }

    pub(in super::super) fn locked<T>(&self, act: impl FnOnce(UnderLock) -> T) -> T {
        self.writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let result = act(UnderLock { generation: stored_generation(&self.writer).unwrap() });
        self.writer.execute_batch("ROLLBACK").unwrap();
        result
    }

    pub(in super::super) fn set_generation(&self, generation: u64) {
        self.writer.execute("UPDATE tk_store SET generation = ?1", [generation.cast_signed()]).unwrap();
    }

    /// A whole change through `fence`; until when it must not return.
    pub(in super::super) fn change(&self, fence: &Fence, boot_us: i64) -> Option<i64> {
        let (pending, generation) =
            self.locked(|lock| (fence.begin(lock, boot_us).unwrap(), lock.generation + 1));
        self.set_generation(generation);
        fence.publish(pending, generation, boot_us)
    }

    pub(in super::super) fn mend(&self, fence: &Fence) -> Mended {
        self.locked(|lock| fence.mend(lock, AT.boot_us).unwrap())
    }
}
