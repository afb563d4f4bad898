//! Runtype under its extended policy: plans of the org, product keys and client tokens.

use crate::client::{Answer, Request};
use crate::host::{Host, NOW, admin};
use crate::runtype_app;
use serde_json::{Value, json};
use tenantkit::{NewKey, PlanChange, TenantName};

fn start() -> Host {
    Host::start("runtype-extended", runtype_app::router)
}

fn new(kind: &str) -> NewKey {
    NewKey::new("acme", kind).kind(kind).org_id("o1").environment("live")
}

fn api_key(host: &Host) -> String {
    host.issue(new("api").permissions(["*"])).1
}

/// A flow to run.
fn flow(host: &Host, key: &str) -> String {
    let flow = host.call("POST", "/v1/flows", key, &json!({"name": "f"})).json();
    format!("/v1/flows/{}/execute", flow["id"].as_str().unwrap())
}

fn set_plan(host: &Host, plan: &str) {
    let org = TenantName::org("acme", "o1").environment("live");
    host.authority.set_tenant_plan(&admin(), &org, &PlanChange::to(plan)).unwrap();
}

/// RT-37: 50 a day, a warning at 80 %, then slowly, then not before the next hour; and a new day.
#[test]
fn rt_37_build_warns_then_slows_down() {
    let host = start();
    let key = api_key(&host);
    let run = flow(&host, &key);
    let execute = || host.call("POST", &run, &key, &Value::Null);
    for used in 1..=50_u64 {
        let answer = execute();
        assert_eq!(answer.status, 200, "{used}: {}", answer.body);
        assert_eq!(answer.header("x-quota-remaining"), Some(&*(50 - used).to_string()));
        let state = match used {
            0..40 => None,
            40..45 => Some("warning"),
            45..50 => Some("amber"),
            _ => Some("orange"),
        };
        assert_eq!(answer.header("x-quota-warning"), state, "{used}");
    }
    host.clock.set(NOW.plus_seconds(86_400));
    let tomorrow = execute();
    assert_eq!((tomorrow.status, tomorrow.header("x-quota-remaining")), (200, Some("49")), "a new day");
    assert_eq!(tomorrow.header("x-quota-warning"), None);
}

/// Soft plans go on, say that they are over what is included, and have a burst window.
#[test]
fn soft_plans_go_on_and_bursts_do_not() {
    let host = start();
    let key = api_key(&host);
    let run = flow(&host, &key);
    set_plan(&host, "startup");
    let execute = || host.call("POST", &run, &key, &Value::Null);
    for i in 0..50 {
        let answer = execute();
        assert_eq!(answer.status, 200, "{i}: {}", answer.body);
        assert_eq!(answer.header("x-quota-remaining"), Some(&*(14_999 - i).to_string()));
        assert_eq!(answer.header("ratelimit-remaining"), Some(&*(49 - i).to_string()));
    }
    let refused = execute();
    assert_eq!(refused.refusal(), (429, "rate_limited".into()));
    assert_eq!(refused.json()["error"]["details"]["limit"]["name"], "burst");
    assert!(refused.header("retry-after").is_some());
    host.clock.set(NOW.plus_seconds(10));
    assert_eq!(execute().status, 200);
}

/// RT-03, RT-32, RT-33: product keys call the capabilities they list, by either carrier, and nothing else.
#[test]
fn rt_33_product_keys_reach_their_capabilities() {
    let host = start();
    let (id, key) = host.issue(new("product").resources(["capability:search"]));
    let all = host.issue(new("product").all_resources()).1;
    let none = host.issue(new("product").resources::<&str>([])).1;
    let call = |capability: &str, key: &str| {
        host.call("POST", &format!("/v1/products/p1/{capability}"), key, &Value::Null)
    };
    let cases = [
        (&key, "search", 200, ""),
        (&key, "translate", 403, "resource_not_allowed"),
        (&all, "translate", 200, ""),
        (&none, "search", 403, "resource_not_allowed"),
    ];
    for (key, capability, status, code) in cases {
        let answer = call(capability, key);
        assert_eq!(
            (answer.status, &*answer.refusal_code().unwrap_or_default()),
            (status, code),
            "{capability}"
        );
    }
    let by_header = Request::new("POST", "/v1/products/p1/search").header("X-API-Key", &key);
    assert_eq!(host.send(&by_header).status, 200);
    assert_eq!(host.get("/v1/flows", &key).refusal(), (403, "kind_not_allowed".into()));
    assert_eq!(call("search", &api_key(&host)).refusal(), (403, "kind_not_allowed".into()));
    let api_by_header = Request::new("GET", "/v1/flows").header("X-API-Key", &api_key(&host));
    assert_eq!(host.send(&api_by_header).refusal(), (401, "missing_credential".into()));

    let edit = tenantkit::KeyEdit::default().resources(["capability:translate"]);
    host.authority.update(&admin(), "acme", &id, &edit).unwrap();
    assert_eq!(
        (call("search", &key).status, call("translate", &key).status),
        (403, 200),
        "an edit holds at once"
    );
}

/// RT-34: client tokens sit in web pages, and each conversation has an end.
#[test]
fn rt_34_client_tokens_belong_to_pages_and_conversations() {
    let host = start();
    let token = host.issue(new("client_token").resources(["flow:f1"]).origins(["https://*.example.com"])).1;
    let say = |flow: &str, origin: &str, conversation: &str| -> Answer {
        let request = Request::new("POST", &format!("/v1/client/flows/{flow}")).bearer(&token);
        host.send(&request.header("Origin", origin).header("X-Conversation-Id", conversation))
    };
    let cases = [
        ("f1", "https://app.example.com", 200, ""),
        ("f1", "https://a.b.example.com", 403, "origin_not_allowed"),
        ("f1", "https://example.com", 403, "origin_not_allowed"),
        ("f2", "https://app.example.com", 403, "resource_not_allowed"),
    ];
    for (flow, origin, status, code) in cases {
        let answer = say(flow, origin, "c0");
        assert_eq!(
            (answer.status, &*answer.refusal_code().unwrap_or_default()),
            (status, code),
            "{flow} {origin}"
        );
    }
    set_plan(&host, "enterprise");
    let page = "https://app.example.com";
    for i in 0..200 {
        // A message a second keeps below the 60 a minute.
        host.clock.set(NOW.plus_seconds(60 + i));
        assert_eq!(say("f1", page, "c1").status, 200, "{i}");
    }
    host.clock.set(NOW.plus_seconds(300));
    let over = say("f1", page, "c1");
    assert_eq!(over.refusal(), (429, "usage_limit_reached".into()));
    assert_eq!(over.json()["error"]["details"]["limit"]["name"], "conversation");
    assert_eq!(over.header("retry-after"), None, "it does not begin anew");
    assert_eq!(say("f1", page, "c2").status, 200);
}
