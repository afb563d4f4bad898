//! MCPStack: organisations in the path, roles, and agents embedded in web pages.

use crate::client::Request;
use crate::host::{Host, admin};
use crate::mcpstack_app::{People, Stack};
use serde_json::{Value, json};
use tenantkit::{NewKey, Person};

/// The host with one person for each role in `org_1`, whose token is the role's name.
pub fn start() -> Host {
    let people = People::default();
    for role in ["viewer", "developer", "admin", "owner"] {
        people.add(role, Person::new("acme", role).member_of("org_1", role));
    }
    let stack = Stack::new(people);
    let asked = stack.clone();
    Host::start_with(
        "mcpstack",
        move |builder| asked.setup(builder),
        move |authority| stack.router(authority),
    )
}

pub fn service_key(host: &Host, org: &str, role: &str) -> String {
    host.issue(NewKey::new("acme", role).org_id(org).role(role)).1
}

pub fn org(path: &str) -> String {
    format!("/api/v1/organizations/org_1{path}")
}

/// MS-07, MS-11, MS-40: what each role may do, and what it lacks otherwise.
#[test]
fn ms_07_roles_decide() {
    let host = start();
    let keys = ["viewer", "developer", "admin"].map(|role| service_key(&host, "org_1", role));
    let body = json!({"name": "x"});
    let cases = [
        ("GET", "/servers", [200, 200, 200], "servers:read"),
        ("POST", "/servers", [403, 201, 201], "servers:create"),
        ("DELETE", "/servers/none", [403, 403, 404], "servers:delete"),
        ("POST", "/agents", [403, 201, 201], "agents:create"),
        ("GET", "/members", [403, 403, 200], "members:read"),
        ("POST", "/members", [403, 403, 201], "members:manage"),
        ("GET", "/billing", [403, 200, 200], "billing:view"),
        ("PUT", "/billing", [403, 403, 200], "billing:manage"),
        ("GET", "/logs", [200, 200, 200], "logs:read"),
        ("GET", "/api-keys", [403, 200, 200], "keys:read"),
        ("POST", "/api-keys", [403, 403, 201], "keys:manage"),
    ];
    for (method, path, statuses, permission) in cases {
        for (key, status) in keys.iter().zip(statuses) {
            let answer = host.call(method, &org(path), key, &body);
            assert_eq!(answer.status, status, "{method} {path} as {key}: {}", answer.body);
            if status == 403 {
                assert_eq!(answer.refusal().1, "insufficient_permission");
                assert_eq!(answer.json()["error"]["details"]["missing_permissions"], json!([permission]));
            }
        }
    }
}

/// MS-07: every operation of the API and every role: a person and a key with it get one answer.
#[test]
fn ms_07_people_and_keys_are_judged_alike() {
    let host = start();
    let roles = ["viewer", "developer", "admin"];
    let keys = roles.map(|role| service_key(&host, "org_1", role));
    let policy = host.authority.policy();
    // What public keys call from web pages is no part of the API.
    let operations = policy.operations().iter().filter(|operation| !operation.public);
    let routes: Vec<_> = operations.flat_map(|operation| &operation.routes).collect();
    assert!(routes.len() > 20);
    for route in routes {
        let method = route.method.as_deref().unwrap();
        let target = route.path.replace("{orgId}", "org_1").replace(['{', '}'], "");
        for (role, key) in roles.iter().zip(&keys) {
            // An empty body changes nothing, so both meet the same state.
            let [of_person, of_key] = [*role, key].map(|token| host.call(method, &target, token, &json!([])));
            let answers = [&of_person, &of_key].map(|answer| (answer.status, answer.refusal_code()));
            assert_eq!(answers[0], answers[1], "{method} {target} as {role}");
        }
    }
    let nobody = host.get(&org("/servers"), "token-of-nobody");
    assert_eq!(nobody.refusal(), (401, "invalid_key".into()));
}

/// What an owner does in the dashboard: the first keys, and never more than their own role.
#[test]
fn people_make_keys() {
    let host = start();
    let made = host.call("POST", &org("/api-keys"), "owner", &json!({"name": "bot", "role": "admin"}));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["created_by"], "owner");
    assert_eq!(host.get(&org("/servers"), made.json()["key"].as_str().unwrap()).status, 200);
    let developer = host.call("POST", &org("/api-keys"), "developer", &json!({"name": "x"}));
    assert_eq!(developer.refusal(), (403, "insufficient_permission".into()));
    assert_eq!(host.get("/api/v1/organizations", "owner").json(), json!([{"id": "org_1"}]));
    let foreign = host.get("/api/v1/organizations/org_2/servers", "owner");
    assert_eq!(foreign.refusal(), (403, "org_not_allowed".into()));
}

