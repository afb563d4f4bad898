//! Objects of an organisation: list, create, read, change, delete.

use super::App;
use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use std::sync::Arc;
use tenantkit::http::HttpResponse;
use tenantkit::tenant::TenantScope;

/// The routes of one kind of object, below an organisation.
pub fn routes(kind: &'static str, path: &str) -> Router<App> {
    Router::new()
        .route(
            path,
            get(move |State(shelf): State<Arc<Shelf>>, scope: TenantScope| async move {
                Json(Value::from(shelf.list(&scope, kind)))
            })
            .post(move |State(shelf): State<Arc<Shelf>>, scope, refuse, fields| async move {
                create(&shelf, kind, &scope, &refuse, fields)
                    .map(|object| (StatusCode::CREATED, Json(object)))
            }),
        )
        .route(
            &format!("{path}/{{id}}"),
            get(
                move |State(shelf): State<Arc<Shelf>>,
                      scope,
                      refuse,
                      Path((_, id)): Path<(String, String)>| async move {
                    read(&shelf, kind, &scope, &refuse, &id).map(Json)
                },
            )
            .patch(
                move |State(shelf): State<Arc<Shelf>>,
                      scope,
                      refuse,
                      Path((_, id)): Path<(String, String)>,
                      fields: Fields| async move {
                    update(&shelf, kind, &scope, &refuse, &id, fields).map(Json)
                },
            )
            .delete(
                move |State(shelf): State<Arc<Shelf>>,
                      scope,
                      refuse,
                      Path((_, id)): Path<(String, String)>| async move {
                    remove(&shelf, kind, &scope, &refuse, &id)
                },
            ),
        )
}

/// A new object.
pub fn create(
    shelf: &Shelf,
    kind: &str,
    scope: &TenantScope,
    refuse: &Refuse,
    fields: Fields,
) -> Result<Value, HttpResponse> {
    Ok(shelf.add(scope, kind, fields.with_name(&["url", "description"], refuse)?))
}

/// One object.
pub fn read(
    shelf: &Shelf,
    kind: &str,
    scope: &TenantScope,
    refuse: &Refuse,
    id: &str,
) -> Result<Value, HttpResponse> {
    shelf.get(scope, kind, id).ok_or_else(|| refuse.not_found())
}

/// Changes the fields that are given.
pub fn update(
    shelf: &Shelf,
    kind: &str,
    scope: &TenantScope,
    refuse: &Refuse,
    id: &str,
    Fields(changes): Fields,
) -> Result<Value, HttpResponse> {
    let mut object = match read(shelf, kind, scope, refuse, id)? {
        Value::Object(object) => object,
        _ => return Err(refuse.not_found()),
    };
    object.extend(changes);
    let changed = Fields(object).with_name(&["id", "url", "description"], refuse)?;
    Ok(shelf.put(scope, kind, id, changed))
}

/// Takes an object away.
pub fn remove(
    shelf: &Shelf,
    kind: &str,
    scope: &TenantScope,
    refuse: &Refuse,
    id: &str,
) -> Result<StatusCode, HttpResponse> {
    shelf.remove(scope, kind, id).then_some(StatusCode::NO_CONTENT).ok_or_else(|| refuse.not_found())
}
