//! The one route.

mod providers;
mod tools;

use axum::Router;
pub use providers::RateLimited;
use providers::Upstream;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use std::sync::Arc;
use tenantkit::Authority;
use tenantkit::http::axum::mcp_guard;
use tools::AllMcp;
use tower::Layer;

/// The MCP server with the providers as they are.
pub fn router(authority: Authority) -> Router {
    router_to(authority, Arc::new(providers::call))
}

/// The same with other providers behind it.
pub fn router_to(authority: Authority, upstream: Upstream) -> Router {
    let server = AllMcp::new(authority.clone(), upstream);
    let mcp = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_json_response(true),
    );
    // Limits may count by provider, and the guard asks whose tool it is.
    let guard = mcp_guard(authority).dimensions(|message| {
        let provider = message.name.as_deref().and_then(providers::of_tool);
        provider.map(|provider| ("provider".to_owned(), provider.to_owned())).into_iter().collect()
    });
    Router::new().route_service("/mcp/", guard.layer(mcp))
}
