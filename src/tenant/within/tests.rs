use crate::tenant::binding::tests::{bindings, org_binding, user_binding};
use crate::tenant::binding::{Bindings, OrgBinding, UserBinding};
use crate::tenant::preset::Preset;
use crate::tenant::scope::ScopeUser;

/// Bindings that some preset allows, whichever it is: comparing does not look at the preset.
fn pair(org: &str, user: &str) -> Bindings {
    Preset::ALL
        .into_iter()
        .find_map(|preset| Bindings::new(preset, org_binding(org), user_binding(user)).ok())
        .unwrap_or_else(|| panic!("no preset allows org {org} with user {user}"))
}

pub(in crate::tenant) fn all() -> Vec<Bindings> {
    let orgs = [
        "none",
        "fixed a",
        "fixed b",
        "list",
        "list a",
        "list a =b",
        "open",
        "open =a",
        "create",
        "create =b",
    ];
    let users = [
        "none",
        "fixed u",
        "list",
        "list u",
        "list u =v",
        "list a/u",
        "list a/u b/u",
        "list =a/u b/v",
        "open",
        "open =a/u",
        "create",
        "optional",
        "optional_create",
    ];
    orgs.iter()
        .flat_map(|org| users.iter().map(move |user| (org_binding(org), user_binding(user))))
        .filter_map(|(org, user)| {
            let make = |preset| Bindings::new(preset, org.clone(), user.clone()).ok();
            Preset::ALL.into_iter().find_map(make)
        })
        .collect()
}

/// Every (org, user) a binding could resolve to over orgs a, b, c and users u, v, w, with all of them registered.
fn reach(of: &Bindings) -> Vec<(Option<&'static str>, ScopeUser<'static>)> {
    let mut all = Vec::new();
    for org in [None, Some("a"), Some("b"), Some("c")] {
        for user in [None, Some("u"), Some("v"), Some("w")] {
            let user = user.map_or(ScopeUser::None, ScopeUser::Named);
            if of.contains(org, user) {
                all.push((org, user));
            }
        }
    }
    all
}

/// Whether a binding can register new orgs, new users.
fn creates(of: &Bindings) -> (bool, bool) {
    (
        matches!(of.org(), OrgBinding::Open { create: true, .. }),
        matches!(of.user(), UserBinding::Open { create: true, .. } | UserBinding::Optional { create: true }),
    )
}

#[test]
fn a_child_never_reaches_what_its_parent_cannot() {
    let all = all();
    let mut within = 0;
    for child in &all {
        for parent in &all {
            if !child.is_within(parent) {
                continue;
            }
            within += 1;
            let theirs = reach(parent);
            assert!(reach(child).iter().all(|scope| theirs.contains(scope)), "{child:?} in {parent:?}");
            let (ours, theirs) = (creates(child), creates(parent));
            assert!(ours.0 <= theirs.0 && ours.1 <= theirs.1, "{child:?} creates more than {parent:?}");
        }
    }
    assert!(within > all.len(), "{within} pairs of {} bindings", all.len());
}

#[test]
fn a_scope_lies_inside_exactly_the_bindings_that_name_it() {
    use ScopeUser::{Anonymous, Named, None as Nobody};
    for (org, user, inside, outside) in [
        ("none", "fixed u", vec![(None, Named("u"))], vec![(Some("a"), Named("u")), (None, Nobody)]),
        ("fixed a", "none", vec![(Some("a"), Nobody)], vec![(None, Nobody), (Some("a"), Named("u"))]),
        (
            "list a b",
            "list a/u b/v",
            vec![(Some("a"), Named("u")), (Some("b"), Named("v")), (Some("b"), Anonymous)],
            vec![(Some("a"), Named("v")), (Some("c"), Named("u")), (Some("a"), Nobody), (None, Anonymous)],
        ),
        ("list b", "list v u", vec![(Some("b"), Named("u"))], vec![(Some("b"), Named("w"))]),
        (
            "open",
            "optional",
            vec![(Some("x"), Named("y")), (Some("x"), Nobody)],
            vec![(None, Nobody), (None, Named("y"))],
        ),
        ("create", "open", vec![(Some("x"), Named("y"))], vec![(Some("x"), Nobody)]),
    ] {
        let bindings = pair(org, user);
        for (o, u) in inside {
            assert!(bindings.contains(o, u), "{o:?}, {u:?} in org {org}, user {user}");
        }
        for (o, u) in outside {
            assert!(!bindings.contains(o, u), "{o:?}, {u:?} in org {org}, user {user}");
        }
    }
}

