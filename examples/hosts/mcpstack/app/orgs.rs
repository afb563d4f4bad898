//! Organisations: which ones, their members, billing and logs.

use super::keys::manage;
use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tenantkit::http::HttpResponse;
use tenantkit::http::axum::Tenant;
use tenantkit::tenant::{OrgBinding, TenantScope};
use tenantkit::{Authority, Caller};

/// The organisations that the key reaches.
pub(super) async fn list(
    State(authority): State<Authority>,
    tenant: Tenant,
    refuse: Refuse,
) -> Result<Json<Value>, HttpResponse> {
    let (caller, account, id) = (Caller::key(&tenant), tenant.account_id().to_owned(), tenant.key_id());
    let key = manage(&refuse, move || authority.key(&caller, &account, &id)).await?;
    let orgs = match &key.org {
        OrgBinding::Fixed(org) => vec![org.as_str()],
        OrgBinding::List { orgs, .. } => orgs.iter().map(|org| org.as_str()).collect(),
        // No key of this policy is bound so; then there is no org that it could list.
        OrgBinding::Open { .. } | OrgBinding::None => Vec::new(),
    };
    Ok(Json(orgs.into_iter().map(|id| json!({"id": id})).collect()))
}

pub(super) async fn members(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(shelf.list(&scope, "member").into())
}

pub(super) async fn invite(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let member = fields.with_name(&["role", "email"], &refuse)?;
    Ok((StatusCode::CREATED, Json(shelf.add(&scope, "member", member))))
}

pub(super) async fn remove_member(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, HttpResponse> {
    shelf.remove(&scope, "member", &id).then_some(StatusCode::NO_CONTENT).ok_or_else(|| refuse.not_found())
}

pub(super) async fn billing(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(shelf.get(&scope, "billing", "current").unwrap_or_else(|| json!({"id": "current", "card": null})))
}

pub(super) async fn change_billing(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    Fields(billing): Fields,
) -> Json<Value> {
    Json(shelf.put(&scope, "billing", "current", billing))
}

pub(super) async fn logs(scope: TenantScope) -> Json<Value> {
    let line = json!({"org": scope.org_id(), "message": "nothing happened yet"});
    Json(Value::Array(vec![line]))
}
