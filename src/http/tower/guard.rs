//! [`GuardLayer`]: one judgement per request.

use super::admission::Admission;
use super::body::{GuardBody, add_headers};
use super::facts::Facts;
use super::handler::HandlerGuard;
use super::runtime::{BoxFuture, Runtime};
use super::settings::{Settings, refuse, strip_identity};
use crate::authority::{Authority, Person};
use crate::code::Code;
use crate::http::{HttpResponse, code_response, cors, route};
use crate::policy::Policy;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{Method, Request, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Guards a service: each request is judged as the operation that its method and path mean under the policy, and reaches
/// the service only when it is allowed. A request that no route matches gets 404, whatever its key.
///
/// The service finds [`TenantScope`](crate::tenant::TenantScope) and `Arc<Grant>` in the request's extensions. Headers
/// `X-Tenantkit-*` of the request are removed. Put the layer outside of anything that rewrites paths.
///
/// ```no_run
/// # fn example(authority: tenantkit::Authority, runtime: impl tenantkit::http::tower::Runtime) {
/// use tenantkit::http::tower::GuardLayer;
/// let guard = GuardLayer::new(authority, runtime).environment("live");
/// # }
/// ```
#[derive(Clone)]
pub struct GuardLayer {
    pub(crate) settings: Settings,
    means: Means,
}

/// Which operation a request means.
#[derive(Clone)]
enum Means {
    /// What the policy's routes say.
    Routed,
    /// This one, always.
    One(Arc<str>),
    /// What the handler says.
    ByHandler,
}

impl GuardLayer {
    /// A guard that routes by the policy.
    pub fn new(authority: Authority, runtime: impl Runtime) -> Self {
        Self { settings: Settings::new(authority, runtime), means: Means::Routed }
    }

    /// Judges every request as this operation, whatever its path: for a layer around one route. Tenant parameters are
    /// then read from headers and query alone.
    #[must_use]
    pub fn operation(mut self, name: &str) -> Self {
        self.means = Means::One(name.into());
        self
    }

    /// Judges nothing by itself: each handler names its operation to the [`HandlerGuard`], in axum by the extractor
    /// `Require`. A handler that does not is open to everybody.
    #[must_use]
    pub fn by_handler(mut self) -> Self {
        self.means = Means::ByHandler;
        self
    }

    /// The environment of the service; keys of another are refused.
    #[must_use]
    pub fn environment(mut self, name: &str) -> Self {
        self.settings.environment = Some(name.into());
        self
    }

    /// How to find the client's address: the socket's, or what
    /// [`TrustedProxies`](crate::address::TrustedProxies) finds behind trusted proxies. Without it keys with an address
    /// list are refused.
    #[must_use]
    pub fn client_ip(mut self, find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.settings.client_ip = Some(Arc::new(find));
        self
    }

    /// How to find or make the id of a request. Without it, a well-formed `X-Request-Id`, else a random one.
    #[must_use]
    pub fn request_id(mut self, find: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.request_id = Arc::new(find);
        self
    }

    /// The dimensions of a request that the policy's limits count by, such as the conversation that a message belongs to.
    #[must_use]
    pub fn dimensions(
        mut self,
        find: impl Fn(&Parts) -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.settings.dimensions = Some(Arc::new(find));
        self
    }

    /// The units of a request, where its operation has a cost that varies; `None` leaves it to the policy.
    #[must_use]
    pub fn cost(mut self, find: impl Fn(&Parts) -> Option<u64> + Send + Sync + 'static) -> Self {
        self.settings.cost = Some(Arc::new(find));
        self
    }

    /// How to sign in a person by a `Bearer` value that is no key, where the policy has `bearer_other = "human"`. The
    /// person is judged by the same rules as a key, and stands in the request's extensions; a token that means nobody
    /// gets 401. Without this such a value is as if absent.
    #[must_use]
    pub fn people<F>(mut self, sign_in: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Person>> + Send + 'static,
    {
        self.settings.people = Some(Arc::new(move |token| Box::pin(sign_in(token))));
        self
    }

    /// Takes `Idempotency-Key` as the operation id, so that a retry is charged once. Only for services that do not do the
    /// work again for the same id, or see [`Grant::replayed`](crate::decision::Grant::replayed): a retry is not paid for.
    /// A call with such an id is charged when it is let in, also where the policy counts on success.
    #[must_use]
    pub fn idempotency_keys(mut self) -> Self {
        self.settings.takes_operation_ids = true;
        self
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, layer: Arc::new(self.clone()) }
    }
}

/// A service behind a [`GuardLayer`].
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    layer: Arc<GuardLayer>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guard<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Send + 'static,
    ResBody: Send + 'static,
{
    type Response = Response<GuardBody<ResBody>>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The clone has not been polled ready; the service that was is the one to call.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let layer = Arc::clone(&self.layer);
        Box::pin(async move {
            let settings = &layer.settings;
            let policy = settings.authority.policy();
            let (mut parts, body) = request.into_parts();
            strip_identity(&mut parts.headers);
            let planned = match plan(&policy, &layer, &parts) {
                Ok(planned) => planned,
                Err(answer) => return Ok(refuse(answer)),
            };
            let handler = HandlerGuard::new(&layer);
            if let Some((operation, facts)) = planned {
                match Admission::find(settings, &policy, &facts, &operation).await {
                    Ok(admission) => {
                        settings.delay(&admission.grant).await;
                        admission.put_into(&mut parts, facts.request_id());
                        handler.note(&policy, &operation, admission);
                    }
                    Err(answer) => {
                        let readable = cors::answer_headers(&policy, &operation);
                        return Ok(with_headers(refuse(answer), readable.iter().copied()));
                    }
                }
            }
            parts.extensions.insert(handler.clone());
            let response = inner.call(Request::from_parts(parts, body)).await?;
            handler.settle(response.status()).await;
            let response = response.map(GuardBody::inner);
            Ok(with_headers(response, handler.take_headers()))
        })
    }
}

/// What to judge, nothing, or the answer where that is clear already.
#[allow(clippy::type_complexity, reason = "the pair has no meaning of its own")]
fn plan(
    policy: &Policy,
    layer: &GuardLayer,
    parts: &Parts,
) -> Result<Option<(Arc<str>, Arc<Facts>)>, HttpResponse> {
    if let Some(answer) = preflight(policy, parts) {
        return Err(answer);
    }
    let mut facts = Facts::of_parts(parts, &layer.settings);
    let operation = match &layer.means {
        Means::ByHandler => return Ok(None),
        Means::One(operation) => Arc::clone(operation),
        Means::Routed => match route::find(policy, parts.method.as_str(), parts.uri.path()) {
            Some(call) => {
                let name = Arc::from(&*call.operation.name);
                facts.set_route(call);
                name
            }
            None => return Err(code_response(policy, Code::ResourceNotFound, None, facts.request_id())),
        },
    };
    Ok(Some((operation, Arc::new(facts))))
}

/// The answer to a browser that asks whether it may send a request.
fn preflight(policy: &Policy, parts: &Parts) -> Option<HttpResponse> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(ORIGIN) {
        return None;
    }
    let method = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    cors::preflight(policy, method, parts.uri.path())
}

fn with_headers<B, N: AsRef<str>, V: AsRef<str>>(
    mut response: Response<GuardBody<B>>,
    headers: impl IntoIterator<Item = (N, V)>,
) -> Response<GuardBody<B>> {
    add_headers(response.headers_mut(), headers);
    response
}
