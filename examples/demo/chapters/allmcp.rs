//! AllMCP: one form of key for one person, one company or a whole platform, and a rate per user.

use crate::Checked;
use crate::client::{Answer, Request};
use crate::product::{ACCOUNT, Processes, Product};
use crate::story::Story;
use serde_json::{Value, json};
use std::path::Path;
use tenantkit::NewKey;

/// More calls than a minute allows, however slow the machine is.
const MANY: u32 = 400;

pub(crate) fn play(story: &mut Story, folder: &Path, processes: &Processes) -> Checked<()> {
    let host = Product::start("allmcp", "allmcp-extended", folder, processes)?;
    let title = "one key for one person, one company or a whole platform";
    story.chapter(&format!("AllMCP, process {}: {title}", host.pid));
    tenants(story, &host)?;
    rate(story, &host)
}

fn key(host: &Product, preset: &str) -> Checked<String> {
    let new = NewKey::new(ACCOUNT, preset).preset(preset).org_id("o0").user_id("u0");
    host.issue(&new).map(|(_, key)| key)
}

fn tool(host: &Product, key: &str, query: &str, tool: &str, arguments: &Value) -> Checked<Answer> {
    host.send(&Request::tool(&format!("/mcp/{query}"), tool, arguments).header("X-API-Key", key))
}

fn tenants(story: &mut Story, host: &Product) -> Checked<()> {
    let (solo, client, platform) = (key(host, "solo")?, key(host, "client")?, key(host, "platform")?);
    let list = |key: &str, query: &str| tool(host, key, query, "list_connections", &json!({}));
    story.status(&list(&solo, "")?, 200, "a solo key needs no parameters")?;
    let refused = list(&solo, "?user_id=ann")?;
    story.refusal(&refused, 403, "user_mismatch", "a solo key for somebody else")?;
    story.status(&list(&client, "?user_id=ann")?, 200, "a client key for its user ann")?;
    let refused = list(&client, "")?;
    story.refusal(&refused, 400, "user_required", "a client key that does not say for whom")?;
    let refused = list(&client, "?user_id=ann&org_id=o1")?;
    story.refusal(&refused, 403, "org_mismatch", "a client key for another org")?;
    story.status(&list(&platform, "?org_id=o1&user_id=ann")?, 200, "a platform key for ann of the org o1")?;

    let slack = json!({"provider": "slack"});
    let connected = tool(host, &platform, "?org_id=o1&user_id=ann", "connect_provider", &slack)?;
    story.status(&connected, 200, "ann of o1 connects slack")?;
    let ann_elsewhere = list(&platform, "?org_id=o2&user_id=ann")?.text("/result/content/0/text");
    let text = "ann of o2 is somebody else and has no connections";
    story.step(ann_elsewhere == r#"{"connections":[]}"#, text)
}

fn rate(story: &mut Story, host: &Product) -> Checked<()> {
    let client = key(host, "client")?;
    let post =
        |user: &str| tool(host, &client, &format!("?user_id={user}"), "slack_post_message", &json!({}));
    for call in 1..=MANY {
        let answer = post("bob")?;
        if answer.status == 200 {
            continue;
        }
        story.refusal(
            &answer,
            429,
            "rate_limited",
            &format!("provider call {call} of bob, at 60 a minute"),
        )?;
        let wait = answer.header("retry-after").unwrap_or_default().to_owned();
        story.step(
            wait.parse::<u64>().is_ok(),
            &format!("the answer says how long to wait: Retry-After: {wait}"),
        )?;
        return story.status(&post("cleo")?, 200, "cleo, with the same key, has a rate of her own");
    }
    Err(format!("{MANY} calls of one user and none was refused"))
}