#[test]
fn every_binding_lies_in_itself_and_what_lies_deeper_lies_within() {
    let all = all();
    for a in &all {
        assert!(a.is_within(a), "{a:?}");
        assert!(!a.is_narrowed_by(a), "{a:?}");
    }
    // An empty list lies in everything whatever the other axis, so it is no link of a chain.
    let all: Vec<_> = all.into_iter().filter(|b| !reach(b).is_empty()).collect();
    for a in &all {
        for b in &all {
            for c in &all {
                assert!(!(a.is_within(b) && b.is_within(c)) || a.is_within(c), "{a:?}, {b:?}, {c:?}");
            }
        }
    }
}

#[test]
fn the_usual_children_are_accepted() {
    for (child, parent) in [
        (("fixed a", "fixed u"), ("create", "create")),
        (("fixed a", "fixed u"), ("open", "open")),
        (("fixed a", "fixed u"), ("list a b", "list a/u b/v")),
        (("list a b", "fixed u"), ("list a b c", "list a/u b/u")),
        (("fixed a", "open"), ("open", "optional")),
        (("fixed a", "none"), ("open", "optional")),
        (("list", "list"), ("fixed a", "fixed u")),
        (("list a", "list a/u"), ("fixed a", "fixed u")),
    ] {
        assert!(pair(child.0, child.1).is_within(&pair(parent.0, parent.1)), "{child:?} in {parent:?}");
    }
    for (child, parent) in [
        (("fixed b", "fixed u"), ("fixed a", "create")),
        (("fixed a", "create"), ("fixed a", "open")),
        (("create", "open"), ("open", "open")),
        (("list a b", "fixed u"), ("list a b", "list a/u")),
        (("open", "fixed u"), ("open", "list a/u")),
        (("fixed a", "none"), ("fixed a", "create")),
        (("none", "fixed u"), ("fixed a", "fixed u")),
        (("fixed a", "optional"), ("fixed a", "open")),
        (("list a", "fixed u"), ("list", "fixed u")),
    ] {
        assert!(!pair(child.0, child.1).is_within(&pair(parent.0, parent.1)), "{child:?} in {parent:?}");
    }
}

#[test]
fn an_edit_narrows_when_some_request_gets_less() {
    for (old, new, narrows) in [
        (("fixed a", "create"), ("fixed a", "create"), false),
        (("fixed a", "open"), ("fixed a", "create"), false),
        (("fixed a", "create"), ("fixed a", "open"), true),
        (("list a b", "open"), ("list a", "open"), true),
        (("list a", "open"), ("list a b", "open"), false),
        (("list a =b", "open"), ("list a b", "open"), true),
        (("list a =b", "open"), ("list =a b", "open"), true),
        (("list a b", "open"), ("list a =b", "open"), false),
        // A fixed id need not be registered, one of an open binding must be.
        (("fixed a", "open"), ("open =a", "open"), true),
        (("fixed a", "open"), ("create =a", "open"), false),
        (("fixed a", "open"), ("create", "open"), true),
        (("fixed a", "fixed u"), ("fixed a", "list =u v"), false),
        (("fixed a", "fixed u"), ("fixed a", "list u v"), true),
        (("fixed a", "create =u"), ("fixed a", "create =v"), true),
        (("fixed a", "none"), ("fixed a", "optional"), false),
        (("fixed a", "optional"), ("fixed a", "none"), true),
        (("fixed a", "optional"), ("fixed a", "open"), true),
    ] {
        let (before, after) = (pair(old.0, old.1), pair(new.0, new.1));
        assert_eq!(before.is_narrowed_by(&after), narrows, "{old:?} to {new:?}");
    }
}

#[test]
fn the_preset_alone_takes_nothing_away() {
    let client = bindings(Preset::Client, "fixed a", "create");
    let platform = bindings(Preset::Platform, "fixed a", "create");
    assert!(!client.is_narrowed_by(&platform) && !platform.is_narrowed_by(&client));
}
