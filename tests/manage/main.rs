//! Management through the public API alone, over the memory store, with a clock that is turned by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bindings;
mod domains;
mod edits;
mod ends;
mod faults;
mod imports;
mod issue;
mod listing;
mod plans;
mod races;
mod replays;
mod rights;
mod rotation;
mod secrets;
mod support;
mod tenants;
mod trail;
