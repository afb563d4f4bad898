//! The providers behind AllMCP. They have limits of their own, which AllMCP passes on.

use serde_json::{Value, json};
use std::sync::Arc;

/// Calls a tool of a provider.
pub type Upstream = Arc<dyn Fn(&str, &Value) -> Result<Value, RateLimited> + Send + Sync>;

/// The provider wants to be left alone for a while.
#[derive(Clone, Copy, Debug)]
pub struct RateLimited {
    /// Its `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
}

/// All providers.
pub const PROVIDERS: [&str; 3] = ["bitrix24", "github", "slack"];

/// All tools of providers; each name begins with its provider's.
pub const TOOLS: [(&str, &str); 4] = [
    ("bitrix24_list_deals", "List deals."),
    ("bitrix24_create_lead", "Create a lead."),
    ("github_create_issue", "Create an issue."),
    ("slack_post_message", "Post a message."),
];

/// Whose tool this is.
pub fn of_tool(tool: &str) -> Option<&'static str> {
    PROVIDERS
        .into_iter()
        .find(|provider| tool.strip_prefix(provider).is_some_and(|rest| rest.starts_with('_')))
}

/// A provider that always answers.
pub fn call(tool: &str, arguments: &Value) -> Result<Value, RateLimited> {
    Ok(json!({"tool": tool, "arguments": arguments, "ok": true}))
}
