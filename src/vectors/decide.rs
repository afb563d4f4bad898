//! Steps that decide: what a request is, and what a decision says.

use super::answer::{Answer, object, shown};
use super::document::Step;
use super::manage::By;
use super::world::World;
use crate::authority::Request;
use crate::code::Code;
use crate::decision::{Decision, Denial, Grant, LimitState, Reason};
use crate::error::Error;
use crate::http::{self, HttpResponse};
use crate::policy::Policy;
use crate::tenant::resolve::Warning;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A request, with what one verb or another says besides.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestArguments {
    operation: Option<String>,
    method: Option<String>,
    path: Option<String>,
    tool: Option<String>,
    key: Option<String>,
    headers: Option<Vec<(String, String)>>,
    query: Option<String>,
    org_id: Option<String>,
    user_id: Option<String>,
    cost: Option<u64>,
    resource: Option<String>,
    environment: Option<String>,
    origin: Option<String>,
    client_ip: Option<String>,
    pub(super) request_id: Option<String>,
    operation_id: Option<String>,
    dimensions: Option<Vec<(String, String)>>,
    /// `authorize`, `reserve`: a name for the grant or reservation.
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
    /// `authorize`, `inspect`: how often, each time with the same answer.
    times: Option<u64>,
    /// `reserve`: the most units.
    pub(super) max: Option<u64>,
    /// `refund_operation`: the caller's id of the refund, and how many units of each limit; all without a number.
    pub(super) refund_id: Option<String>,
    pub(super) units: Option<u64>,
    /// `authorize`: a person of `account` instead of a key.
    by: Option<By>,
    account: Option<String>,
    /// `parallel`: how many calls at once.
    calls: Option<u64>,
    /// `parallel`: by how many processes.
    processes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerArguments {
    code: String,
    retry_after_s: Option<u64>,
    request_id: Option<String>,
}

/// Threads that make parallel calls.
const THREADS: u64 = 8;

impl World {
    pub(super) fn decide(&mut self, step: &Step) -> Result<Answer, String> {
        match step.verb.as_str() {
            "parallel" => self.parallel(&step.arguments()?),
            "answer" => self.answer(&step.arguments()?),
            _ => self.judge(step),
        }
    }

    /// A refusal of the host's own, as the one mapping to HTTP writes it.
    fn answer(&self, arguments: &AnswerArguments) -> Result<Answer, String> {
        let code = Code::from_name(&arguments.code).ok_or("there is no such code")?;
        let request_id = arguments.request_id.as_deref();
        Ok(object(http_answer(&http::code_response(
            self.policy(),
            code,
            arguments.retry_after_s,
            request_id,
        ))))
    }

    fn judge(&mut self, step: &Step) -> Result<Answer, String> {
        let arguments: RequestArguments = step.arguments()?;
        let authority = self.process(&step.process)?;
        let inspects = step.verb == "inspect";
        let person = match (&arguments.by, &arguments.account) {
            (Some(by), Some(account)) => {
                Some(by.person_of(account).ok_or("`by` of a request names a `person`")?)
            }
            _ => None,
        };
        let mut answers = Vec::new();
        for _ in 0..arguments.times.unwrap_or(1) {
            let decision = arguments.with(self.policy(), 0, |request| match &person {
                Some(person) => authority.authorize_person(person, request),
                None if inspects => authority.inspect(request),
                None => authority.authorize(request),
            })?;
            answers.push(answer(self.policy(), &decision, arguments.request_id.as_deref()));
            if let (Ok(Decision::Allow(grant)), Some(name)) = (decision, &arguments.name) {
                self.grants.insert(name.clone(), grant);
            }
        }
        // Of repeated calls the first wrong one is shown, else the last.
        let wrong =
            answers.iter().position(|answer| !super::compare::differences(&step.expect, answer).is_empty());
        let at = wrong.unwrap_or(answers.len().saturating_sub(1));
        answers.into_iter().nth(at).ok_or_else(|| "`times` is at least 1".to_owned())
    }

    /// Makes the calls at once and counts how they end. `$n` in the query is the number of the call.
    fn parallel(&mut self, arguments: &RequestArguments) -> Result<Answer, String> {
        let calls = arguments.calls.ok_or("`parallel` takes the number of `calls`")?;
        let authorities = (1..=arguments.processes.unwrap_or(1))
            .map(|number| self.process(&number.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let (next, policy) = (AtomicU64::new(0), self.policy());
        let work = || {
            let mut outcomes = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return outcomes;
                }
                let at = usize::try_from(number).unwrap_or(0) % authorities.len().max(1);
                let outcome = authorities
                    .get(at)
                    .map(|authority| arguments.with(policy, number, |request| authority.authorize(request)));
                outcomes.extend(outcome);
            }
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
        });
        tally(outcomes)
    }
}

