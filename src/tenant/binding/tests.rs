use super::*;
use crate::error::ErrorKind;

pub(in crate::tenant) fn org(id: &str) -> OrgId {
    OrgId::from_stored(id)
}

pub(in crate::tenant) fn user(id: &str) -> UserId {
    UserId::from_stored(id)
}

/// `u1` in every resolved org, or `o1/u1` in one.
pub(in crate::tenant) fn entry(text: &str) -> UserEntry {
    match text.split_once('/') {
        Some((o, u)) => UserEntry { org: Some(org(o)), user: user(u) },
        None => UserEntry { org: None, user: user(text) },
    }
}

/// Reads `none`, `fixed o1`, `list o1 o2 =o3` (`=` marks the default, a member), `open`, `create`, `create =o1`.
pub(in crate::tenant) fn org_binding(text: &str) -> OrgBinding {
    let (shape, default, rest) = words(text);
    let default = default.map(org);
    match shape {
        "none" => OrgBinding::None,
        "fixed" => OrgBinding::Fixed(org(rest[0])),
        "list" => OrgBinding::List { orgs: rest.into_iter().map(org).collect(), default },
        "open" | "create" => OrgBinding::Open { create: shape == "create", default },
        other => panic!("no org binding `{other}`"),
    }
}

/// As [`org_binding`], with `optional`, `optional_create` and entries as [`entry`] reads them.
pub(in crate::tenant) fn user_binding(text: &str) -> UserBinding {
    let (shape, default, rest) = words(text);
    let default = default.map(entry);
    match shape {
        "none" => UserBinding::None,
        "fixed" => UserBinding::Fixed(user(rest[0])),
        "list" => UserBinding::List { entries: rest.into_iter().map(entry).collect(), default },
        "open" | "create" => UserBinding::Open { create: shape == "create", default },
        "optional" | "optional_create" => UserBinding::Optional { create: shape == "optional_create" },
        other => panic!("no user binding `{other}`"),
    }
}

/// The shape, the default if one is marked, and the members with it.
fn words(text: &str) -> (&str, Option<&str>, Vec<&str>) {
    let mut words = text.split(' ');
    let shape = words.next().unwrap();
    let members: Vec<&str> = words.collect();
    let default = members.iter().find_map(|word| word.strip_prefix('='));
    (shape, default, members.into_iter().map(|word| word.trim_start_matches('=')).collect())
}

pub(in crate::tenant) fn bindings(preset: Preset, org: &str, user: &str) -> Bindings {
    Bindings::new(preset, org_binding(org), user_binding(user))
        .unwrap_or_else(|e| panic!("{preset}, org {org}, user {user}: {e}"))
}

fn refusal(preset: Preset, org: &str, user: &str) -> Error {
    let made = Bindings::new(preset, org_binding(org), user_binding(user));
    made.err().unwrap_or_else(|| panic!("{preset}, org {org}, user {user} was accepted"))
}

#[test]
fn each_preset_takes_its_own_shapes_and_no_others() {
    use Preset::{Client, Flexible, Platform, Solo};
    let orgs = ["none", "fixed o0", "list o0", "open", "create", "create =o0"];
    let users = ["none", "fixed u0", "list u0", "open", "create", "create =o0/u0", "optional"];
    // The table of presets: which of the above each allows.
    let allowed: [(Preset, &[&str], &[&str]); 4] = [
        (Solo, &["none", "fixed o0"], &["fixed u0"]),
        (Client, &["fixed o0"], &["none", "fixed u0", "list u0", "open", "create", "create =o0/u0"]),
        (
            Platform,
            &["fixed o0", "list o0", "open", "create", "create =o0"],
            &["fixed u0", "list u0", "open", "create", "create =o0/u0", "optional"],
        ),
        (Flexible, &["create =o0"], &["create =o0/u0"]),
    ];
    for (preset, good_orgs, good_users) in allowed {
        for org in orgs {
            for user in users {
                let expected = good_orgs.contains(&org) && good_users.contains(&user);
                let made = Bindings::new(preset, org_binding(org), user_binding(user));
                assert_eq!(made.is_ok(), expected, "{preset}, org {org}, user {user}: {made:?}");
            }
        }
    }
}

