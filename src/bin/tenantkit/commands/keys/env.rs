//! `keys env`: the line that programs read a key from, without the key.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use clap::Args;

/// Print the line of a `.env` file that a key goes into, without a key
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys env >> .env.example
  tenantkit keys create --name local --env-line >> .env      with a key, once
")]
pub(crate) struct Env {}

impl Env {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let names = context.policy()?.cli();
        let json = serde_json::json!({ "key_env": names.key_env, "org_env": names.org_env });
        context.out.report(&json, |_| format!("{}=\n", names.key_env))?;
        Ok(Exit::Done)
    }
}
