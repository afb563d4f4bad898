//! Nobody grants more than they have: keys and people as callers.

use crate::support::*;
use tenantkit::key::record::Owner;
use tenantkit::tenant::{OrgId, UserId};
use tenantkit::{Caller, Code, KeyEdit, KeyView, NewKey, OrgSpec, Person, Request, Rotation, UserSpec};

/// A key of the world as a caller: proved by a request that it may make.
fn as_caller(world: &World, key: &str, operation: &str) -> Caller {
    let decision = world.authority.authorize(&Request::new(operation).key(key).org_id("org_1")).unwrap();
    Caller::key(decision.grant().expect("the key may make the request"))
}

fn service_caller(world: &World, role: &str) -> (Caller, KeyView) {
    let (key, view) = world.issue(service("creator").role(role));
    (as_caller(world, &key, "servers.list"), view)
}

#[test]
fn a_13_a_14_an_admin_key_makes_keys_up_to_its_own_role() {
    let world = product("mcpstack");
    let (admin_key, _) = service_caller(&world, "admin");
    let (developer_key, _) = service_caller(&world, "developer");
    let issue = |caller: &Caller, role: &str| {
        world.authority.issue(caller, &service("made").role(role)).map(|i| i.view)
    };
    for role in ["admin", "developer", "viewer"] {
        let view = issue(&admin_key, role).unwrap();
        assert_eq!(view.created_by.to_string(), admin_key.name());
    }
    check_code(issue(&developer_key, "admin"), Code::GrantExceedsCreator);
    assert!(issue(&developer_key, "viewer").is_ok());
}

#[test]
fn ms_07_a_person_and_a_key_with_one_role_get_one_answer() {
    let world = product("mcpstack");
    let (_, admin_target) = world.issue(service("admin target").role("admin"));
    let (_, viewer_target) = world.issue(service("viewer target").role("viewer"));
    for role in ["admin", "developer", "viewer"] {
        let (key, _) = service_caller(&world, role);
        let person = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", role));
        for grant in ["admin", "developer", "viewer"] {
            let answer = |caller: &Caller| {
                world.authority.issue(caller, &service("x").role(grant)).map(drop).map_err(|e| e.code())
            };
            assert_eq!(answer(&key), answer(&person), "{role} grants {grant}");
        }
        for target in [&admin_target, &viewer_target] {
            let edit = KeyEdit::default().name(format!("by {role}"));
            let answer = |caller: &Caller| {
                world.authority.update(caller, ACCOUNT, &target.id, &edit).map(drop).map_err(|e| e.code())
            };
            assert_eq!(answer(&key), answer(&person), "{role} edits {}", target.name);
        }
    }
}

#[test]
fn a_14_where_keys_do_not_manage_keys_no_permission_helps() {
    let world = product("runtype");
    let (key, view) = world.issue(live("root").template("full_access"));
    let caller = as_caller(&world, &key, "flows.list");
    let (_, other) = world.issue(live("other"));
    check_code(world.authority.issue(&caller, &live("x")), Code::KindNotAllowed);
    check_code(
        world.authority.rotate(&caller, ACCOUNT, &view.id, &Rotation::default()),
        Code::KindNotAllowed,
    );
    check_code(world.authority.regenerate(&caller, ACCOUNT, &other.id), Code::KindNotAllowed);
    check_code(world.authority.revoke(&caller, ACCOUNT, &other.id), Code::KindNotAllowed);
    check_code(
        world.authority.update(&caller, ACCOUNT, &other.id, &KeyEdit::default().name("y")),
        Code::KindNotAllowed,
    );
    assert_eq!(world.authority.keys(&caller, ACCOUNT, &Default::default(), None, 10).unwrap().items.len(), 2);
}

