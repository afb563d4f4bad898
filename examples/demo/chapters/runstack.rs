//! Runstack: counted tool calls, plans, and a revocation from another process.

use super::crash;
use crate::Checked;
use crate::client::{Answer, Request};
use crate::product::{ACCOUNT, Processes, Product, operator};
use crate::story::Story;
use serde_json::json;
use std::path::Path;
use tenantkit::{KeyEdit, NewKey};

const MCP: &str = "/mcp";

pub(crate) fn play(story: &mut Story, folder: &Path, processes: &Processes) -> Checked<()> {
    let mut host = Product::start("runstack", "runstack", folder, processes)?;
    story.chapter(&format!("Runstack, process {}: an MCP server, 50 executions per free key", host.pid));
    counting(story, &host)?;
    revocation(story, &host)?;
    crash::play(story, &mut host)
}

/// Executes a tool once.
pub(crate) fn execute(host: &Product, key: &str) -> Checked<Answer> {
    host.send(&Request::tool(MCP, "execute_tool", &json!({"tool": "github_create_issue"})).bearer(key))
}

/// Makes calls until `used` executions are counted; `from` are already.
fn execute_up_to(host: &Product, key: &str, from: u64, used: u64) -> Checked<()> {
    for call in from + 1..=used {
        let answer = execute(host, key)?;
        if answer.status != 200 || answer.code().is_some() {
            return Err(format!("execution {call} of 50 was refused: {}", answer.body));
        }
    }
    Ok(())
}

fn counting(story: &mut Story, host: &Product) -> Checked<()> {
    let nobody = host.send(&Request::tool(MCP, "search_tools", &json!({"query": "git"})))?;
    story.refusal(&nobody, 401, "missing_credential", "a call without a key")?;

    let (id, key) = host.issue(&NewKey::new(ACCOUNT, "Claude Desktop").user_id("ann").plan("FREE"))?;
    story.step(key.starts_with("rsk_"), "a key for ann on the plan FREE; its text is shown once")?;
    let search = host.send(&Request::tool(MCP, "search_tools", &json!({"query": "git"})).bearer(&key))?;
    story.status(&search, 200, "search_tools with the key: free")?;
    story.status(&host.get("/analytics", &key)?, 403, "analytics, which FREE does not include")?;

    execute_up_to(host, &key, 0, 39)?;
    story.bar(&host.usage(&id)?, 78, "normal")?;
    execute_up_to(host, &key, 39, 40)?;
    story.bar(&host.usage(&id)?, 80, "yellow")?;
    execute_up_to(host, &key, 40, 50)?;
    story.bar(&host.usage(&id)?, 100, "red")?;

    let refused = execute(host, &key)?;
    let told = "execution 51: a tool result, so that the caller's model reads why";
    story.refusal(&refused, 200, "usage_limit_reached", told)?;
    let search = host.send(&Request::tool(MCP, "search_tools", &json!({"query": "git"})).bearer(&key))?;
    story.status(&search, 200, "search_tools still works: only executions are used up")?;

    let upgrade = KeyEdit::default().plan("PRO");
    host.operator.update(&operator(), ACCOUNT, &id, &upgrade).map_err(|error| error.to_string())?;
    let after = execute(host, &key)?;
    story.step(after.code().is_none(), "an upgrade to PRO unblocks the same key at once")?;
    story.status(&host.get("/analytics", &key)?, 200, "analytics, which PRO includes")?;
    let line = host.usage(&id)?;
    story.step((line.count, line.included) == (51, None), "its count goes on: 51 of unlimited")
}

fn revocation(story: &mut Story, host: &Product) -> Checked<()> {
    let (id, key) = host.issue(&NewKey::new(ACCOUNT, "Cursor").user_id("bob"))?;
    let search = Request::tool(MCP, "search_tools", &json!({"query": "git"})).bearer(&key);
    story.status(&host.send(&search)?, 200, "bob's key works, and the host has it in its cache")?;
    host.operator.delete(&operator(), ACCOUNT, &id).map_err(|error| error.to_string())?;
    let own = std::process::id();
    let told = format!("deleted by process {own}: the very next call to process {}", host.pid);
    story.refusal(&host.send(&search)?, 401, "invalid_key", &told)
}
