//! axum 0.8: the guard ready to use, and extractors.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tenantkit::http::axum::{Tenant, guard};
//!
//! async fn flows(tenant: Tenant) -> String {
//!     format!("flows of {}", tenant.account_id())
//! }
//!
//! # fn example(authority: tenantkit::Authority) -> Router {
//! Router::new().route("/v1/flows", get(flows)).layer(guard(authority))
//! # }
//! ```
//!
//! The policy says which operation `GET /v1/flows` means. Where handlers shall say it themselves, take
//! `guard(authority).by_handler()` and [`Require`].

use super::HttpResponse;
use super::tower::{GuardLayer, HandlerGuard, McpLayer, TokioRuntime};
use crate::authority::{Authority, Caller, Person};
use crate::code::Code;
use crate::decision::Grant;
use crate::policy::Policy;
use crate::tenant::TenantScope;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

/// The guard on tokio. The client's address is the socket's, where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()`.
#[must_use]
pub fn guard(authority: Authority) -> GuardLayer {
    GuardLayer::new(authority, TokioRuntime).client_ip(socket_ip)
}

/// The guard for an MCP server, likewise.
#[must_use]
pub fn mcp_guard(authority: Authority) -> McpLayer {
    McpLayer::new(authority, TokioRuntime).client_ip(socket_ip)
}

/// Whom the request acts for: the [`Grant`] that the guard got for it.
///
/// As `Option<Tenant>` it is `None` for a request that nobody judged; alone it refuses such a request, which means that
/// the handler is not behind a guard.
#[derive(Clone, Debug)]
pub struct Tenant(Arc<Grant>);

impl Tenant {
    /// The grant, shared with whoever else asks for it.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.0
    }
}

impl Deref for Tenant {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.0
    }
}

/// Names an operation of the policy as a type, for [`Require`].
///
/// ```
/// struct ListFlows;
/// impl tenantkit::http::axum::OperationName for ListFlows {
///     const NAME: &str = "flows.list";
/// }
/// ```
pub trait OperationName {
    /// The operation's name in the policy.
    const NAME: &'static str;
}

/// The request is allowed to do `O`: judged here, unless the guard has judged it as `O` already.
///
/// Works behind a [`GuardLayer`] alone. Tenant parameters are read from headers, query and the placeholders of the axum
/// route, by the names that the policy gives them. Behind a guard that judged another operation both must be allowed,
/// and both are charged.
pub struct Require<O> {
    tenant: Tenant,
    operation: PhantomData<fn() -> O>,
}

impl<O> Require<O> {
    /// Whom the request acts for.
    #[must_use]
    pub fn into_tenant(self) -> Tenant {
        self.tenant
    }
}

impl<O> Deref for Require<O> {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.tenant
    }
}

/// A refusal as an answer.
#[derive(Clone, Debug)]
pub struct Rejection(HttpResponse);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get().cloned().map(Self).ok_or_else(Rejection::unguarded)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Tenant {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned().map(Self))
    }
}

impl<S: Sync> FromRequestParts<S> for TenantScope {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get().cloned().ok_or_else(Rejection::unguarded)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for TenantScope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// Who makes a management call: the person whom the guard signed in, else the key. It grants nothing beyond its own
/// rights.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        match (parts.extensions.get::<Person>(), parts.extensions.get::<Arc<Grant>>()) {
            (_, None) => Err(Rejection::unguarded()),
            (Some(person), Some(_)) => Ok(Self::person(person.clone())),
            (None, Some(grant)) => Ok(Self::key(grant)),
        }
    }
}

impl<S: Sync, O: OperationName> FromRequestParts<S> for Require<O> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let Some(handler) = parts.extensions.get::<HandlerGuard>().cloned() else {
            return Err(Rejection::unguarded());
        };
        // A route without placeholders is no failure: it has no tenant in its path.
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let placeholders: Vec<(&str, &str)> = params.iter().flatten().collect();
        let grant = handler.require(parts, O::NAME, &placeholders).await.map_err(Rejection)?;
        Ok(Self { tenant: Tenant(grant), operation: PhantomData })
    }
}

impl Rejection {
    /// The answer of a handler that no guard stands before: not the caller's fault, and never an allow.
    fn unguarded() -> Self {
        tracing::error!(
            "a handler asks for a tenant, but no guard stands before it; add `http::axum::guard` as a layer"
        );
        Self(super::code_response(&Policy::builtin(), Code::StoreUnavailable, None, None))
    }

    /// What the caller gets.
    #[must_use]
    pub fn response(&self) -> &HttpResponse {
        &self.0
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl IntoResponse for HttpResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.unwrap_or_default()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        super::tower::add_headers(response.headers_mut(), self.headers);
        response
    }
}

fn socket_ip(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}
