//! Calls, answers and lists under one policy.

use super::answer;
use super::call::{self, McpCall};
use super::headers::HeaderMismatch;
use super::listing::{Visible, is_usable};
use super::message::{Message, MessageError};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::{Decision, Denial, LimitKind, LimitState, Reason};
use crate::http::HttpResponse;
use crate::limit::LimitId;
use crate::policy::Policy;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_seconds(1_795_997_088);
const MONTH_END: Timestamp = Timestamp::from_seconds(1_796_083_200);

fn policy(mcp: &str) -> Policy {
    let text = format!(
        r#"
        name = "test"
        [kinds.api]
        native = "tk"
        [kinds.api.presets.solo]
        org = ["none"]
        user = ["fixed"]
        [meters.calls]
        [operations.mcp]
        level = "user"
        [operations.search]
        level = "user"
        tools = ["search", "find"]
        [operations.provider]
        level = "user"
        cost = 1
        tools = ["*"]
        mcp_resources = ["file:///report"]
        [operations.prompt]
        level = "user"
        cost = 1
        prompts = ["write"]
        [mcp]
        {mcp}
        "#
    );
    Policy::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

const FREE: &str = "free_operation = \"mcp\"";

fn request(method: &str, params: Value) -> Message {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    Message::parse(body.to_string().as_bytes()).unwrap()
}

fn tool(name: &str) -> Message {
    request("tools/call", json!({"name": name}))
}

fn exhausted(code: Code) -> Denial {
    exhausted_limit(code, |_| {})
}

fn exhausted_limit(code: Code, change: fn(&mut LimitState)) -> Denial {
    let mut denial = Denial::new(code, NOW);
    denial.reason = Reason::Exhausted;
    denial.asked = 1;
    let mut state = LimitState {
        name: denial.texts.push("calls-month"),
        unit: denial.texts.push("calls"),
        id: LimitId::from_bytes([0; 16]),
        kind: LimitKind::Quota,
        quota: Some(10_000),
        used: 10_000,
        remaining: Some(0),
        resets_at: Some(MONTH_END),
        window_s: Some(2_592_000),
        percent: 100,
        exposed: true,
        per_process: false,
    };
    change(&mut state);
    denial.limits.push(state);
    denial.refusing_limit = Some(0);
    denial.retry_after_ms = Some(86_112_000);
    denial
}

fn json_of(answer: &HttpResponse) -> Value {
    serde_json::from_str(answer.body.as_deref().unwrap()).unwrap()
}

#[test]
fn tools_cost_and_the_protocol_does_not() {
    let policy = policy(FREE);
    let calls = [
        (tool("search"), "charged search"),
        (tool("Search"), "charged provider"),
        (tool("*"), "charged provider"),
        (request("resources/read", json!({"uri": "file:///report"})), "charged provider"),
        (request("resources/read", json!({"uri": "file:///other"})), "free mcp"),
        (request("prompts/get", json!({"name": "write"})), "charged prompt"),
        (request("prompts/get", json!({"name": "read"})), "free mcp"),
        (request("tools/call", json!({})), "unknown mcp"),
        (request("tools/call", json!({"name": 1})), "unknown mcp"),
        (request("tools/list", json!({"name": "search"})), "free mcp"),
        (request("initialize", json!({})), "free mcp"),
        (request("server/discover", json!({})), "free mcp"),
        (request("ping", json!({})), "free mcp"),
        (request("subscriptions/listen", json!({})), "free mcp"),
        (request("never/heard/of", json!({})), "free mcp"),
        (Message::parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap(), "free mcp"),
        (
            Message::parse(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#).unwrap(),
            "free mcp",
        ),
        (Message::parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap(), "free mcp"),
    ];
    for (message, expected) in calls {
        let found = match call::find(&policy, &message) {
            McpCall::Charged(operation) => format!("charged {}", operation.name),
            McpCall::Free(operation) => format!("free {}", operation.name),
            McpCall::UnknownTool(operation) => format!("unknown {}", operation.name),
            McpCall::Nothing => "nothing".to_owned(),
        };
        assert_eq!(found, expected, "{message:?}");
    }
}

#[test]
fn without_a_free_operation_only_tools_can_be_called() {
    let policy = policy("");
    assert!(matches!(call::find(&policy, &tool("search")), McpCall::Charged(_)));
    assert!(matches!(call::find(&policy, &request("initialize", json!({}))), McpCall::Nothing));
    assert!(matches!(call::find(&policy, &request("tools/call", json!({}))), McpCall::Nothing));
}

#[test]
fn an_exhausted_plan_is_a_tool_result_that_a_model_can_read() {
    let policy = policy(FREE);
    let denial = exhausted(Code::UsageLimitReached);
    let answer = answer::denied(&policy, &denial, &tool("x"), Some("r"));
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(answer.header("Retry-After"), None);
    assert_eq!(answer.header("RateLimit"), Some("\"calls-month\";r=0;t=86112"));
    let body = json_of(&answer);
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!(7)));
    let result = &body["result"];
    assert_eq!(result["isError"], json!(true));
    assert_eq!(result["content"].as_array().unwrap().len(), 2);
    assert_eq!(
        result["content"][0]["text"],
        "Monthly limit of 10,000 calls used; resets 2026-12-01 00:00 UTC; do not retry before."
    );
    let error: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "usage_limit_reached");
    assert_eq!(error["error"]["details"]["limit"]["resets_at"], "2026-12-01T00:00:00Z");
    assert_eq!(result.get("structuredContent"), None);
}

