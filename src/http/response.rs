//! [`HttpResponse`]: what an adapter copies into its framework's answer.

use super::refusal::Refusal;
use super::{challenge, ratelimit};
use crate::code::Code;
use crate::decision::{Decision, Denial, Grant};
use crate::error::Error;
use crate::policy::Policy;
use crate::tenant::resolve::Warning;
use std::borrow::Cow;

/// An answer over HTTP, free of any framework.
///
/// Header names are written as people write them; HTTP compares them without case. Values are single lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status. 200 for an allowed call, whose own answer keeps its own status and takes on the headers.
    pub status: u16,
    /// The headers, in a fixed order.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body of a refusal; `None` for an allowed call.
    pub body: Option<String>,
}

impl HttpResponse {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// An answer with this body.
    pub(crate) fn with_body(status: u16, content_type: &str, body: String) -> Self {
        let headers = vec![
            (Cow::Borrowed("Content-Type"), content_type.to_owned()),
            // A refusal belongs to one caller at one instant; 404 would be kept by caches without this.
            (Cow::Borrowed("Cache-Control"), "no-store".to_owned()),
        ];
        Self { status, headers, body: Some(body) }
    }
}

/// The answer to a decision: the headers that an allowed call's answer takes on, or the whole refusal.
///
/// `request_id` is the host's id of this request, at most 128 bytes; it appears in the body and spreads `Retry-After`.
#[must_use]
pub fn response(policy: &Policy, decision: &Decision, request_id: Option<&str>) -> HttpResponse {
    match decision {
        Decision::Allow(grant) => grant_response(policy, grant),
        Decision::Deny(denial) => denial_response(policy, denial, request_id),
    }
}

/// The headers that an allowed call's answer takes on; status 200 and no body.
#[must_use]
pub fn grant_response(policy: &Policy, grant: &Grant) -> HttpResponse {
    let mut headers = ratelimit::grant_headers(policy, grant);
    if let Some(warning) = grant.warning() {
        headers.push((Cow::Borrowed("X-Tenantkit-Warning"), warning_text(warning).to_owned()));
    }
    HttpResponse { status: 200, headers, body: None }
}

/// The answer to a refusal.
#[must_use]
pub fn denial_response(policy: &Policy, denial: &Denial, request_id: Option<&str>) -> HttpResponse {
    let refusal = Refusal::of_denial(policy, denial, request_id);
    let mut response = refused(policy, &refusal);
    if !refusal.hides_caller() {
        response.headers.extend(ratelimit::denial_headers(policy, denial));
    }
    response
}

/// The answer to a call that could not be decided, or to a management call that was refused.
///
/// Whatever is not a refusal by a code of its own is `store_unavailable` to the outside: what went wrong stays with the
/// operator.
#[must_use]
pub fn error_response(policy: &Policy, error: &Error, request_id: Option<&str>) -> HttpResponse {
    refused(policy, &Refusal::of_error(policy, error, request_id))
}

/// The answer to a refusal of the host's own, such as `resource_not_found`, or `provider_rate_limited` with the wait
/// that the provider asked for, in seconds, which is passed on as it is.
#[must_use]
pub fn code_response(
    policy: &Policy,
    code: Code,
    retry_after_s: Option<u64>,
    request_id: Option<&str>,
) -> HttpResponse {
    let mut refusal = Refusal::of_code(policy, code, request_id);
    refusal.retry_after_s = retry_after_s.or(refusal.retry_after_s);
    refusal.retryable = refusal.retry_after_s.is_some();
    refused(policy, &refusal)
}

fn refused(policy: &Policy, refusal: &Refusal<'_>) -> HttpResponse {
    let (content_type, body) = refusal.body(policy.http().error_body);
    let mut response = HttpResponse::with_body(refusal.status, content_type, body);
    if let Some(challenge) = challenge::of(refusal) {
        response.headers.push((Cow::Borrowed("WWW-Authenticate"), challenge));
    }
    if let Some(seconds) = refusal.retry_after_s {
        response.headers.push((Cow::Borrowed("Retry-After"), seconds.to_string()));
    }
    response
}

/// The words of row X-16, by the parameter that was ignored.
fn warning_text(warning: Warning) -> &'static str {
    match warning {
        Warning::OrgIgnored => "org_ignored",
        Warning::UserIgnored => "user_ignored",
        Warning::BothIgnored => "org_ignored, user_ignored",
    }
}
