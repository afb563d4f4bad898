//! Ending keys.

use crate::support::*;
use tenantkit::key::digest::KeyDigest;
use tenantkit::key::id::KeyId;
use tenantkit::store::{Change, Expected, KeyFilter, KeyWrite, RecordStore, StandingFilter};
use tenantkit::{Caller, Code, Request};

#[test]
fn ms_12_rt_23_a_revoked_key_is_dead_when_the_call_returns_and_its_record_stays() {
    let world = product("mcpstack");
    let (key, view) = world.issue(service("ci"));
    let ask = || world.ask(&Request::new("servers.list").key(&key).org_id("org_1"));
    assert_eq!(ask(), "ok");
    let caller = Caller::admin("bob").reason("left the team");
    let revoked = world.authority.revoke(&caller, ACCOUNT, &view.id).unwrap();
    assert_eq!(ask(), "invalid_key");
    let end = revoked.revoked.unwrap();
    assert_eq!((end.at, &*end.by, &*end.reason), (start(), "bob", "left the team"));
    let listed = |standing| {
        let filter = KeyFilter { standing, ..KeyFilter::default() };
        world.authority.keys(&admin(), ACCOUNT, &filter, None, 200).unwrap().items.len()
    };
    assert_eq!((listed(StandingFilter::Present), listed(StandingFilter::All)), (0, 1), "MS-09");
}

#[test]
fn a_21_revoked_deleted_foreign_and_unknown_keys_are_one_answer() {
    let world = product("mcpstack");
    let (_, revoked) = world.issue(service("a"));
    world.authority.revoke(&admin(), ACCOUNT, &revoked.id).unwrap();
    let (_, foreign) = world.issue(tenantkit::NewKey::new("globex", "b").org_id("org_1"));
    let unknown: KeyId = "key_01fwhe4yfgy0c0000000000001".parse().unwrap();
    let answers: Vec<String> = [revoked.id, foreign.id, unknown]
        .iter()
        .map(|id| format!("{:?}", world.authority.revoke(&admin(), ACCOUNT, id).unwrap_err()))
        .chain(["key_1"
            .parse::<KeyId>()
            .map_err(tenantkit::Error::from)
            .map_err(|e| format!("{e:?}"))
            .unwrap_err()])
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert!(answers[0].contains("key_not_found"));
    assert_eq!(
        world.authority.key(&admin(), "globex", &foreign.id).unwrap().status,
        tenantkit::KeyStatus::Active
    );
}

