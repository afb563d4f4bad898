//! Runstack: an MCP server at `/mcp` whose tool calls are counted per key.
//!
//! Everything about keys, plans and counts is in `examples/policies/runstack.toml`; here is only what the product does.
//!
//! ```sh
//! cargo run --example runstack --features axum-08 -- --listen 127.0.0.1:8080 --db runstack.db
//! ```

// The tests include these modules and use what is public in them.
#![allow(unreachable_pub)]

mod app;
#[path = "../serve.rs"]
mod serve;

use std::process::ExitCode;

const POLICY: &str = include_str!("../../policies/runstack.toml");

#[tokio::main]
async fn main() -> ExitCode {
    serve::run(POLICY, app::setup, app::router).await
}
