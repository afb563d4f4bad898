//! The default store: one SQLite file, shared by the processes of one host.

mod check;
mod connect;
mod failure;
mod faults;
mod fence;
mod fork;
mod generation;
mod mapped;
mod schema;
mod word;

#[cfg(test)]
mod spawn;
#[cfg(test)]
mod tempdir;
