//! Agents. Only live keys deploy one, by the policy's word.

use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tenantkit::http::HttpResponse;
use tenantkit::tenant::TenantScope;

pub async fn list(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(json!({"agents": shelf.list(&scope, "agent")}))
}

pub async fn create(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let agent = fields.with_name(&["model"], &refuse)?;
    Ok((StatusCode::CREATED, Json(shelf.add(&scope, "agent", agent))))
}

pub async fn deploy(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Result<Json<Value>, HttpResponse> {
    shelf.get(&scope, "agent", &id).ok_or_else(|| refuse.not_found())?;
    Ok(Json(json!({"agent": id, "deployed": true})))
}
