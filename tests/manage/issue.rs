//! Making keys: what is needed, what is taken by default, what is refused.

use crate::support::*;
use tenantkit::key::digest::KeyDigest;
use tenantkit::store::RecordStore;
use tenantkit::{Code, NewKey, Request};

#[test]
fn a_new_key_works_and_its_record_says_what_it_is() {
    let world = product("runstack");
    let (key, view) = world.issue(runstack("Claude Desktop").label("client", "claude"));
    assert_eq!(world.ask(&Request::new("search_tools").key(&key)), "ok");
    assert_eq!((&*view.kind, &*view.environment, &*view.name), ("key", "default", "Claude Desktop"));
    assert_eq!((view.version, view.age_days, view.rotation_due), (1, 0, false));
    assert_eq!(view.created_by.as_ref(), "alice");
    assert_eq!(view, world.view(&view.id));
    assert_eq!(world.events.lock().unwrap().as_slice(), [format!("alice key.issue {}", view.id)]);
}

#[test]
fn rs_04_rs_13_a_key_without_a_plan_gets_the_default_and_an_unknown_plan_is_refused() {
    let world = product("runstack");
    let (_, view) = world.issue(runstack("a"));
    assert_eq!(view.plan.as_ref().unwrap().name.as_deref(), Some("FREE"));
    assert_eq!(view.usage_limit(), Some(Some(50)), "RS-21");
    let error = world.refusal(runstack("b").plan("PLUS"));
    assert_eq!((error.code(), fields(&error)), (Code::UnknownPlan, vec!["plan"]));
    // The hook is not configured, so nobody's word stands for it: only the default is left.
    assert_eq!(world.refusal(runstack("c").plan("PRO")).code(), Code::PlanNotAllowed);
    assert_eq!(world.issue(runstack("d").plan("FREE")).1.plan.unwrap().name.as_deref(), Some("FREE"));
}

#[test]
fn rs_12_rs_31_names_may_repeat_and_there_is_no_cap_unless_the_policy_sets_one() {
    let world = product("runstack");
    let (a, first) = world.issue(runstack("laptop"));
    let (b, second) = world.issue(runstack("laptop"));
    assert_ne!((&a, first.id), (&b, second.id));
    assert_eq!([&a, &b].map(|key| world.ask(&Request::new("search_tools").key(key))), ["ok", "ok"]);

    let capped =
        variant("runstack", &[("owner = \"user\"", "owner = \"user\"\nmax_keys = 2\nunique_names = true")]);
    let world = with(capped, |builder| builder);
    world.issue(runstack("one"));
    assert_eq!(world.refusal(runstack("one")).code(), Code::NameConflict);
    let (_, two) = world.issue(runstack("two"));
    assert_eq!(world.refusal(runstack("three")).code(), Code::KeyLimitReached);
    world.authority.delete(&admin(), ACCOUNT, &two.id).unwrap();
    world.issue(runstack("three"));
}

