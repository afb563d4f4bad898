//! The registry of tenants.

use crate::support::*;
use std::collections::BTreeMap;
use tenantkit::store::{TenantLevel, TenantState};
use tenantkit::{Caller, Code, NewKey, Person, Request, TenantEdit, TenantName};

fn org(id: &str) -> TenantName {
    TenantName::org(ACCOUNT, id)
}

fn labels(name: &str, value: &str) -> TenantEdit {
    TenantEdit { labels: Some(BTreeMap::from([(name.into(), value.into())])) }
}

#[test]
fn x_06_suspension_holds_when_it_returns_and_flows_down() {
    let world = product("allmcp");
    let (key, _) = world.issue(NewKey::new(ACCOUNT, "k").preset("client").org_id("o1"));
    let ask = || world.ask(&Request::new("get_usage").key(&key).query("user_id=u1"));
    assert_eq!(ask(), "ok");
    let user = TenantName::user(ACCOUNT, Some("o1"), "u1");
    for (name, code) in [
        (user, "user_suspended"),
        (org("o1"), "org_suspended"),
        (TenantName::account(ACCOUNT), "account_suspended"),
    ] {
        let view = world.authority.suspend_tenant(&admin(), &name).unwrap();
        assert_eq!((view.state, ask()), (TenantState::Suspended, code));
        world.authority.resume_tenant(&admin(), &name).unwrap();
        assert_eq!(ask(), "ok");
    }
}

#[test]
fn x_07_a_deleted_tenant_comes_back_only_when_its_id_is_released() {
    let world = product("allmcp");
    let (key, _) = world.issue(NewKey::new(ACCOUNT, "k").preset("platform"));
    let ask = || world.ask(&Request::new("get_usage").key(&key).query("org_id=o1&user_id=u1"));
    assert_eq!(ask(), "ok");
    check_code(world.authority.release_tenant(&admin(), &org("o1")), Code::ValidationError);
    world.authority.delete_tenant(&admin(), &org("o1")).unwrap();
    assert_eq!([ask(), ask()], ["tenant_deleted", "tenant_deleted"]);
    check_code(world.authority.resume_tenant(&admin(), &org("o1")), Code::TenantDeleted);
    check_code(world.authority.suspend_tenant(&admin(), &org("o1")), Code::TenantDeleted);
    check_code(world.authority.put_tenant(&admin(), &org("o1"), &TenantEdit::default()), Code::TenantDeleted);
    world.authority.release_tenant(&admin(), &org("o1")).unwrap();
    assert_eq!(ask(), "ok");
    check_code(world.authority.release_tenant(&admin(), &org("o9")), Code::OrgNotFound);
}

#[test]
fn tenants_are_registered_and_labelled_by_hand_too() {
    let world = product("allmcp");
    let view = world.authority.put_tenant(&admin(), &org("o1"), &labels("tier", "gold")).unwrap();
    assert_eq!((view.level, view.state, view.version), (TenantLevel::Org, TenantState::Active, 1));
    let same = world.authority.put_tenant(&admin(), &org("o1"), &TenantEdit::default()).unwrap();
    assert_eq!(same, view, "nothing to do");
    let changed =
        world.authority.put_tenant(&admin().if_version(1), &org("o1"), &labels("tier", "silver")).unwrap();
    assert_eq!((changed.version, changed.labels["tier"].as_ref()), (2, "silver"));
    check_code(
        world.authority.put_tenant(&admin().if_version(1), &org("o1"), &labels("a", "b")),
        Code::VersionConflict,
    );
    for bad in [
        labels("", "x"),
        labels("a", ""),
        labels("a", "x\ny"),
        labels(&"n".repeat(65), "x"),
        labels("a", &"v".repeat(256)),
    ] {
        check_code(world.authority.put_tenant(&admin(), &org("o1"), &bad), Code::ValidationError);
    }
    // A user brings its org with it.
    world
        .authority
        .put_tenant(&admin(), &TenantName::user(ACCOUNT, Some("o2"), "u1"), &TenantEdit::default())
        .unwrap();
    assert_eq!(world.authority.tenant(&admin(), &org("o2")).unwrap().state, TenantState::Active);
    world.authority.suspend_tenant(&admin(), &org("o2")).unwrap();
    let below = TenantName::user(ACCOUNT, Some("o2"), "u2");
    check_code(world.authority.put_tenant(&admin(), &below, &TenantEdit::default()), Code::OrgSuspended);
}

