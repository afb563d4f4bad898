//! The four example hosts on loopback, driven by a plain HTTP client, each under its product's policy file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

// The hosts' own sources, found where the examples find them.
#[path = "../../examples/hosts/answers.rs"]
mod answers;
#[path = "../../examples/hosts/shelf.rs"]
mod shelf;

#[path = "../../examples/hosts/allmcp/app/mod.rs"]
mod allmcp_app;
#[path = "../../examples/hosts/mcpstack/app/mod.rs"]
mod mcpstack_app;
#[path = "../../examples/hosts/runstack/app/mod.rs"]
mod runstack_app;
#[path = "../../examples/hosts/runtype/app/mod.rs"]
mod runtype_app;

mod client;
mod host;

mod allmcp;
mod binaries;
mod mcpstack;
mod mcpstack_keys;
mod runstack;
mod runtype;
