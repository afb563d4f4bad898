//! The extractors for axum, in a router.

use crate::support::{Answer, AtOnce, authority, bearer, issue, read, request};
use axum::Router;
use axum::routing::{get, post};
use tenantkit::Authority;
use tenantkit::http::axum::{OperationName, Require, Tenant, guard};
use tenantkit::http::tower::GuardLayer;
use tenantkit::tenant::TenantScope;
use tower::ServiceExt;

struct RunThing;

impl OperationName for RunThing {
    const NAME: &str = "things.run";
}

struct CreateThing;

impl OperationName for CreateThing {
    const NAME: &str = "things.create";
}

async fn show(tenant: Tenant, scope: TenantScope) -> String {
    format!("{} {}", tenant.account_id(), scope)
}

async fn show_if_any(tenant: Option<Tenant>, scope: Option<TenantScope>) -> String {
    format!(
        "{:?} {:?}",
        tenant.map(|tenant| tenant.key_id().to_string().len()),
        scope.map(|scope| scope.to_string())
    )
}

async fn run(run: Require<RunThing>) -> String {
    format!("ran for {:?}", run.org_id())
}

async fn create(create: Require<CreateThing>) -> String {
    create.into_tenant().account_id().to_owned()
}

async fn send(app: &Router, method: &str, uri: &str, key: &str) -> Answer {
    let request = request(method, uri, &[("authorization", key)]).map(axum::body::Body::from);
    read(app.clone().oneshot(request).await.unwrap()).await
}

fn routes() -> Router {
    Router::new()
        .route("/orgs/{orgId}/things", get(show).post(create))
        .route("/orgs/{orgId}/things/run", post(run))
        .route("/open", get(show_if_any))
}

fn by_handler(authority: &Authority) -> Router {
    routes().layer(GuardLayer::new(authority.clone(), AtOnce::default()).by_handler())
}

#[tokio::test]
async fn handlers_behind_the_guard_get_their_tenant() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let app = routes().layer(guard(authority));
    let list = send(&app, "GET", "/orgs/o1/things", &key).await;
    assert_eq!((list.status, &*list.body), (200, "acme acme/o1/- in live"));
    assert_eq!(send(&app, "GET", "/orgs/o1/things", "").await.status, 401);
    assert_eq!(send(&app, "GET", "/open", &key).await.status, 404, "no route of the policy");
}

#[tokio::test]
async fn an_operation_is_judged_once_however_often_it_is_named() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let app = routes().layer(guard(authority));
    let answer = send(&app, "POST", "/orgs/o1/things/run", &key).await;
    assert_eq!((answer.status, &*answer.body), (200, "ran for Some(\"o1\")"));
    assert_eq!(answer.header("ratelimit"), Some("\"runs-day\";r=2;t=86112"));
}

#[tokio::test]
async fn handlers_may_name_their_operation_themselves() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let app = by_handler(&authority);
    let answer = send(&app, "POST", "/orgs/o1/things/run", &key).await;
    assert_eq!((answer.status, &*answer.body), (200, "ran for Some(\"o1\")"));
    assert_eq!(answer.header("ratelimit"), Some("\"runs-day\";r=2;t=86112"));
    let cases = [
        ("POST", "/orgs/o2/things/run", &*key, 403, "org_mismatch"),
        ("POST", "/orgs/o1/things/run", "", 401, "missing_credential"),
        ("POST", "/orgs/o1/things", &*key, 403, "insufficient_permission"),
    ];
    for (method, uri, key, status, code) in cases {
        let answer = send(&app, method, uri, key).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{uri}");
        assert!(answer.body.contains("\"request_id\":\"req_1\""));
    }
    let open = send(&app, "GET", "/open", &key).await;
    assert_eq!((open.status, &*open.body), (200, "None None"), "nobody asked who calls");
}

#[tokio::test]
async fn a_handler_without_a_guard_serves_nobody() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let app = routes();
    for (method, uri) in [("GET", "/orgs/o1/things"), ("POST", "/orgs/o1/things/run")] {
        let answer = send(&app, method, uri, &key).await;
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"), "{uri}");
    }
    assert_eq!(send(&app, "GET", "/open", &key).await.body, "None None");
    let forgot = send(&by_handler(&authority), "GET", "/orgs/o1/things", &key).await;
    assert_eq!(forgot.status, 503, "by_handler, but the handler names no operation");
}
