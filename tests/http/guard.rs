//! [`GuardLayer`].

use crate::support::{
    Answer, AtOnce, NOW, ShuttingDown, authority, bearer, issue, issue_with_id, read, request,
};
use http::{Request, Response};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tenantkit::http::tower::{BufferedBody, GuardLayer, RequestId};
use tenantkit::tenant::TenantScope;
use tenantkit::{Authority, Caller, Grant};
use tower::{Layer, Service, ServiceExt, service_fn};

/// What the service behind saw of each request.
type Seen = Arc<Mutex<Vec<String>>>;

/// Sends one request through a guard to a service that says whom it acts for.
async fn send(layer: &GuardLayer, seen: &Seen, request: Request<String>) -> Answer {
    let seen = Arc::clone(seen);
    let inner = service_fn(move |request: Request<String>| {
        let scope = request.extensions().get::<TenantScope>().cloned();
        let grant = request.extensions().get::<Arc<Grant>>().cloned();
        let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
        let forged = request.headers().keys().filter(|name| name.as_str().contains("tenantkit")).count();
        assert_eq!(grant.as_ref().map(|grant| grant.scope()), scope.as_ref());
        seen.lock().unwrap().push(format!("{} {id:?} {forged}", scope.unwrap()));
        async {
            Ok::<_, Infallible>(Response::builder().header("vary", "accept").body("done".to_owned()).unwrap())
        }
    });
    read(layer.layer(inner).oneshot(request).await.unwrap()).await
}

fn guard(authority: &Authority) -> GuardLayer {
    GuardLayer::new(authority.clone(), AtOnce::default())
}

#[tokio::test]
async fn an_allowed_request_reaches_the_service_with_its_tenant() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let headers = [
        ("authorization", &*key),
        ("x-tenantkit-org", "forged"),
        ("X-TENANTKIT_ACCOUNT", "forged"),
        ("x_tenantkit_user", "forged"),
    ];
    let answer = send(&guard(&authority), &seen, request("POST", "/orgs/o1/things/run", &headers)).await;
    assert_eq!((answer.status, &*answer.body), (200, "done"));
    assert_eq!(*seen.lock().unwrap(), ["acme/o1/- in live Some(\"req_1\") 0"]);
    assert_eq!(answer.header("ratelimit"), Some("\"runs-day\";r=2;t=86112"));
    let policy = answer.header("ratelimit-policy").unwrap();
    assert!(policy.starts_with("\"runs-day\";q=3;w=86400;qu=\"runs\";pk=:"), "{policy}");

    let free = send(&guard(&authority), &seen, request("GET", "/orgs/o1/things", &headers)).await;
    assert_eq!((free.status, free.header("ratelimit")), (200, None));
}

#[tokio::test]
async fn refusals_never_reach_the_service() {
    let authority = authority();
    let (reader, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let nobody: &[(&str, &str)] = &[];
    let bad = [("authorization", "Bearer sk_nonsense")];
    let two = [("authorization", &*reader), ("x-api-key", "sk_nonsense")];
    let good = [("authorization", &*reader)];
    let foreign_org = [("authorization", &*reader), ("x-org-id", "o2")];
    let web = [("authorization", &*reader), ("origin", "https://app.example.com")];
    let cases = [
        ("GET", "/orgs/o1/things", nobody, 401, "missing_credential"),
        ("GET", "/orgs/o1/things", &bad, 401, "invalid_key"),
        ("GET", "/orgs/o1/things", &two, 400, "credential_conflict"),
        ("GET", "/orgs/o2/things", &good, 403, "org_mismatch"),
        ("GET", "/orgs/o1/things", &foreign_org, 400, "tenant_conflict"),
        ("GET", "/orgs/o1/things?user_id=", &good, 400, "user_invalid"),
        ("POST", "/orgs/o1/things", &good, 403, "insufficient_permission"),
        ("POST", "/agents/a1/chat?user_id=u", &good, 403, "kind_not_allowed"),
        ("GET", "/orgs/o1/things", &web, 403, "secret_key_in_browser"),
        ("GET", "/orgs/o1/nothing", &good, 404, "resource_not_found"),
        ("GET", "/orgs/o1//things", &good, 404, "resource_not_found"),
        ("GET", "/orgs/o1/%2e%2e/things", &good, 404, "resource_not_found"),
        ("PUT", "/orgs/o1/things", nobody, 404, "resource_not_found"),
    ];
    for (method, uri, headers, status, code) in cases {
        let answer = send(&guard(&authority), &seen, request(method, uri, headers)).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{method} {uri}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.header("www-authenticate").is_some(),
            status == 401 || code == "insufficient_permission"
        );
        assert!(answer.body.contains("\"request_id\":\"req_1\""));
        assert!(!answer.body.contains("nonsense"));
    }
    assert!(seen.lock().unwrap().is_empty());
}

