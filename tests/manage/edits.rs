//! Changing keys.

use crate::support::*;
use tenantkit::{Code, KeyEdit, Request};

fn update(world: &World, id: &tenantkit::key::id::KeyId, edit: &KeyEdit) -> tenantkit::KeyChanged {
    world.authority.update(&admin(), ACCOUNT, id, edit).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn a_narrowing_edit_holds_when_it_returns_and_a_widening_one_from_the_next_call() {
    let world = product("runtype");
    let (key, view) = world.issue(live("ci").permissions(["FLOWS:READ", "FLOWS:WRITE"]));
    let ask = |operation: &str| world.ask(&Request::new(operation).key(&key));
    assert_eq!([ask("flows.list"), ask("flows.create")], ["ok", "ok"]);
    let narrowed = update(&world, &view.id, &KeyEdit::default().permissions(["FLOWS:READ"]));
    assert_eq!((narrowed.narrowed, narrowed.widened), (true, false));
    assert_eq!([ask("flows.list"), ask("flows.create")], ["ok", "insufficient_permission"]);
    let both = update(&world, &view.id, &KeyEdit::default().permissions(["RECORDS:READ"]));
    assert_eq!((both.narrowed, both.widened), (true, true));
    assert_eq!([ask("flows.list"), ask("records.list")], ["insufficient_permission", "ok"]);
    let none = update(&world, &view.id, &KeyEdit::default().permissions::<&str>([]));
    assert!(none.narrowed && none.key.permissions.is_empty());
    assert_eq!(ask("records.list"), "insufficient_permission", "INV-15");
}

#[test]
fn each_attribute_knows_which_way_it_moved() {
    let world = product("mcpstack");
    let new = service("ci").role("developer").ip_allow(["192.0.2.0/24"]).expires_at("2026-06-01");
    let cases: [(&str, KeyEdit, bool, bool); 10] = [
        ("name", KeyEdit::default().name("smoke"), false, false),
        ("labels", KeyEdit::default().labels([("environment", "prod")]), false, false),
        ("role", KeyEdit::default().role("viewer"), true, false),
        ("role", KeyEdit::default().role("admin"), false, true),
        ("ip_allow", KeyEdit::default().ip_allow(["192.0.2.0/25"]), true, false),
        ("ip_allow", KeyEdit::default().any_ip(), false, true),
        ("expires_at", KeyEdit::default().expires_at("2026-03-01"), true, false),
        ("expires_at", KeyEdit::default().never_expires(), false, true),
        ("bindings", KeyEdit::default().org_id("org_2"), true, true),
        ("expires_at", KeyEdit::default().expires_at("2026-07-01"), false, true),
    ];
    for (field, edit, narrowed, widened) in cases {
        let (_, view) = world.issue(new.clone());
        let changed = update(&world, &view.id, &edit);
        assert_eq!(changed.changed, [field], "{edit:?}");
        assert_eq!((changed.narrowed, changed.widened), (narrowed, widened), "{edit:?}");
        assert_eq!(changed.key.version, 2);
        assert_eq!(changed.key, world.view(&view.id));
    }
}

#[test]
fn rt_33_resources_are_edited_and_hold_at_once() {
    let policy = variant(
        "mcpstack",
        &[
            ("verified_domains = true", "verified_domains = false"),
            (
                "resources = { count = \"one\", types = \"agent\" }",
                "resources = { count = \"list\", types = \"agent\", all = true }",
            ),
        ],
    );
    let world = with(policy, |builder| builder);
    let new = service("embed").kind("public").origins(["https://app.example.com"]).resources(["agent:a1"]);
    let (key, view) = world.issue(new);
    let ask = |agent: &str| {
        let request = Request::new("agent.chat").key(&key).org_id("org_1").origin("https://app.example.com");
        world.ask(&request.resource(agent))
    };
    assert_eq!([ask("agent:a1"), ask("agent:a2")], ["ok", "resource_not_allowed"]);
    assert!(update(&world, &view.id, &KeyEdit::default().resources(["agent:a2"])).narrowed);
    assert_eq!([ask("agent:a1"), ask("agent:a2")], ["resource_not_allowed", "ok"]);
    let all = update(&world, &view.id, &KeyEdit::default().all_resources());
    assert_eq!((all.narrowed, all.widened), (false, true));
    assert_eq!(ask("agent:a1"), "ok");
    let none = update(&world, &view.id, &KeyEdit::default().resources::<&str>([]));
    assert!(none.narrowed && !none.widened);
    assert_eq!(ask("agent:a1"), "resource_not_allowed", "INV-15");
    let origins = KeyEdit::default().origins(["https://b.example.com"]);
    let moved = update(&world, &view.id, &origins);
    assert_eq!((moved.narrowed, moved.widened), (true, true));
    assert_eq!(ask("agent:a1"), "origin_not_allowed");
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let world = product("mcpstack");
    let (_, view) = world.issue(service("ci").role("developer"));
    let lines = world.audit_lines().len();
    let same = update(&world, &view.id, &KeyEdit::default().name("ci").role("developer"));
    assert!(same.changed.is_empty() && !same.narrowed && !same.widened);
    assert_eq!((same.key.version, world.audit_lines().len()), (1, lines));
}

#[test]
fn a_stale_version_is_refused() {
    let world = product("mcpstack");
    let (_, view) = world.issue(service("ci"));
    let edit = |name: &str, version| {
        world.authority.update(
            &admin().if_version(version),
            ACCOUNT,
            &view.id,
            &KeyEdit::default().name(name),
        )
    };
    assert_eq!(edit("a", 1).unwrap().key.version, 2);
    check_code(edit("b", 1), Code::VersionConflict);
    check_code(edit("b", 3), Code::VersionConflict);
    assert_eq!(&*world.view(&view.id).name, "a");
    check_code(world.authority.revoke(&admin().if_version(1), ACCOUNT, &view.id), Code::VersionConflict);
    world.authority.revoke(&admin().if_version(2), ACCOUNT, &view.id).unwrap();
}

#[test]
fn every_fault_of_an_edit_is_named_and_nothing_of_it_is_done() {
    let world = product("mcpstack");
    let (_, view) = world.issue(service("ci"));
    let edit = KeyEdit::default().name("").role("boss").expires_at("then").origins(["https://a.example"]);
    let error = world.authority.update(&admin(), ACCOUNT, &view.id, &edit).unwrap_err();
    let mut found = fields(&error);
    found.sort_unstable();
    assert_eq!(found, ["expires_at", "name", "origins", "role"]);
    assert_eq!(world.view(&view.id), view);
    let error = KeyEdit::from_json(br#"{"nmae":"x","account_id":"other","owner":"me"}"#).unwrap_err();
    assert_eq!(fields(&error), ["account_id", "nmae", "owner"]);
}

#[test]
fn inv_05_neither_an_expired_nor_a_revoked_key_comes_back_by_an_edit() {
    let world = product("runtype");
    let (key, view) = world.issue(live("a").expires_at("2026-01-16"));
    world.advance_days(2);
    let later = KeyEdit::default().expires_at("2026-12-31");
    let error = world.authority.update(&admin(), ACCOUNT, &view.id, &later).unwrap_err();
    assert_eq!(fields(&error), ["expires_at"]);
    assert_eq!(world.ask(&Request::new("flows.list").key(&key)), "key_expired");
    check_code(world.authority.regenerate(&admin(), ACCOUNT, &view.id), Code::ValidationError);

    let (_, view) = world.issue(live("b"));
    world.authority.revoke(&admin(), ACCOUNT, &view.id).unwrap();
    check_code(
        world.authority.update(&admin(), ACCOUNT, &view.id, &KeyEdit::default().name("c")),
        Code::KeyNotFound,
    );
    check_code(world.authority.enable(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
}

#[test]
fn a_35_only_reapplying_a_template_changes_the_keys_made_from_it() {
    let world = product("runtype");
    let (_, view) = world.issue(live("a").template("run_flows"));
    let (_, plain) = world.issue(live("b"));
    let from = "[templates.run_flows]\nlabel = \"Run flows\"\npermissions = [\"DISPATCH:*\", \"FLOWS:READ\", \"FLOWS:EXECUTE\"]";
    let to = "[templates.run_flows]\nversion = 2\npermissions = [\"DISPATCH:*\", \"FLOWS:EXECUTE\", \"TOOLS:READ\"]";
    world.authority.reload(variant("runtype", &[(from, to)])).unwrap();
    assert_eq!(world.view(&view.id).permissions, view.permissions);
    let changed = world.authority.reapply_template(&admin(), ACCOUNT, &view.id).unwrap();
    assert_eq!((changed.narrowed, changed.widened), (true, true));
    assert_eq!(changed.key.template.unwrap().version, 2);
    let names: Vec<_> = changed.key.permissions.iter().map(|p| p.to_string()).collect();
    assert_eq!(names, ["DISPATCH:*", "FLOWS:EXECUTE", "TOOLS:READ"]);
    check_code(world.authority.reapply_template(&admin(), ACCOUNT, &plain.id), Code::ValidationError);
}

#[test]
fn disabling_is_for_the_time_being() {
    let world = product("mcpstack");
    let (key, view) = world.issue(service("ci"));
    let ask = || world.ask(&Request::new("servers.list").key(&key).org_id("org_1"));
    assert_eq!(ask(), "ok");
    let disabled = world.authority.disable(&admin(), ACCOUNT, &view.id).unwrap();
    assert!(disabled.narrowed);
    assert_eq!(ask(), "invalid_key", "A-42");
    assert!(world.authority.disable(&admin(), ACCOUNT, &view.id).unwrap().changed.is_empty());
    assert_eq!(world.view(&view.id).disabled_at, Some(start()));
    check_code(
        world.authority.rotate(&admin(), ACCOUNT, &view.id, &Default::default()),
        Code::ValidationError,
    );
    assert!(world.authority.enable(&admin(), ACCOUNT, &view.id).unwrap().widened);
    assert_eq!(ask(), "ok");
    let acts: Vec<_> = world.audit_lines().into_iter().filter(|line| line.contains("able")).collect();
    assert_eq!(acts, [format!("key.disable {} ok", view.id), format!("key.enable {} ok", view.id)]);
}
