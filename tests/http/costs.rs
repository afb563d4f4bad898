//! What a host adds to a request: dimensions and costs.

use crate::support::{Answer, AtOnce, authority_of, bearer, issue, read, request};
use http::{Request, Response};
use std::convert::Infallible;
use tenantkit::http::tower::GuardLayer;
use tower::{Layer, ServiceExt, service_fn};

const POLICY: &str = r#"
name = "test"
dimensions = ["provider"]

[kinds.secret]
native = "sk"
[kinds.secret.presets.client]
org = "fixed"
user = "none"

[meters.tokens]
[operations]
"ask" = { level = "org", dimensions = "provider", cost = 1, variable = "tokens", routes = "POST /ask" }
"ask.later" = { level = "org", dimensions = "provider", cost = 1, variable = "tokens", count_on = "success", routes = "POST /later" }

[[limits]]
name = "tokens"
meter = "tokens"
subject = ["key", "provider"]
period = "day"
amount = 100
"#;

async fn ask(layer: &GuardLayer, path: &str, key: &str, provider: &str, cost: &str) -> Answer {
    let headers = [("authorization", key), ("x-provider", provider), ("x-cost", cost)];
    let inner = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    read(layer.layer(inner).oneshot(request("POST", path, &headers)).await.unwrap()).await
}

#[tokio::test]
async fn limits_count_by_what_the_host_says() {
    let authority = authority_of(POLICY);
    let key = bearer(&issue(&authority, |new| new.environment("default")));
    let header = |name: &'static str| {
        move |parts: &http::request::Parts| parts.headers.get(name)?.to_str().ok().map(str::to_owned)
    };
    let (provider, cost) = (header("x-provider"), header("x-cost"));
    let layer = GuardLayer::new(authority.clone(), AtOnce::default())
        .dimensions(move |parts| {
            provider(parts).into_iter().map(|name| ("provider".to_owned(), name)).collect()
        })
        .cost(move |parts| cost(parts)?.parse().ok());
    let cases = [
        ("/ask", "a", "60", Some("\"tokens\";r=40;t=86112")),
        ("/ask", "b", "", Some("\"tokens\";r=99;t=86112")),
        ("/later", "a", "30", Some("\"tokens\";r=10;t=86112")),
        ("/ask", "a", "0", None),
        ("/ask", "a", "10", Some("\"tokens\";r=0;t=86112")),
    ];
    for (path, provider, cost, left) in cases {
        let answer = ask(&layer, path, &key, provider, cost).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, left), "{path} {provider} {cost}");
    }
    assert_eq!(ask(&layer, "/ask", &key, "a", "1").await.code(), "usage_limit_reached");
    let wrong = ask(&layer, "/ask", &key, "a", "9007199254740992").await;
    assert_eq!(
        (wrong.status, &*wrong.code()),
        (503, "store_unavailable"),
        "the host's mistake, not the caller's"
    );
    let silent = GuardLayer::new(authority, AtOnce::default());
    let unnamed = ask(&silent, "/ask", &key, "a", "1").await;
    assert_eq!(unnamed.status, 503, "nobody says whose count it is");
}
