//! The body of a refusal: the SDK's own form, or a problem document (RFC 9457).

use super::refusal::{Details, Refusal};
use crate::code::Code;
use crate::policy::knobs::ErrorBody;
use serde::Serialize;

const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

impl Refusal<'_> {
    /// The content type and the body.
    pub(crate) fn body(&self, form: ErrorBody) -> (&'static str, String) {
        match form {
            ErrorBody::Tenantkit => ("application/json", to_json(&Envelope { error: self.plain() })),
            ErrorBody::Problem => ("application/problem+json", to_json(&self.problem())),
        }
    }

    /// The body in the form that the policy chose, as a JSON value to put into another document.
    pub(crate) fn body_value(&self, form: ErrorBody) -> serde_json::Value {
        let value = match form {
            ErrorBody::Tenantkit => serde_json::to_value(Envelope { error: self.plain() }),
            ErrorBody::Problem => serde_json::to_value(self.problem()),
        };
        value.unwrap_or_default()
    }

    fn plain(&self) -> PlainBody<'_> {
        PlainBody {
            code: self.code,
            message: &self.message,
            status: self.status,
            request_id: self.request_id,
            retryable: self.retryable,
            docs: self.docs.as_deref(),
            details: &self.details,
        }
    }

    fn problem(&self) -> Problem<'_> {
        let (kind, title) = match (self.code, self.docs.as_deref()) {
            (Code::RateLimited | Code::UsageLimitReached, _) => {
                (QUOTA_EXCEEDED, "Request cannot be satisfied as assigned quota has been exceeded")
            }
            (Code::StoreUnavailable, _) => {
                (REDUCED_CAPACITY, "Request cannot be satisfied due to temporary server capacity constraints")
            }
            (_, Some(docs)) => (docs, self.code.text()),
            (_, None) => ("about:blank", status_phrase(self.status)),
        };
        Problem {
            kind,
            title,
            status: self.status,
            detail: &self.message,
            code: self.code,
            request_id: self.request_id,
            retryable: self.retryable,
            docs: self.docs.as_deref(),
            violated_policies: self.details.limit.as_ref().map(|limit| [limit.name]),
            details: &self.details,
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: PlainBody<'a>,
}

#[derive(Serialize)]
struct PlainBody<'a> {
    code: Code,
    message: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    details: &'a Details<'a>,
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<&'a str>,
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated_policies: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "is_empty")]
    details: &'a Details<'a>,
}

fn is_empty(details: &Details<'_>) -> bool {
    details.is_empty()
}

/// Texts and numbers alone always have a JSON form; should that ever fail, the body is empty rather than half written.
fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The phrase that RFC 9457 wants as title where the type says nothing more than the status.
fn status_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
