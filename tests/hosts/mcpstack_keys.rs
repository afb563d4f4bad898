//! MCPStack: keys over REST.

use crate::client::Request;
use crate::mcpstack::{org, service_key, start};
use serde_json::json;

/// MS-28 to MS-31, MS-12, MS-37, A-21: from creation to the second revocation.
#[test]
fn ms_28_keys_are_made_listed_and_revoked() {
    let host = start();
    let admin = service_key(&host, "org_1", "admin");
    let made =
        host.call("POST", &org("/api-keys"), &admin, &json!({"name": "automation-bot", "role": "developer"}));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
    let (key, id) =
        (made.json()["key"].as_str().unwrap().to_owned(), made.json()["id"].as_str().unwrap().to_owned());
    assert!(key.starts_with("mcpstack_sk_") && key.len() == 55);

    assert_eq!(host.call("POST", &org("/servers"), &key, &json!({"name": "s"})).status, 201);
    let list = host.get(&org("/api-keys"), &admin);
    assert!(!list.body.contains(&key), "shown once");
    let mut names: Vec<String> = list
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|key| format!("{} {}", key["name"], key["role"]))
        .collect();
    names.sort();
    assert_eq!(names, [r#""admin" "admin""#, r#""automation-bot" "developer""#]);

    let path = org(&format!("/api-keys/{id}"));
    let read = host.get(&path, &admin);
    assert!(read.status == 200 && !read.body.contains(&key));
    let revoke = || host.send(&Request::new("DELETE", &path).bearer(&admin));
    assert_eq!(revoke().status, 204);
    let dead = host.get(&org("/servers"), &key);
    assert_eq!(dead.refusal(), (401, "invalid_key".into()));
    let again = revoke();
    assert_eq!(again.refusal(), (404, "key_not_found".into()));
    for other in ["key_00000000000000000000000000", "nonsense", "key_"] {
        let path = org(&format!("/api-keys/{other}"));
        assert_eq!(
            host.send(&Request::new("DELETE", &path).bearer(&admin)).fixed_part(),
            again.fixed_part(),
            "{other}"
        );
    }
    assert_eq!(host.get(&org("/api-keys"), &admin).json().as_array().unwrap().len(), 1);
    assert_eq!(host.get(&org("/api-keys?all=true"), &admin).json().as_array().unwrap().len(), 2);
}

/// MS-22: a key of another organisation never appears.
#[test]
fn ms_22_lists_end_at_the_organisation() {
    let host = start();
    let admin = service_key(&host, "org_1", "admin");
    let other = service_key(&host, "org_2", "viewer");
    let list = host.get(&org("/api-keys?all=true"), &admin);
    assert_eq!(list.json().as_array().unwrap().len(), 1);
    assert!(!list.body.contains("org_2") && !list.body.contains(&other));
}

/// MS-06, MS-29, MS-34, A-13, A-20: names, roles and fields.
#[test]
fn ms_29_what_a_key_may_be() {
    let host = start();
    let admin = service_key(&host, "org_1", "admin");
    let developer = service_key(&host, "org_1", "developer");
    let create = |body| host.call("POST", &org("/api-keys"), &admin, &body);
    let refused = [
        (json!({}), 400, "validation_error"),
        (json!({"name": ""}), 400, "validation_error"),
        (json!({"name": "x", "colour": "red"}), 400, "validation_error"),
        (json!({"name": "x", "account_id": "other"}), 400, "validation_error"),
        (json!({"name": "x", "role": "king"}), 400, "unknown_role"),
        (json!({"name": "x", "role": "owner"}), 400, "unknown_role"),
        (json!({"name": "x", "role": "viewer", "roleKey": "admin"}), 400, "validation_error"),
        (json!({"name": "x", "kind": "magic"}), 400, "validation_error"),
    ];
    for (body, status, code) in refused {
        assert_eq!(create(body.clone()).refusal(), (status, code.into()), "{body}");
    }
    let default = create(json!({"name": "x"})).json();
    assert_eq!((&default["role"], default["warnings"].as_array().unwrap().len()), (&json!("viewer"), 0));
    let high = create(json!({"name": "x", "roleKey": "admin"})).json();
    assert_eq!((&high["role"], high["warnings"].as_array().unwrap().len()), (&json!("admin"), 1));
    let foreign = create(json!({"name": "x", "org_id": "org_2"}));
    assert!(!foreign.body.contains("org_2"), "the organisation of the path holds: {}", foreign.body);
    let by_developer = host.call("POST", &org("/api-keys"), &developer, &json!({"name": "x"}));
    assert_eq!(by_developer.refusal(), (403, "insufficient_permission".into()));
}

/// MS-35: a successor with the same attributes; both work, then only the new one.
#[test]
fn ms_35_rotation_overlaps() {
    let host = start();
    let admin = service_key(&host, "org_1", "admin");
    let made = host.call("POST", &org("/api-keys"), &admin, &json!({"name": "bot", "role": "viewer"})).json();
    let path = org(&format!("/api-keys/{}", made["id"].as_str().unwrap()));
    let rotated = host.call("POST", &format!("{path}/rotate"), &admin, &json!({"grace_s": 3600}));
    assert_eq!(rotated.status, 201, "{}", rotated.body);
    let rotated = rotated.json();
    let status = |key: &serde_json::Value| host.get(&org("/servers"), key.as_str().unwrap()).status;
    assert_eq!((status(&made["key"]), status(&rotated["key"])), (200, 200));
    assert_eq!((&rotated["role"], &rotated["name"]), (&json!("viewer"), &json!("bot")));
    let twice = host.call("POST", &format!("{path}/rotate"), &admin, &json!({}));
    assert_eq!(twice.refusal(), (409, "rotation_in_progress".into()));
    host.clock.set(crate::host::NOW.plus_seconds(3_600));
    assert_eq!((status(&made["key"]), status(&rotated["key"])), (401, 200), "the grace ends by itself");
}

/// A narrowing edit holds at once (A-12), and nobody raises a key above themselves (A-13).
#[test]
fn a_12_an_edit_holds_at_once() {
    let host = start();
    let admin = service_key(&host, "org_1", "admin");
    let made =
        host.call("POST", &org("/api-keys"), &admin, &json!({"name": "bot", "role": "developer"})).json();
    let (key, path) =
        (made["key"].as_str().unwrap(), org(&format!("/api-keys/{}", made["id"].as_str().unwrap())));
    let create = || host.call("POST", &org("/servers"), key, &json!({"name": "s"})).status;
    assert_eq!(create(), 201);
    assert_eq!(host.call("PATCH", &path, &admin, &json!({"role": "viewer"})).json()["role"], "viewer");
    assert_eq!(create(), 403);
    assert_eq!(
        host.call("PATCH", &path, &admin, &json!({"role": "owner"})).refusal(),
        (400, "unknown_role".into())
    );
}
