//! API keys over REST: the authority's management calls, made as the key or person that asks. Neither grants more than
//! its own role.

use crate::answers::{Fields, Refuse};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::collections::HashMap;
use tenantkit::http::HttpResponse;
use tenantkit::http::axum::Tenant;
use tenantkit::key::id::KeyId;
use tenantkit::store::{KeyFilter, StandingFilter};
use tenantkit::tenant::OrgId;
use tenantkit::{Authority, Caller, Error, IssuedKey, KeyEdit, NewKey, Rotation};

/// The keys of the organisation: those that can be used, or with `?all=true` all; `?kind=public` takes one kind.
pub async fn list(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, HttpResponse> {
    let org_id = org_of(&authority, &tenant).map_err(|error| refuse.error(&error))?;
    let filter = KeyFilter {
        org_id: Some(org_id),
        kind: query.get("kind").map(|kind| kind.as_str().into()),
        standing: match query.get("all").map(String::as_str) {
            Some("true") => StandingFilter::All,
            _ => StandingFilter::Active,
        },
        ..KeyFilter::default()
    };
    let account = tenant.account_id().to_owned();
    let keys = manage(&refuse, move || {
        let mut keys = Vec::new();
        let mut after = None;
        loop {
            let page = authority.keys(&caller, &account, &filter, after, 200)?;
            keys.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(keys);
            }
        }
    });
    Ok(Json(json!(keys.await?)))
}

/// A new key. The answer holds its text, this once; public keys can be read again.
pub async fn create(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Fields(mut fields): Fields,
) -> Result<impl IntoResponse, HttpResponse> {
    // A public key is bound to one agent.
    if let Some(agent) = fields.remove("agentId") {
        let agent = agent.as_str().map(|id| json!([format!("agent:{id}")]));
        fields.insert("resources".to_owned(), agent.unwrap_or(Value::Null));
    }
    let account = tenant.account_id().to_owned();
    let body = Value::Object(fields).to_string();
    let new = NewKey::from_json(account, body.as_bytes()).map_err(|error| refuse.error(&error))?;
    // The organisation of the path, which the guard has judged, whatever the body says.
    let new = new.org_id(tenant.org_id().unwrap_or_default());
    let issued = manage(&refuse, move || authority.issue(&caller, &new)).await?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(with_text(issued))))
}

pub async fn read(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Value>, HttpResponse> {
    let account = tenant.account_id().to_owned();
    let view = manage(&refuse, move || authority.key(&caller, &account, &id.parse::<KeyId>()?)).await?;
    Ok(Json(json!(view)))
}

pub async fn update(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, HttpResponse> {
    let account = tenant.account_id().to_owned();
    let changed = manage(&refuse, move || {
        authority.update(&caller, &account, &id.parse::<KeyId>()?, &KeyEdit::from_json(&body)?)
    });
    Ok(Json(json!(changed.await?.key)))
}

/// A successor with the same attributes; both work until the grace ends.
pub async fn rotate(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<impl IntoResponse, HttpResponse> {
    let account = tenant.account_id().to_owned();
    let issued = manage(&refuse, move || {
        let rotation = if body.is_empty() { Rotation::default() } else { Rotation::from_json(&body)? };
        authority.rotate(&caller, &account, &id.parse::<KeyId>()?, &rotation)
    });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(with_text(issued.await?))))
}

/// Ends a key. When the answer leaves, no process accepts the key.
pub async fn revoke(
    State(authority): State<Authority>,
    tenant: Tenant,
    caller: Caller,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, HttpResponse> {
    let account = tenant.account_id().to_owned();
    manage(&refuse, move || authority.revoke(&caller, &account, &id.parse::<KeyId>()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs a management call on a thread that may block.
pub async fn manage<T: Send + 'static>(
    refuse: &Refuse,
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, HttpResponse> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result.map_err(|error| refuse.error(&error)),
        Err(_) => Err(refuse.code(tenantkit::Code::StoreUnavailable)),
    }
}

fn org_of(authority: &Authority, tenant: &Tenant) -> Result<OrgId, Error> {
    let policy = authority.policy();
    OrgId::parse(tenant.org_id().unwrap_or_default(), &policy.tenancy().id_syntax)
        .map_err(|error| Error::invalid_field("orgId", error.to_string()))
}

/// The record with the text of the key.
fn with_text(issued: IssuedKey) -> Value {
    let mut answer = json!(issued.view);
    if let (Some(members), Some(key)) = (answer.as_object_mut(), issued.key) {
        members.insert("key".to_owned(), key.reveal().into());
        members.insert("warnings".to_owned(), json!(issued.warnings));
    }
    answer
}
