//! Listings: filters, pages, and keys that need attention.

use crate::support::*;
use tenantkit::key::id::KeyId;
use tenantkit::store::{KeyFilter, StandingFilter};
use tenantkit::{KeyStatus, Request};

fn listed(world: &World, filter: &KeyFilter) -> Vec<String> {
    let page = world.authority.keys(&admin(), ACCOUNT, filter, None, 200).unwrap();
    page.items.iter().map(|key| key.name.to_string()).collect()
}

#[test]
fn ms_01_ms_22_lists_are_filtered() {
    let policy = variant("mcpstack", &[("verified_domains = true", "verified_domains = false")]);
    let world = with(policy, |builder| builder);
    for new in [
        service("ci prod").role("developer").label("environment", "prod"),
        service("ci test").label("environment", "test"),
        service("other org").org_id("org_2"),
        service("embed").kind("public").resources(["agent:a"]).origins(["https://a.example.com"]),
        tenantkit::NewKey::new("globex", "foreign").org_id("org_1"),
    ] {
        world.clock.advance_seconds(1);
        world.issue(new);
    }
    let all = KeyFilter::default();
    let text = |text: &str| Some(text.into());
    let cases = [
        (all.clone(), vec!["ci prod", "ci test", "other org", "embed"]),
        (KeyFilter { kind: text("public"), ..all.clone() }, vec!["embed"]),
        (KeyFilter { role: text("developer"), ..all.clone() }, vec!["ci prod"]),
        (KeyFilter { name_prefix: text("ci "), ..all.clone() }, vec!["ci prod", "ci test"]),
        (KeyFilter { label: Some(("environment".into(), "test".into())), ..all.clone() }, vec!["ci test"]),
        (KeyFilter { display_prefix: text("mcpstack_pk"), ..all.clone() }, vec!["embed"]),
        (
            KeyFilter {
                org_id: Some(tenantkit::tenant::OrgId::parse("org_2", &Default::default()).unwrap()),
                ..all
            },
            vec!["other org"],
        ),
    ];
    for (filter, names) in cases {
        assert_eq!(listed(&world, &filter), names, "{filter:?}");
    }
}

