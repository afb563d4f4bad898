//! Both stores in memory: for tests and for programs of one process that may forget.

mod records;

pub use records::MemoryRecords;