#[test]
fn sentences_fit_the_limit() {
    let policy = policy(FREE);
    let sentence = |denial: &Denial| {
        answer::tool_result(&policy, denial, None)["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let limit = |change| exhausted_limit(Code::UsageLimitReached, change);
    let mut lifetime = limit(|state| {
        (state.quota, state.resets_at, state.window_s) = (Some(50), None, None);
    });
    lifetime.retry_after_ms = None;
    let mut insufficient = limit(|_| {});
    (insufficient.reason, insufficient.available, insufficient.asked) = (Reason::Insufficient, 1_234, 5_000);
    let short_day = limit(|state| {
        (state.window_s, state.resets_at) = (Some(23 * 3_600), Some(MONTH_END.plus_seconds(7)));
    });
    let cases = [
        (lifetime, "Lifetime limit of 50 calls used; do not retry."),
        (
            insufficient,
            "Monthly limit of 10,000 calls has 1,234 left, and this call needs 5,000; resets 2026-12-01 00:00 UTC; do not retry before.",
        ),
        (
            limit(|state| state.exposed = false),
            "Monthly limit used; resets 2026-12-01 00:00 UTC; do not retry before.",
        ),
        (short_day, "Daily limit of 10,000 calls used; resets 2026-12-01 00:00:07 UTC; do not retry before."),
        (
            limit(|state| state.window_s = Some(18_000)),
            "Plan limit of 10,000 calls used; resets 2026-12-01 00:00 UTC; do not retry before.",
        ),
    ];
    for (denial, expected) in cases {
        assert_eq!(sentence(&denial), expected);
    }
    let missing = answer::tool_result(&policy, &Denial::new(Code::UserRequired, NOW), None);
    assert_eq!(missing["content"][0]["text"], "This key needs a user id; do not retry.");
    let upstream = answer::tool_code_result(&policy, Code::ProviderRateLimited, Some(17), Some("r"));
    assert_eq!(
        upstream["content"],
        json!([
            {"type": "text", "text": "The provider behind this operation asks to wait; do not retry within 17 s."},
            {"type": "text", "text": r#"{"error":{"code":"provider_rate_limited","message":"the provider behind this operation asks to wait","status":429,"request_id":"r","retryable":true,"details":{"retry_after_s":17}}}"#},
        ])
    );
}

#[test]
fn the_policy_says_how_an_exhausted_plan_travels() {
    let cases = [
        ("tool_result", "tools/call", 200, "result"),
        ("tool_result", "prompts/get", 200, "error"),
        ("tool_result", "resources/read", 200, "error"),
        ("tool_result", "tools/list", 429, "error"),
        ("jsonrpc_error", "tools/call", 200, "error"),
        ("http", "tools/call", 429, "error"),
        ("http", "prompts/get", 429, "error"),
    ];
    for (usage_error, method, status, member) in cases {
        let policy = policy(&format!("{FREE}\nusage_error = \"{usage_error}\""));
        let message = request(method, json!({"name": "write", "uri": "file:///report"}));
        let answer = answer::denied(&policy, &exhausted(Code::UsageLimitReached), &message, None);
        assert_eq!(answer.status, status, "{usage_error} {method}");
        let body = json_of(&answer);
        assert!(body.get(member).is_some(), "{usage_error} {method}");
        if status == 200 && member == "error" {
            assert_eq!(body["error"]["code"], 1_429);
            assert_eq!(body["error"]["data"]["error"]["code"], "usage_limit_reached");
            assert!(body["error"]["message"].as_str().unwrap().starts_with("Monthly limit"));
        }
    }
}

#[test]
fn all_other_refusals_are_http() {
    let policy = policy(FREE);
    for code in
        [Code::MissingCredential, Code::InvalidKey, Code::UserRequired, Code::RateLimited, Code::OrgNotFound]
    {
        let answer = answer::denied(&policy, &Denial::new(code, NOW), &tool("x"), None);
        assert_eq!(answer.status, code.http_status());
        assert_eq!(json_of(&answer)["error"]["code"], code.name());
        assert_eq!(answer.header("WWW-Authenticate").is_some(), answer.status == 401);
    }
    let note = Message::parse(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#).unwrap();
    assert_eq!(answer::denied(&policy, &exhausted(Code::UsageLimitReached), &note, None).status, 429);
}

#[test]
fn bad_messages_get_the_protocols_own_errors() {
    let mismatch = HeaderMismatch { header: "Mcp-Name", problem: "missing" };
    let cases = [
        (answer::bad_message(MessageError::TooLong), 413, -32600, json!(null)),
        (answer::bad_message(MessageError::NotJson), 400, -32700, json!(null)),
        (answer::bad_message(MessageError::Batch), 400, -32600, json!(null)),
        (answer::bad_message(MessageError::DuplicateKey), 400, -32600, json!(null)),
        (answer::header_mismatch(mismatch, &tool("x")), 400, -32020, json!(7)),
        (answer::bad_version(mismatch), 400, -32020, json!(null)),
        (answer::unknown_tool(&tool("secret-name")), 200, -32602, json!(7)),
    ];
    for (answer, status, code, id) in cases {
        let body = json_of(&answer);
        assert_eq!((answer.status, &body["error"]["code"], &body["id"]), (status, &json!(code), &id));
        assert!(!body.to_string().contains("secret-name"));
    }
}

/// What `inspect` says of each operation: a refusal by this code, or that nothing but a limit stands in the way.
fn visible(policy: &Policy, refused: &[(&str, Code)]) -> Visible {
    let seen = Visible::find(policy, |operation| {
        let code = refused.iter().find(|(name, _)| **name == *operation.name).map(|(_, code)| *code);
        Ok::<_, ()>(is_usable(&Decision::Deny(Denial::new(code.unwrap_or(Code::UsageLimitReached), NOW))))
    });
    seen.unwrap()
}

#[test]
fn lists_hide_what_is_not_allowed_and_nothing_else() {
    let policy = policy(FREE);
    let tools = || json!({"tools": [{"name": "find", "x": 1}, {"name": "bitrix"}, {"name": "search"}, {"title": "none"}]});
    let names = |visible: &Visible| {
        let mut result = tools();
        visible.filter(&policy, "tools/list", &mut result);
        assert_eq!(result["cacheScope"], "private");
        let tools = result["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&visible(&policy, &[])), ["find", "bitrix", "search"]);
    assert_eq!(names(&visible(&policy, &[("provider", Code::InsufficientPermission)])), ["find", "search"]);
    assert_eq!(names(&visible(&policy, &[("search", Code::EntitlementRequired)])), ["bitrix"]);
    assert_eq!(names(&visible(&policy, &[("search", Code::RateLimited)])), ["find", "bitrix", "search"]);

    let hidden =
        visible(&policy, &[("prompt", Code::KindNotAllowed), ("provider", Code::ResourceNotAllowed)]);
    let mut prompts = json!({"prompts": [{"name": "write"}, {"name": "free"}], "cacheScope": "public"});
    hidden.filter(&policy, "prompts/list", &mut prompts);
    assert_eq!(prompts, json!({"prompts": [{"name": "free"}], "cacheScope": "private"}));
    let mut resources = json!({"resources": [{"uri": "file:///report"}, {"uri": "file:///free"}]});
    hidden.filter(&policy, "resources/list", &mut resources);
    assert_eq!(resources["resources"], json!([{"uri": "file:///free"}]));
    let mut other = tools();
    hidden.filter(&policy, "ping", &mut other);
    assert_eq!(other, tools());
    assert_eq!(Visible::find(&policy, |_| Err("down")), Err("down"));
}