#[test]
fn pages_are_whole_and_in_the_order_of_issue() {
    let world = product("mcpstack");
    for i in 0..25 {
        world.clock.advance_seconds(1);
        world.issue(service(&format!("key {i:02}")));
    }
    for limit in [1, 7, 24, 25, 26, 0, 1_000_000] {
        let (mut names, mut after): (Vec<String>, Option<KeyId>) = (Vec::new(), None);
        loop {
            let page = world.authority.keys(&admin(), ACCOUNT, &KeyFilter::default(), after, limit).unwrap();
            assert!(page.items.len() <= (limit.clamp(1, 200) as usize));
            names.extend(page.items.iter().map(|key| key.name.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names, (0..25).map(|i| format!("key {i:02}")).collect::<Vec<_>>(), "{limit}");
    }
}

#[test]
fn rt_28_keys_are_due_at_the_policys_age_and_still_work() {
    let world = product("runtype");
    let (key, old) = world.issue(live("old"));
    world.advance_days(1);
    world.issue(live("newer"));
    world.advance_days(89);
    let due = || {
        let page = world.authority.due(&admin(), ACCOUNT, None, 200).unwrap();
        page.items.iter().map(|key| key.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(), ["old"]);
    let view = world.view(&old.id);
    assert_eq!((view.age_days, view.rotation_due, view.status), (90, true, KeyStatus::RotationDue));
    assert_eq!(world.ask(&Request::new("flows.list").key(&key)), "ok");
    world.advance_days(1);
    assert_eq!(due(), ["old", "newer"]);
    // A key that is being replaced is no longer due, and its successor is young.
    let _rotated = world.authority.rotate(&admin(), ACCOUNT, &old.id, &Default::default()).unwrap();
    assert_eq!(due(), ["newer"]);
    assert!(product("mcpstack").authority.due(&admin(), ACCOUNT, None, 200).unwrap().items.is_empty());
}

#[test]
fn rt_29_unused_keys_are_listed() {
    let world = product("runtype");
    let (key, _) = world.issue(live("used"));
    world.issue(live("never used"));
    world.advance_days(20);
    world.ask(&Request::new("flows.list").key(&key));
    world.authority.maintain().unwrap();
    world.advance_days(15);
    world.issue(live("new"));
    let unused = |days| {
        let page = world.authority.unused(&admin(), ACCOUNT, days, None, 200).unwrap();
        page.items.iter().map(|key| (key.name.to_string(), key.status)).collect::<Vec<_>>()
    };
    assert_eq!(unused(30), [("never used".to_string(), KeyStatus::Unused)]);
    assert_eq!(unused(10).len(), 2);
    assert_eq!(unused(36), []);
}

#[test]
fn n_09_permissions_that_were_never_needed_are_shown() {
    let world = product("runtype");
    let (key, _) = world.issue(live("wide").permissions(["FLOWS:READ", "FLOWS:WRITE", "TOOLS:READ"]));
    let (narrow, _) = world.issue(live("narrow").permissions(["FLOWS:READ"]));
    for key in [&key, &narrow] {
        assert_eq!(world.ask(&Request::new("flows.list").key(key)), "ok");
    }
    world.authority.maintain().unwrap();
    let page = world.authority.overgranted(&admin(), ACCOUNT, None, 200).unwrap();
    let found: Vec<_> =
        page.items.iter().map(|o| (&*o.key.name, o.never_needed.iter().map(|n| &**n).collect())).collect();
    assert_eq!(found, [("wide", vec!["FLOWS:WRITE", "TOOLS:READ"])]);
}

#[test]
fn the_status_is_the_first_that_holds() {
    let world = product("runtype");
    let status = |id: &KeyId| world.view(id).status;
    let (_, soon) = world.issue(live("soon").expires_at("2026-01-22"));
    assert_eq!(status(&soon.id), KeyStatus::Active);
    world.advance_days(1);
    assert_eq!(status(&soon.id), KeyStatus::ExpiresSoon);
    world.authority.disable(&admin(), ACCOUNT, &soon.id).unwrap();
    assert_eq!(status(&soon.id), KeyStatus::Disabled);
    world.authority.revoke(&admin(), ACCOUNT, &soon.id).unwrap();
    assert_eq!(status(&soon.id), KeyStatus::Revoked);
    let (_, brief) = world.issue(live("brief").expires_at("2026-01-17"));
    world.advance_days(5);
    assert_eq!(status(&brief.id), KeyStatus::Expired);
    let expired = KeyFilter { standing: StandingFilter::Active, ..KeyFilter::default() };
    assert!(listed(&world, &expired).is_empty());
}

#[test]
fn a_view_is_json_with_dates_as_text_and_without_digest_or_secret() {
    let world = product("runstack");
    let (key, view) = world.issue(runstack("laptop"));
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["created_at"], "2026-01-15T12:00:00Z");
    assert_eq!(
        (&json["expires_at"], &json["last_used_at"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!((&json["standing"], &json["status"]), (&"active".into(), &"active".into()));
    assert_eq!((&json["plan"]["name"], &json["plan"]["limits"][0]["amount"]), (&"FREE".into(), &50.into()));
    assert_eq!(json["owner"], serde_json::json!({"type": "user", "id": "ann"}));
    assert_eq!(json["key_prefix"], key[..12]);
    assert!(json.get("digest").is_none() && json.get("sealed").is_none() && json.get("value").is_none());
    let starter =
        with(policy("runstack"), |b| b.plan_hook(|_| Ok(true))).issue(runstack("a").plan("STARTER")).1;
    let json = serde_json::to_value(&starter).unwrap();
    assert_eq!(json["plan"]["limits"][0]["amount"], serde_json::Value::Null, "RS-21");
}
