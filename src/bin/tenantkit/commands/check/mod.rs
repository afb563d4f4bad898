//! `check`: one request, decided.

pub(crate) mod answer;
pub(crate) mod given;

use crate::cli::OrgOption;
use crate::context::{Context, Missing};
use crate::failure::{Exit, Failure};
use clap::Args;
use given::Given;
use std::net::IpAddr;

/// Decide one request: exit 0 if it is allowed, 3 if it is denied
///
/// The key is read from stdin, a file or the policy's variable. An allowed request is counted, as it would be in the
/// product; with `--dry-run` it is judged and not counted.
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit check request --key ci.key
  tenantkit check --route 'GET /v1/flows?org_id=o1' --key - < ci.key
  tenantkit check execute_tool --user u1 --dry-run
  echo '{\"operation\":\"request\",\"key\":\"...\",\"user_id\":\"u1\"}' | tenantkit check --request - --json
")]
pub(crate) struct Check {
    /// The operation, as the policy names it
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    /// A method and a path, from which operation, tenant and resource follow
    #[arg(long, value_name = "METHOD PATH", conflicts_with_all = ["operation", "tool"])]
    route: Option<String>,
    /// An MCP tool, from which the operation follows
    #[arg(long, value_name = "NAME", conflicts_with = "operation")]
    tool: Option<String>,
    /// Where the key is: `-` is stdin, anything else a file; without it the policy's variable
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    key: Option<String>,
    /// The whole request as JSON, from stdin (`-`) or a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operation", "route", "tool"])]
    request: Option<String>,
    #[command(flatten)]
    facts: Facts,
    /// The request's id, for the error body
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

/// What a request says besides its key and its operation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Facts {
    #[command(flatten)]
    org: OrgOption,
    /// The user that the request names
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The query string, without `?`
    #[arg(long)]
    query: Option<String>,
    /// Units of the operation's variable meter
    #[arg(long, value_name = "UNITS")]
    cost: Option<u64>,
    /// The resource that is acted on
    #[arg(long, value_name = "TYPE:ID")]
    resource: Option<String>,
    /// The environment that the endpoint belongs to
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The browser's origin
    #[arg(long)]
    origin: Option<String>,
    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// A dimension that limits count by, such as `provider=github`
    #[arg(long = "dimension", value_name = "NAME=VALUE", value_parser = crate::commands::keys::pair)]
    dimensions: Vec<(String, String)>,
}

impl Check {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let given = Given::read(&self, context)?;
        let missing = if context.global.dry_run { Missing::Refuse } else { Missing::Make };
        context.with_session(missing, |session| {
            let decision = given.with_request(&session.policy, context, |request| {
                if context.global.dry_run {
                    session.authority.inspect(request)
                } else {
                    session.authority.authorize(request)
                }
            })?;
            let answer = answer::json(&session.policy, &decision, given.request_id());
            context.out.report(&answer, |style| answer::in_words(&decision, &context.names, style))?;
            Ok(if decision.is_allowed() { Exit::Done } else { Exit::Denied })
        })
    }
}