/// MS-27: a resource of an organisation from beginning to end.
#[test]
fn servers_are_made_read_changed_and_deleted() {
    let host = start();
    let key = service_key(&host, "org_1", "admin");
    let made = host.call("POST", &org("/servers"), &key, &json!({"name": "a", "url": "https://a.example"}));
    assert_eq!(made.status, 201);
    let path = org(&format!("/servers/{}", made.json()["id"].as_str().unwrap()));
    assert_eq!(host.get(&path, &key).json(), made.json());
    let changed = host.call("PATCH", &path, &key, &json!({"description": "mine"}));
    assert_eq!(
        (changed.status, &changed.json()["name"], &changed.json()["description"]),
        (200, &json!("a"), &json!("mine"))
    );
    assert_eq!(host.get(&org("/servers"), &key).json().as_array().unwrap().len(), 1);
    assert_eq!(
        host.call("PATCH", &path, &key, &json!({"colour": 1})).refusal(),
        (400, "validation_error".into())
    );
    assert_eq!(host.send(&Request::new("DELETE", &path).bearer(&key)).status, 204);
    assert_eq!(host.get(&path, &key).refusal(), (404, "resource_not_found".into()));
}

/// another organisation, existing or not, gets one answer, byte for byte.
#[test]
fn a_15_a_foreign_org_is_refused_alike_whether_it_exists_or_not() {
    let host = start();
    let key = service_key(&host, "org_1", "admin");
    service_key(&host, "org_2", "admin");
    let answers = ["org_2", "org_3", "other%20one"]
        .map(|org| host.get(&format!("/api/v1/organizations/{org}/servers"), &key));
    assert_eq!(answers[0].refusal(), (403, "org_mismatch".into()));
    for answer in &answers {
        assert_eq!(answer.fixed_part(), answers[0].fixed_part());
    }
    for bad in [
        "/api/v1/organizations//servers",
        "/api/v1/organizations/a%2Fb/servers",
        "/api/v1/organizations/../x",
    ] {
        assert_eq!(host.get(bad, &key).refusal(), (404, "resource_not_found".into()), "{bad}");
    }
}

/// MS-21: only the caller's organisations.
#[test]
fn ms_21_organisations_are_the_callers() {
    let host = start();
    let key = service_key(&host, "org_1", "viewer");
    service_key(&host, "org_2", "viewer");
    let list = host.get("/api/v1/organizations", &key);
    assert_eq!((list.status, list.json()), (200, json!([{"id": "org_1"}])));
}

/// MS-32, MS-38, MS-39: carriers and their conflicts, on every kind of refusal.
#[test]
fn ms_32_both_carriers_are_alike() {
    let host = start();
    let viewer = service_key(&host, "org_1", "viewer");
    let mut wrong = viewer.clone();
    let last = wrong.pop();
    wrong.push(if last == Some('0') { '1' } else { '0' });
    for (key, method, path) in [
        (&viewer, "GET", "/servers"),
        (&viewer, "POST", "/servers"),
        (&viewer, "GET", "/none"),
        (&wrong, "GET", "/servers"),
        (&viewer, "GET", "/../org_2/servers"),
    ] {
        let request = Request::new(method, &org(path));
        let by_bearer = host.send(&request.clone().bearer(key));
        let by_header = host.send(&request.header("X-API-Key", key));
        assert_eq!(by_bearer.fixed_part(), by_header.fixed_part(), "{method} {path}");
    }
    let both = Request::new("GET", &org("/servers")).bearer(&viewer);
    assert_eq!(host.send(&both.clone().header("X-API-Key", &viewer)).status, 200);
    assert_eq!(
        host.send(&both.clone().header("X-API-Key", &wrong)).refusal(),
        (400, "credential_conflict".into())
    );
    assert_eq!(host.send(&both.bearer(&viewer)).refusal(), (400, "credential_conflict".into()));
    assert_eq!(host.get(&org("/servers"), "").refusal(), (401, "missing_credential".into()));
    let in_query = host.get(&org(&format!("/servers?api_key={viewer}")), "");
    assert_eq!(in_query.refusal(), (401, "missing_credential".into()));
    assert!(!in_query.body.contains(&viewer));
}

