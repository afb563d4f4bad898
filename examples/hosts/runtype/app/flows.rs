//! Flows. No handler asks what the key may do: the guard has judged that.

use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tenantkit::http::HttpResponse;
use tenantkit::tenant::TenantScope;

type Answer = Result<Json<Value>, HttpResponse>;

pub async fn list(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(json!({"flows": shelf.list(&scope, "flow")}))
}

pub async fn create(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let flow = fields.with_name(&["steps"], &refuse)?;
    Ok((StatusCode::CREATED, Json(shelf.add(&scope, "flow", flow))))
}

pub async fn read(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Answer {
    shelf.get(&scope, "flow", &id).map(Json).ok_or_else(|| refuse.not_found())
}

pub async fn update(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let flow = fields.with_name(&["steps"], &refuse)?;
    shelf.get(&scope, "flow", &id).ok_or_else(|| refuse.not_found())?;
    Ok(Json(shelf.put(&scope, "flow", &id, flow)))
}

pub async fn remove(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Result<StatusCode, HttpResponse> {
    shelf.remove(&scope, "flow", &id).then_some(StatusCode::NO_CONTENT).ok_or_else(|| refuse.not_found())
}

pub async fn execute(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Answer {
    shelf.get(&scope, "flow", &id).ok_or_else(|| refuse.not_found())?;
    Ok(Json(json!({"flow": id, "environment": scope.environment(), "status": "completed"})))
}
