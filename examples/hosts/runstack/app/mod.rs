//! The routes.

mod tools;

use axum::routing::get;
use axum::{Json, Router};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use std::sync::Arc;
use tenantkit::http::axum::{Tenant, guard, mcp_guard};
use tenantkit::{Authority, AuthorityBuilder};
use tower::Layer;

/// Who may choose a plan: billing decides. This one agrees to everything.
pub fn setup(builder: AuthorityBuilder) -> AuthorityBuilder {
    builder.plan_hook(|_question| Ok(true))
}

/// All routes. Both guards judge by the policy alone: which operation a route or tool means, what it costs, and which
/// plan includes it.
pub fn router(authority: Authority) -> Router {
    let tools = tools::Runstack::default();
    let mcp = StreamableHttpService::new(
        move || Ok(tools.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_json_response(true),
    );
    Router::new()
        .route("/analytics", get(analytics))
        .route("/private/{*path}", get(private))
        .layer(guard(authority.clone()))
        // Added after the layer, so only the MCP guard stands before it.
        .route_service("/mcp", mcp_guard(authority).layer(mcp))
}

/// For plans that include `enterprise_analytics`.
async fn analytics(tenant: Tenant) -> Json<Value> {
    Json(json!({"user_id": tenant.user_id(), "plan": tenant.plan()}))
}

/// For plans that include `private_endpoints`.
async fn private(tenant: Tenant) -> Json<Value> {
    Json(json!({"user_id": tenant.user_id(), "private": true}))
}