#[test]
fn tenants_are_listed_by_page_org_state_and_environment() {
    let world = product("runtype");
    for (environment, id) in [("live", "a"), ("live", "b"), ("live", "c"), ("test", "a")] {
        world
            .authority
            .put_tenant(&admin(), &org(id).environment(environment), &TenantEdit::default())
            .unwrap();
    }
    world.authority.suspend_tenant(&admin(), &org("b").environment("live")).unwrap();
    let list = |name: &TenantName, state, limit| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.authority.tenants(&admin(), name, state, after, limit).unwrap();
            found.extend(
                page.items.iter().map(|t| format!("{}/{}", t.environment, t.org_id.as_deref().unwrap_or(""))),
            );
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let all = TenantName::account(ACCOUNT);
    assert_eq!(list(&all, None, 2), ["/", "live/a", "live/b", "live/c", "test/a"]);
    assert_eq!(list(&all.clone().environment("live"), None, 1), ["live/a", "live/b", "live/c"]);
    assert_eq!(list(&all, Some(TenantState::Suspended), 200), ["live/b"]);
    check_code(world.authority.tenant(&admin(), &org("a")), Code::ValidationError);
    check_code(world.authority.tenant(&admin(), &org("z").environment("live")), Code::OrgNotFound);
    check_code(world.authority.tenant(&admin(), &TenantName::account("globex")), Code::ResourceNotFound);
}

#[test]
fn people_manage_the_tenants_they_belong_to_and_keys_manage_none() {
    let world = product("mcpstack");
    world.issue(service("a").role("admin"));
    world.issue(service("b").org_id("org_2"));
    let member = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "admin"));
    world.authority.suspend_tenant(&member, &org("org_1")).unwrap();
    world.authority.resume_tenant(&member, &org("org_1")).unwrap();
    check_code(world.authority.suspend_tenant(&member, &org("org_2")), Code::GrantExceedsCreator);
    check_code(
        world.authority.suspend_tenant(&member, &TenantName::account(ACCOUNT)),
        Code::GrantExceedsCreator,
    );
    let page = world.authority.tenants(&member, &TenantName::account(ACCOUNT), None, None, 200).unwrap();
    assert_eq!(page.items.iter().map(|t| t.org_id.as_deref()).collect::<Vec<_>>(), [Some("org_1")]);
    let (key, _) = world.issue(service("creator").role("admin"));
    let decision = world.authority.authorize(&Request::new("servers.list").key(&key)).unwrap();
    let caller = Caller::key(decision.grant().unwrap());
    check_code(world.authority.suspend_tenant(&caller, &org("org_1")), Code::GrantExceedsCreator);
    check_code(world.authority.erase_tenant(&member, &org("org_1")), Code::GrantExceedsCreator);
}

#[test]
fn n_15_erasing_removes_a_tenant_with_everything_below_it_and_leaves_the_trail() {
    let world = product("mcpstack");
    let (key, view) = world.issue(service("a"));
    let (other_key, _) = world.issue(service("b").org_id("org_2"));
    let ask = |key: &str| world.ask(&Request::new("servers.list").key(key));
    assert_eq!([ask(&key), ask(&other_key)], ["ok", "ok"]);
    check_code(world.authority.erase_tenant(&admin(), &org("org_1")), Code::ValidationError);
    world.authority.delete_tenant(&admin(), &org("org_1")).unwrap();
    world.authority.erase_tenant(&admin(), &org("org_1")).unwrap();
    assert_eq!([ask(&key), ask(&other_key)], ["invalid_key", "ok"]);
    check_code(world.authority.key(&admin(), ACCOUNT, &view.id), Code::KeyNotFound);
    check_code(world.authority.tenant(&admin(), &org("org_1")), Code::OrgNotFound);
    let lines = world.audit_lines();
    assert!(lines.contains(&format!("key.issue {} ok", view.id)));
    assert_eq!(lines.last().unwrap(), "tenant.erase org org_1 ok");
    assert!(world.authority.audit_verify(&admin(), ACCOUNT, None).unwrap().is_ok());
}

#[test]
fn a_30_the_secret_that_signs_user_ids_is_shown_once_and_replaced_at_once() {
    use tenantkit::tenant::proof::UserClaim;
    let policy = variant("allmcp", &[("reveal = \"never\"", "reveal = \"never\"\nuser_id_proof = \"hmac\"")]);
    let world = with(policy, |builder| builder);
    let (key, view) = world.issue(NewKey::new(ACCOUNT, "k").preset("client").org_id("o1"));
    let first = world.authority.new_user_proof_secret(&admin(), ACCOUNT).unwrap().unwrap();
    let ask = |secret: &tenantkit::tenant::proof::ProofSecret| {
        let claim = UserClaim { account_id: ACCOUNT, org_id: Some("o1"), key_id: view.id, user_id: "u1" };
        let proof = claim.sign(secret, world.authority.now()).unwrap();
        world.ask(&Request::new("get_usage").key(&key).query(&format!("user_id=u1&user_proof={proof}")))
    };
    assert_eq!(ask(&first), "ok");
    let tenant = world.authority.tenant(&admin(), &TenantName::account(ACCOUNT)).unwrap();
    assert!(tenant.has_user_proof_secret);
    let caller = admin().operation_id("proof");
    let second = world.authority.new_user_proof_secret(&caller, ACCOUNT).unwrap().unwrap();
    assert!(world.authority.new_user_proof_secret(&caller, ACCOUNT).unwrap().is_none());
    assert_eq!([ask(&first), ask(&second)], ["user_proof_invalid", "ok"]);
    let member = Caller::person(Person::new(ACCOUNT, "ann").in_org("o1"));
    check_code(world.authority.new_user_proof_secret(&member, ACCOUNT).map(drop), Code::GrantExceedsCreator);
}
