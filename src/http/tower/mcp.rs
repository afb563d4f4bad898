//! [`McpLayer`]: one judgement per message.

use super::body::{BufferedBody, GuardBody};
use super::mcp_judge::SESSION_ID;
use super::runtime::{BoxFuture, Runtime};
use super::settings::{Settings, admit, refuse, strip_identity};
use crate::authority::Authority;
use crate::http::mcp::message::Message;
use crate::http::mcp::session::Sessions;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

type DimensionsOf = Arc<dyn Fn(&Message) -> Vec<(String, String)> + Send + Sync>;

/// Guards an MCP server over HTTP: each message is judged as the operation that its method and name mean under the
/// policy. Tool calls cost what the policy says; everything else is judged as the policy's free operation.
///
/// What a caller may not use is taken out of `tools/list`, `prompts/list` and `resources/list`. A session belongs to the
/// key and tenant that opened it. The server behind finds [`TenantScope`](crate::tenant::TenantScope) and `Arc<Grant>` in
/// the request's extensions and gets the body as [`BufferedBody`]; it need not check headers against the body again.
#[derive(Clone)]
pub struct McpLayer {
    pub(super) settings: Settings,
    pub(super) sessions: Arc<Sessions>,
    pub(super) dimensions_of: Option<DimensionsOf>,
}

impl McpLayer {
    /// A guard with a session table of its own.
    pub fn new(authority: Authority, runtime: impl Runtime) -> Self {
        Self { settings: Settings::new(authority, runtime), sessions: Arc::default(), dimensions_of: None }
    }

    /// The environment of the server; keys of another are refused.
    #[must_use]
    pub fn environment(mut self, name: &str) -> Self {
        self.settings.environment = Some(name.into());
        self
    }

    /// How to find the client's address; without it keys with an address list are refused.
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

    /// The dimensions of a message that limits count by, such as the provider behind a tool.
    #[must_use]
    pub fn dimensions(
        mut self,
        of: impl Fn(&Message) -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.dimensions_of = Some(Arc::new(of));
        self
    }
}

impl<S> Layer<S> for McpLayer {
    type Service = McpGuard<S>;

    fn layer(&self, inner: S) -> McpGuard<S> {
        McpGuard { inner, layer: Arc::new(self.clone()) }
    }
}

/// An MCP server behind a [`McpLayer`].
#[derive(Clone)]
pub struct McpGuard<S> {
    inner: S,
    layer: Arc<McpLayer>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for McpGuard<S>
where
    S: Service<Request<BufferedBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Send + 'static,
    ReqBody::Data: Send,
    ReqBody::Error: Send,
    ResBody: Body<Data = Bytes> + Send + 'static,
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
            let policy = layer.settings.authority.policy();
            let (mut parts, body) = request.into_parts();
            strip_identity(&mut parts.headers);
            let judged = match parts.method {
                Method::POST => layer.judge_post(&policy, &parts, body).await,
                _ => layer.judge_other(&policy, &parts).await,
            };
            let admitted = match judged {
                Ok(admitted) => admitted,
                Err(answer) => return Ok(refuse(answer)),
            };
            if !admitted.in_session {
                parts.headers.remove(SESSION_ID);
            }
            layer.settings.delay(&admitted.grant).await;
            admit(&mut parts, &admitted.grant, admitted.request_id.as_deref());
            let request = Request::from_parts(parts, BufferedBody::new(admitted.body.clone()));
            let response = inner.call(request).await?;
            Ok(layer.finish(policy, admitted, response))
        })
    }
}
