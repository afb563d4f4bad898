//! What the REST hosts say for themselves, in the form that the policy gives to all answers.

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde_json::{Map, Value};
use std::convert::Infallible;
use tenantkit::error::FieldError;
use tenantkit::http::tower::RequestId;
use tenantkit::http::{HttpResponse, code_response, error_response};
use tenantkit::{Authority, Code, Error};

/// The host's own refusals, in the form that the policy gives to all of them. An extractor.
pub struct Refuse {
    authority: Authority,
    request_id: Option<RequestId>,
}

impl<S: Sync> FromRequestParts<S> for Refuse
where
    Authority: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self { authority: Authority::from_ref(state), request_id: parts.extensions.get().cloned() })
    }
}

impl Refuse {
    /// There is no such thing here, or it belongs to another tenant: one answer for both.
    pub fn not_found(&self) -> HttpResponse {
        self.code(Code::ResourceNotFound)
    }

    /// A refusal by a code.
    pub fn code(&self, code: Code) -> HttpResponse {
        code_response(&self.authority.policy(), code, None, self.request_id())
    }

    /// What a management call refused, or a body that could not be read.
    pub fn error(&self, error: &Error) -> HttpResponse {
        error_response(&self.authority.policy(), error, self.request_id())
    }

    fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(RequestId::as_str)
    }
}

/// The members of a JSON body. An extractor.
pub struct Fields(pub Map<String, Value>);

impl<S: Sync + Send> FromRequest<S> for Fields
where
    Authority: FromRef<S>,
{
    type Rejection = HttpResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpResponse> {
        let (mut parts, body) = request.into_parts();
        let Ok(refuse) = Refuse::from_request_parts(&mut parts, state).await;
        let no_object = || refuse.error(&Error::invalid_field("body", "has to be a JSON object"));
        let body =
            Bytes::from_request(Request::from_parts(parts, body), state).await.map_err(|_| no_object())?;
        serde_json::from_slice(&body).map(Self).map_err(|_| no_object())
    }
}

impl Fields {
    /// The members, if `name` is a text and there are no others than these.
    pub fn with_name(self, others: &[&str], refuse: &Refuse) -> Result<Map<String, Value>, HttpResponse> {
        let mut problems = Vec::new();
        if !self.0.get("name").is_some_and(Value::is_string) {
            problems.push(FieldError::new("name", "is required, and a text"));
        }
        let unknown = self.0.keys().filter(|key| *key != "name" && !others.contains(&key.as_str()));
        problems.extend(unknown.map(|key| FieldError::new(key, "is not a field")));
        if problems.is_empty() { Ok(self.0) } else { Err(refuse.error(&Error::invalid_fields(problems))) }
    }
}
