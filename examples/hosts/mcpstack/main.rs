//! MCPStack: a management API for organisations, with service keys that have a role, and agents embedded in web pages
//! with public keys.
//!
//! Kinds of keys, roles, routes and origins are in `examples/policies/mcpstack.toml`.
//!
//! ```sh
//! export TENANTKIT_SEAL_KEY=$(openssl rand -hex 32)   # public keys can be shown again
//! export MCPSTACK_PEOPLE=s3cret=acme/ann/org_1/owner   # ann's token, for the first keys
//! cargo run --example mcpstack --features axum-08 -- --listen 127.0.0.1:8080 --db mcpstack.db
//! curl http://127.0.0.1:8080/api/v1/organizations/org_1/api-keys -H "Authorization: Bearer s3cret" \
//!   -d '{"name": "automation-bot", "role": "developer"}'
//! ```

// The tests include these modules and use what is public in them.
#![allow(unreachable_pub)]

#[path = "../answers.rs"]
mod answers;
mod app;
#[path = "../serve.rs"]
mod serve;
#[path = "../shelf.rs"]
mod shelf;

use std::process::ExitCode;

const POLICY: &str = include_str!("../../policies/mcpstack.toml");

#[tokio::main]
async fn main() -> ExitCode {
    let stack = app::Stack::new(app::People::from_environment());
    let asked = stack.clone();
    serve::run(POLICY, move |builder| asked.setup(builder), |authority| stack.router(authority)).await
}