#[test]
fn rt_13_nobody_grants_a_permission_they_lack() {
    let world = product("runtype");
    let person = |permissions: &[&str]| {
        let person = permissions
            .iter()
            .fold(Person::new(ACCOUNT, "ann").in_org("org_1"), |p, name| p.permission(*name));
        Caller::person(person)
    };
    let issue = |caller: &Caller, permissions: &[&str]| {
        world.authority.issue(caller, &live("x").permissions(permissions.iter().copied())).map(drop)
    };
    assert!(issue(&person(&["FLOWS:*"]), &["FLOWS:READ", "FLOWS:WRITE"]).is_ok());
    assert!(issue(&person(&["*"]), &["*"]).is_ok());
    let error = issue(&person(&["FLOWS:READ"]), &["FLOWS:READ", "FLOWS:WRITE", "TOOLS:READ"]).unwrap_err();
    assert_eq!(error.code(), Code::GrantExceedsCreator);
    assert!(error.to_string().contains("`FLOWS:WRITE`, `TOOLS:READ`"), "{error}");
    check_code(issue(&person(&[]), &["FLOWS:READ"]), Code::GrantExceedsCreator);
    assert!(issue(&person(&[]), &[]).is_ok(), "nothing is within nothing");
    check_code(
        world.authority.issue(&person(&["FLOWS:*"]), &live("x").template("full_access")),
        Code::GrantExceedsCreator,
    );
    // An edit may not give more either.
    let (_, view) = world.issue(live("x").permissions(["FLOWS:READ"]));
    let widen = KeyEdit::default().permissions(["FLOWS:READ", "TOOLS:READ"]);
    check_code(
        world.authority.update(&person(&["FLOWS:*"]), ACCOUNT, &view.id, &widen),
        Code::GrantExceedsCreator,
    );
}

#[test]
fn inv_10_no_key_renews_or_changes_itself() {
    let world = product("mcpstack");
    let (caller, view) = service_caller(&world, "admin");
    let own = |result: Result<(), tenantkit::Error>| check_code(result, Code::GrantExceedsCreator);
    own(world.authority.rotate(&caller, ACCOUNT, &view.id, &Rotation::default()).map(drop));
    own(world.authority.regenerate(&caller, ACCOUNT, &view.id).map(drop));
    own(world.authority.update(&caller, ACCOUNT, &view.id, &KeyEdit::default().name("x")).map(drop));
    own(world.authority.set_key_plan(&caller, ACCOUNT, &view.id, &Default::default()).map(drop));
    // It may end itself.
    world.authority.revoke(&caller, ACCOUNT, &view.id).unwrap();
    check_code(world.authority.issue(&caller, &service("x").role("viewer")), Code::InvalidKey);
}

#[test]
fn inv_10_what_a_key_makes_does_not_outlive_it_nor_reach_further() {
    let world = product("mcpstack");
    let new = service("creator").role("admin").expires_at("2026-03-01").ip_allow(["192.0.2.0/24"]);
    let (key, _) = world.issue(new);
    let request = Request::new("servers.list").key(&key).client_ip("192.0.2.1".parse().unwrap());
    let decision = world.authority.authorize(&request).unwrap();
    let caller = Caller::key(decision.grant().unwrap());
    let within = || service("made").expires_at("2026-02-01").ip_allow(["192.0.2.128/25"]);
    let made = world.authority.issue(&caller, &within()).unwrap().view;
    let beyond = [
        ("later", within().expires_at("2026-03-02")),
        ("never", within().never_expires()),
        ("any address", { service("made").expires_at("2026-02-01") }),
        ("other addresses", within().ip_allow(["192.0.2.0/24", "198.51.100.0/24"])),
        ("another org", within().org_id("org_2")),
    ];
    for (name, new) in beyond {
        let error = world.authority.issue(&caller, &new).expect_err(name);
        assert_eq!(error.code(), Code::GrantExceedsCreator, "{name}: {error:?}");
    }
    let later = KeyEdit::default().expires_at("2026-04-01");
    check_code(world.authority.update(&caller, ACCOUNT, &made.id, &later), Code::GrantExceedsCreator);
    let sooner = KeyEdit::default().expires_at("2026-01-20");
    assert!(world.authority.update(&caller, ACCOUNT, &made.id, &sooner).is_ok());
}

