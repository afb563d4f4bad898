//! Plans: who chooses them, what a change does.

use crate::support::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenantkit::store::RecordStore;
use tenantkit::{Caller, Code, KeyEdit, NewKey, Person, PlanChange, Request, TenantName};

/// Runstack with a billing system that sells STARTER only.
fn selling_starter() -> World {
    with(policy("runstack"), |builder| builder.plan_hook(|question| Ok(question.plan == "STARTER")))
}

#[test]
fn rs_13_a_07_the_hosts_hook_decides_who_gets_which_plan() {
    let world = selling_starter();
    assert_eq!(world.issue(runstack("a").plan("STARTER")).1.plan.unwrap().name.as_deref(), Some("STARTER"));
    assert_eq!(world.refusal(runstack("a").plan("PRO")).code(), Code::PlanNotAllowed);
    let ann = Caller::person(Person::new(ACCOUNT, "ann"));
    let plan =
        |caller: &Caller, plan: &str| world.authority.issue(caller, &NewKey::new(ACCOUNT, "x").plan(plan));
    assert!(plan(&ann, "STARTER").is_ok());
    check_code(plan(&ann, "PRO"), Code::PlanNotAllowed);
    let broken = with(policy("runstack"), |builder| {
        builder.plan_hook(|_| {
            Err(tenantkit::Error::new(tenantkit::ErrorKind::StoreUnavailable, "billing is away"))
        })
    });
    assert_eq!(broken.refusal(runstack("a").plan("PRO")).kind(), tenantkit::ErrorKind::StoreUnavailable);
}

#[test]
fn a_07_by_default_only_administrators_choose_another_plan() {
    let ann = Caller::person(Person::new(ACCOUNT, "ann"));
    for (choice, person_may) in [("admin", false), ("any", true)] {
        let change = format!("plan_choice = \"{choice}\"");
        let world = with(variant("runstack", &[("plan_choice = \"hook\"", &change)]), |builder| builder);
        assert!(world.authority.issue(&admin(), &runstack("a").plan("PRO")).is_ok());
        let made = world.authority.issue(&ann, &NewKey::new(ACCOUNT, "x").plan("PRO"));
        assert_eq!(
            made.as_ref().err().map(|e| e.code()),
            (!person_may).then_some(Code::PlanNotAllowed),
            "{choice}"
        );
        let own = world.authority.issue(&ann, &NewKey::new(ACCOUNT, "x")).unwrap().view;
        let upgrade = world.authority.set_key_plan(&ann, ACCOUNT, &own.id, &PlanChange::to("STARTER"));
        assert_eq!(upgrade.is_ok(), person_may);
        // Nobody raises their own limit by agreeing with themselves.
        let raise = PlanChange::default().amount("executions", Some(1_000));
        check_code(world.authority.set_key_plan(&ann, ACCOUNT, &own.id, &raise), Code::PlanNotAllowed);
    }
}

#[test]
fn rs_27_a_06_an_upgrade_unblocks_with_the_same_secret_and_count() {
    let world = selling_starter();
    let (key, view) = world.issue(runstack("a"));
    let execute = || world.ask(&Request::new("execute_tool").key(&key));
    assert_eq!((0..60).filter(|_| execute() == "ok").count(), 50);
    let changed =
        world.authority.update(&admin(), ACCOUNT, &view.id, &KeyEdit::default().plan("STARTER")).unwrap();
    assert_eq!((changed.narrowed, changed.widened), (false, true));
    assert_eq!(changed.key.usage_limit(), Some(None), "unlimited");
    assert!(changed.key.plan.unwrap().entitlements.iter().any(|e| &**e == "priority_email_support"));
    assert_eq!((0..60).filter(|_| execute() == "ok").count(), 60);
    // A downgrade below the count blocks at once: the count went on while it was unlimited.
    let back = world.authority.update(&admin(), ACCOUNT, &view.id, &KeyEdit::default().plan("FREE")).unwrap();
    assert_eq!((back.narrowed, back.widened), (true, false));
    assert_eq!(execute(), "usage_limit_reached");
}

