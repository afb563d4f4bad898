//! Replacing keys.

use crate::support::*;
use tenantkit::{Code, KeyStatus, NewKey, Request, Rotation, Timestamp};

fn ask(world: &World, key: &str) -> &'static str {
    world.ask(&Request::new("servers.list").key(key).org_id("org_1"))
}

#[test]
fn ms_35_rt_20_both_keys_work_during_the_grace_and_only_the_new_one_after() {
    let world = product("mcpstack");
    let (old_text, old) = world.issue(service("ci").role("developer").label("environment", "prod"));
    world.advance_days(10);
    let issued =
        world.authority.rotate(&admin(), ACCOUNT, &old.id, &Rotation::default().grace_s(3_600)).unwrap();
    let (new_text, new) = (text(&issued), issued.view);
    assert_eq!([ask(&world, &old_text), ask(&world, &new_text)], ["ok", "ok"]);
    let kept = |view: &tenantkit::KeyView| {
        (view.name.clone(), view.role.clone(), view.org.clone(), view.labels.clone(), view.owner.clone())
    };
    assert_eq!(kept(&new), kept(&old));
    assert_eq!((new.lineage.id, new.lineage.predecessor), (old.id, Some(old.id)), "INV-31: usage is carried");
    let old = world.view(&old.id);
    assert_eq!((old.lineage.successor, old.status), (Some(new.id), KeyStatus::BeingReplaced));
    assert_eq!(old.revoked.as_ref().unwrap().at, world.authority.now().plus_seconds(3_600));
    world.clock.advance_seconds(3_599);
    assert_eq!(ask(&world, &old_text), "ok");
    world.clock.advance_seconds(1);
    assert_eq!([ask(&world, &old_text), ask(&world, &new_text)], ["invalid_key", "ok"]);
    assert_eq!(world.view(&old.id).status, KeyStatus::Revoked);
}

#[test]
fn rt_21_rs_18_without_grace_the_old_key_is_dead_at_once() {
    let world = product("runstack");
    let (old_text, old) = world.issue(runstack("a"));
    assert_eq!(world.ask(&Request::new("search_tools").key(&old_text)), "ok");
    let issued = world.authority.rotate(&admin(), ACCOUNT, &old.id, &Rotation::default()).unwrap();
    assert_eq!(world.ask(&Request::new("search_tools").key(&old_text)), "invalid_key");
    assert_eq!(world.ask(&Request::new("search_tools").key(&text(&issued))), "ok");
    let error = world
        .authority
        .rotate(&admin(), ACCOUNT, &issued.view.id, &Rotation::default().grace_s(1))
        .unwrap_err();
    assert_eq!(fields(&error), ["grace_s"], "the policy's longest grace is 0");
}

#[test]
fn a_40_a_grace_is_at_most_the_policys_and_never_prolongs_the_old_key() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("ci").expires_at("2026-01-15T13:00:00Z"));
    let week = Rotation::default().grace_s(7 * 86_400);
    let too_long = Rotation::default().grace_s(7 * 86_400 + 1);
    check_code(world.authority.rotate(&admin(), ACCOUNT, &key.id, &too_long), Code::ValidationError);
    world.clock.advance_seconds(1_800);
    let new = world.authority.rotate(&admin(), ACCOUNT, &key.id, &week).unwrap().view;
    assert_eq!(world.view(&key.id).revoked.unwrap().at, Timestamp::parse("2026-01-15T13:00:00Z").unwrap());
    // The successor lives as long as its predecessor was meant to.
    assert_eq!(new.expires_at, Timestamp::parse("2026-01-15T13:30:00Z"));
}

#[test]
fn a_40_one_rotation_at_a_time() {
    let world = product("mcpstack");
    let rotate =
        |id, grace| world.authority.rotate(&admin(), ACCOUNT, &id, &Rotation::default().grace_s(grace));
    let (_, a) = world.issue(service("ci"));
    let b = rotate(a.id, 3_600).unwrap().view;
    check_code(rotate(a.id, 3_600), Code::RotationInProgress);
    check_code(rotate(a.id, 0), Code::RotationInProgress);
    check_code(rotate(b.id, 60), Code::RotationInProgress);
    check_code(world.authority.regenerate(&admin(), ACCOUNT, &a.id), Code::RotationInProgress);
    // A leaked successor is replaced at once, grace or not.
    let c = rotate(b.id, 0).unwrap().view;
    world.clock.advance_seconds(3_600);
    assert!(rotate(c.id, 60).is_ok());
}