#[test]
fn a_caller_sees_only_the_keys_where_it_belongs() {
    let world = product("mcpstack");
    let (caller, own) = service_caller(&world, "admin");
    world.clock.advance_seconds(1);
    let (_, here) = world.issue(service("here"));
    world.clock.advance_seconds(1);
    let (_, elsewhere) = world.issue(service("elsewhere").org_id("org_2"));
    let person = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "admin"));
    let nobody = Caller::person(Person::new(ACCOUNT, "bob"));
    let all = Caller::person(Person::new(ACCOUNT, "eve").role("owner"));
    let listed = |caller: &Caller| {
        let page = world.authority.keys(caller, ACCOUNT, &Default::default(), None, 200).unwrap();
        page.items.iter().map(|key| key.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&caller), [own.id, here.id]);
    assert_eq!(listed(&person), [own.id, here.id]);
    assert!(listed(&nobody).is_empty());
    assert_eq!(listed(&all), [own.id, here.id, elsewhere.id]);
    for caller in [&caller, &person, &nobody] {
        check_code(world.authority.key(caller, ACCOUNT, &elsewhere.id), Code::KeyNotFound);
        check_code(world.authority.revoke(caller, ACCOUNT, &elsewhere.id), Code::KeyNotFound);
    }
    // Another account's keys do not exist.
    check_code(world.authority.key(&caller, "globex", &here.id), Code::KeyNotFound);
    check_code(world.authority.revoke(&person, "globex", &here.id), Code::KeyNotFound);
    check_code(
        world.authority.issue(&caller, &NewKey::new("globex", "x").org_id("org_1")),
        Code::GrantExceedsCreator,
    );
}

#[test]
fn inv_10_a_lower_role_does_not_change_a_higher_key() {
    let world = product("mcpstack");
    let (developer, _) = service_caller(&world, "developer");
    let (_, boss) = world.issue(service("boss").role("admin"));
    check_code(world.authority.revoke(&developer, ACCOUNT, &boss.id), Code::GrantExceedsCreator);
    check_code(
        world.authority.rotate(&developer, ACCOUNT, &boss.id, &Rotation::default()),
        Code::GrantExceedsCreator,
    );
    check_code(world.authority.disable(&developer, ACCOUNT, &boss.id), Code::GrantExceedsCreator);
    assert_eq!(world.view(&boss.id), boss);
}

#[test]
fn rs_owner_user_a_person_manages_their_own_keys_and_nobody_elses() {
    let world = product("runstack");
    let ann = Caller::person(Person::new(ACCOUNT, "ann"));
    let bob = Caller::person(Person::new(ACCOUNT, "bob"));
    let made = world.authority.issue(&ann, &NewKey::new(ACCOUNT, "laptop")).unwrap();
    assert_eq!(made.view.owner, Owner::User(UserId::parse("ann", &Default::default()).unwrap()));
    assert_eq!(world.ask(&Request::new("search_tools").key(&text(&made))), "ok");
    check_code(world.authority.key(&bob, ACCOUNT, &made.view.id), Code::KeyNotFound);
    check_code(world.authority.delete(&bob, ACCOUNT, &made.view.id), Code::KeyNotFound);
    check_code(world.authority.issue(&bob, &runstack("x")), Code::BindingInvalid);
    world.authority.delete(&ann, ACCOUNT, &made.view.id).unwrap();
}

/// INV-09: whatever free fields of a request say, what a caller with bounds makes belongs to the caller and lies inside
/// its bounds. Every combination of owner, org and user is tried by every kind of caller.
#[test]
fn inv_09_owner_and_tenant_come_from_the_proved_caller() {
    let world = product("mcpstack");
    let (key, _) = service_caller(&world, "admin");
    let person = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "admin"));
    let org = |id: &str| OrgId::parse(id, &Default::default()).unwrap();
    let user = |id: &str| UserId::parse(id, &Default::default()).unwrap();
    let owners = [
        None,
        Some(Owner::Account),
        Some(Owner::Org(org("org_1"))),
        Some(Owner::Org(org("org_2"))),
        Some(Owner::User(user("ann"))),
        Some(Owner::User(user("eve"))),
    ];
    let orgs = [None, Some("org_1"), Some("org_2"), Some("org_9")];
    let users = [None, Some("ann"), Some("eve")];
    let (mut allowed, mut refused) = (0, 0);
    for (name, caller) in [("key", &key), ("person", &person)] {
        for owner in &owners {
            for org_id in orgs {
                for user_id in users {
                    let mut new = NewKey::new(ACCOUNT, "x");
                    new = owner.clone().into_iter().fold(new, NewKey::owner);
                    new = org_id.into_iter().fold(new, NewKey::org_id);
                    new = user_id.into_iter().fold(new, NewKey::user_id);
                    match world.authority.issue(caller, &new) {
                        Err(error) => {
                            refused += 1;
                            let codes = [Code::GrantExceedsCreator, Code::BindingInvalid];
                            assert!(codes.contains(&error.code()), "{name} {new:?}: {error:?}");
                        }
                        Ok(made) => {
                            allowed += 1;
                            let view = made.view;
                            assert_eq!(&*view.account_id, ACCOUNT);
                            assert_eq!(
                                view.org,
                                tenantkit::tenant::OrgBinding::Fixed(org("org_1")),
                                "{name} {new:?}"
                            );
                            let own = [Owner::Org(org("org_1")), Owner::User(user("ann"))];
                            assert!(own.contains(&view.owner), "{name} {new:?}: {:?}", view.owner);
                        }
                    }
                }
            }
        }
    }
    assert!(allowed > 5 && refused > 100, "{allowed} allowed, {refused} refused");
}