#[test]
fn rs_15_rs_16_the_text_has_the_policys_form_and_only_its_digest_is_stored() {
    let world = product("runstack");
    let mut seen = std::collections::HashSet::new();
    for i in 0..1_000 {
        let (key, view) = world.issue(runstack(&format!("key {i}")));
        let body = key.strip_prefix("rsk_").unwrap();
        assert!(body.len() == 64 && body.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{key}");
        assert_eq!(*view.key_prefix, key[..12], "RS-17");
        let stored = world.records.key_by_digest(&KeyDigest::sha256(key.as_bytes())).unwrap().unwrap();
        assert_eq!(stored.record.id, view.id);
        assert!(seen.insert(key));
    }
}

#[test]
fn ms_06_ms_34_a_service_key_has_one_role_the_least_by_default() {
    let world = product("mcpstack");
    let (_, viewer) = world.issue(service("ci"));
    assert_eq!(viewer.role.as_deref(), Some("viewer"));
    for role in ["boss", "owner", ""] {
        let error = world.refusal(service("ci").role(role));
        assert_eq!((error.code(), fields(&error)), (Code::UnknownRole, vec!["role"]), "A-13: {role}");
    }
    let issued = world.authority.issue(&admin(), &service("ci").role("admin")).unwrap();
    assert_eq!(issued.warnings.iter().map(|w| w.field).collect::<Vec<_>>(), ["role"]);
    let issued = world.authority.issue(&admin(), &service("ci").role("developer")).unwrap();
    assert!(issued.warnings.is_empty());
}

#[test]
fn a_20_role_and_role_key_are_one_member_and_may_not_differ() {
    let world = product("mcpstack");
    let body = |text: &str| NewKey::from_json(ACCOUNT, text.as_bytes()).unwrap().org_id("org_1");
    let (_, view) = world.issue(body(r#"{"name":"a","roleKey":"developer"}"#));
    assert_eq!(view.role.as_deref(), Some("developer"));
    let (_, view) = world.issue(body(r#"{"name":"a","role":"admin","roleKey":"admin"}"#));
    assert_eq!(view.role.as_deref(), Some("admin"));
    let error = world.refusal(body(r#"{"name":"a","role":"admin","roleKey":"viewer"}"#));
    assert_eq!((error.code(), fields(&error)), (Code::ValidationError, vec!["roleKey"]));
}

#[test]
fn ms_29_every_fault_of_a_request_is_named_at_once() {
    let world = product("runtype");
    let new = NewKey::new(ACCOUNT, "x".repeat(256)) // RT-06
        .kind("api")
        .environment("staging")
        .permissions(["FLOWS:REED"])
        .label("team", "a")
        .plan("gold")
        .expires_at("tomorrow");
    // The environment decides what else can be judged.
    assert_eq!(fields(&world.refusal(new.clone())), ["environment"]);
    let error = world.refusal(new.environment("live"));
    assert_eq!(error.code(), Code::ValidationError);
    let mut found = fields(&error);
    found.sort_unstable();
    assert_eq!(found, ["expires_at", "labels", "name", "org_id", "permissions[0]", "plan"]);
    assert!(error.to_string().contains("did you mean `FLOWS:READ`?"), "{error}");
    assert_eq!(fields(&world.refusal(NewKey::new(ACCOUNT, "").environment("live").org_id("o"))), ["name"]);
    let nameless = NewKey::from_json(ACCOUNT, br#"{"environment":"live","org_id":"o"}"#).unwrap();
    assert_eq!(fields(&world.refusal(nameless)), ["name"]);
}

#[test]
fn rt_07_the_environment_decides_the_prefix_and_must_be_named() {
    let world = product("runtype");
    let (key, view) = world.issue(live("ci"));
    assert!(key.starts_with("rt_live_") && view.masked.ends_with(&key[key.len() - 4..]), "{}", view.masked);
    let (key, _) = world.issue(live("ci").environment("test"));
    assert!(key.starts_with("rt_test_"));
    assert_eq!(fields(&world.refusal(NewKey::new(ACCOUNT, "ci").org_id("org_1"))), ["environment"]);
}

#[test]
fn rt_08_rt_09_rt_13_permissions_are_single_ones_a_template_or_the_least() {
    let world = product("runtype");
    let held = |new: NewKey| world.issue(new).1.permissions.iter().map(|p| p.to_string()).collect::<Vec<_>>();
    assert_eq!(held(live("a")), ["FLOWS:READ", "RECORDS:READ"]);
    assert_eq!(held(live("a").permissions(["FLOWS:WRITE", "FLOWS:WRITE"])), ["FLOWS:WRITE"]);
    assert_eq!(held(live("a").permissions(["FLOWS:*"])), ["FLOWS:*"]);
    assert!(held(live("a").permissions::<&str>([])).is_empty(), "INV-15: an empty list is nothing");
    let (key, view) = world.issue(live("a").template("run_flows"));
    assert_eq!(view.template.as_ref().map(|t| (&*t.name, t.version)), Some(("run_flows", 1)));
    assert_eq!(view.permissions.len(), 3);
    let allowed = [("flows.execute", "ok"), ("dispatch", "ok"), ("flows.create", "insufficient_permission")];
    for (operation, answer) in allowed {
        assert_eq!(world.ask(&Request::new(operation).key(&key)), answer, "{operation}");
    }
    let error = world.refusal(live("a").permissions(["FLOWS:READ", "FLOWS:ALL"]));
    assert_eq!((error.code(), fields(&error)), (Code::UnknownPermission, vec!["permissions[1]"]));
    let error = world.refusal(live("a").permissions(["FLOWS:READ"]).template("read_only"));
    assert_eq!(fields(&error), ["template"]);
    assert_eq!(fields(&world.refusal(live("a").template("all"))), ["template"]);
}

#[test]
fn rt_10_a_37_expiry_is_an_instant_or_a_date_in_the_future() {
    let world = product("runtype");
    let expires = |text: &str| world.issue(live("a").expires_at(text)).1.expires_at.unwrap().to_string();
    assert_eq!(expires("2026-12-31"), "2027-01-01T00:00:00Z");
    assert_eq!(expires("2026-01-15T13:00:01+01:00"), "2026-01-15T12:00:01Z");
    for bad in ["2026-01-15T12:00:00Z", "2026-01-14", "2025-12-31T00:00:00Z", "soon", ""] {
        assert_eq!(fields(&world.refusal(live("a").expires_at(bad))), ["expires_at"], "{bad}");
    }
    assert_eq!(world.issue(live("a")).1.expires_at, None);

    let (key, _) = world.issue(live("a").expires_at("2026-01-15T12:01:00Z"));
    world.clock.advance_seconds(59);
    assert_eq!(world.ask(&Request::new("flows.list").key(&key)), "ok");
    world.clock.advance_seconds(1);
    assert_eq!(world.ask(&Request::new("flows.list").key(&key)), "key_expired", "RT-30: no job is needed");
}

#[test]
fn rt_30_the_policy_may_set_a_default_and_a_longest_lifetime() {
    let rule = "expiry = { need = \"required\", default_lifetime = \"30d\", max_lifetime = \"90d\" }";
    let policy = variant("runtype", &[("expiry = { need = \"optional\" }", rule)]);
    let world = with(policy, |builder| builder);
    assert_eq!(world.issue(live("a")).1.expires_at, Some(start().plus_seconds(30 * 86_400)));
    assert_eq!(fields(&world.refusal(live("a").never_expires())), ["expires_at"]);
    assert_eq!(fields(&world.refusal(live("a").expires_at("2026-04-16"))), ["expires_at"]);
    world.issue(live("a").expires_at("2026-04-14"));
}

#[test]
fn rt_19_a_key_like_another_differs_in_id_text_and_dates_only() {
    let world = product("mcpstack");
    let (_, old) =
        world.issue(service("ci").role("developer").label("environment", "prod").ip_allow(["192.0.2.0/24"]));
    world.advance_days(1);
    let (_, new) = world.issue(NewKey::like(ACCOUNT, old.id));
    let mut expected = old.clone();
    (expected.id, expected.lineage) = (new.id, new.lineage.clone());
    (expected.created_at, expected.updated_at) = (new.created_at, new.updated_at);
    (expected.key_prefix, expected.masked, expected.age_days) =
        (new.key_prefix.clone(), new.masked.clone(), 0);
    assert_eq!(new, expected);
    assert_ne!(new.id, old.id);
    let (_, other) = world.issue(NewKey::like(ACCOUNT, old.id).name("smoke").role("viewer"));
    assert_eq!((&*other.name, other.role.as_deref()), ("smoke", Some("viewer")));
    let unknown = "key_01fwhe4yfgy0c0000000000001".parse().unwrap();
    assert_eq!(world.refusal(NewKey::like(ACCOUNT, unknown)).code(), Code::KeyNotFound);
}

#[test]
fn n_14_addresses_are_networks_and_an_empty_list_is_none_of_them() {
    let world = product("mcpstack");
    let (key, view) = world.issue(service("ci").ip_allow(["192.0.2.0/24", "2001:db8::1"]));
    assert_eq!(
        view.ip_allow.unwrap().iter().map(|n| n.to_string()).collect::<Vec<_>>(),
        ["192.0.2.0/24", "2001:db8::1/128"]
    );
    let from = |key: &str, ip: &str| {
        world.ask(&Request::new("servers.list").key(key).org_id("org_1").client_ip(ip.parse().unwrap()))
    };
    assert_eq!(from(&key, "192.0.2.9"), "ok");
    assert_eq!(from(&key, "198.51.100.1"), "ip_not_allowed");
    let (closed, _) = world.issue(service("ci").ip_allow::<&str>([]));
    assert_eq!(from(&closed, "192.0.2.9"), "ip_not_allowed", "INV-15");
    for bad in ["192.0.2.1/24", "192.0.2.0/33", "office"] {
        assert_eq!(fields(&world.refusal(service("ci").ip_allow([bad]))), ["ip_allow[0]"], "{bad}");
    }
}

#[test]
fn ms_14_the_agent_of_a_public_key_must_exist() {
    let policy = variant("mcpstack", &[("verified_domains = true", "verified_domains = false")]);
    let world = with(policy, |builder| {
        builder.resource_hook(|question| {
            Ok((question.account_id, question.org_id, question.resource.as_str())
                == (ACCOUNT, Some("org_1"), "agent:a1"))
        })
    });
    let public =
        |agent: &str| service("embed").kind("public").resources([agent]).origins(["https://app.example.com"]);
    let (key, view) = world.issue(public("agent:a1"));
    assert_eq!(view.value.as_deref(), Some(&*key), "MS-16, MS-17");
    assert_eq!(world.refusal(public("agent:a2")).code(), Code::ResourceNotFound);
    assert_eq!(
        world.refusal(public("agent:a1").org_id("org_2")).code(),
        Code::ResourceNotFound,
        "another org's"
    );
    assert_eq!(fields(&world.refusal(public("server:a1"))), ["resources"]);
    assert_eq!(
        fields(&world.refusal(service("embed").kind("public").origins(["https://a.example"]))),
        ["resources"]
    );
    let two = public("agent:a1").resources(["agent:a1", "agent:a2"]);
    assert_eq!(fields(&world.refusal(two)), ["resources"]);
}

#[test]
fn ms_15_origins_are_exact_and_normalised() {
    let policy = variant("mcpstack", &[("verified_domains = true", "verified_domains = false")]);
    let world = with(policy, |builder| builder);
    let public = |origin: &str| service("embed").kind("public").resources(["agent:a1"]).origins([origin]);
    let (_, view) = world.issue(public("https://App.Example.com:443"));
    assert_eq!(view.origins.iter().map(|o| o.to_string()).collect::<Vec<_>>(), ["https://app.example.com"]);
    let bad = [
        "https://app.example.com/",
        "https://app.example.com?x",
        "https://*.example.com",
        "*",
        "https://app.example.com.",
        "null",
        "https://user@app.example.com",
        "app.example.com",
        "",
    ];
    for origin in bad {
        let error = world.refusal(public(origin));
        assert_eq!((error.code(), fields(&error)), (Code::OriginInvalid, vec!["origins[0]"]), "{origin}");
    }
    let error = world.refusal(service("embed").kind("public").resources(["agent:a1"]));
    assert_eq!((error.code(), fields(&error)), (Code::OriginInvalid, vec!["origins"]), "A-16: refuse_create");
    let error = world.refusal(service("ci").origins(["https://app.example.com"]));
    assert_eq!(fields(&error), ["origins"], "service keys have none");
}

#[test]
fn nothing_is_issued_for_a_tenant_that_is_not_in_use() {
    use tenantkit::TenantName;
    let world = product("mcpstack");
    world.issue(service("ci"));
    world.authority.suspend_tenant(&admin(), &TenantName::org(ACCOUNT, "org_1")).unwrap();
    assert_eq!(world.refusal(service("ci")).code(), Code::OrgSuspended);
    world.authority.delete_tenant(&admin(), &TenantName::org(ACCOUNT, "org_1")).unwrap();
    assert_eq!(world.refusal(service("ci")).code(), Code::TenantDeleted);
    world.issue(service("ci").org_id("org_2"));
    world.authority.suspend_tenant(&admin(), &TenantName::account(ACCOUNT)).unwrap();
    assert_eq!(world.refusal(service("ci").org_id("org_2")).code(), Code::AccountSuspended);
}
