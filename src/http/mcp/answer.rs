//! Answers of the guard itself, so that the client program and the model behind it can both read them (row A-44).
//!
//! A refusal is an HTTP status with the error body, except that an exhausted plan limit on a tool is a tool result:
//! clients turn a bare 429 into a generic failure that the model never sees.

use super::headers::HeaderMismatch;
use super::message::{Message, MessageError};
use crate::code::Code;
use crate::decision::{Denial, Reason};
use crate::http::refusal::{LimitDetails, Refusal};
use crate::http::response::{HttpResponse, denial_response};
use crate::policy::Policy;
use crate::policy::knobs::McpUsageError;
use serde_json::{Value, json};

/// JSON-RPC's own codes, and the protocol's.
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const PARSE_ERROR: i32 = -32700;
const HEADER_MISMATCH: i32 = -32020;

/// Added to an HTTP status it gives a code outside the block that JSON-RPC reserves.
const STATUS_BASE: i32 = 1_000;

/// The answer to a refused message.
#[must_use]
pub fn denied(policy: &Policy, denial: &Denial, message: &Message, request_id: Option<&str>) -> HttpResponse {
    let over_http = denial_response(policy, denial, request_id);
    let usage_error = policy.mcp().usage_error;
    let (Code::UsageLimitReached, Some(id), true) = (denial.code(), message.id(), message.is_named()) else {
        return over_http;
    };
    let body = match (usage_error, message.method.as_str()) {
        (McpUsageError::Http, _) => return over_http,
        (McpUsageError::ToolResult, "tools/call") => {
            json!({"jsonrpc": "2.0", "id": id, "result": tool_result(policy, denial, request_id)})
        }
        _ => {
            let refusal = Refusal::of_denial(policy, denial, request_id);
            let code = STATUS_BASE + i32::from(refusal.status);
            let data = refusal.body_value(policy.http().error_body);
            error_body(Some(id), code, &sentence(&refusal), Some(data))
        }
    };
    let mut answer = HttpResponse::with_body(200, "application/json", body.to_string());
    // `Retry-After` says nothing beside a 200.
    let is_limit = |name: &str| !matches!(name, "Content-Type" | "Cache-Control" | "Retry-After");
    answer.headers.extend(over_http.headers.into_iter().filter(|(name, _)| is_limit(name)));
    answer
}

/// A refusal as the result of a tool call: a plain sentence for the model, then the error body. Hosts whose MCP library
/// answers HTTP by itself return this from the tool.
#[must_use]
pub fn tool_result(policy: &Policy, denial: &Denial, request_id: Option<&str>) -> Value {
    refused_tool(policy, &Refusal::of_denial(policy, denial, request_id))
}

/// A refusal of the host's own as the result of a tool call, such as `provider_rate_limited` with the seconds that the
/// provider asked to wait.
#[must_use]
pub fn tool_code_result(
    policy: &Policy,
    code: Code,
    retry_after_s: Option<u64>,
    request_id: Option<&str>,
) -> Value {
    let mut refusal = Refusal::of_code(policy, code, request_id);
    refusal.retry_after_s = retry_after_s.or(refusal.retry_after_s);
    refusal.retryable = refusal.retry_after_s.is_some();
    // There is no header to say it.
    refusal.details.retry_after_s = refusal.retry_after_s;
    refused_tool(policy, &refusal)
}

fn refused_tool(policy: &Policy, refusal: &Refusal<'_>) -> Value {
    let (_, body) = refusal.body(policy.http().error_body);
    // No `structuredContent`: it would have to match the tool's own output schema.
    json!({
        "resultType": "complete",
        "content": [{"type": "text", "text": sentence(refusal)}, {"type": "text", "text": body}],
        "isError": true,
    })
}

/// The answer to a call of a tool that the policy does not know. The name is not repeated.
#[must_use]
pub fn unknown_tool(message: &Message) -> HttpResponse {
    rpc_error(200, message.id(), INVALID_PARAMS, "unknown tool; list the tools to see those you can call")
}

