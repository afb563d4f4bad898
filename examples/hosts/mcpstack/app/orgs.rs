//! Organisations: which ones, their members, billing and logs.

use super::keys::manage;
use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tenantkit::http::HttpResponse;
use tenantkit::http::axum::Tenant;
use tenantkit::tenant::{OrgBinding, TenantScope};
use tenantkit::{Authority, Caller, Person, TenantName};

/// The organisations that the caller reaches: a person's memberships, a key's binding.
pub async fn list(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    person: Option<Extension<Person>>,
    refuse: Refuse,
) -> Result<Json<Value>, HttpResponse> {
    let (account, key_id) = (tenant.account_id().to_owned(), tenant.key_id());
    let orgs = manage(&refuse, move || match person {
        Some(_) => {
            let page = authority.tenants(&caller, &TenantName::account(account), None, None, 200)?;
            Ok(page.items.into_iter().filter_map(|tenant| tenant.org_id).collect::<BTreeSet<_>>())
        }
        None => Ok(match authority.key(&caller, &account, &key_id)?.org {
            OrgBinding::Fixed(org) => BTreeSet::from([org.as_str().into()]),
            OrgBinding::List { orgs, .. } => orgs.iter().map(|org| org.as_str().into()).collect(),
            // No key of this policy is bound so.
            OrgBinding::Open { .. } | OrgBinding::None => BTreeSet::new(),
        }),
    });
    Ok(Json(orgs.await?.into_iter().map(|id| json!({"id": id})).collect()))
}

pub async fn members(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(shelf.list(&scope, "member").into())
}

pub async fn invite(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let member = fields.with_name(&["role", "email"], &refuse)?;
    Ok((StatusCode::CREATED, Json(shelf.add(&scope, "member", member))))
}

pub async fn remove_member(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, HttpResponse> {
    shelf.remove(&scope, "member", &id).then_some(StatusCode::NO_CONTENT).ok_or_else(|| refuse.not_found())
}

pub async fn billing(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(shelf.get(&scope, "billing", "current").unwrap_or_else(|| json!({"id": "current", "card": null})))
}

pub async fn change_billing(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    Fields(billing): Fields,
) -> Json<Value> {
    Json(shelf.put(&scope, "billing", "current", billing))
}

pub async fn logs(scope: TenantScope) -> Json<Value> {
    let line = json!({"org": scope.org_id(), "message": "nothing happened yet"});
    Json(Value::Array(vec![line]))
}
