//! What a guard is told once, and the judging of one call.

use super::GuardBody;
use super::body::{add_headers, own_response};
use super::facts::Facts;
use super::runtime::{Runtime, offload};
use crate::authority::Authority;
use crate::code::Code;
use crate::decision::{Decision, Grant};
use crate::entropy::{Entropy, OsEntropy};
use crate::error::Error;
use crate::http::{HttpResponse, code_response, denial_response, error_response, grant_response};
use crate::policy::Policy;
use http::{HeaderMap, Response, request::Parts};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

type FromParts<T> = Arc<dyn Fn(&Parts) -> Option<T> + Send + Sync>;

/// How one guard judges.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) authority: Authority,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) client_ip: Option<FromParts<IpAddr>>,
    pub(crate) request_id: FromParts<String>,
    pub(crate) takes_operation_ids: bool,
}

impl Settings {
    pub(crate) fn new(authority: Authority, runtime: impl Runtime) -> Self {
        Self {
            authority,
            runtime: Arc::new(runtime),
            environment: None,
            client_ip: None,
            request_id: Arc::new(|parts| inbound_request_id(&parts.headers).or_else(new_request_id)),
            takes_operation_ids: false,
        }
    }

    /// Judges a request as `operation`: from the cache if that will do, else on a thread that may block.
    pub(crate) async fn judge(&self, facts: &Arc<Facts>, operation: &str) -> Result<Decision, Error> {
        if let Some(decision) =
            facts.with_request(operation, |request| self.authority.authorize_cached(request))
        {
            return Ok(decision);
        }
        let (authority, facts, operation) = (self.authority.clone(), Arc::clone(facts), operation.to_owned());
        let work = move || facts.with_request(&operation, |request| authority.authorize(request));
        offload(&*self.runtime, work).await?
    }

    /// Waits as long as the plan's slow mode asks for.
    pub(crate) async fn delay(&self, grant: &Grant) {
        if grant.delay_ms() > 0 {
            self.runtime.sleep(Duration::from_millis(grant.delay_ms())).await;
        }
    }
}

/// The grant of an allowed call, or the answer to any other.
pub(crate) fn granted(
    policy: &Policy,
    decided: Result<Decision, Error>,
    request_id: Option<&str>,
) -> Result<Grant, HttpResponse> {
    match decided {
        Ok(Decision::Allow(grant)) => Ok(grant),
        Ok(Decision::Deny(denial)) => Err(denial_response(policy, &denial, request_id)),
        // What the host itself got wrong, such as an operation that the policy does not have, is no fault of the caller.
        Err(error) if error.code() == Code::ValidationError => {
            tracing::error!(error = ?error, request_id, "the guard asks what cannot be judged");
            Err(code_response(policy, Code::StoreUnavailable, None, request_id))
        }
        Err(error) => {
            tracing::warn!(error = ?error, request_id, "a request could not be judged");
            Err(error_response(policy, &error, request_id))
        }
    }
}

/// The id of a request, in the extensions of each that a guard let through: for answers and log lines of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Gives an allowed request its tenant.
pub(crate) fn admit(parts: &mut Parts, grant: &Arc<Grant>, request_id: Option<&str>) {
    parts.extensions.insert(grant.scope().clone());
    parts.extensions.insert(Arc::clone(grant));
    if let Some(id) = request_id {
        parts.extensions.insert(RequestId(id.into()));
    }
}

/// The answer of the service behind, with what the grant adds and the body as `wrap` makes it.
pub(crate) fn finish_with<B>(
    policy: &Policy,
    grant: &Grant,
    response: Response<B>,
    wrap: impl FnOnce(B) -> GuardBody<B>,
) -> Response<GuardBody<B>> {
    let mut response = response.map(wrap);
    add_headers(response.headers_mut(), grant_response(policy, grant).headers);
    response
}

pub(crate) fn refuse<B>(answer: HttpResponse) -> Response<GuardBody<B>> {
    own_response(answer)
}

/// Removes what only a guard may say.
pub(crate) fn strip_identity(headers: &mut HeaderMap) {
    let forged: Vec<_> = headers
        .keys()
        .filter(|name| crate::http::identity::is_identity_header(name.as_str()))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
}

/// The id that a proxy in front, or the client, gave the request: 1 to 128 visible ASCII characters.
fn inbound_request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    ((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())).then(|| id.to_owned())
}

fn new_request_id() -> Option<String> {
    let mut bytes = [0; 16];
    OsEntropy.fill(&mut bytes).ok()?;
    Some(format!("req_{}", data_encoding::HEXLOWER.encode(&bytes)))
}
