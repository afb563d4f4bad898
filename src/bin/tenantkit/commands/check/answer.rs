//! A decision, for programs and in words.

use crate::failure::remedy;
use crate::output::bar::Gauge;
use crate::output::{Style, inert, time};
use serde_json::{Value, json};
use std::fmt::Write;
use tenantkit::decision::{Decision, Denial, Grant, Identity, LimitKind, LimitState};
use tenantkit::policy::model::CliNames;
use tenantkit::{Policy, http};

/// The decision with everything that a host gets to know, and the HTTP answer it makes.
pub(crate) fn json(policy: &Policy, decision: &Decision, request_id: Option<&str>) -> Value {
    let response = http::response(policy, decision, request_id);
    let body =
        response.body.as_deref().map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    let http = json!({ "status": response.status, "headers": response.headers, "body": body });
    match decision {
        Decision::Allow(grant) => json!({
            "allowed": true,
            "status": 200,
            "identity": identity(grant.identity()),
            "cost": grant.cost(),
            "created": grant.created(),
            "replayed": grant.replayed(),
            "over_included": grant.over_included(),
            "delay_ms": grant.delay_ms(),
            "limits": limits(decision),
            "http": http,
        }),
        Decision::Deny(denial) => json!({
            "allowed": false,
            "status": denial.http_status(),
            "code": denial.code().name(),
            "message": denial.code().text(),
            "reason": denial.reason(),
            "row": row(denial),
            "parameter": denial.parameter(),
            "missing_permissions": denial.missing_permissions(),
            "limit": denial.refusing_limit().map(|limit| denial.limit_name(limit)),
            "asked": denial.asked(),
            "available": denial.available(),
            "retry_after_ms": denial.retry_after_ms(),
            "identity": denial.identity().map(identity),
            "limits": limits(decision),
            "http": http,
        }),
    }
}

/// The decision for people: the verdict first, then who, then how much.
pub(crate) fn in_words(decision: &Decision, names: &CliNames, style: &Style) -> String {
    let mut text = String::new();
    match decision {
        Decision::Allow(grant) => allowed(&mut text, grant),
        Decision::Deny(denial) => denied(&mut text, denial, names),
    }
    for state in decision.limits() {
        let _ = writeln!(text, "  {:9} {}", "limit", limit_in_words(decision, state, style));
    }
    text
}

fn allowed(text: &mut String, grant: &Grant) {
    let _ = writeln!(text, "allowed");
    who(text, grant.identity());
    if grant.created() {
        line(text, "created", "the tenant, by this request");
    }
    if grant.cost() > 0 {
        line(text, "cost", grant.cost());
    }
    if grant.over_included() {
        line(text, "note", "past what the plan includes");
    }
    if grant.delay_ms() > 0 {
        line(text, "delay", format_args!("{} ms before it is served", grant.delay_ms()));
    }
}

fn denied(text: &mut String, denial: &Denial, names: &CliNames) {
    let code = denial.code();
    let _ = writeln!(text, "denied: {} {code}: {}", denial.http_status(), code.text());
    if let Some(row) = row(denial) {
        line(text, "row", row);
    }
    if let Some(parameter) = denial.parameter() {
        line(text, "parameter", parameter);
    }
    let reason = json!(denial.reason());
    if let Some(reason) = reason.as_str().filter(|reason| *reason != "none") {
        line(text, "reason", reason);
    }
    if !denial.missing_permissions().is_empty() {
        line(text, "missing", denial.missing_permissions().join(" "));
    }
    if let Some(identity) = denial.identity() {
        who(text, identity);
    }
    if let Some(wait_ms) = denial.retry_after_ms() {
        let seconds = i64::try_from(wait_ms.div_ceil(1_000)).unwrap_or(i64::MAX);
        line(text, "retry", format_args!("in {}", time::length(seconds.max(1))));
    }
    if let Some(fix) = remedy(code.name(), names) {
        line(text, "fix", fix);
    }
}

fn who(text: &mut String, identity: &Identity) {
    line(text, "key", identity.key_id());
    line(text, "account", inert(identity.account_id()));
    if let Some(org) = identity.org_id() {
        line(text, "org", inert(org));
    }
    if let Some(user) = identity.user_id() {
        line(text, "user", inert(user));
    }
    if identity.is_anonymous() {
        line(text, "user", "the shared anonymous one");
    }
    if identity.environment() != "default" {
        line(text, "env", identity.environment());
    }
    if let Some(plan) = identity.plan() {
        line(text, "plan", plan);
    }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "  {name:9} {value}");
}

fn limit_in_words(decision: &Decision, state: &LimitState, style: &Style) -> String {
    let gauge = Gauge { used: state.used, limit: state.quota, resets_at: state.resets_at, state: None };
    format!("{} {}", name_of(decision, state), gauge.cell(style).text)
}

fn identity(identity: &Identity) -> Value {
    json!({
        "key_id": identity.key_id(),
        "account_id": identity.account_id(),
        "org_id": identity.org_id(),
        "user_id": identity.user_id(),
        "anonymous": identity.is_anonymous(),
        "environment": identity.environment(),
        "plan": identity.plan(),
    })
}

fn limits(decision: &Decision) -> Vec<Value> {
    let limit = |state: &LimitState| {
        json!({
            "name": name_of(decision, state),
            "kind": match state.kind { LimitKind::Rate => "rate", LimitKind::Quota => "quota" },
            "quota": state.quota,
            "used": state.used,
            "remaining": state.remaining,
            "percent": state.percent,
            "resets_at": state.resets_at.map(|at| at.to_string()),
            "window_s": state.window_s,
        })
    };
    decision.limits().iter().map(limit).collect()
}

fn name_of<'d>(decision: &'d Decision, state: &LimitState) -> &'d str {
    match decision {
        Decision::Allow(grant) => grant.limit_name(state),
        Decision::Deny(denial) => denial.limit_name(state),
    }
}

fn row(denial: &Denial) -> Option<&'static str> {
    Some(denial.row()).filter(|row| !row.is_empty())
}