#[test]
fn inv_09_the_account_is_no_member_of_a_request_body() {
    for member in
        ["account", "account_id", "accountId", "tenant_id", "created_by", "is_admin", "id", "digest"]
    {
        let body = format!(r#"{{"name":"x","{member}":"globex"}}"#);
        let error = NewKey::from_json(ACCOUNT, body.as_bytes()).unwrap_err();
        assert_eq!((error.code(), fields(&error)), (Code::ValidationError, vec![member]));
    }
}

#[test]
fn a_platform_key_grants_inside_its_own_bindings_only() {
    let policy =
        variant("allmcp", &[("removal = \"revoke\"", "removal = \"revoke\"\nkeys_manage_keys = true")]);
    let world = with(policy, |builder| builder);
    let list = OrgSpec::List { ids: vec!["a".into(), "b".into()], default: None };
    let (key, _) = world.issue(NewKey::new(ACCOUNT, "p").preset("platform").org(list));
    let request = Request::new("get_usage").key(&key).query("org_id=a&user_id=u");
    let decision = world.authority.authorize(&request).unwrap();
    let caller = Caller::key(decision.grant().unwrap());
    let new = |preset: &str| NewKey::new(ACCOUNT, "x").preset(preset);
    let fixed = |org: &str| new("client").org(OrgSpec::Fixed(org.into()));
    // Org and user bindings may narrow, never widen.
    for (name, new, allowed) in [
        ("a client of a listed org", fixed("a"), true),
        ("one user of a listed org", fixed("b").user(UserSpec::Fixed("u".into())), true),
        ("a client of another org", fixed("c"), false),
        ("every org", new("platform").org(OrgSpec::Open { create: None, default: None }), false),
        ("fewer orgs", new("platform").org(OrgSpec::List { ids: vec!["a".into()], default: None }), true),
        (
            "more orgs",
            new("platform").org(OrgSpec::List { ids: vec!["a".into(), "c".into()], default: None }),
            false,
        ),
    ] {
        let made = world.authority.issue(&caller, &new.owner(Owner::Account));
        assert_eq!(
            made.as_ref().err().map(|e| e.code()),
            (!allowed).then_some(Code::GrantExceedsCreator),
            "{name}"
        );
    }
}

#[test]
fn a_member_of_some_orgs_does_not_see_keys_that_reach_every_org() {
    let world = product("allmcp");
    let (_, open) = world.issue(NewKey::new(ACCOUNT, "open").preset("platform").owner(Owner::Account));
    let list = OrgSpec::List { ids: vec!["o1".into(), "o2".into()], default: None };
    let (_, listed) =
        world.issue(NewKey::new(ACCOUNT, "listed").preset("platform").org(list).owner(Owner::Account));
    let sees = |person: Person, id| world.authority.key(&Caller::person(person), ACCOUNT, id).is_ok();
    let ann = || Person::new(ACCOUNT, "ann");
    assert!(!sees(ann().in_org("o1"), &open.id) && !sees(ann().in_org("o1"), &listed.id));
    assert!(sees(ann().in_org("o1").in_org("o2"), &listed.id));
    assert!(sees(ann().whole_account(), &open.id));
}

#[test]
fn inv_10_a_key_of_some_resources_makes_keys_of_those_only() {
    let kind = "role = \"required\"                       # exactly one; viewer unless another is named";
    let resources = format!("{kind}\nresources = {{ count = \"list\", types = \"agent\", all = true }}");
    let world = with(variant("mcpstack", &[(kind, &resources)]), |builder| builder);
    let (key, _) = world.issue(service("creator").role("admin").resources(["agent:a", "agent:b"]));
    let caller = as_caller(&world, &key, "servers.list");
    let issue = |new: NewKey| world.authority.issue(&caller, &new).map(drop);
    assert!(issue(service("x").resources(["agent:a"])).is_ok());
    assert!(issue(service("x")).is_ok(), "none at all");
    check_code(issue(service("x").resources(["agent:c"])), Code::GrantExceedsCreator);
    check_code(issue(service("x").all_resources()), Code::GrantExceedsCreator);
}

#[test]
fn where_the_owner_is_bound_nobody_else_can_be() {
    let world = product("runstack");
    let other = runstack("x").user(UserSpec::Fixed("bob".into()));
    assert_eq!(world.refusal(other).code(), Code::BindingInvalid);
    assert!(world.authority.issue(&admin(), &runstack("x").user(UserSpec::Fixed("ann".into()))).is_ok());
    let ann = Caller::person(Person::new(ACCOUNT, "ann"));
    let other = NewKey::new(ACCOUNT, "x").user(UserSpec::Fixed("bob".into()));
    check_code(world.authority.issue(&ann, &other), Code::BindingInvalid);
}

#[test]
fn refusals_of_proved_keys_leave_an_audit_line() {
    let world = product("mcpstack");
    let (developer, view) = service_caller(&world, "developer");
    check_code(world.authority.issue(&developer, &service("x").role("admin")), Code::GrantExceedsCreator);
    let entries = world.authority.audit(&admin(), ACCOUNT, 1, 10).unwrap();
    let last = &entries.last().unwrap().draft;
    assert_eq!((&*last.act, &*last.outcome), ("key.issue", "grant_exceeds_creator"));
    assert_eq!(last.actor.to_string(), view.id.to_string());
    // People and administrators are the host's to watch.
    let lines = world.audit_lines().len();
    let person = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "viewer"));
    check_code(world.authority.issue(&person, &service("x").role("admin")), Code::GrantExceedsCreator);
    assert_eq!(world.audit_lines().len(), lines);
}

