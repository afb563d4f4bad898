//! MCPStack: roles, keys that manage keys over REST, rotation, and public keys in web pages.

use crate::Checked;
use crate::client::{Answer, Request};
use crate::product::{ACCOUNT, Processes, Product};
use crate::story::Story;
use serde_json::{Value, json};
use std::path::Path;
use tenantkit::NewKey;

const ORG: &str = "/api/v1/organizations/org_1";
const PAGE: &str = "http://localhost:3000";

pub(crate) fn play(story: &mut Story, folder: &Path, processes: &Processes) -> Checked<()> {
    let host = Product::start("mcpstack", "mcpstack", folder, processes)?;
    let title = "service keys with a role, and public keys for web pages";
    story.chapter(&format!("MCPStack, process {}: {title}", host.pid));
    let (_, admin) = host.issue(&NewKey::new(ACCOUNT, "ops").org_id("org_1").role("admin"))?;
    roles(story, &host, &admin)?;
    rotation(story, &host, &admin)?;
    public(story, &host, &admin)
}

fn post(host: &Product, target: &str, key: &str, body: &Value) -> Checked<Answer> {
    host.send(&Request::new("POST", target).bearer(key).json(body))
}

fn roles(story: &mut Story, host: &Product, admin: &str) -> Checked<()> {
    let (servers, keys) = (format!("{ORG}/servers"), format!("{ORG}/api-keys"));
    let made = post(host, &keys, admin, &json!({"name": "viewer", "role": "viewer"}))?;
    story.status(&made, 201, "an admin key makes a viewer key over REST")?;
    let viewer = made.text("/key");
    story.status(&host.get(&servers, &viewer)?, 200, "the viewer lists servers")?;
    let refused = post(host, &servers, &viewer, &json!({"name": "s"}))?;
    story.refusal(&refused, 403, "insufficient_permission", "the viewer makes a server")?;
    let missing = refused.json().pointer("/error/details/missing_permissions").cloned();
    story.step(
        missing == Some(json!(["servers:create"])),
        "the refusal names what is missing: servers:create",
    )?;

    let foreign = host.get("/api/v1/organizations/org_2/servers", &viewer)?;
    story.refusal(&foreign, 403, "org_mismatch", "another organisation, whether it exists or not")?;
    let refused = post(host, &keys, admin, &json!({"role": "king"}))?;
    story.status(&refused, 400, "a key without a name")?;
    let two = Request::new("GET", servers.as_str()).bearer(admin).header("X-API-Key", &viewer);
    story.refusal(&host.send(&two)?, 400, "credential_conflict", "two different keys in one request")?;
    let browser = Request::new("GET", servers.as_str()).bearer(admin).header("Origin", PAGE);
    story.refusal(&host.send(&browser)?, 403, "secret_key_in_browser", "a secret key from a web page")
}

fn rotation(story: &mut Story, host: &Product, admin: &str) -> Checked<()> {
    let (servers, keys) = (format!("{ORG}/servers"), format!("{ORG}/api-keys"));
    let old = post(host, &keys, admin, &json!({"name": "ci", "role": "developer"}))?;
    let path = format!("{keys}/{}", old.text("/id"));
    let new = post(host, &format!("{path}/rotate"), admin, &json!({"grace_s": 3600}))?;
    story.status(&new, 201, "the ci key is rotated with an hour of grace")?;
    let (old, new) = (old.text("/key"), new.text("/key"));
    story.status(&host.get(&servers, &old)?, 200, "the old key works")?;
    story.status(&host.get(&servers, &new)?, 200, "the new key works")?;
    let revoked = host.send(&Request::new("DELETE", path).bearer(admin))?;
    story.status(&revoked, 204, "the old key is revoked before its grace ends")?;
    story.refusal(&host.get(&servers, &old)?, 401, "invalid_key", "the old key, on the very next request")?;
    story.status(&host.get(&servers, &new)?, 200, "the new key goes on")
}

fn public(story: &mut Story, host: &Product, admin: &str) -> Checked<()> {
    let agent = post(host, &format!("{ORG}/agents"), admin, &json!({"name": "helper"}))?.text("/id");
    let public = json!({"kind": "public", "name": "site", "agentId": agent, "allowedOrigins": [PAGE]});
    let made = post(host, &format!("{ORG}/api-keys"), admin, &public)?;
    story.status(&made, 201, &format!("a public key for one agent and the page {PAGE}"))?;
    let key = made.text("/key");
    let chat = || Request::new("POST", format!("/embed/v1/agents/{agent}/chat")).bearer(&key);
    story.status(&host.send(&chat().header("Origin", PAGE))?, 200, "a visitor of the page chats")?;
    let elsewhere = host.send(&chat().header("Origin", "https://evil.example"))?;
    story.refusal(&elsewhere, 403, "origin_not_allowed", "the same key on another page")?;
    let servers = Request::new("GET", format!("{ORG}/servers")).bearer(&key).header("Origin", PAGE);
    story.refusal(&host.send(&servers)?, 403, "kind_not_allowed", "the public key on the management API")
}
