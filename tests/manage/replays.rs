//! Operation ids: a repeated call has no second effect.

use crate::support::*;
use tenantkit::store::KeyFilter;
use tenantkit::{Caller, Code, KeyEdit, NewKey, Request, Rotation};

fn count(world: &World) -> usize {
    world.authority.keys(&admin(), ACCOUNT, &KeyFilter::default(), None, 200).unwrap().items.len()
}

#[test]
fn inv_16_retrying_issue_leaves_one_key_and_shows_its_text_once() {
    let world = product("mcpstack");
    let caller = admin().operation_id("op-1");
    let first = world.authority.issue(&caller, &service("ci")).unwrap();
    assert!(first.key.is_some() && !first.replayed);
    for _ in 0..3 {
        let again = world.authority.issue(&caller, &service("ci")).unwrap();
        assert!(again.key.is_none() && again.replayed);
        assert_eq!(again.view, first.view);
    }
    assert_eq!((count(&world), world.audit_lines().len()), (1, 1));
    assert_eq!(world.events.lock().unwrap().len(), 1);
}

#[test]
fn inv_16_other_input_under_the_same_id_is_refused() {
    let world = product("mcpstack");
    let caller = admin().operation_id("op-1");
    let first = world.authority.issue(&caller, &service("ci")).unwrap();
    let other = Caller::admin("bob").operation_id("op-1");
    check_code(world.authority.issue(&caller, &service("other")), Code::OperationConflict);
    check_code(
        world.authority.issue(&caller, &service("ci").permissions::<&str>([])),
        Code::OperationConflict,
    );
    check_code(world.authority.issue(&other, &service("ci")), Code::OperationConflict);
    check_code(world.authority.revoke(&caller, ACCOUNT, &first.view.id), Code::OperationConflict);
    check_code(
        world.authority.rotate(&caller, ACCOUNT, &first.view.id, &Rotation::default()),
        Code::OperationConflict,
    );
    assert_eq!(count(&world), 1);
    // Ids are an account's own.
    assert!(
        world.authority.issue(&caller, &NewKey::new("globex", "ci").org_id("org_1")).unwrap().key.is_some()
    );
}

#[test]
fn inv_16_retrying_rotate_leaves_one_successor() {
    let world = product("mcpstack");
    let (old_text, old) = world.issue(service("ci"));
    let caller = admin().operation_id("rotate-1");
    let rotate =
        || world.authority.rotate(&caller, ACCOUNT, &old.id, &Rotation::default().grace_s(60)).unwrap();
    let first = rotate();
    let again = rotate();
    assert_eq!((again.view.id, again.key.is_none(), again.replayed), (first.view.id, true, true));
    assert_eq!(count(&world), 2);
    world.clock.advance_seconds(60);
    assert_eq!(rotate().view.id, first.view.id, "also after the grace");
    assert_eq!(world.ask(&Request::new("servers.list").key(&old_text).org_id("org_1")), "invalid_key");
    assert_eq!(count(&world), 1);
}

#[test]
fn every_kind_of_act_is_repeated_safely() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("ci"));
    let twice = |act: &dyn Fn(&Caller) -> Result<(), tenantkit::Error>, id: &str| {
        let caller = admin().operation_id(id);
        let before = world.audit_lines().len();
        act(&caller).unwrap_or_else(|e| panic!("{id}: {e:?}"));
        act(&caller).unwrap_or_else(|e| panic!("{id} again: {e:?}"));
        assert_eq!(world.audit_lines().len(), before + 1, "{id}");
    };
    let authority = &world.authority;
    let edit = KeyEdit::default().name("renamed");
    twice(&|c| authority.update(c, ACCOUNT, &key.id, &edit).map(drop), "update");
    twice(&|c| authority.disable(c, ACCOUNT, &key.id).map(drop), "disable");
    twice(&|c| authority.enable(c, ACCOUNT, &key.id).map(drop), "enable");
    twice(&|c| authority.regenerate(c, ACCOUNT, &key.id).map(drop), "regenerate");
    twice(&|c| authority.rotate(c, ACCOUNT, &key.id, &Rotation::default()).map(drop), "rotate");
    twice(&|c| authority.cancel_rotation(c, ACCOUNT, &key.id).map(drop), "cancel");
    twice(&|c| authority.revoke(c, ACCOUNT, &key.id).map(drop), "revoke");
    let org = tenantkit::TenantName::org(ACCOUNT, "org_1");
    twice(&|c| authority.suspend_tenant(c, &org).map(drop), "suspend");
    twice(&|c| authority.delete_tenant(c, &org).map(drop), "delete tenant");
    twice(&|c| authority.release_tenant(c, &org), "release");
    let domain = tenantkit::DomainRequest::new("example.com").org_id("org_1");
    twice(&|c| authority.claim_domain(c, ACCOUNT, &domain).map(drop), "claim");
    twice(&|c| authority.remove_domain(c, ACCOUNT, &domain), "remove");
}

#[test]
fn an_operation_id_is_forgotten_after_a_day() {
    let world = product("mcpstack");
    let caller = admin().operation_id("op-1");
    let first = world.authority.issue(&caller, &service("ci")).unwrap().view.id;
    world.clock.advance_seconds(86_399);
    assert_eq!(world.authority.issue(&caller, &service("ci")).unwrap().view.id, first);
    world.clock.advance_seconds(1);
    assert!(world.authority.issue(&caller, &service("ci")).unwrap().key.is_some());
    assert_eq!(count(&world), 2);
}

#[test]
fn a_retry_is_answered_although_the_policy_would_now_refuse_it() {
    let world = product("runtype");
    let caller = admin().operation_id("op-1");
    let new = live("a").expires_at("2026-01-15T13:00:00Z");
    let first = world.authority.issue(&caller, &new).unwrap().view.id;
    world.clock.advance_seconds(7_200);
    assert_eq!(world.authority.issue(&caller, &new).unwrap().view.id, first);
}