/// INV-08, through the whole guard.
#[tokio::test]
async fn unknown_wrong_revoked_and_disabled_keys_get_the_same_bytes() {
    let authority = authority();
    let admin = Caller::admin("test");
    let seen = Seen::default();
    let good = issue(&authority, |new| new);
    let (revoked_id, revoked) = issue_with_id(&authority, |new| new);
    authority.revoke(&admin, "acme", &revoked_id).unwrap();
    let (disabled_id, disabled) = issue_with_id(&authority, |new| new);
    authority.disable(&admin, "acme", &disabled_id).unwrap();
    let unknown = issue(&self::authority(), |new| new);
    let mut wrong = good.clone();
    let last = wrong.pop();
    wrong.push(if last == Some('0') { '1' } else { '0' });
    let keys = [
        unknown,
        revoked,
        disabled,
        wrong,
        "sk_x".into(),
        "garbage".into(),
        good.to_uppercase(),
        "\u{20ac}".into(),
    ];

    let mut answers = Vec::new();
    for key in &keys {
        let mut request = request("GET", "/orgs/o1/things", &[]);
        let value = http::HeaderValue::from_bytes(bearer(key).as_bytes()).unwrap();
        request.headers_mut().insert("authorization", value);
        answers.push(send(&guard(&authority), &seen, request).await);
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!((answers[0].status, &*answers[0].code()), (401, "invalid_key"));
    let good = request("GET", "/orgs/o1/things", &[("authorization", &bearer(&good))]);
    assert_eq!(send(&guard(&authority), &seen, good).await.status, 200);
}

#[tokio::test]
async fn an_exhausted_plan_says_when_to_come_back() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let run = || request("POST", "/orgs/o1/things/run", &[("authorization", &key)]);
    for _ in 0..3 {
        assert_eq!(send(&guard(&authority), &seen, run()).await.status, 200);
    }
    let refused = send(&guard(&authority), &seen, run()).await;
    assert_eq!((refused.status, &*refused.code()), (429, "usage_limit_reached"));
    assert_eq!(refused.header("ratelimit"), Some("\"runs-day\";r=0;t=86112"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((86_112..=86_112 * 103 / 100).contains(&wait), "{wait}");
    assert!(refused.body.contains("it resets at 2026-12-01T00:00:00Z"), "{}", refused.body);
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_slow_plan_delays_the_call() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new.plan("SLOW"))), Seen::default());
    let runtime = AtOnce::default();
    let layer = GuardLayer::new(authority, runtime.clone());
    for slept in [vec![], vec![Duration::from_secs(10)]] {
        let run = request("POST", "/orgs/o1/things/run", &[("authorization", &key)]);
        assert_eq!(send(&layer, &seen, run).await.status, 200);
        assert_eq!(*runtime.slept.lock().unwrap(), slept);
    }
}

#[tokio::test]
async fn a_retry_under_one_idempotency_key_is_charged_once() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let run = || {
        request("POST", "/orgs/o1/things/run", &[("authorization", &key), ("idempotency-key", "order-17")])
    };
    let layer = guard(&authority).idempotency_keys();
    for _ in 0..5 {
        assert_eq!(send(&layer, &seen, run()).await.status, 200);
    }
    let unasked = send(&guard(&authority), &seen, run()).await;
    assert_eq!(
        unasked.header("ratelimit"),
        Some("\"runs-day\";r=1;t=86112"),
        "only where the host asked for it"
    );
}

