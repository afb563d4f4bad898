//! Every store passes the public conformance suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use tenantkit::store::conformance::RECORD_CASES;
use tenantkit::store::memory::MemoryRecords;
use tenantkit::store::rows::{MemoryRows, RowRecords};

#[test]
fn memory_records_conform() {
    for case in RECORD_CASES {
        println!("memory: {}", case.name);
        (case.run)(&MemoryRecords::new());
    }
}

#[test]
fn row_records_conform() {
    for case in RECORD_CASES {
        println!("rows: {}", case.name);
        (case.run)(&RowRecords::open(Arc::new(MemoryRows::default())).unwrap());
    }
}
