//! AllMCP: one MCP server at `/mcp/` for the tools of many providers, each user with connections of its own.
//!
//! Which org and user a key may act for, and where the URL says so, is in `examples/policies/allmcp.toml`.
//!
//! ```sh
//! cargo run --example allmcp --features axum-08 -- --listen 127.0.0.1:8080 --db allmcp.db
//! ```

// The tests include these modules and use what is public in them.
#![allow(unreachable_pub, unused_imports)]

mod app;
#[path = "../serve.rs"]
mod serve;

use std::process::ExitCode;

const POLICY: &str = include_str!("../../policies/allmcp.toml");

#[tokio::main]
async fn main() -> ExitCode {
    serve::run(POLICY, |builder| builder, app::router).await
}