/// MS-43, A-18: a service secret in a browser is refused.
#[test]
fn ms_43_a_secret_key_has_no_place_in_a_browser() {
    let host = start();
    let key = service_key(&host, "org_1", "viewer");
    let request =
        Request::new("GET", &org("/servers")).bearer(&key).header("Origin", "https://app.example.com");
    assert_eq!(host.send(&request).refusal(), (403, "secret_key_in_browser".into()));
}

/// A public key for the agent, with this origin, once its domain is verified.
fn public_key(host: &Host, admin_key: &str, agent: &str) -> String {
    let made = host.call(
        "POST",
        &org("/api-keys"),
        admin_key,
        &json!({"kind": "public", "name": "site", "agentId": agent, "allowedOrigins": ["http://localhost:3000"]}),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["key"].as_str().unwrap().to_owned()
}

fn agent(host: &Host, key: &str) -> String {
    host.call("POST", &org("/agents"), key, &json!({"name": "a"})).json()["id"].as_str().unwrap().to_owned()
}

/// MS-02, MS-03, MS-04: a public key chats with its agent from its page, and does nothing else.
#[test]
fn ms_02_public_keys_embed_one_agent() {
    let host = start();
    let admin_key = service_key(&host, "org_1", "admin");
    let (mine, other) = (agent(&host, &admin_key), agent(&host, &admin_key));
    let key = public_key(&host, &admin_key, &mine);
    assert!(key.starts_with("mcpstack_pk_"));
    let chat = |agent: &str| Request::new("POST", &format!("/embed/v1/agents/{agent}/chat")).bearer(&key);
    let page = "http://localhost:3000";
    let cases = [
        (chat(&mine).header("Origin", page), 200, ""),
        (chat(&mine).header("Origin", "http://localhost:3001"), 403, "origin_not_allowed"),
        (chat(&mine).header("Origin", "https://localhost:3000"), 403, "origin_not_allowed"),
        (chat(&mine).header("Origin", page).header("Origin", page), 403, "origin_not_allowed"),
        (chat(&mine).header("Origin", "null"), 403, "origin_required"),
        (chat(&mine), 403, "origin_required"),
        (chat(&other).header("Origin", page), 403, "resource_not_allowed"),
        (Request::new("GET", &org("/servers")).bearer(&key).header("Origin", page), 403, "kind_not_allowed"),
        (Request::new("GET", &org("/api-keys")).bearer(&key).header("Origin", page), 403, "kind_not_allowed"),
    ];
    for (request, status, code) in cases {
        let answer = host.send(&request);
        assert_eq!(
            (answer.status, &*answer.refusal_code().unwrap_or_default()),
            (status, code),
            "{answer:?}"
        );
    }
    // MS-42: service keys are for automation.
    let secret = host.call("POST", &format!("/embed/v1/agents/{mine}/chat"), &admin_key, &Value::Null);
    assert_eq!(secret.refusal(), (403, "kind_not_allowed".into()));

    let ask = Request::new("OPTIONS", &format!("/embed/v1/agents/{mine}/chat")).header("Origin", page);
    let preflight = host.send(&ask.header("Access-Control-Request-Method", "POST"));
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
}

/// MS-13, MS-14, MS-15, MS-17: what a public key needs before it is made, and that it can be read again.
#[test]
fn ms_13_a_public_key_needs_agent_origin_and_domain() {
    let host = start();
    let admin_key = service_key(&host, "org_1", "admin");
    let mine = agent(&host, &admin_key);
    let create = |agent: &str, origins: Value| {
        let body = json!({"kind": "public", "name": "p", "agentId": agent, "allowedOrigins": origins});
        host.call("POST", &org("/api-keys"), &admin_key, &body)
    };
    assert_eq!(
        create(&mine, json!(["https://app.example.com"])).refusal(),
        (403, "domain_not_verified".into())
    );
    assert_eq!(create("agent_99", json!(["http://localhost"])).refusal(), (404, "resource_not_found".into()));
    for bad in [
        "https://app.example.com/path",
        "https://*.example.com",
        "null",
        "app.example.com",
        "https://u@example.com",
    ] {
        assert_eq!(create(&mine, json!([bad])).refusal(), (400, "origin_invalid".into()), "{bad}");
    }
    assert_eq!(create(&mine, json!([])).status, 400);

    let key = public_key(&host, &admin_key, &mine);
    let list = host.get(&org("/api-keys?kind=public"), &admin_key).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let shown = host.get(&org(&format!("/api-keys/{}", list[0]["id"].as_str().unwrap())), &admin_key).json();
    assert_eq!(shown["value"], json!(key), "embed snippets can be recovered");
    assert_eq!(host.authority.keys(&admin(), "acme", &Default::default(), None, 200).unwrap().items.len(), 2);
}
