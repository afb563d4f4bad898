//! Records.

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
    Json(json!({"records": shelf.list(&scope, "record")}))
}

pub async fn create(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let record = fields.with_name(&["data"], &refuse)?;
    Ok((StatusCode::CREATED, Json(shelf.add(&scope, "record", record))))
}

pub async fn remove(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Result<StatusCode, HttpResponse> {
    shelf.remove(&scope, "record", &id).then_some(StatusCode::NO_CONTENT).ok_or_else(|| refuse.not_found())
}
