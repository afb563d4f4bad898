//! What products show to the outside, under the extended policy: capabilities for product keys, and chats in web pages for
//! client tokens. With the plain policy no route leads here.

use axum::Json;
use axum::extract::Path;
use axum::http::request::Parts;
use serde_json::{Value, json};
use tenantkit::http::axum::Tenant;
use tenantkit::tenant::TenantScope;

/// A capability of a product. The key lists it, or all of them.
pub async fn call(Path((product, capability)): Path<(String, String)>, tenant: Tenant) -> Json<Value> {
    Json(json!({"product": product, "capability": capability, "over_included": tenant.over_included()}))
}

/// A message to a flow or agent from a web page.
pub async fn message(Path(to): Path<String>, scope: TenantScope) -> Json<Value> {
    Json(json!({"to": to, "environment": scope.environment(), "reply": "Hello!"}))
}

/// Which conversation a message belongs to: limits count by it.
pub fn conversation(parts: &Parts) -> Vec<(String, String)> {
    let id =
        parts.headers.get("x-conversation-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    id.map(|id| ("conversation".to_owned(), id.to_owned())).into_iter().collect()
}
