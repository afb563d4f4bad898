//! t
mod records;
pub use records::MemoryRecords;
