//! Every store passes the public conformance suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use tenantkit::store::conformance::{RECORD_CASES, USAGE_CASES};
use tenantkit::store::memory::{MemoryRecords, MemoryUsage};
use tenantkit::store::rows::{MemoryRows, RowRecords};

#[test]
fn memory_records_conform() {
    for case in RECORD_CASES {
        println!("memory: {}", case.name);
        (case.run)(&MemoryRecords::new());
    }
}

#[test]
fn memory_usage_conforms() {
    for case in USAGE_CASES {
        println!("memory: {}", case.name);
        (case.run)(&MemoryUsage::new());
    }
}

#[test]
fn row_records_conform() {
    for case in RECORD_CASES {
        println!("rows: {}", case.name);
        (case.run)(&RowRecords::open(Arc::new(MemoryRows::default())).unwrap());
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_records_conform() {
    use tenantkit::store::sqlite::{SqliteOptions, SqliteStore};
    let dir = std::env::temp_dir().join(format!("tenantkit-stores-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    for case in RECORD_CASES {
        println!("sqlite: {}", case.name);
        let store =
            SqliteStore::open(dir.join(format!("{}.db", case.name)), SqliteOptions::default()).unwrap();
        (case.run)(&store);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_usage_conforms() {
    use tenantkit::store::sqlite::{SqliteOptions, SqliteStore};
    let dir = std::env::temp_dir().join(format!("tenantkit-usage-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    for case in USAGE_CASES {
        println!("sqlite: {}", case.name);
        let store =
            SqliteStore::open(dir.join(format!("{}.db", case.name)), SqliteOptions::default()).unwrap();
        (case.run)(&store);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
