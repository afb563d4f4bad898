//! The routes.

mod agents;
mod flows;
mod records;

use crate::shelf::Shelf;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, post};
use std::sync::Arc;
use tenantkit::Authority;
use tenantkit::http::axum::guard;

/// All routes. The guard judges each by the policy: the permission it needs and, for deployments, the environment.
pub fn router(authority: Authority) -> Router {
    Router::new()
        .route("/v1/flows", get(flows::list).post(flows::create))
        .route("/v1/flows/{id}", get(flows::read).put(flows::update).delete(flows::remove))
        .route("/v1/flows/{id}/execute", post(flows::execute))
        .route("/v1/records", get(records::list).post(records::create))
        .route("/v1/records/{id}", delete(records::remove))
        .route("/v1/agents", get(agents::list).post(agents::create))
        .route("/v1/agents/{id}/deploy", post(agents::deploy))
        .with_state(App { authority: authority.clone(), shelf: Arc::default() })
        .layer(guard(authority))
}

/// What handlers may ask for.
#[derive(Clone)]
pub struct App {
    authority: Authority,
    shelf: Arc<Shelf>,
}

impl FromRef<App> for Authority {
    fn from_ref(app: &App) -> Self {
        app.authority.clone()
    }
}

impl FromRef<App> for Arc<Shelf> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.shelf)
    }
}
