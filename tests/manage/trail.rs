//! The audit trail of management.

use crate::support::*;
use tenantkit::audit::{BrokenWhy, ChainHead, CheckpointKey};
use tenantkit::{Caller, Code, KeyEdit, Person, Rotation, TenantName};

#[test]
fn inv_61_each_act_leaves_exactly_one_line() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("ci"));
    let authority = &world.authority;
    let org = TenantName::org(ACCOUNT, "org_1");
    let mut expected = 1;
    let mut one_more = |what: &str| {
        expected += 1;
        let lines = world.audit_lines();
        assert_eq!(lines.len(), expected, "{what}");
        assert!(lines.last().unwrap().starts_with(what), "{lines:?}");
    };
    authority.update(&admin(), ACCOUNT, &key.id, &KeyEdit::default().name("x")).unwrap();
    one_more("key.update");
    authority.disable(&admin(), ACCOUNT, &key.id).unwrap();
    one_more("key.disable");
    authority.enable(&admin(), ACCOUNT, &key.id).unwrap();
    one_more("key.enable");
    let _issued = authority.regenerate(&admin(), ACCOUNT, &key.id).unwrap();
    one_more("key.regenerate");
    let _issued = authority.rotate(&admin(), ACCOUNT, &key.id, &Rotation::default()).unwrap();
    one_more("key.rotate");
    authority.cancel_rotation(&admin(), ACCOUNT, &key.id).unwrap();
    one_more("key.cancel_rotation");
    authority.revoke(&admin(), ACCOUNT, &key.id).unwrap();
    one_more("key.revoke");
    authority.suspend_tenant(&admin(), &org).unwrap();
    one_more("tenant.suspend");
    authority.resume_tenant(&admin(), &org).unwrap();
    one_more("tenant.resume");
    // Looking is no act, and neither is what is refused to an administrator.
    authority.key(&admin(), ACCOUNT, &key.id).unwrap();
    check_code(authority.revoke(&admin(), ACCOUNT, &key.id), Code::KeyNotFound);
    assert_eq!(world.audit_lines().len(), expected);
    assert_eq!(world.events.lock().unwrap().len(), expected, "the observer hears of the same acts");
}

#[test]
fn rt_26_a_line_says_who_did_what_to_which_key_and_why() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("ci-smoke-prod").role("developer"));
    let caller = Caller::admin("bob").reason("least privilege").operation_id("op-9");
    world.authority.update(&caller, ACCOUNT, &key.id, &KeyEdit::default().role("viewer")).unwrap();
    let entry = world.authority.audit(&admin(), ACCOUNT, 2, 1).unwrap().remove(0);
    let line = &entry.draft;
    assert_eq!((&*line.actor, &*line.act, &*line.outcome), ("bob", "key.update", "ok"));
    assert_eq!((line.object.to_string(), &*line.operation_id), (key.id.to_string(), "op-9"));
    assert_eq!((line.at, &*line.tenant), (start(), "4:acme7:default5:org_1-"));
    let details: serde_json::Value = serde_json::from_str(&line.details).unwrap();
    assert_eq!(
        details,
        serde_json::json!({
            "name": "ci-smoke-prod",
            "reason": "least privilege",
            "narrowed": true,
            "changes": {"role": ["developer", "viewer"]},
        })
    );
}

#[test]
fn a_chain_is_verified_against_itself_and_against_a_head_kept_elsewhere() {
    let world = product("mcpstack");
    assert_eq!(world.authority.audit_head(&admin(), ACCOUNT).unwrap(), None);
    for i in 0..5 {
        world.issue(service(&format!("key {i}")));
    }
    let head = world.authority.audit_head(&admin(), ACCOUNT).unwrap().unwrap();
    assert_eq!(head.number, 5);
    world.issue(service("later"));
    let verify = |head| world.authority.audit_verify(&admin(), ACCOUNT, head).unwrap();
    assert_eq!(verify(None).unwrap().head.unwrap().number, 6);
    assert!(verify(Some(head)).is_ok());
    let longer = ChainHead { number: 7, ..head };
    assert_eq!(verify(Some(longer)).unwrap_err().why, BrokenWhy::Truncated { known: 7 });
    let other = ChainHead { number: 3, ..head };
    assert_eq!(verify(Some(other)).unwrap_err().why, BrokenWhy::OtherHead);
    assert!(world.authority.audit_verify(&admin(), "globex", None).unwrap().unwrap().head.is_none());

    let key = CheckpointKey::new(1, &[9; 32]).unwrap();
    let checkpoint = world.authority.audit_checkpoint(&admin(), ACCOUNT, &key).unwrap().unwrap();
    assert!(checkpoint.is_signed_by(&key) && checkpoint.head.number == 6);
    assert!(world.authority.audit_checkpoint(&admin(), "globex", &key).unwrap().is_none());
}

#[test]
fn the_trail_is_paged_and_for_those_who_belong_to_the_account() {
    let world = product("mcpstack");
    for i in 0..5 {
        world.issue(service(&format!("key {i}")));
    }
    let numbers = |from, limit| {
        let entries = world.authority.audit(&admin(), ACCOUNT, from, limit).unwrap();
        entries.iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 2), [1, 2]);
    assert_eq!(numbers(4, 1_000_000), [4, 5]);
    assert_eq!(numbers(6, 0), [0; 0]);
    let member = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "owner"));
    check_code(world.authority.audit(&member, ACCOUNT, 1, 10), Code::GrantExceedsCreator);
    let owner = Caller::person(Person::new(ACCOUNT, "ann").role("owner"));
    assert_eq!(world.authority.audit(&owner, ACCOUNT, 1, 10).unwrap().len(), 5);
    check_code(world.authority.audit(&owner, "globex", 1, 10), Code::GrantExceedsCreator);
}
