//! The routes.

mod agents;
mod keys;
mod objects;
mod orgs;
mod people;

use crate::shelf::Shelf;
use agents::Agents;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, post};
pub use people::People;
use std::sync::Arc;
use tenantkit::http::axum::guard;
use tenantkit::{Authority, AuthorityBuilder};

/// What the product knows besides keys and tenants.
#[derive(Clone, Default)]
pub struct Stack {
    shelf: Arc<Shelf>,
    agents: Arc<Agents>,
    people: Arc<People>,
}

impl Stack {
    /// The product with these people.
    pub fn new(people: People) -> Self {
        Self { people: Arc::new(people), ..Self::default() }
    }

    /// Tells the authority which agents exist, so that no public key is made for one that does not.
    pub fn setup(&self, builder: AuthorityBuilder) -> AuthorityBuilder {
        let agents = Arc::clone(&self.agents);
        builder.resource_hook(move |question| {
            let org_id = question.org_id.unwrap_or_default();
            Ok(agents.has(question.account_id, org_id, question.resource.id()))
        })
    }

    /// All routes. The guard judges each by the policy: the org in the path, the role of the key or person, and for public
    /// keys the agent and the page's origin.
    pub fn router(self, authority: Authority) -> Router {
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
        let people = Arc::clone(&self.people);
        let guard = guard(authority.clone()).people(move |token| std::future::ready(people.sign_in(&token)));
        Router::new()
            .route("/api/v1/organizations", get(orgs::list))
            .nest("/api/v1/organizations/{orgId}", org)
            .route("/embed/v1/agents/{id}/chat", post(agents::chat))
            .with_state(App { authority, stack: self })
            .layer(guard)
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