#[test]
fn a_plan_is_an_assignment_with_a_generation_and_a_beginning() {
    let world = selling_starter();
    let (_, view) = world.issue(runstack("a"));
    let assignment = || {
        let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
        world.records.key_by_id(&account, &view.id).unwrap().unwrap().record.plan.unwrap()
    };
    assert_eq!((&*assignment().plan, assignment().generation, assignment().since), ("FREE", 1, start()));
    world.advance_days(1);
    world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to("STARTER")).unwrap();
    assert_eq!((assignment().generation, assignment().since), (2, world.authority.now()));
    let same = world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to("STARTER")).unwrap();
    assert!(same.changed.is_empty());
    assert_eq!(assignment().generation, 2);
    check_code(
        world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to("PLUS")),
        Code::UnknownPlan,
    );
    assert!(assignment().epochs.is_empty(), "counts go on");
}

#[test]
fn a_plan_of_which_the_count_begins_anew_gets_another_epoch() {
    let period = "period = \"lifetime\"                     # no amount";
    let fresh = format!("on_plan_change = \"fresh\"\n{period}");
    let policy = variant("runstack", &[(period, &fresh)]);
    let world = with(policy, |builder| builder.plan_hook(|_| Ok(true)));
    let (key, view) = world.issue(runstack("a"));
    let execute = || world.ask(&Request::new("execute_tool").key(&key));
    assert_eq!((0..60).filter(|_| execute() == "ok").count(), 50);
    world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to("STARTER")).unwrap();
    assert_eq!(execute(), "ok");
    world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to("FREE")).unwrap();
    // FREE carries: it goes on with what was counted since the count began anew.
    assert_eq!((0..60).filter(|_| execute() == "ok").count(), 49);
}

#[test]
fn amounts_are_agreed_for_one_subject_where_the_policy_lets_them() {
    let amount = "period = \"lifetime\"\namount = 50";
    let world =
        with(variant("runstack", &[(amount, &format!("{amount}\noverridable = true"))]), |builder| builder);
    let (key, view) = world.issue(runstack("a"));
    let change = PlanChange::default().amount("executions", Some(3));
    let changed = world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &change).unwrap();
    assert_eq!((changed.key.usage_limit(), changed.narrowed), (Some(Some(3)), true));
    let limit = &changed.key.plan.as_ref().unwrap().limits[0];
    assert!(limit.overridden && &*limit.name == "executions");
    let allowed =
        || (0..60).take_while(|_| world.ask(&Request::new("execute_tool").key(&key)) == "ok").count();
    assert_eq!(allowed(), 3);
    let wrong = PlanChange::default().amount("execution", Some(1)).amount("executions", Some(1 << 53));
    let error = world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &wrong).unwrap_err();
    assert_eq!(fields(&error), ["amounts", "amounts.executions"]);
    let standard = PlanChange::default().standard("executions");
    let changed = world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &standard).unwrap();
    assert_eq!(changed.key.usage_limit(), Some(Some(50)));
    assert_eq!(allowed(), 47);

    let world = product("runstack");
    let (_, view) = world.issue(runstack("a"));
    let error = world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &change).unwrap_err();
    assert_eq!(fields(&error), ["amounts.executions"]);
}

#[test]
fn where_plans_are_on_tenants_they_are_set_there() {
    let world = product("runtype-extended");
    let (_, view) = world.issue(live("a").kind("api"));
    assert_eq!(view.plan, None);
    let org = TenantName::org(ACCOUNT, "org_1").environment("live");
    let tenant = world.authority.set_tenant_plan(&admin(), &org, &PlanChange::to("startup")).unwrap();
    assert_eq!(tenant.plan.as_ref().unwrap().name.as_deref(), Some("startup"));
    assert_eq!(world.authority.tenant(&admin(), &org).unwrap(), tenant);
    check_code(world.authority.set_tenant_plan(&admin(), &org, &PlanChange::to("gold")), Code::UnknownPlan);
    let account = TenantName::account(ACCOUNT);
    check_code(
        world.authority.set_tenant_plan(&admin(), &account, &PlanChange::to("team")),
        Code::ValidationError,
    );
    let on_keys = product("runstack").authority.set_tenant_plan(&admin(), &account, &PlanChange::to("PRO"));
    check_code(on_keys, Code::ValidationError);
}

