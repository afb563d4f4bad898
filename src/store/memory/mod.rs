//! Both stores in memory: for tests and for programs of one process that may forget.

mod records;
mod usage;

pub use records::MemoryRecords;
pub use usage::MemoryUsage;