#[test]
fn t_30_a_client_key_is_one_company() {
    for org in ["list o1", "open", "create"] {
        for user in ["none", "fixed u1", "list u1", "open", "create"] {
            let error = refusal(Preset::Client, org, user);
            assert_eq!(error.code(), Code::BindingInvalid);
            assert_eq!(error.http_status(), 400);
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
    }
    let text = refusal(Preset::Client, "open", "open").to_string();
    assert!(text.contains("a client key has the org `fixed`, not `open`"), "{text}");
}

#[test]
fn a_default_lies_inside_its_binding() {
    use Preset::{Client, Flexible, Platform};
    let default = |orgs: &[&str], default| OrgBinding::List {
        orgs: orgs.iter().copied().map(org).collect(),
        default: Some(org(default)),
    };
    assert!(Bindings::new(Platform, default(&["a", "b"], "b"), user_binding("open")).is_ok());
    assert!(Bindings::new(Platform, default(&["a", "b"], "c"), user_binding("open")).is_err());
    let default = |entries: &[&str], default| UserBinding::List {
        entries: entries.iter().copied().map(entry).collect(),
        default: Some(entry(default)),
    };
    assert!(Bindings::new(Client, org_binding("fixed o1"), default(&["u1"], "u2")).is_err());
    // A default from a list of pairs is one of the pairs.
    assert!(Bindings::new(Client, org_binding("fixed o1"), default(&["o1/u1"], "u1")).is_err());
    assert!(Bindings::new(Client, org_binding("fixed o1"), default(&["o1/u1"], "o1/u1")).is_ok());
    refusal(Client, "fixed o1", "create =o2/u1");
    refusal(Platform, "list o1 o2", "create =o3/u1");
    refusal(Platform, "create", "create =u1");
    refusal(Flexible, "create =o0", "create =o1/u0");
    refusal(Flexible, "create =o0", "open =o0/u0");
}

#[test]
fn a_default_user_belongs_to_the_only_org_it_can_belong_to() {
    for (preset, org_text) in [(Preset::Client, "fixed o0"), (Preset::Flexible, "create =o0")] {
        let made = bindings(preset, org_text, "create =u0");
        assert_eq!(made.user().default_entry(), Some(&entry("o0/u0")), "{preset}");
    }
}

#[test]
fn a_user_list_is_of_one_sort_and_inside_the_org_binding() {
    refusal(Preset::Platform, "open", "list u1 o1/u2");
    refusal(Preset::Client, "fixed o1", "list o1/u1 o2/u1");
    refusal(Preset::Platform, "list o1 o2", "list o3/u1");
    bindings(Preset::Platform, "list o1 o2", "list o2/u1 o1/u1");
}

#[test]
fn lists_are_sorted_bounded_and_may_be_empty() {
    let made = bindings(Preset::Platform, "list b a b", "list u2 u1 u2");
    assert_eq!(made, bindings(Preset::Platform, "list a b", "list u1 u2"));
    // Empty is a value of its own: a key that may act for nobody.
    assert_ne!(bindings(Preset::Platform, "list", "open").org(), &OrgBinding::None);
    let many: Vec<OrgId> = (0..=MAX_LIST_LEN).map(|i| org(&format!("o{i}"))).collect();
    let list = |len: usize| OrgBinding::List { orgs: many[..len].to_vec(), default: None };
    assert!(Bindings::new(Preset::Platform, list(MAX_LIST_LEN), user_binding("open")).is_ok());
    assert!(Bindings::new(Preset::Platform, list(MAX_LIST_LEN + 1), user_binding("open")).is_err());
}

#[test]
fn the_stored_form_is_stable_and_checked_when_it_is_read() {
    let cases = [
        (
            bindings(Preset::Solo, "none", "fixed u0"),
            r#"{"preset":"solo","org":"none","user":{"fixed":"u0"}}"#,
        ),
        (
            bindings(Preset::Platform, "list a =b", "list a/u =b/u"),
            r#"{"preset":"platform","org":{"list":{"orgs":["a","b"],"default":"b"}},"user":{"list":{"entries":[{"org":"a","user":"u"},{"org":"b","user":"u"}],"default":{"org":"b","user":"u"}}}}"#,
        ),
        (
            bindings(Preset::Platform, "open", "optional_create"),
            r#"{"preset":"platform","org":{"open":{"create":false}},"user":{"optional":{"create":true}}}"#,
        ),
    ];
    for (made, json) in cases {
        assert_eq!(serde_json::to_string(&made).unwrap(), json);
        assert_eq!(serde_json::from_str::<Bindings>(json).unwrap(), made);
    }
    for bad in [
        r#"{"preset":"client","org":{"open":{"create":true}},"user":"none"}"#,
        r#"{"preset":"solo","org":"none","user":{"fixed":"u0"},"role":"admin"}"#,
        r#"{"preset":"platform","org":{"open":{"create":true,"any":true}},"user":{"open":{"create":true}}}"#,
        r#"{"preset":"platform","org":{"open":{}},"user":{"open":{"create":true}}}"#,
        r#"{"preset":"solo","org":{"fixed":""},"user":{"fixed":"u0"}}"#,
        r#"{"preset":"solo","user":{"fixed":"u0"}}"#,
    ] {
        assert!(serde_json::from_str::<Bindings>(bad).is_err(), "{bad}");
    }
}

#[test]
fn inv_25_nothing_but_the_typed_bindings_is_read() {
    let plain = r#"{"preset":"client","org":{"fixed":"o1"},"user":"none"}"#;
    assert!(serde_json::from_str::<Bindings>(plain).is_ok());
    for more in [r#""org_id":"o2""#, r#""metadata":{"org":"o2"}"#, r#""org":{"fixed":"o2"}"#] {
        let text = plain.trim_end_matches('}').to_owned() + "," + more + "}";
        assert!(serde_json::from_str::<Bindings>(&text).is_err(), "{text}");
    }
}

#[test]
fn every_id_of_a_binding_is_checked_against_the_policy_in_force() {
    let narrow = IdSyntax::narrow();
    assert!(bindings(Preset::Platform, "list a =b", "list a/u =b/u").check_ids(&narrow).is_ok());
    for (org, user) in [
        ("fixed a:b", "open"),
        ("list a a:b", "open"),
        ("open =a:b", "open"),
        ("open", "fixed u:1"),
        ("open", "list u:1"),
        ("open", "open =a:b/u"),
        ("open", "open =a/u:1"),
        ("open", "list a:b/u"),
    ] {
        assert!(bindings(Preset::Platform, org, user).check_ids(&narrow).is_err(), "{org}, {user}");
    }
}

#[test]
fn x_12_a_publishable_key_has_one_org_and_no_user_of_its_own() {
    for (preset, org, user, good) in [
        (Preset::Client, "fixed o1", "none", true),
        (Preset::Client, "fixed o1", "create", true),
        (Preset::Client, "fixed o1", "list u1 u2", true),
        (Preset::Client, "fixed o1", "fixed u1", false),
        (Preset::Client, "fixed o1", "create =u1", false),
        (Preset::Client, "fixed o1", "list =u1", false),
        (Preset::Platform, "open", "open", false),
        (Preset::Solo, "none", "fixed u1", false),
    ] {
        assert_eq!(bindings(preset, org, user).check_publishable().is_ok(), good, "{org}, {user}");
    }
}