#[test]
fn callers_are_checked_before_anything_else() {
    let world = product("mcpstack");
    let issue = |caller: &Caller| world.authority.issue(caller, &service("x"));
    check_code(issue(&Caller::admin("")), Code::ValidationError);
    check_code(issue(&Caller::admin("a\nb")), Code::ValidationError);
    check_code(issue(&admin().operation_id("")), Code::ValidationError);
    check_code(issue(&admin().operation_id("x".repeat(256))), Code::ValidationError);
    check_code(issue(&admin().reason("x".repeat(1_025))), Code::ValidationError);
    check_code(issue(&Caller::person(Person::new(ACCOUNT, "ann").role("king"))), Code::UnknownRole);
    let error = issue(&Caller::person(Person::new(ACCOUNT, "a\u{0}"))).unwrap_err();
    assert_eq!(error.kind(), tenantkit::ErrorKind::InvalidArgument);
    check_code(world.authority.issue(&admin(), &NewKey::new("", "x").org_id("o")), Code::ValidationError);
}

#[test]
fn rt_12_options_show_what_the_caller_may_choose() {
    let world = product("mcpstack");
    let (developer, _) = service_caller(&world, "developer");
    let roles = |caller: &Caller| {
        let options = world.authority.options(caller, ACCOUNT).unwrap();
        options.roles.iter().map(|role| role.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(roles(&admin()), ["admin", "developer", "viewer"]);
    assert_eq!(roles(&developer), ["developer", "viewer"]);
    let options = world.authority.options(&admin(), ACCOUNT).unwrap();
    assert_eq!(options.kinds.iter().map(|k| k.name.to_string()).collect::<Vec<_>>(), ["service", "public"]);
    assert_eq!(
        (options.kinds[0].default_role.as_deref(), options.kinds[1].one_resource),
        (Some("viewer"), true)
    );

    let world = product("runtype");
    let person = Caller::person(Person::new(ACCOUNT, "ann").in_org("org_1").permission("FLOWS:*"));
    let options = world.authority.options(&person, ACCOUNT).unwrap();
    let given = options.groups.iter().filter(|group| !group.permissions.is_empty());
    let given: Vec<_> = given.map(|group| group.name.to_string()).collect();
    assert_eq!(given, ["Flows"]);
    assert!(options.templates.is_empty());
    let all = world.authority.options(&admin(), ACCOUNT).unwrap();
    assert_eq!((all.groups.len(), all.templates.len(), all.environments.len()), (8, 4, 2));
    let plans = product("runstack").authority.options(&admin(), ACCOUNT).unwrap().plans;
    assert_eq!(
        plans.iter().map(|p| (p.name.to_string(), p.default)).collect::<Vec<_>>(),
        [("FREE".to_string(), true)]
    );
}
