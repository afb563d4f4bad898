//! What a guard is told once, and the judging of one call.

use super::GuardBody;
use super::body::{add_headers, own_response};
use super::facts::Facts;
use super::runtime::{BoxFuture, Runtime, offload};
use crate::authority::{Authority, Person, Reservation, Reserved};
use crate::code::Code;
use crate::decision::{Decision, Denial, Grant};
use crate::entropy::{Entropy, OsEntropy};
use crate::error::Error;
use crate::http::{HttpResponse, code_response, error_response, grant_response};
use crate::policy::Policy;
use crate::policy::model::Operation;
use http::{HeaderMap, Response, request::Parts};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The host's own authentication of people: from a token to a person.
pub(crate) type SignIn = Arc<dyn Fn(String) -> BoxFuture<Option<Person>> + Send + Sync>;

type DimensionsOf = Arc<dyn Fn(&Parts) -> Vec<(String, String)> + Send + Sync>;

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
    pub(crate) dimensions: Option<DimensionsOf>,
    pub(crate) cost: Option<FromParts<u64>>,
    pub(crate) people: Option<SignIn>,
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
            dimensions: None,
            cost: None,
            people: None,
        }
    }

    /// Judges a request as `operation`: from the cache if that will do, else on a thread that may block. With `hold` its
    /// units are only held until it is known how the call ended.
    pub(crate) async fn judge(
        &self,
        facts: &Arc<Facts>,
        operation: &Operation,
        hold: bool,
    ) -> Result<Verdict, Error> {
        if !hold
            && let Some(decision) =
                facts.with_request(&operation.name, |request| self.authority.authorize_cached(request))
        {
            return Ok(decision.into());
        }
        let (name, max) = (operation.name.clone(), facts.cost.unwrap_or_else(|| usual_cost(operation)));
        self.ask(facts, move |authority, facts| {
            facts.with_request(&name, |request| match hold {
                true => authority.reserve(request, max).map(Verdict::from),
                false => authority.authorize(request).map(Verdict::from),
            })
        })
        .await
    }

    /// Judges a request of a person whom the host has signed in.
    pub(crate) async fn judge_person(
        &self,
        facts: &Arc<Facts>,
        operation: &Operation,
        person: Person,
    ) -> Result<Verdict, Error> {
        let name = operation.name.clone();
        self.ask(facts, move |authority, facts| {
            facts
                .with_request(&name, |request| authority.authorize_person(&person, request))
                .map(Verdict::from)
        })
        .await
    }

    /// Asks the authority on a thread that may block.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        facts: &Arc<Facts>,
        question: impl FnOnce(&Authority, &Facts) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (authority, facts) = (self.authority.clone(), Arc::clone(facts));
        offload(&*self.runtime, move || question(&authority, &facts)).await?
    }

    /// Waits as long as the plan's slow mode asks for.
    pub(crate) async fn delay(&self, grant: &Grant) {
        if grant.delay_ms() > 0 {
            self.runtime.sleep(Duration::from_millis(grant.delay_ms())).await;
        }
    }
}

/// What became of a request.
pub(crate) enum Verdict {
    /// Go ahead; the units are charged.
    Allowed(Arc<Grant>),
    /// Go ahead; the units are held.
    Held(Reservation),
    /// No.
    Refused(Box<Denial>),
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow(grant) => Self::Allowed(Arc::new(grant)),
            Decision::Deny(denial) => Self::Refused(Box::new(denial)),
        }
    }
}

impl From<Reserved> for Verdict {
    fn from(reserved: Reserved) -> Self {
        match reserved {
            Reserved::Held(reservation) => Self::Held(reservation),
            Reserved::Denied(denial) => Self::Refused(Box::new(denial)),
        }
    }
}

/// The answer to a request that could not be judged.
pub(crate) fn failed(policy: &Policy, error: &Error, request_id: Option<&str>) -> HttpResponse {
    // What the host itself got wrong, such as an operation that the policy does not have, is no fault of the caller.
    if error.code() == Code::ValidationError {
        tracing::error!(error = ?error, request_id, "the guard asks what cannot be judged");
        return code_response(policy, Code::StoreUnavailable, None, request_id);
    }
    tracing::warn!(error = ?error, request_id, "a request could not be judged");
    error_response(policy, error, request_id)
}

/// Units of the operation's variable meter when the call names none.
fn usual_cost(operation: &Operation) -> u64 {
    let variable = operation.variable.and_then(|index| operation.costs.get(usize::from(index)));
    variable.map_or(0, |cost| cost.units)
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