/// How parallel calls ended: how many were allowed and refused, and the one code of the refusals.
fn tally(outcomes: Vec<Result<Result<Decision, Error>, String>>) -> Result<Answer, String> {
    let (mut allowed, mut codes) = (0_u64, Vec::new());
    for outcome in outcomes {
        match outcome? {
            Ok(Decision::Allow(_)) => allowed += 1,
            Ok(Decision::Deny(denial)) => codes.push(denial.code().name()),
            Err(error) => return Err(format!("a parallel call failed: {error}")),
        }
    }
    let refused = codes.len();
    codes.sort_unstable();
    codes.dedup();
    let code = if codes.is_empty() { Value::Null } else { json!(codes.join(" ")) };
    Ok(object(json!({ "allowed": allowed, "refused": refused, "code": code })))
}

impl RequestArguments {
    /// Calls `then` with the request; `number` stands for `$n` in the query.
    pub(super) fn with<T>(
        &self,
        policy: &Policy,
        number: u64,
        then: impl FnOnce(&Request<'_>) -> T,
    ) -> Result<T, String> {
        let query = self.query.as_ref().map(|query| query.replace("$n", &number.to_string()));
        let headers: Vec<(&str, &[u8])> =
            pairs(&self.headers).map(|(name, value)| (name, value.as_bytes())).collect();
        let dimensions: Vec<(&str, &str)> = pairs(&self.dimensions).collect();
        let routed = match (&self.method, &self.path) {
            (Some(method), Some(path)) => {
                Some(http::route::find(policy, method, path).ok_or("no route matches")?)
            }
            (None, None) => None,
            _ => return Err("`method` and `path` belong together".to_owned()),
        };
        let tool = match &self.tool {
            Some(tool) => Some(policy.operation_for_tool(tool).ok_or("no operation has this tool")?),
            None => None,
        };
        let operation = match (&self.operation, &routed, tool) {
            (Some(operation), None, None) => operation,
            (None, Some(routed), None) => &*routed.operation.name,
            (None, None, Some(operation)) => &*operation.name,
            _ => return Err("a request has one of `operation`, `method` with `path`, and `tool`".to_owned()),
        };
        let mut request = Request::new(operation).headers(&headers).dimensions(&dimensions);
        request.key = self.key.as_deref();
        request.query = query.as_deref();
        request.org_id = routed.as_ref().and_then(|r| r.org_id.as_deref()).or(self.org_id.as_deref());
        request.user_id = routed.as_ref().and_then(|r| r.user_id.as_deref()).or(self.user_id.as_deref());
        request.resource = routed.as_ref().and_then(|r| r.resource.as_deref()).or(self.resource.as_deref());
        request.cost = self.cost;
        request.environment = self.environment.as_deref();
        request.origin = self.origin.as_deref();
        request.request_id = self.request_id.as_deref();
        request.operation_id = self.operation_id.as_deref();
        request.client_ip = match &self.client_ip {
            Some(text) => Some(text.parse::<IpAddr>().map_err(|e| format!("`{text}`: {e}"))?),
            None => None,
        };
        Ok(then(&request))
    }
}

fn pairs(list: &Option<Vec<(String, String)>>) -> impl Iterator<Item = (&str, &str)> {
    list.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Everything that can be expected of a decision. What does not apply is `null`.
pub(super) fn answer(
    policy: &Policy,
    decision: &Result<Decision, Error>,
    request_id: Option<&str>,
) -> Answer {
    match decision {
        Ok(Decision::Allow(grant)) => grant_answer(policy, grant),
        Ok(Decision::Deny(denial)) => denial_answer(policy, denial, request_id),
        Err(error) => object(json!({
            "error": error.code().name(),
            "fields": error.fields().iter().map(|field| field.field.as_str()).collect::<Vec<_>>(),
            "http": http_answer(&http::error_response(policy, error, request_id)),
        })),
    }
}

pub(super) fn grant_answer(policy: &Policy, grant: &Grant) -> Answer {
    let entitlements = policy.entitlements().iter().filter(|name| grant.has_entitlement(policy, name));
    let mut members = object(json!({
        "allowed": true,
        "account_id": grant.account_id(),
        "org_id": grant.org_id(),
        "user_id": grant.user_id(),
        "anonymous": grant.identity().is_anonymous(),
        "environment": grant.environment(),
        "plan": grant.plan(),
        "key_id": grant.key_id().to_string(),
        "cost": grant.cost(),
        "delay_ms": grant.delay_ms(),
        "created": grant.created(),
        "replayed": grant.replayed(),
        "over_included": grant.over_included(),
        "warning": grant.warning().map(warning_name),
        "entitlements": entitlements.collect::<Vec<_>>(),
        "http": http_answer(&http::grant_response(policy, grant)),
    }));
    let name = |state: &LimitState| grant.limit_name(state).to_owned();
    put_limits(&mut members, grant.limits(), grant.tightest(), name);
    members
}

fn denial_answer(policy: &Policy, denial: &Denial, request_id: Option<&str>) -> Answer {
    let refuses = denial.refusing_limit();
    let units = |units: u64| refuses.map(|_| units);
    let mut members = object(json!({
        "allowed": false,
        "code": denial.code().name(),
        "reason": reason_name(denial.reason()),
        "status": denial.http_status(),
        "row": denial.row(),
        "parameter": denial.parameter(),
        "missing": denial.missing_permissions(),
        "asked": units(denial.asked()),
        "available": units(denial.available()),
        "retry_after_ms": denial.retry_after_ms(),
        "key_id": denial.identity().map(|who| who.key_id().to_string()),
        "http": http_answer(&http::denial_response(policy, denial, request_id)),
    }));
    let name = |state: &LimitState| denial.limit_name(state).to_owned();
    put_limits(&mut members, denial.limits(), refuses, name);
    members
}

/// All limits of the call, and the members of the one that matters: that which refused, or the tightest.
fn put_limits(
    members: &mut Answer,
    limits: &[LimitState],
    tightest: Option<&LimitState>,
    name: impl Fn(&LimitState) -> String,
) {
    let one = |state: &LimitState| {
        object(json!({
            "name": name(state),
            "kind": state.kind,
            "quota": state.quota,
            "used": state.used,
            "remaining": state.remaining,
            "percent": state.percent,
            "resets_at": shown(state.resets_at),
            "window_s": state.window_s,
        }))
    };
    let mut tightest = tightest.map(one).unwrap_or_default();
    members.insert("limit".to_owned(), tightest.remove("name").unwrap_or(Value::Null));
    for name in ["quota", "used", "remaining", "percent", "resets_at", "window_s"] {
        members.insert(name.to_owned(), tightest.remove(name).unwrap_or(Value::Null));
    }
    members.insert("limits".to_owned(), limits.iter().map(|state| Value::Object(one(state))).collect());
}

/// Status, headers and body. Names of headers are in lower case, the opaque digest of a limit's subject is a `*`.
pub(super) fn http_answer(response: &HttpResponse) -> Value {
    let headers: Map<String, Value> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), json!(without_digests(value))))
        .collect();
    let body = response
        .body
        .as_ref()
        .map(|body| serde_json::from_str::<Value>(body).unwrap_or_else(|_| json!(body)));
    json!({ "status": response.status, "headers": headers, "body": body })
}

fn without_digests(value: &str) -> String {
    let mut parts = value.split(";pk=:");
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        text += ";pk=:*:";
        text += part.split_once(':').map_or("", |(_, rest)| rest);
    }
    text
}

fn warning_name(warning: Warning) -> &'static str {
    match warning {
        Warning::OrgIgnored => "org_ignored",
        Warning::UserIgnored => "user_ignored",
        Warning::BothIgnored => "both_ignored",
    }
}

fn reason_name(reason: Reason) -> Value {
    match reason {
        Reason::None => Value::Null,
        reason => serde_json::to_value(reason).unwrap_or(Value::Null),
    }
}
