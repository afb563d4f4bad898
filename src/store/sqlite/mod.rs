//! The default store: one SQLite file, shared by the processes of one host.

mod breaker;
mod check;
mod columns;
mod connect;
mod failure;
mod faults;
mod fence;
mod fork;
mod generation;
mod key_row;
mod mapped;
mod queue;
mod reader;
mod schema;
mod session;
mod word;
mod writer;

#[cfg(test)]
mod spawn;
#[cfg(test)]
mod tempdir;
