//! Runtype: flows over REST, for keys with permissions, in two environments that share nothing.
//!
//! Which permission a route needs, and which environment a key belongs to, is in `examples/policies/runtype.toml`.
//!
//! ```sh
//! cargo run --example runtype --features axum-08 -- --listen 127.0.0.1:8080 --db runtype.db
//! curl http://127.0.0.1:8080/v1/flows -H "Authorization: Bearer rt_live_..."
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

const POLICY: &str = include_str!("../../policies/runtype.toml");

#[tokio::main]
async fn main() -> ExitCode {
    serve::run(POLICY, |builder| builder, app::router).await
}
