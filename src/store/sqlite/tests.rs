//! The store in one process.

use super::tempdir::Dir;
use super::*;
use crate::store::RecordStore;

/// A store on a file of its own.
pub(super) fn store(dir: &Dir) -> SqliteStore {
    SqliteStore::open(dir.path("keys.db"), SqliteOptions::default()).unwrap()
}

#[cfg(feature = "conformance")]
#[test]
fn the_suite_of_record_stores_passes() {
    for case in crate::store::conformance::RECORD_CASES {
        let dir = Dir::new();
        eprintln!("{}", case.name);
        (case.run)(&store(&dir));
    }
}

#[test]
fn what_was_written_is_there_after_reopening() {
    let dir = Dir::new();
    let first = store(&dir);
    let mark = first.clock_mark(Some(crate::clock::Timestamp::from_seconds(7))).unwrap();
    first.close().unwrap();
    assert_eq!(store(&dir).clock_mark(None).unwrap(), mark);
}
