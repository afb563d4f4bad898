//! Runstack: `/mcp` with four tools, executions counted per key.

use crate::client::Request;
use crate::host::{Host, admin, call_tool, message, open_session, rpc};
use crate::runstack_app;
use serde_json::{Value, json};
use tenantkit::{KeyEdit, NewKey};

const MCP: &str = "/mcp";

fn start() -> Host {
    Host::start_with("runstack", runstack_app::setup, runstack_app::router)
}

fn new_key(host: &Host, plan: &str) -> String {
    host.issue(NewKey::new("acme", "Claude Desktop").user_id("ann").plan(plan)).1
}

fn tool(host: &Host, key: &str, tool: &str, arguments: Value) -> crate::client::Answer {
    call_tool(host, MCP, |request| request.bearer(key), tool, arguments)
}

/// RS-01: a good key initializes and lists; without one there is a challenge.
#[test]
fn rs_01_a_key_opens_the_mcp_server() {
    let host = start();
    let key = new_key(&host, "FREE");
    let (opened, session) = open_session(&host, MCP, &key);
    assert_eq!((opened.status, session.is_empty()), (200, false));
    assert!(message(&opened)["result"]["serverInfo"].is_object());

    let list = rpc(MCP, &key, "tools/list", &json!({})).header("Mcp-Session-Id", &session);
    let names = message(&host.send(&list))["result"]["tools"].clone();
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search_tools", "check_authentication", "initiate_connection", "execute_tool"]);

    let nobody = host.send(&rpc(MCP, "", "initialize", &json!({})));
    assert_eq!(nobody.refusal(), (401, "missing_credential".into()));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
}

/// RS-03, RS-07 to RS-10, RS-26, A-01, A-44.
#[test]
fn rs_07_executions_count_and_nothing_else_does() {
    let host = start();
    let key = new_key(&host, "FREE");
    let connected = tool(&host, &key, "initiate_connection", json!({"product": "github"}));
    assert!(connected.body.contains("true"), "{}", connected.body);
    for _ in 0..60 {
        for (name, arguments) in [
            ("search_tools", json!({"query": "git"})),
            ("check_authentication", json!({"product": "github"})),
            ("initiate_connection", json!({"product": "github"})),
        ] {
            let answer = tool(&host, &key, name, arguments);
            assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{name}");
        }
    }
    for used in 1..=50 {
        let answer = tool(&host, &key, "execute_tool", json!({"tool": "github_create_issue"}));
        let left = format!("\"executions\";r={}", 50 - used);
        assert_eq!(answer.header("ratelimit"), Some(&*left), "execution {used}");
        assert!(answer.body.contains("github_create_issue has run"), "{}", answer.body);
    }
    let refused = tool(&host, &key, "execute_tool", json!({"tool": "github_create_issue"}));
    assert_eq!((refused.status, refused.header("retry-after")), (200, None));
    let result = message(&refused)["result"].clone();
    assert_eq!(result["isError"], true);
    assert_eq!(result["content"][0]["text"], "Lifetime limit of 50 executions used; do not retry.");
    let error: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["retryable"]),
        (&json!("usage_limit_reached"), &json!(false))
    );
    let still = tool(&host, &key, "search_tools", json!({"query": ""}));
    assert!(still.body.contains("slack_post"), "an exhausted client can still explain itself");
}

/// RS-06: entitlements of the plan.
#[test]
fn rs_06_private_endpoints_need_the_plan() {
    let host = start();
    for (plan, status) in [("FREE", 403), ("STARTER", 403), ("PRO", 200)] {
        let key = new_key(&host, plan);
        for path in ["/private/reports/1", "/analytics"] {
            let answer = host.get(path, &key);
            assert_eq!(answer.status, status, "{plan} {path}");
            if status == 403 {
                assert_eq!(answer.refusal().1, "entitlement_required");
            }
        }
    }
    assert_eq!(host.get("/private/x", "").refusal(), (401, "missing_credential".into()));
    assert_eq!(
        host.get("/private/../analytics", &new_key(&host, "PRO")).refusal(),
        (404, "resource_not_found".into())
    );
}

/// RS-27: the same key goes on with its count.
#[test]
fn rs_27_an_upgrade_unblocks() {
    let host = start();
    let (id, key) = host.issue(NewKey::new("acme", "k").user_id("ann"));
    for _ in 0..51 {
        tool(&host, &key, "execute_tool", json!({"tool": "x"}));
    }
    assert!(tool(&host, &key, "execute_tool", json!({"tool": "x"})).body.contains("usage_limit_reached"));
    host.authority.update(&admin(), "acme", &id, &KeyEdit::default().plan("STARTER")).unwrap();
    assert!(!tool(&host, &key, "execute_tool", json!({"tool": "x"})).body.contains("usage_limit_reached"));
}

/// RS-30: a deleted key is answered as one that never was, byte for byte.
#[test]
fn rs_30_a_deleted_key_is_unknown() {
    let host = start();
    let (id, key) = host.issue(NewKey::new("acme", "k").user_id("ann"));
    let ask = |key: &str| host.send(&rpc(MCP, key, "tools/list", &json!({})));
    assert_eq!(ask(&key).refusal_code(), None);
    host.authority.delete(&admin(), "acme", &id).unwrap();
    let unknown = format!("rsk_{}", "0".repeat(64));
    assert_eq!(ask(&key).refusal(), (401, "invalid_key".into()));
    for other in [unknown, "rsk_x".into(), key.to_uppercase(), key[..67].into()] {
        assert_eq!(ask(&other).fixed_part(), ask(&key).fixed_part(), "{other}");
    }
}

/// X-11, and that one user's connection is not another's.
#[test]
fn x_11_sessions_and_connections_belong_to_one_key() {
    let host = start();
    let ann = new_key(&host, "FREE");
    let bob = host.issue(NewKey::new("acme", "k").user_id("bob")).1;
    let (_, session) = open_session(&host, MCP, &ann);
    let ping = |key: &str| host.send(&rpc(MCP, key, "ping", &json!({})).header("Mcp-Session-Id", &session));
    assert_eq!(ping(&ann).status, 200);
    assert_eq!(ping(&bob).refusal(), (404, "session_not_found".into()));

    tool(&host, &ann, "initiate_connection", json!({"product": "slack"}));
    let connected = |key: &str| {
        tool(&host, key, "check_authentication", json!({"product": "slack"})).body.contains("true")
    };
    assert!(connected(&ann) && !connected(&bob));
}

#[test]
fn only_bearer_carries_a_key() {
    let host = start();
    let key = new_key(&host, "FREE");
    let list = || rpc(MCP, "", "tools/list", &json!({}));
    let cases = [
        (list().header("X-API-Key", &key), 401, "missing_credential"),
        (list().header("Authorization", &format!("Token {key}")), 401, "missing_credential"),
        (list().header("Authorization", &format!("Bearer  {key}")), 401, "invalid_key"),
        (list().bearer(&key).bearer(&key), 400, "credential_conflict"),
        (Request::new("POST", &format!("/mcp?key={key}")).json(&json!({})), 401, "missing_credential"),
    ];
    for (request, status, code) in cases {
        assert_eq!(host.send(&request).refusal(), (status, code.into()));
    }
}
