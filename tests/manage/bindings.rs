//! Which orgs and users a new key may act for.

use crate::support::*;
use tenantkit::tenant::{OrgBinding, Preset, UserBinding};
use tenantkit::{Code, NewKey, OrgSpec, Request, UserRef, UserSpec};

fn allmcp(preset: &str) -> NewKey {
    NewKey::new(ACCOUNT, "key").preset(preset)
}

fn list(ids: &[&str], default: Option<&str>) -> OrgSpec {
    OrgSpec::List { ids: ids.iter().map(|id| (*id).into()).collect(), default: default.map(Into::into) }
}

fn users(ids: &[&str]) -> UserSpec {
    UserSpec::List { entries: ids.iter().map(|id| UserRef::User((*id).into())).collect(), default: None }
}

#[test]
fn am_08_am_15_the_preset_is_in_the_record_and_decides_the_bindings() {
    let world = product("allmcp");
    let cases = [
        (allmcp("solo").org_id("o0").user_id("u0"), "Fixed(OrgId(\"o0\"))", "Fixed(UserId(\"u0\"))"),
        (allmcp("client").org_id("o1"), "Fixed(OrgId(\"o1\"))", "Open { create: true, default: None }"),
        (allmcp("platform"), "Open { create: true, default: None }", "Open { create: true, default: None }"),
    ];
    for (new, org, user) in cases {
        let preset = format!("{:?}", new);
        let (key, view) = world.issue(new);
        assert_eq!(
            (format!("{:?}", view.org), format!("{:?}", view.user)),
            (org.into(), user.into()),
            "{preset}"
        );
        assert!(key.len() == 39 && key.starts_with("allmcp_"), "the text tells nothing of the preset");
    }
    let (key, view) = world.issue(allmcp("flexible").org_id("o0").user_id("u0"));
    assert_eq!(view.preset, Preset::Flexible);
    let ask = |query: &str| world.ask(&Request::new("list_connections").key(&key).query(query));
    assert_eq!(
        [ask(""), ask("user_id=x"), ask("org_id=y&user_id=x"), ask("org_id=y")],
        ["ok", "ok", "ok", "user_required"]
    );
}

#[test]
fn bindings_that_the_preset_or_the_policy_does_not_have_are_refused() {
    let world = product("allmcp");
    let open = |create| OrgSpec::Open { create, default: None };
    let cases = [
        ("T-30 list", allmcp("client").org_id("o1").org(list(&["o1", "o2"], None))),
        ("T-30 open", allmcp("client").org_id("o1").org(open(None))),
        ("solo without a user", allmcp("solo").org_id("o0")),
        ("solo without an org", allmcp("solo").user_id("u0")),
        ("flexible without defaults", allmcp("flexible")),
        ("flexible without creation", allmcp("flexible").org_id("o").user_id("u").org(open(Some(false)))),
        ("platform without users", allmcp("platform").user(UserSpec::None)),
        ("a default outside its list", allmcp("platform").org(list(&["a"], Some("b")))),
        (
            "a pair outside the orgs",
            allmcp("platform").org(list(&["a"], None)).user(UserSpec::List {
                entries: vec![UserRef::InOrg { org: Some("b".into()), user: "u".into() }],
                default: None,
            }),
        ),
        ("an id that is none", allmcp("platform").org(list(&["a\u{202e}"], None))),
        ("an empty id", allmcp("solo").org_id("").user_id("u")),
    ];
    for (name, new) in cases {
        let error = world.refusal(new);
        assert_eq!(error.code(), Code::BindingInvalid, "{name}: {error:?}");
    }
    assert_eq!(fields(&world.refusal(allmcp("team"))), ["preset"]);
    let service = service("ci").preset("platform");
    assert_eq!(
        product("mcpstack").refusal(service).code(),
        Code::BindingInvalid,
        "keys of this kind are client keys"
    );
}

#[test]
fn a_request_may_ask_for_less_creation_than_the_policy_gives_and_never_for_more() {
    let world = product("allmcp");
    let open = |create| allmcp("platform").org(OrgSpec::Open { create, default: None });
    assert_eq!(world.issue(open(Some(false))).1.org, OrgBinding::Open { create: false, default: None });
    let policy = variant(
        "allmcp",
        &[
            ("unknown_tenant = \"create\"", "unknown_tenant = \"known_only\""),
            ("max_orgs = 10_000\nmax_users_per_org = 100_000\n", ""),
            ("[kinds.key.presets.flexible]\norg = \"open\"\nuser = \"open\"\n", ""),
        ],
    );
    let world = with(policy, |builder| builder);
    assert_eq!(world.issue(open(None)).1.org, OrgBinding::Open { create: false, default: None });
    assert_eq!(world.refusal(open(Some(true))).code(), Code::BindingInvalid);
}

