//! The guards as tower layers and axum extractors, in front of small services, on a memory store and a clock that
//! stands still.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod costs;
mod extractors;
mod guard;
mod mcp;
mod mcp_sessions;
mod people;
mod settling;
mod support;