#[test]
fn rs_02_the_limit_follows_the_policy_and_is_never_copied() {
    let world = product("runstack");
    let (_, view) = world.issue(runstack("a"));
    world.authority.reload(variant("runstack", &[("amount = 50", "amount = 70")])).unwrap();
    assert_eq!(world.view(&view.id).usage_limit(), Some(Some(70)));
}

#[test]
fn the_hook_is_asked_once_per_choice() {
    let asked = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&asked);
    let world = with(policy("runstack"), move |builder| {
        builder.plan_hook(move |question| {
            assert_eq!((question.account_id, question.actor), (ACCOUNT, "alice"));
            heard.fetch_add(1, Ordering::SeqCst);
            Ok(true)
        })
    });
    world.issue(runstack("a").plan("PRO"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    world.issue(runstack("a"));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the default is everybody's");
}

#[test]
fn amounts_are_agreed_for_tenants_that_carry_no_plan() {
    let limit = "[[limits]]\nname = \"per_user\"\nmeter = \"provider_calls\"\nsubject = [\"user\"]\nperiod = \"month\"\namount = 2\noverridable = true\n";
    let policy = variant("allmcp", &[("[mcp]", &format!("{limit}\n[mcp]"))]);
    let world = with(policy, |builder| builder);
    let (key, _) = world.issue(NewKey::new(ACCOUNT, "k").preset("client").org_id("o1"));
    let allowed = |user: &str| {
        let query = format!("user_id={user}");
        let request =
            Request::new("provider_tool").key(&key).query(&query).dimensions(&[("provider", "github")]);
        (0..10).take_while(|_| world.ask(&request) == "ok").count()
    };
    assert_eq!(allowed("u1"), 2);
    let u1 = TenantName::user(ACCOUNT, Some("o1"), "u1");
    let change = PlanChange::default().amount("per_user", Some(5));
    let tenant = world.authority.set_tenant_plan(&admin(), &u1, &change).unwrap();
    let plan = tenant.plan.unwrap();
    assert_eq!((plan.name, plan.limits.len(), plan.limits[0].amount), (None, 1, Some(5)));
    assert_eq!([allowed("u1"), allowed("u2")], [3, 2]);
    let same = world.authority.set_tenant_plan(&admin(), &u1, &change).unwrap();
    assert_eq!(same.version, tenant.version);
    let unknown = PlanChange::default().amount("per_org", Some(5));
    check_code(world.authority.set_tenant_plan(&admin(), &u1, &unknown), Code::ValidationError);
}

#[test]
fn a_lifetime_count_outlives_a_change_of_period_and_back() {
    let starter = "[[plans.STARTER.limits]]\nname = \"executions\"\nmeter = \"executions\"\nsubject = [\"key\"]\nperiod = \"lifetime\"";
    let monthly = starter.replace("lifetime", "month");
    let world = with(variant("runstack", &[(starter, &monthly)]), |builder| builder.plan_hook(|_| Ok(true)));
    let (key, view) = world.issue(runstack("a"));
    let execute = || world.ask(&Request::new("execute_tool").key(&key));
    assert_eq!((0..60).filter(|_| execute() == "ok").count(), 50);
    for (plan, answer) in
        [("STARTER", "ok"), ("FREE", "usage_limit_reached"), ("PRO", "ok"), ("FREE", "usage_limit_reached")]
    {
        world.authority.set_key_plan(&admin(), ACCOUNT, &view.id, &PlanChange::to(plan)).unwrap();
        assert_eq!(execute(), answer, "{plan}");
    }
}