#[tokio::test]
async fn one_route_and_its_environment() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let any_path = || request("PUT", "/anything", &[("authorization", &key)]);
    let one = guard(&authority).operation("things.list");
    assert_eq!(send(&one, &seen, any_path()).await.status, 200);
    let other = send(&one.clone().environment("test"), &seen, any_path()).await;
    assert_eq!((other.status, &*other.code()), (403, "environment_mismatch"));
    let unknown = send(&guard(&authority).operation("no.such"), &seen, any_path()).await;
    assert_eq!((unknown.status, &*unknown.code()), (503, "store_unavailable"));
}

#[tokio::test]
async fn addresses_come_from_the_host_alone() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new.ip_allow(["192.0.2.0/24"]))), Seen::default());
    let forged =
        || request("GET", "/orgs/o1/things", &[("authorization", &key), ("x-forwarded-for", "192.0.2.7")]);
    let cases = [(None, 403), (Some("198.51.100.1"), 403), (Some("192.0.2.7"), 200)];
    for (address, status) in cases {
        let address = address.map(|text: &str| text.parse().unwrap());
        let layer = guard(&authority).client_ip(move |_| address);
        assert_eq!(send(&layer, &seen, forged()).await.status, status, "{address:?}");
    }
}

#[tokio::test]
async fn browsers_may_ask_first_where_an_operation_is_public() {
    let authority = authority();
    let key = issue(&authority, |new| {
        new.kind("public").resources(["agent:a1"]).origins(["https://app.example.com"])
    });
    let seen = Seen::default();
    let ask = |path: &str, method: &str| {
        let headers = [("origin", "https://evil.example"), ("access-control-request-method", method)];
        request("OPTIONS", path, &headers)
    };
    let yes = send(&guard(&authority), &seen, ask("/agents/a1/chat", "POST")).await;
    assert_eq!((yes.status, &*yes.body), (204, ""));
    assert_eq!(yes.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(yes.header("access-control-allow-credentials"), None);
    for (path, method) in [("/orgs/o1/things", "GET"), ("/agents/a1/chat", "GET"), ("/none", "POST")] {
        assert_eq!(send(&guard(&authority), &seen, ask(path, method)).await.status, 404, "{method} {path}");
    }

    let key = bearer(&key);
    let chat = |agent: &str, origin: &str| {
        request("POST", &format!("/agents/{agent}/chat"), &[("authorization", &key), ("origin", origin)])
    };
    let cases = [
        (chat("a1", "https://app.example.com"), 200, ""),
        (chat("a1", "https://app.example.com.evil.example"), 403, "origin_not_allowed"),
        (chat("a1", "null"), 403, "origin_required"),
        (chat("a2", "https://app.example.com"), 403, "resource_not_allowed"),
    ];
    for (request, status, code) in cases {
        let answer = send(&guard(&authority), &seen, request).await;
        assert_eq!((answer.status, &*answer.code()), (status, code));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a page may read why");
        assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value == "Origin"));
    }
    assert_eq!(*seen.lock().unwrap(), ["acme/o1/(anonymous) in live Some(\"req_1\") 0"]);
}

#[tokio::test]
async fn a_runtime_that_drops_its_work_is_not_an_allow() {
    let authority = authority();
    let (key, seen) = (bearer(&issue(&authority, |new| new)), Seen::default());
    let run = request("POST", "/orgs/o1/things/run", &[("authorization", &key)]);
    let answer = send(&GuardLayer::new(authority, ShuttingDown), &seen, run).await;
    assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn errors_and_readiness_are_the_services_own() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let inner = service_fn(|_: Request<String>| async { Err::<Response<BufferedBody>, _>(Broken) });
    let mut service = guard(&authority).layer(inner);
    let list = request("GET", "/orgs/o1/things", &[("authorization", &key)]);
    assert_eq!(service.ready().await.unwrap().call(list).await.unwrap_err(), Broken);
    assert_eq!(authority.now(), NOW);
}