#[test]
fn rs_29_rs_30_a_deleted_key_is_gone_with_its_digest_and_answers_as_one_that_never_was() {
    let world = product("runstack");
    let (key, view) = world.issue(runstack("laptop"));
    assert_eq!(world.ask(&Request::new("search_tools").key(&key)), "ok");
    world.authority.delete(&admin(), ACCOUNT, &view.id).unwrap();
    let stranger = format!("rsk_{}", "0".repeat(64));
    let body = |key: &str| {
        let decision = world.authority.authorize(&Request::new("search_tools").key(key)).unwrap();
        let denial = decision.denial().unwrap();
        (denial.code(), denial.http_status(), denial.to_string())
    };
    assert_eq!(body(&key), body(&stranger));
    assert!(world.records.key_by_digest(&KeyDigest::sha256(key.as_bytes())).unwrap().is_none());
    check_code(world.authority.delete(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
    check_code(world.authority.key(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
    let entries = world.authority.audit(&admin(), ACCOUNT, 1, 10).unwrap();
    let last = &entries.last().unwrap().draft;
    assert_eq!((&*last.act, &*last.object), ("key.delete", &*view.id.to_string()));
    assert!(last.details.contains("laptop"), "A-11: the name stays");
}

#[test]
fn a_11_without_a_tombstone_the_line_has_no_name() {
    let world =
        with(variant("runstack", &[("tombstone = \"audit\"", "tombstone = \"none\"")]), |builder| builder);
    let (_, view) = world.issue(runstack("laptop"));
    world.authority.delete(&admin(), ACCOUNT, &view.id).unwrap();
    let entries = world.authority.audit(&admin(), ACCOUNT, 1, 10).unwrap();
    assert_eq!(&*entries.last().unwrap().draft.details, "");
}

#[test]
fn a_41_the_policy_names_the_verbs() {
    let cases =
        [("runstack", Code::ValidationError, "delete"), ("mcpstack", Code::ValidationError, "revoke")];
    for (name, code, verb) in cases {
        let world = product(name);
        let (_, view) = world.issue(if name == "runstack" { runstack("a") } else { service("a") });
        let refused = match verb {
            "delete" => world.authority.revoke(&admin(), ACCOUNT, &view.id).map(drop),
            _ => world.authority.delete(&admin(), ACCOUNT, &view.id),
        };
        let error = refused.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(verb), "{error}");
    }
    let world =
        with(variant("mcpstack", &[("removal = \"revoke\"", "removal = \"both\"")]), |builder| builder);
    let (_, view) = world.issue(service("a"));
    world.authority.revoke(&admin(), ACCOUNT, &view.id).unwrap();
    // What is kept of a revoked key can be removed.
    world.authority.delete(&admin(), ACCOUNT, &view.id).unwrap();
    check_code(world.authority.key(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
}

#[test]
fn n_09_a_leaked_key_is_ended_by_its_text_and_a_public_one_stays() {
    let policy = variant("mcpstack", &[("verified_domains = true", "verified_domains = false")]);
    let world = with(policy, |builder| builder);
    let (key, view) = world.issue(service("ci"));
    let scanner = Caller::admin("leak-scanner");
    let ended = world.authority.revoke_by_value(&scanner, &key).unwrap().unwrap();
    assert_eq!((&*ended.account_id, ended.id), (ACCOUNT, view.id));
    assert_eq!(world.ask(&Request::new("servers.list").key(&key).org_id("org_1")), "invalid_key");
    let person = Caller::person(tenantkit::Person::new(ACCOUNT, "ann").role("owner"));
    let (other, _) = world.issue(service("other"));
    check_code(world.authority.revoke_by_value(&person, &other), Code::GrantExceedsCreator);
    for text in [&*key, &key.replace('a', "b"), "", "mcpstack_sk_short", &"x".repeat(100_000)] {
        assert_eq!(world.authority.revoke_by_value(&scanner, text).unwrap(), None);
    }
    let public = service("embed").kind("public").resources(["agent:a"]).origins(["https://a.example.com"]);
    let (key, _) = world.issue(public);
    assert_eq!(world.authority.revoke_by_value(&scanner, &key).unwrap(), None);

    let world = product("runstack");
    let (key, view) = world.issue(runstack("a"));
    world.authority.revoke_by_value(&scanner, &key).unwrap().unwrap();
    check_code(world.authority.key(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
}

#[test]
fn inv_10_ending_a_parent_ends_what_was_narrowed_from_it() {
    let world = product("mcpstack");
    let (_, parent) = world.issue(service("parent"));
    let narrow = |from: KeyId| {
        let (key, child) = world.issue(service("child"));
        let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
        let mut record = world.records.key_by_id(&account, &child.id).unwrap().unwrap().record;
        record.parent = Some(from);
        let write = KeyWrite::Put { record: Box::new(record), expected: Expected::Version(1) };
        world.records.apply(&Change { keys: vec![write], at: start(), ..Change::default() }).unwrap();
        (key, child.id)
    };
    let (child_key, child) = narrow(parent.id);
    let (grandchild_key, _) = narrow(child);
    let (_, other) = world.issue(service("other"));
    let ask = |key: &str| world.ask(&Request::new("servers.list").key(key).org_id("org_1"));
    assert_eq!([ask(&child_key), ask(&grandchild_key)], ["ok", "ok"]);
    world.authority.revoke(&admin(), ACCOUNT, &parent.id).unwrap();
    assert_eq!([ask(&child_key), ask(&grandchild_key)], ["invalid_key", "invalid_key"]);
    assert_eq!(world.view(&other.id).revoked, None);
    let lines = world.audit_lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("key.revoke")).count(), 1, "one act, one line");
}
