//! People beside keys: one carrier, one authoriser (row MS-07).

use crate::support::{Answer, AtOnce, POLICY, authority_of, bearer, issue, read, request};
use http::{Request, Response};
use std::convert::Infallible;
use tenantkit::http::tower::GuardLayer;
use tenantkit::tenant::TenantScope;
use tenantkit::{Authority, Person};
use tower::{Layer, ServiceExt, service_fn};

fn authority() -> Authority {
    authority_of(&format!("{POLICY}\n[credentials]\nbearer_other = \"human\""))
}

async fn send(layer: &GuardLayer, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let inner = service_fn(|request: Request<String>| {
        let scope = request.extensions().get::<TenantScope>().unwrap().to_string();
        let person = request.extensions().get::<Person>().is_some();
        async move { Ok::<_, Infallible>(Response::new(format!("{scope} {person}"))) }
    });
    read(layer.layer(inner).oneshot(request(method, path, headers)).await.unwrap()).await
}

/// Two people: one writes in `o1`, one reads in `o1` and `o2`.
fn guard(authority: &Authority) -> GuardLayer {
    GuardLayer::new(authority.clone(), AtOnce::default()).people(|token| async move {
        match &*token {
            "token-of-ann" => Some(Person::new("acme", "ann").member_of("o1", "writer")),
            "token-of-bob" => {
                Some(Person::new("acme", "bob").member_of("o1", "reader").member_of("o2", "reader"))
            }
            _ => None,
        }
    })
}

#[tokio::test]
async fn people_are_judged_as_keys_with_their_role_are() {
    let authority = authority();
    let layer = guard(&authority);
    let reader = bearer(&issue(&authority, |new| new));
    let writer = bearer(&issue(&authority, |new| new.role("writer")));
    issue(&authority, |new| new.org_id("o2"));
    let (ann, bob) = (bearer("token-of-ann"), bearer("token-of-bob"));
    for (method, path) in [("GET", "/orgs/o1/things"), ("POST", "/orgs/o1/things"), ("GET", "/none")] {
        for (person, key) in [(&ann, &writer), (&bob, &reader)] {
            let of_person = send(&layer, method, path, &[("authorization", person)]).await;
            let of_key = send(&layer, method, path, &[("authorization", key)]).await;
            assert_eq!(
                (of_person.status, of_person.code()),
                (of_key.status, of_key.code()),
                "{method} {path}"
            );
        }
    }
    let allowed = send(&layer, "GET", "/orgs/o2/things", &[("authorization", &bob)]).await;
    assert_eq!((allowed.status, &*allowed.body), (200, "acme/o2/bob in live true"));
    let foreign = send(&layer, "GET", "/orgs/o9/things", &[("authorization", &bob)]).await;
    assert_eq!((foreign.status, &*foreign.code()), (403, "org_not_allowed"));
}

#[tokio::test]
async fn tokens_that_mean_nobody() {
    let authority = authority();
    let key = issue(&authority, |new| new);
    let layer = guard(&authority);
    let unknown = send(&layer, "GET", "/orgs/o1/things", &[("authorization", "Bearer token-of-eve")]).await;
    assert_eq!((unknown.status, &*unknown.code()), (401, "invalid_key"));
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let both = [("authorization", "Bearer token-of-ann"), ("x-api-key", &*key)];
    let both = send(&layer, "GET", "/orgs/o1/things", &both).await;
    assert_eq!((both.status, &*both.code()), (400, "credential_conflict"));
    let elsewhere = send(&layer, "GET", "/orgs/o1/things", &[("x-api-key", "token-of-ann")]).await;
    assert_eq!((elsewhere.status, &*elsewhere.code()), (401, "invalid_key"), "only Bearer carries a person");

    let without = GuardLayer::new(authority.clone(), AtOnce::default());
    let absent = send(&without, "GET", "/orgs/o1/things", &[("authorization", "Bearer token-of-ann")]).await;
    assert_eq!((absent.status, &*absent.code()), (401, "missing_credential"));
}