/// The answer to a body that is not one message: 400, or 413 when it is too long.
#[must_use]
pub fn bad_message(error: MessageError) -> HttpResponse {
    let (status, code) = match error {
        MessageError::TooLong => (413, INVALID_REQUEST),
        MessageError::NotJson => (400, PARSE_ERROR),
        MessageError::DuplicateKey | MessageError::Batch | MessageError::NotMessage => (400, INVALID_REQUEST),
    };
    rpc_error(status, None, code, &error.to_string())
}

/// The answer to a message that its headers contradict.
#[must_use]
pub fn header_mismatch(mismatch: HeaderMismatch, message: &Message) -> HttpResponse {
    rpc_error(400, message.id(), HEADER_MISMATCH, &mismatch.to_string())
}

/// The answer to a request without a message whose version header is no version.
#[must_use]
pub fn bad_version(mismatch: HeaderMismatch) -> HttpResponse {
    rpc_error(400, None, HEADER_MISMATCH, &mismatch.to_string())
}

fn rpc_error(status: u16, id: Option<&Value>, code: i32, message: &str) -> HttpResponse {
    HttpResponse::with_body(status, "application/json", error_body(id, code, message, None).to_string())
}

fn error_body(id: Option<&Value>, code: i32, message: &str, data: Option<Value>) -> Value {
    let mut error = json!({"code": code, "message": message});
    if let (Some(data), Some(members)) = (data, error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

/// The refusal in one sentence for a reader who knows nothing of codes.
fn sentence(refusal: &Refusal<'_>) -> String {
    let what = match (&refusal.details.limit, refusal.code) {
        (Some(limit), Code::UsageLimitReached) => usage_sentence(limit),
        _ => capitalized(&refusal.message),
    };
    let limit = refusal.details.limit.as_ref();
    match (limit.and_then(|limit| limit.resets_at.as_deref()), refusal.retry_after_s) {
        (Some(at), Some(_)) => format!("{what}; resets {}; do not retry before.", readable(at)),
        (None, Some(seconds)) => format!("{what}; do not retry within {seconds} s."),
        (_, None) => format!("{what}; do not retry."),
    }
}

/// `Monthly limit of 10,000 calls used`.
fn usage_sentence(limit: &LimitDetails<'_>) -> String {
    let period = period_word(limit.window_s);
    let unit = if limit.unit.is_empty() { "units" } else { limit.unit };
    let Some(quota) = limit.quota else { return format!("{period} limit used") };
    match (limit.reason, limit.available) {
        (Reason::Insufficient, Some(left)) => format!(
            "{period} limit of {} {unit} has {} left, and this call needs {}",
            grouped(quota),
            grouped(left),
            grouped(limit.asked)
        ),
        _ => format!("{period} limit of {} {unit} used", grouped(quota)),
    }
}

/// A word for the length of a period. Calendar periods differ by a few days, and by an hour where clocks are set.
fn period_word(window_s: Option<u64>) -> &'static str {
    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    let Some(window_s) = window_s else { return "Lifetime" };
    let is_about = |from: u64, to: u64| (from - HOUR..=to + HOUR).contains(&window_s);
    if window_s == 60 {
        "Per-minute"
    } else if window_s == HOUR {
        "Hourly"
    } else if is_about(DAY, DAY) {
        "Daily"
    } else if is_about(7 * DAY, 7 * DAY) {
        "Weekly"
    } else if is_about(28 * DAY, 31 * DAY) {
        "Monthly"
    } else if is_about(365 * DAY, 366 * DAY) {
        "Yearly"
    } else {
        "Plan"
    }
}

/// `2026-12-01T00:00:00Z` as `2026-12-01 00:00 UTC`; seconds stay where they say something.
fn readable(instant: &str) -> String {
    let text = instant.trim_end_matches('Z').replace('T', " ");
    format!("{} UTC", text.strip_suffix(":00").unwrap_or(&text))
}

/// `10000` as `10,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
