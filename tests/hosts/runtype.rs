//! Runtype: `/v1/flows` with permissions, and test and live apart.

use crate::host::{Host, NOW, admin};
use crate::runtype_app;
use serde_json::json;
use tenantkit::NewKey;

fn start() -> Host {
    Host::start("runtype", runtype_app::router)
}

fn key(host: &Host, environment: &str, permissions: &[&str]) -> String {
    let new = NewKey::new("acme", "CI/CD pipeline").org_id("o1").environment(environment);
    host.issue(new.permissions(permissions.iter().copied())).1
}

/// RT-01, RT-02, RT-08, RT-15: one operation of each class, with and without its permission.
#[test]
fn rt_02_each_operation_needs_its_permission() {
    let host = start();
    let all = key(&host, "live", &["FLOWS:READ", "FLOWS:WRITE", "FLOWS:EXECUTE", "FLOWS:DELETE"]);
    let flow = host.call("POST", "/v1/flows", &all, &json!({"name": "post", "steps": []}));
    assert_eq!(flow.status, 201);
    let path = format!("/v1/flows/{}", flow.json()["id"].as_str().unwrap());
    let run = format!("{path}/execute");
    let body = json!({"name": "post 2"});
    let cases = [
        ("GET", "/v1/flows", "FLOWS:READ", 200),
        ("GET", &*path, "FLOWS:READ", 200),
        ("POST", "/v1/flows", "FLOWS:WRITE", 201),
        ("PUT", &path, "FLOWS:WRITE", 200),
        ("POST", &run, "FLOWS:EXECUTE", 200),
        ("DELETE", &path, "FLOWS:DELETE", 204),
    ];
    let permissions = ["FLOWS:READ", "FLOWS:WRITE", "FLOWS:EXECUTE", "FLOWS:DELETE"];
    for (method, target, permission, status) in cases {
        for other in permissions.into_iter().filter(|other| *other != permission) {
            let refused = host.call(method, target, &key(&host, "live", &[other]), &body);
            assert_eq!(
                refused.refusal(),
                (403, "insufficient_permission".into()),
                "{method} {target} {other}"
            );
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{permission}\"");
            assert_eq!(refused.header("www-authenticate"), Some(&*challenge));
            assert_eq!(refused.json()["error"]["details"]["missing_permissions"], json!([permission]));
        }
        let allowed = host.call(method, target, &key(&host, "live", &[permission]), &body);
        assert_eq!(allowed.status, status, "{method} {target}: {}", allowed.body);
    }
    assert_eq!(host.get(&path, &all).refusal(), (404, "resource_not_found".into()));
}

/// RT-17, A-38: a test key sees the test world alone.
#[test]
fn rt_17_test_and_live_share_nothing() {
    let host = start();
    let live = key(&host, "live", &["*"]);
    let test = key(&host, "test", &["*"]);
    assert!(live.starts_with("rt_live_") && test.starts_with("rt_test_"));
    let flow = host.call("POST", "/v1/flows", &live, &json!({"name": "f"})).json();
    let path = format!("/v1/flows/{}", flow["id"].as_str().unwrap());
    assert_eq!(host.get(&path, &live).status, 200);
    assert_eq!(host.get(&path, &test).refusal(), (404, "resource_not_found".into()));
    assert_eq!(host.get("/v1/flows", &test).json()["flows"], json!([]));

    let agent = |key: &str| host.call("POST", "/v1/agents", key, &json!({"name": "a"})).json()["id"].clone();
    for (key, expected) in [(&live, None), (&test, Some("environment_mismatch"))] {
        let deploy = format!("/v1/agents/{}/deploy", agent(key).as_str().unwrap());
        let answer = host.call("POST", &deploy, key, &json!({}));
        assert_eq!(answer.status, if expected.is_some() { 403 } else { 200 });
        assert_eq!(answer.json()["error"]["code"].as_str(), expected);
    }
}

/// RT-10, RT-30: expiry acts by itself, to the second.
#[test]
fn rt_10_a_key_ends_when_it_says() {
    let host = start();
    let ends = NOW.plus_seconds(3_600);
    let new = NewKey::new("acme", "short").org_id("o1").environment("test").expires_at(ends.to_string());
    let key = host.issue(new).1;
    host.clock.set(ends.plus_seconds(-1));
    assert_eq!(host.get("/v1/flows", &key).status, 200);
    host.clock.set(ends);
    let expired = host.get("/v1/flows", &key);
    assert_eq!(expired.refusal(), (401, "key_expired".into()));
    assert_eq!(expired.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

/// RT-14, RT-18, RT-04: what is no key of this product.
#[test]
fn rt_14_the_scheme_is_bearer_and_the_prefix_names_the_environment() {
    let host = start();
    let key = key(&host, "live", &["FLOWS:READ"]);
    let with = |value: String| {
        host.send(&crate::client::Request::new("GET", "/v1/flows").header("Authorization", &value)).status
    };
    assert_eq!(with(format!("bearer {key}")), 200, "a scheme has no case");
    for value in [format!("Token {key}"), key.clone(), format!("Bearer  {key}"), "Bearer rt_abc".into()] {
        assert_eq!(with(value.clone()), 401, "{value}");
    }
    let foreign = host.get("/v1/flows", "sk-ant-api03-abcdefgh");
    assert_eq!(foreign.refusal(), (401, "invalid_key".into()));
    assert!(!foreign.body.contains("sk-ant"));
}

/// RT-20, RT-21, RT-23: overlap, then the old key is dead at once; and A-14: keys manage no keys.
#[test]
fn rt_20_rotation_overlaps_and_keys_make_no_keys() {
    let host = start();
    let (id, old) =
        host.issue(NewKey::new("acme", "k").org_id("o1").environment("live").template("full_access"));
    let rotated = host.authority.rotate(&admin(), "acme", &id, &Default::default()).unwrap();
    let new = rotated.key.unwrap().reveal().to_owned();
    assert_eq!((host.get("/v1/flows", &old).status, host.get("/v1/flows", &new).status), (200, 200));
    host.authority.revoke(&admin(), "acme", &id).unwrap();
    assert_eq!(host.get("/v1/flows", &old).refusal(), (401, "invalid_key".into()));
    assert_eq!(host.get("/v1/flows", &new).status, 200);
    let create = host.call("POST", "/v1/api-keys", &new, &json!({"name": "x"}));
    assert_eq!(create.refusal(), (403, "kind_not_allowed".into()), "whatever permissions it holds");
}

#[test]
fn bodies_are_read_strictly() {
    let host = start();
    let key = key(&host, "live", &["FLOWS:WRITE"]);
    let answer = host.call("POST", "/v1/flows", &key, &json!({"steps": [], "colour": "red"}));
    assert_eq!(answer.refusal(), (400, "validation_error".into()));
    let fields = answer.json()["error"]["details"]["fields"].clone();
    let names: Vec<&str> =
        fields.as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert_eq!(names, ["name", "colour"]);
    assert_eq!(host.call("POST", "/v1/flows", &key, &json!([1])).refusal(), (400, "validation_error".into()));
}