#[test]
fn a_rotation_is_cancelled_while_it_runs_and_not_after() {
    let world = product("mcpstack");
    let (old_text, old) = world.issue(service("ci"));
    let rotate =
        || world.authority.rotate(&admin(), ACCOUNT, &old.id, &Rotation::default().grace_s(60)).unwrap();
    let cancel = |id| world.authority.cancel_rotation(&admin(), ACCOUNT, &id);
    check_code(cancel(old.id), Code::ValidationError);
    for by_successor in [false, true] {
        let issued = rotate();
        let new_text = text(&issued);
        assert_eq!([ask(&world, &old_text), ask(&world, &new_text)], ["ok", "ok"]);
        let view = cancel(if by_successor { issued.view.id } else { old.id }).unwrap();
        assert_eq!((view.id, view.revoked, view.lineage.successor), (old.id, None, None));
        assert_eq!([ask(&world, &old_text), ask(&world, &new_text)], ["ok", "invalid_key"]);
    }
    let issued = rotate();
    world.clock.advance_seconds(60);
    check_code(cancel(issued.view.id), Code::ValidationError);
    check_code(cancel(old.id), Code::KeyNotFound);
    assert_eq!(ask(&world, &old_text), "invalid_key", "INV-05");
}

#[test]
fn inv_05_a_key_that_was_revoked_in_its_grace_is_not_restored() {
    let world = product("mcpstack");
    let (old_text, old) = world.issue(service("ci"));
    let new =
        world.authority.rotate(&admin(), ACCOUNT, &old.id, &Rotation::default().grace_s(3_600)).unwrap().view;
    world.authority.revoke(&admin(), ACCOUNT, &old.id).unwrap();
    assert_eq!(ask(&world, &old_text), "invalid_key");
    check_code(world.authority.cancel_rotation(&admin(), ACCOUNT, &new.id), Code::ValidationError);
    assert_eq!(ask(&world, &old_text), "invalid_key");
}

#[test]
fn a_40_regenerate_keeps_the_id_and_ends_the_old_text() {
    let world = product("mcpstack");
    let (old_text, old) = world.issue(service("ci"));
    assert_eq!(ask(&world, &old_text), "ok");
    world.advance_days(3);
    assert_eq!(world.view(&old.id).age_days, 3);
    let issued = world.authority.regenerate(&admin(), ACCOUNT, &old.id).unwrap();
    assert_eq!((issued.view.id, issued.view.version, issued.view.age_days), (old.id, 2, 0));
    assert_eq!(issued.view.created_at, old.created_at);
    assert_eq!([ask(&world, &old_text), ask(&world, &text(&issued))], ["invalid_key", "ok"]);
    assert_eq!(issued.view, world.view(&old.id));
}

#[test]
fn a_policy_may_give_the_successor_fresh_counts() {
    let world =
        with(variant("mcpstack", &[("carry_usage = true", "carry_usage = false")]), |builder| builder);
    let (_, old) = world.issue(service("ci"));
    let new = world.authority.rotate(&admin(), ACCOUNT, &old.id, &Rotation::default()).unwrap().view;
    assert_eq!((new.lineage.id, new.lineage.predecessor), (new.id, Some(old.id)));
}

#[test]
fn inv_31_a_rotation_neither_frees_nor_loses_usage() {
    let world = product("runstack");
    let (mut key, mut view) = world.issue(runstack("a"));
    for _ in 0..3 {
        for _ in 0..10 {
            assert_eq!(world.ask(&Request::new("execute_tool").key(&key)), "ok");
        }
        let issued = world.authority.rotate(&admin(), ACCOUNT, &view.id, &Rotation::default()).unwrap();
        (key, view) = (text(&issued), issued.view);
    }
    let left = (0..100).take_while(|_| world.ask(&Request::new("execute_tool").key(&key)) == "ok").count();
    assert_eq!(left, 20);
    // A key made anew begins at 0 (row RS-28).
    let (fresh, _) = world.issue(NewKey::new(ACCOUNT, "a").user_id("ann"));
    assert_eq!(world.ask(&Request::new("execute_tool").key(&fresh)), "ok");
}
