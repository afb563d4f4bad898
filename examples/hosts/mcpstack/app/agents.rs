//! Agents, and the chat that web pages embed.

use super::objects;
use crate::answers::{Fields, Refuse};
use crate::shelf::Shelf;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenantkit::http::HttpResponse;
use tenantkit::tenant::TenantScope;

const KIND: &str = "agent";

/// Which agents exist: account, org, agent.
#[derive(Default)]
pub struct Agents {
    known: Mutex<HashSet<(String, String, String)>>,
}

impl Agents {
    /// Whether this org has the agent.
    pub fn has(&self, account_id: &str, org_id: &str, agent_id: &str) -> bool {
        self.known().contains(&(account_id.to_owned(), org_id.to_owned(), agent_id.to_owned()))
    }

    fn known(&self) -> MutexGuard<'_, HashSet<(String, String, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(scope: &TenantScope, agent_id: &str) -> (String, String, String) {
    let org_id = scope.org_id().unwrap_or_default();
    (scope.account_id().to_owned(), org_id.to_owned(), agent_id.to_owned())
}

pub async fn list(State(shelf): State<Arc<Shelf>>, scope: TenantScope) -> Json<Value> {
    Json(shelf.list(&scope, KIND).into())
}

pub async fn create(
    State(shelf): State<Arc<Shelf>>,
    State(agents): State<Arc<Agents>>,
    scope: TenantScope,
    refuse: Refuse,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), HttpResponse> {
    let agent = objects::create(&shelf, KIND, &scope, &refuse, fields)?;
    let id = agent.get("id").and_then(Value::as_str).unwrap_or_default();
    agents.known().insert(place(&scope, id));
    Ok((StatusCode::CREATED, Json(agent)))
}

pub async fn read(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Value>, HttpResponse> {
    objects::read(&shelf, KIND, &scope, &refuse, &id).map(Json)
}

pub async fn update(
    State(shelf): State<Arc<Shelf>>,
    scope: TenantScope,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Json<Value>, HttpResponse> {
    objects::update(&shelf, KIND, &scope, &refuse, &id, fields).map(Json)
}

pub async fn remove(
    State(shelf): State<Arc<Shelf>>,
    State(agents): State<Arc<Agents>>,
    scope: TenantScope,
    refuse: Refuse,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, HttpResponse> {
    agents.known().remove(&place(&scope, &id));
    objects::remove(&shelf, KIND, &scope, &refuse, &id)
}

/// A message to an agent from a web page. The key is public and bound to this agent, its origin is listed: the guard has
/// judged all that. All visitors share one anonymous user.
pub async fn chat(
    State(agents): State<Arc<Agents>>,
    scope: TenantScope,
    refuse: Refuse,
    Path(id): Path<String>,
) -> Result<Json<Value>, HttpResponse> {
    let org_id = scope.org_id().unwrap_or_default();
    if !agents.has(scope.account_id(), org_id, &id) {
        return Err(refuse.not_found());
    }
    Ok(Json(json!({"agent": id, "reply": "Hello! How can I help?"})))
}
