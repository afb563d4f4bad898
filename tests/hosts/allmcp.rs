//! AllMCP: `/mcp/`, where the key says whom it may act for and the URL chooses among them.

use crate::allmcp_app;
use crate::client::{Answer, Request};
use crate::host::{Host, admin, call_tool, message, open_session, rpc};
use serde_json::{Value, json};
use std::sync::Arc;
use tenantkit::{KeyEdit, NewKey};

const MCP: &str = "/mcp/";

fn start() -> Host {
    Host::start("allmcp", allmcp_app::router)
}

fn key(host: &Host, preset: &str) -> String {
    host.issue(NewKey::new("acme", preset).preset(preset).org_id("o0").user_id("u0")).1
}

fn tool(host: &Host, key: &str, query: &str, tool: &str, arguments: Value) -> Answer {
    call_tool(host, &format!("{MCP}{query}"), |request| request.header("X-API-Key", key), tool, arguments)
}

/// The text of a tool's result.
#[track_caller]
fn text(answer: &Answer) -> String {
    message(answer)["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

/// AM-10 to AM-15: what each preset takes from the URL (rows T-01.., T-12.., T-31.., T-60..).
#[test]
fn am_10_presets_choose_their_tenants() {
    let host = start();
    let [solo, client, platform, flexible] =
        ["solo", "client", "platform", "flexible"].map(|preset| key(&host, preset));
    let cases = [
        (&solo, "", 200, ""),
        (&solo, "?user_id=u0&org_id=o0", 200, ""),
        (&solo, "?user_id=ann", 403, "user_mismatch"),
        (&solo, "?org_id=o1", 403, "org_mismatch"),
        (&client, "", 400, "user_required"),
        (&client, "?user_id=ann", 200, ""),
        (&client, "?user_id=ann&org_id=o1", 403, "org_mismatch"),
        (&platform, "?user_id=ann", 400, "org_required"),
        (&platform, "?org_id=o1", 400, "user_required"),
        (&platform, "?org_id=o1&user_id=ann", 200, ""),
        (&flexible, "", 200, ""),
        (&flexible, "?user_id=ann", 200, ""),
        (&flexible, "?org_id=o1&user_id=ann", 200, ""),
        (&flexible, "?org_id=o1", 400, "user_required"),
        (&client, "?user_id=", 400, "user_invalid"),
        (&client, "?user_id=a&user_id=a", 400, "user_duplicate"),
        (&client, "?user_id=%ff", 400, "user_invalid"),
    ];
    for (key, query, status, code) in cases {
        let answer = tool(&host, key, query, "list_providers", json!({}));
        assert_eq!(
            (answer.status, answer.refusal_code().unwrap_or_default()),
            (status, code.to_owned()),
            "{query}"
        );
    }
}

/// AM-04 to AM-06: both carriers, one behaviour, byte for byte.
#[test]
fn am_06_both_carriers_are_alike() {
    let host = start();
    let client = key(&host, "client");
    let (id, revoked) = host.issue(NewKey::new("acme", "old").preset("solo").org_id("o0").user_id("u0"));
    host.authority.revoke(&admin(), "acme", &id).unwrap();
    let unknown = format!("allmcp_{}", "a".repeat(32));
    let cases = [
        (client.as_str(), "?user_id=ann"),
        (&client, ""),
        (&client, "?user_id="),
        (&client, "?user_id=ann&org_id=x"),
        (&revoked, ""),
        (&unknown, ""),
        ("garbage", ""),
        ("sk-ant-x", ""),
    ];
    for (key, query) in cases {
        let by_header = tool(&host, key, query, "list_providers", json!({}));
        let target = format!("{MCP}{query}");
        let by_bearer = call_tool(&host, &target, |request| request.bearer(key), "list_providers", json!({}));
        assert_eq!(by_header.fixed_part(), by_bearer.fixed_part(), "{key} {query}");
    }
    let both = |bearer: &str| {
        call_tool(
            &host,
            "/mcp/?user_id=a",
            |request| request.header("X-API-Key", &client).bearer(bearer),
            "list_providers",
            json!({}),
        )
    };
    assert_eq!(both(&client).status, 200, "equal is one credential");
    assert_eq!(both("eyJhbGciOiJIUzI1NiJ9.e30.x").refusal(), (400, "credential_conflict".into()));
    let nobody = call_tool(&host, MCP, |request| request, "list_providers", json!({}));
    assert_eq!(nobody.refusal(), (401, "missing_credential".into()));
    assert_eq!(nobody.json()["error"]["details"]["carriers"], json!(["x-api-key", "Authorization: Bearer"]));
}

/// AM-25: connections belong to account, org and user.
#[test]
fn am_25_connections_are_nobody_elses() {
    let host = start();
    let platform = key(&host, "platform");
    let other = host.issue(NewKey::new("other", "k").preset("platform").org_id("o0").user_id("u0")).1;
    let connect =
        tool(&host, &platform, "?org_id=o1&user_id=ann", "connect_provider", json!({"provider": "github"}));
    assert_eq!(text(&connect), r#"{"new":true}"#);
    let create =
        |key: &str, query: &str| tool(&host, key, query, "github_create_issue", json!({"title": "x"}));
    assert!(text(&create(&platform, "?org_id=o1&user_id=ann")).contains("\"ok\":true"));
    for (key, query) in [
        (&platform, "?org_id=o1&user_id=bob"),
        (&platform, "?org_id=o2&user_id=ann"),
        (&other, "?org_id=o1&user_id=ann"),
    ] {
        assert!(text(&create(key, query)).contains("not connected"), "{query}");
        assert_eq!(text(&tool(&host, key, query, "list_connections", json!({}))), r#"{"connections":[]}"#);
    }
}

/// AM-09, AM-14: an administrator changes a key's bindings, and the next call follows.
#[test]
fn am_09_bindings_are_edited_at_once() {
    let host = start();
    let (id, key) = host.issue(NewKey::new("acme", "k").preset("client").org_id("o0").user_id("u0"));
    let list = |query: &str| tool(&host, &key, query, "list_providers", json!({}));
    assert_eq!(list("").refusal(), (400, "user_required".into()));
    let edit = KeyEdit::default().preset("solo").org_id("o0").user_id("u0");
    host.authority.update(&admin(), "acme", &id, &edit).unwrap();
    assert_eq!(list("").status, 200);
    assert_eq!(list("?user_id=ann").refusal(), (403, "user_mismatch".into()));
}

/// AM-23: a provider's own limit passes through with its wait, and is none of ours.
#[test]
fn am_23_a_providers_limit_is_passed_on() {
    let limited = Arc::new(|tool: &str, _: &Value| match tool {
        "bitrix24_list_deals" => Err(allmcp_app::providers::RateLimited { retry_after_s: Some(2) }),
        _ => Ok(json!({"ok": true})),
    });
    let host = Host::start("allmcp", |authority| allmcp_app::router_to(authority, limited));
    let key = key(&host, "solo");
    for provider in ["bitrix24", "github"] {
        tool(&host, &key, "", "connect_provider", json!({"provider": provider}));
    }
    let refused = tool(&host, &key, "", "bitrix24_list_deals", json!({}));
    let result = message(&refused)["result"].clone();
    assert_eq!((refused.status, &result["isError"]), (200, &json!(true)));
    let error: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "provider_rate_limited");
    assert_eq!(error["error"]["details"]["retry_after_s"], 2);
    assert!(text(&tool(&host, &key, "", "github_create_issue", json!({}))).contains("ok"));
}

/// AM-24: no limits, as the policy has none.
#[test]
fn am_24_nothing_is_limited() {
    let host = start();
    let key = key(&host, "solo");
    tool(&host, &key, "", "connect_provider", json!({"provider": "slack"}));
    for _ in 0..200 {
        let answer = tool(&host, &key, "", "slack_post_message", json!({}));
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None));
    }
}

/// X-11 with one key and two users.
#[test]
fn x_11_a_session_is_one_users() {
    let host = start();
    let client = key(&host, "client");
    let (opened, session) = open_session(&host, "/mcp/?user_id=ann", &client);
    assert_eq!(opened.status, 200, "{opened:?}");
    let ping = |query: &str| {
        host.send(
            &rpc(&format!("{MCP}{query}"), &client, "ping", &json!({})).header("Mcp-Session-Id", &session),
        )
    };
    assert_eq!(ping("?user_id=ann").status, 200);
    assert_eq!(ping("?user_id=bob").refusal(), (404, "session_not_found".into()));
    assert_eq!(ping("").refusal(), (400, "user_required".into()));
    let end = |user: &str| {
        let target = format!("{MCP}?user_id={user}");
        host.send(&Request::new("DELETE", &target).bearer(&client).header("Mcp-Session-Id", &session)).status
    };
    assert_eq!(end("bob"), 404);
    assert!(end("ann") < 300);
    assert_eq!(ping("?user_id=ann").status, 404);
}

/// The extended policy: tenants in headers too, and 20,000 provider calls a month for the account.
#[test]
fn extended_one_month_for_the_account() {
    let host = Host::start("allmcp-extended", allmcp_app::router);
    let client = key(&host, "client");
    let call = |name: &str| {
        let request = |request: Request| request.header("X-API-Key", &client).header("X-User-Id", "ann");
        call_tool(&host, MCP, request, name, json!({"provider": "slack"}))
    };
    assert_eq!(text(&call("connect_provider")), r#"{"new":true}"#);
    for minute in 0..3 {
        host.clock.set(crate::host::NOW.plus_seconds(60 * minute));
        for i in 0..60 {
            let answer = call("slack_post_message");
            assert_eq!(answer.status, 200, "minute {minute}, call {i}: {}", answer.body);
        }
        let refused = call("slack_post_message");
        assert_eq!(refused.refusal(), (429, "rate_limited".into()), "60 a minute for one user");
        assert!(refused.header("retry-after").is_some());
        assert_eq!(call("list_providers").status, 200);
    }
    let left = call("list_providers");
    assert_eq!(left.header("ratelimit"), None, "free calls meet no limit");
    host.clock.set(crate::host::NOW.plus_seconds(600));
    let usage: Value = serde_json::from_str(&text(&call("get_usage"))).unwrap();
    let month = usage["limits"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["limit"] == "provider-calls-month")
        .unwrap();
    assert_eq!((&month["count"], &month["cap"]), (&json!(180), &json!(20_000)));
    let answer = call("slack_post_message");
    let limits = answer.header("ratelimit").unwrap();
    assert!(limits.contains("\"provider-calls-month\";r=19819;"), "{limits}");
}