#[test]
fn a_25_bindings_get_a_default_only_where_the_policy_or_the_issuer_gives_one() {
    let world = product("allmcp");
    let client = || allmcp("client").org_id("o1").user_id("u1");
    assert_eq!(world.issue(client()).1.user, UserBinding::Open { create: true, default: None });
    let policy = variant("allmcp", &[("absent = \"reject\"", "absent = \"default\"")]);
    let world = with(policy, |builder| builder);
    let (key, _) = world.issue(client());
    assert_eq!(world.ask(&Request::new("get_usage").key(&key)), "ok");
    let (key, _) = world.issue(allmcp("platform").org(list(&["a", "b"], Some("b"))).user(users(&["u1"])));
    assert_eq!(world.ask(&Request::new("get_usage").key(&key).query("user_id=u1")), "ok");
}

#[test]
fn the_org_and_user_of_a_key_are_registered_with_it() {
    use tenantkit::TenantName;
    let world = product("allmcp");
    world.issue(allmcp("solo").org_id("o0").user_id("u0"));
    let page = world.authority.tenants(&admin(), &TenantName::account(ACCOUNT), None, None, 200).unwrap();
    let names: Vec<_> = page.items.iter().map(|t| (t.org_id.as_deref(), t.user_id.as_deref())).collect();
    assert_eq!(names, [(None, None), (Some("o0"), None), (Some("o0"), Some("u0"))]);
}

#[test]
fn inv_25_labels_never_feed_the_tenant() {
    let policy =
        variant("runstack", &[("labels = [\"client\"", "labels = [\"org_id\", \"user_id\", \"client\"")]);
    let world = with(policy, |builder| builder);
    let (key, view) = world.issue(runstack("a").label("user_id", "mallory").label("org_id", "other"));
    assert_eq!(
        view.user,
        UserBinding::Fixed(tenantkit::tenant::UserId::parse("ann", &Default::default()).unwrap())
    );
    let decision = world.authority.authorize(&Request::new("search_tools").key(&key)).unwrap();
    let scope = decision.grant().unwrap().scope().clone();
    assert_eq!((scope.org_id(), scope.user_id()), (None, Some("ann")));
}

#[test]
fn am_09_a_changed_binding_holds_from_the_next_call() {
    use tenantkit::KeyEdit;
    let world = product("allmcp");
    let (key, view) = world.issue(allmcp("client").org_id("o1"));
    let ask = |query: &str| world.ask(&Request::new("get_usage").key(&key).query(query));
    assert_eq!(ask("user_id=x"), "ok");
    let edit = KeyEdit::default().user(users(&["y"]));
    let changed = world.authority.update(&admin(), ACCOUNT, &view.id, &edit).unwrap();
    assert_eq!(
        (changed.changed.as_slice(), changed.narrowed, changed.widened),
        (&["bindings"][..], true, false)
    );
    assert_eq!([ask("user_id=x"), ask("user_id=y")], ["user_not_allowed", "ok"]);
    let widened =
        world.authority.update(&admin(), ACCOUNT, &view.id, &KeyEdit::default().preset("platform")).unwrap();
    assert_eq!((widened.key.preset, widened.widened), (Preset::Platform, true));
    assert_eq!(ask("org_id=o9&user_id=x"), "ok");
    let solo = KeyEdit::default().preset("solo").user_id("z").org_id("o1");
    world.authority.update(&admin(), ACCOUNT, &view.id, &solo).unwrap();
    assert_eq!([ask("org_id=o9&user_id=x"), ask("")], ["org_mismatch", "ok"]);
}

#[test]
fn bindings_are_read_in_the_form_in_which_answers_show_them() {
    let world = product("allmcp");
    let list = list(&["a", "b"], Some("a"));
    let users = UserSpec::List {
        entries: vec![UserRef::InOrg { org: Some("a".into()), user: "u".into() }],
        default: Some(UserRef::InOrg { org: Some("a".into()), user: "u".into() }),
    };
    for new in [
        allmcp("platform").org(list).user(users),
        allmcp("client").org_id("o1").user(users_of_every_org()),
        allmcp("flexible").org_id("o0").user_id("u0"),
        allmcp("solo").org_id("o0").user_id("u0"),
    ] {
        let (_, view) = world.issue(new);
        let json = serde_json::to_value(&view).unwrap();
        let body = serde_json::json!({"name": "copy", "preset": json["preset"], "org": json["org"], "user": json["user"],
            "org_id": "o0", "user_id": "u0"});
        let copy = NewKey::from_json(ACCOUNT, body.to_string().as_bytes()).unwrap();
        let (_, copy) = world.issue(copy);
        assert_eq!((copy.preset, copy.org, copy.user), (view.preset, view.org, view.user));
    }
}

fn users_of_every_org() -> UserSpec {
    users(&["u1", "u2"])
}
