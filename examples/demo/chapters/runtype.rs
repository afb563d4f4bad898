//! Runtype: permissions, and test and live apart.

use crate::Checked;
use crate::client::Request;
use crate::product::{ACCOUNT, Processes, Product, operator};
use crate::story::Story;
use serde_json::json;
use std::path::Path;
use tenantkit::{NewKey, Rotation};

const FLOWS: &str = "/v1/flows";

pub(crate) fn play(story: &mut Story, folder: &Path, processes: &Processes) -> Checked<()> {
    let host = Product::start("runtype", "runtype", folder, processes)?;
    let title = "keys with permissions, in two environments that share nothing";
    story.chapter(&format!("Runtype, process {}: {title}", host.pid));
    environments(story, &host)?;
    endings(story, &host)
}

fn new_key(environment: &str) -> NewKey {
    NewKey::new(ACCOUNT, "pipeline").org_id("org_1").environment(environment)
}

fn environments(story: &mut Story, host: &Product) -> Checked<()> {
    let (_, live) = host.issue(&new_key("live").permissions(["FLOWS:READ", "FLOWS:WRITE"]))?;
    let (_, test) = host.issue(&new_key("test").template("full_access"))?;
    let named = live.starts_with("rt_live_") && test.starts_with("rt_test_");
    story.step(named, "two keys, rt_live_... and rt_test_...")?;
    let made = host.send(&Request::new("POST", FLOWS).bearer(&live).json(&json!({"name": "post"})))?;
    story.status(&made, 201, "the live key, with FLOWS:READ and FLOWS:WRITE, makes a flow")?;
    let flow = format!("{FLOWS}/{}", made.text("/id"));
    story.status(&host.get(&flow, &live)?, 200, "the live key reads it")?;
    story.refusal(&host.get(&flow, &test)?, 404, "resource_not_found", "the test key does not find it")?;
    let delete = host.send(&Request::new("DELETE", flow).bearer(&live))?;
    story.refusal(&delete, 403, "insufficient_permission", "the live key deletes it without FLOWS:DELETE")?;
    let bad = host.send(&Request::new("POST", FLOWS).bearer(&live).json(&json!({"colour": "red"})))?;
    story.refusal(&bad, 400, "validation_error", "a flow without a name and with an unknown field")
}

fn endings(story: &mut Story, host: &Product) -> Checked<()> {
    let (id, old) = host.issue(&new_key("live"))?;
    let rotated = host.operator.rotate(&operator(), ACCOUNT, &id, &Rotation::default());
    let new = rotated.map_err(|error| error.to_string())?.key.ok_or("a new key has a text")?;
    let both = (host.get(FLOWS, &old)?.status, host.get(FLOWS, new.reveal())?.status);
    story.step(both == (200, 200), "rotated by this process: for 24 hours the host takes both keys")?;
    host.operator.revoke(&operator(), ACCOUNT, &id).map_err(|error| error.to_string())?;
    let revoked = host.get(FLOWS, &old)?;
    story.refusal(&revoked, 401, "invalid_key", "revoked by this process: the host refuses the old key")?;
    let unknown = host.get(FLOWS, &format!("rt_live_{}", "A".repeat(43)))?;
    story.refusal(&unknown, 401, "invalid_key", "a key that never was")?;
    let without_id = |body: &serde_json::Value| {
        let mut error = body.get("error").cloned().unwrap_or_default();
        error.as_object_mut().map(|error| error.remove("request_id"));
        error
    };
    let alike = without_id(&revoked.json()) == without_id(&unknown.json());
    story.step(alike, "but for the request id both answers are the same: nobody learns which keys there were")
}
