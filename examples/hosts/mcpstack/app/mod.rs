//! The routes.

mod agents;
mod keys;
mod objects;
mod orgs;

use crate::shelf::Shelf;
use agents::Agents;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, post};
use std::sync::Arc;
use tenantkit::http::axum::guard;
use tenantkit::{Authority, AuthorityBuilder};

/// What the product knows besides keys and tenants.
#[derive(Clone, Default)]
pub(crate) struct Stack {
    shelf: Arc<Shelf>,
    agents: Arc<Agents>,
}

impl Stack {
    /// Tells the authority which agents exist, so that no public key is made for one that does not.
    pub(crate) fn setup(&self, builder: AuthorityBuilder) -> AuthorityBuilder {
        let agents = Arc::clone(&self.agents);
        builder.resource_hook(move |question| {
            let org_id = question.org_id.unwrap_or_default();
            Ok(agents.has(question.account_id, org_id, question.resource.id()))
        })
    }

    /// All routes. The guard judges each by the policy: the org in the path, the role, and for public keys the agent and
    /// the page's origin.
    pub(crate) fn router(self, authority: Authority) -> Router {
        let org = Router::new()
            .route("/api-keys", get(keys::list).post(keys::create))
            .route("/api-keys/{id}", get(keys::read).patch(keys::update).delete(keys::revoke))
            .route("/api-keys/{id}/rotate", post(keys::rotate))
            .merge(objects::routes("server", "/servers"))
            .route("/agents", get(agents::list).post(agents::create))
            .route("/agents/{id}", get(agents::read).patch(agents::update).delete(agents::remove))
            .route("/members", get(orgs::members).post(orgs::invite))
            .route("/members/{id}", delete(orgs::remove_member))
            .route("/billing", get(orgs::billing).put(orgs::change_billing))
            .route("/logs", get(orgs::logs));
        Router::new()
            .route("/api/v1/organizations", get(orgs::list))
            .nest("/api/v1/organizations/{orgId}", org)
            .route("/embed/v1/agents/{id}/chat", post(agents::chat))
            .with_state(App { authority: authority.clone(), stack: self })
            .layer(guard(authority))
    }
}

/// What handlers may ask for.
#[derive(Clone)]
pub struct App {
    authority: Authority,
    stack: Stack,
}

impl FromRef<App> for Authority {
    fn from_ref(app: &App) -> Self {
        app.authority.clone()
    }
}

impl FromRef<App> for Arc<Shelf> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.stack.shelf)
    }
}

impl FromRef<App> for Arc<Agents> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.stack.agents)
    }
}
