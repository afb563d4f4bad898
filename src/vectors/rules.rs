//! Pure rules: each case has its inputs and what the rule makes of them.

mod keys;
mod limits;
mod network;

use super::answer::Answer;
use super::compare::differences;
use super::document::read;
use serde_json::{Map, Value};

/// What is wrong with one case.
pub(super) fn check(rule: &str, case: &Map<String, Value>) -> Vec<String> {
    let mut inputs = case.clone();
    inputs.remove("note");
    let Some(Value::Object(expect)) =
        inputs.remove("expect").filter(|expect| *expect != Value::Object(Map::new()))
    else {
        return vec!["a case needs an expectation".to_owned()];
    };
    match apply(rule, &inputs) {
        Err(what) => vec![what],
        Ok(answer) => differences(&expect, &answer),
    }
}

fn apply(rule: &str, inputs: &Map<String, Value>) -> Result<Answer, String> {
    match rule {
        "code" => keys::code(read(inputs)?),
        "key_generate" => keys::generate(read(inputs)?),
        "key_parse" => keys::parse(read(inputs)?),
        "key_scan" => keys::scan(read(inputs)?),
        "key_display" => keys::display(read(inputs)?),
        "key_digest" => keys::digest(read(inputs)?),
        "rate" => limits::rate(&read(inputs)?),
        "period" => limits::period(read(inputs)?),
        "threshold" => limits::threshold(&read(inputs)?),
        "instant" => limits::instant(&read(inputs)?),
        "tenant_id" => network::tenant_id(&read(inputs)?),
        "origin" => network::origin(&read(inputs)?),
        "origin_match" => network::origin_match(&read(inputs)?),
        "ip_allow" => network::ip_allow(&read(inputs)?),
        "client_address" => network::client_address(&read(inputs)?),
        "domain" => network::domain(&read(inputs)?),
        "resource" => network::resource(&read(inputs)?),
        "resource_allow" => network::resource_allow(&read(inputs)?),
        "user_proof" => network::user_proof(&read(inputs)?),
        "storage_key" => network::storage_key(&read(inputs)?),
        _ => Err("this runner does not know the rule".to_owned()),
    }
}
