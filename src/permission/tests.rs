use super::*;
use proptest::prelude::*;

const RUNTYPE: [&str; 16] = [
    "DISPATCH:*",
    "FLOWS:READ",
    "FLOWS:WRITE",
    "FLOWS:EXECUTE",
    "FLOWS:DELETE",
    "RECORDS:READ",
    "RECORDS:WRITE",
    "RECORDS:DELETE",
    "AGENTS:READ",
    "AGENTS:WRITE",
    "AGENTS:EXECUTE",
    "AGENTS:DEPLOY:LIVE",
    "TOOLS:READ",
    "TOOLS:EXECUTE",
    "PRODUCTS:*",
    "ANALYTICS:READ",
];

fn catalogue(names: &[&str], implies: &[(usize, usize)]) -> Catalogue {
    Catalogue::new(names.iter().map(|&name| name.into()), implies.iter().copied()).unwrap()
}

fn runtype() -> Catalogue {
    catalogue(&RUNTYPE, &[])
}

fn names(catalogue: &Catalogue, set: &PermissionSet) -> Vec<String> {
    catalogue.names(set).into_iter().map(String::from).collect()
}

#[test]
fn a_36_grants_match_whole_parts_byte_by_byte() {
    let catalogue = runtype();
    for (grant, expected) in [
        ("FLOWS:READ", &["FLOWS:READ"][..]),
        ("AGENTS:DEPLOY:LIVE", &["AGENTS:DEPLOY:LIVE"]),
        ("AGENTS:DEPLOY:*", &["AGENTS:DEPLOY:LIVE"]),
        ("AGENTS:*", &["AGENTS:READ", "AGENTS:WRITE", "AGENTS:EXECUTE", "AGENTS:DEPLOY:LIVE"]),
        ("TOOLS:*", &["TOOLS:READ", "TOOLS:EXECUTE"]),
        ("DISPATCH:*", &["DISPATCH:*"]),
        ("*", &RUNTYPE),
    ] {
        let set = catalogue.grant(grant).unwrap_or_else(|| panic!("{grant} names nothing"));
        assert_eq!(names(&catalogue, &set), expected, "{grant}");
    }
    for grant in [
        "",
        "FLOWS",
        "FLOWS:",
        "FLOWS:READ:",
        "flows:read",
        "FLOW:*",
        "FLOW*",
        "FLOWS*",
        "FLOWS:R*",
        "FLOWS:READ:*",
        "**",
        ":*",
        "*:READ",
        "* ",
        "DISPATCH:RUN",
        "DISPATCH",
        "AGENTS:DEPLOY",
    ] {
        assert_eq!(catalogue.grant(grant), None, "{grant:?}");
        assert_eq!(catalogue.resolve(["FLOWS:READ", grant]), Err(grant));
    }
}

#[test]
fn names_of_the_catalogue_have_one_form_and_stand_once() {
    for good in
        ["FLOWS:READ", "AGENTS:DEPLOY:LIVE", "DISPATCH:*", "A:B:*", "servers:read_all", "admin", "a1:B_2"]
    {
        assert_eq!(check_entry(good), Ok(()), "{good}");
    }
    let long = "A".repeat(MAX_PERMISSION_LEN + 1);
    for bad in
        ["", "*", ":", "A:", ":A", "A::B", "A:*:B", "A B", "A-B", "*:A", "A*", "é:A", "A:B*", ":*", &long]
    {
        assert_eq!(check_entry(bad), Err(PermissionError::Form), "{bad:?}");
    }
    let build = |names: &[String]| Catalogue::new(names.iter().map(|n| n.as_str().into()), []).map(|_| ());
    assert_eq!(build(&["A".into(), "B".into(), "A".into()]), Err(PermissionError::Twice));
    let many: Vec<String> = (0..=MAX_PERMISSIONS).map(|i| format!("P:{i}")).collect();
    assert_eq!(build(&many[..MAX_PERMISSIONS]), Ok(()));
    assert_eq!(build(&many), Err(PermissionError::TooMany));
}

#[test]
fn every_permission_of_a_full_catalogue_has_a_bit_of_its_own() {
    let full: Vec<Box<str>> = (0..MAX_PERMISSIONS).map(|i| format!("P:{i}").into()).collect();
    let catalogue = Catalogue::new(full.clone(), []).unwrap();
    let mut seen = PermissionSet::EMPTY;
    for name in &full {
        let set = catalogue.grant(name).unwrap();
        assert_eq!(catalogue.names(&set), std::slice::from_ref(name));
        assert!(set.intersection(&seen).is_empty(), "{name}");
        seen = seen.union(&set);
    }
    assert_eq!((seen, seen.len()), (catalogue.all(), 256));
    assert_eq!(catalogue.grant("*"), Some(catalogue.all()));
}

#[test]
fn inv_15_an_empty_set_grants_nothing() {
    let catalogue = runtype();
    let empty = catalogue.resolve([]).unwrap();
    assert!(empty.is_empty());
    for name in RUNTYPE {
        assert!(!empty.contains_all(&catalogue.need(name).unwrap()), "{name}");
    }
    // An operation that needs nothing asks for nothing.
    assert!(empty.contains_all(&PermissionSet::EMPTY));
}

#[test]
fn nothing_implies_anything_unless_the_policy_says_so() {
    let plain = runtype();
    let write = plain.grant("FLOWS:WRITE").unwrap();
    assert_eq!(names(&plain, &write), ["FLOWS:WRITE"]);

    // DELETE -> WRITE -> READ, and a cycle.
    let implied =
        catalogue(&["F:READ", "F:WRITE", "F:DELETE", "A:X", "A:Y"], &[(2, 1), (1, 0), (3, 4), (4, 3)]);
    for (grant, expected) in [
        ("F:READ", &["F:READ"][..]),
        ("F:WRITE", &["F:READ", "F:WRITE"]),
        ("F:DELETE", &["F:READ", "F:WRITE", "F:DELETE"]),
        ("A:Y", &["A:X", "A:Y"]),
    ] {
        assert_eq!(names(&implied, &implied.grant(grant).unwrap()), expected, "{grant}");
        // What is needed is needed by itself.
        assert_eq!(names(&implied, &implied.need(grant).unwrap()), [grant]);
    }
    for pair in [(0, 9), (9, 0)] {
        let made = Catalogue::new(["A:B".into()], [pair]).map(|_| ());
        assert_eq!(made, Err(PermissionError::Unknown));
    }
}

#[test]
fn a_refusal_names_all_that_is_missing_at_once() {
    let catalogue = runtype();
    let held = catalogue.resolve(["FLOWS:READ"]).unwrap();
    let needed = catalogue.resolve(["FLOWS:READ", "FLOWS:WRITE", "DISPATCH:*"]).unwrap();
    assert!(!held.contains_all(&needed));
    assert_eq!(catalogue.missing(&needed, &held), ["DISPATCH:*".into(), "FLOWS:WRITE".into()]);
    assert_eq!(catalogue.missing(&held, &needed), []);
}

#[test]
fn a_stored_grant_that_the_policy_no_longer_knows_gives_nothing() {
    let catalogue = runtype();
    let set = catalogue.resolve_known(["FLOWS:READ", "GONE:READ", "GONE:*", "flows:write"]);
    assert_eq!(names(&catalogue, &set), ["FLOWS:READ"]);
}

#[test]
fn a_35_a_frozen_template_stays_as_it_was_when_the_catalogue_grows() {
    let then = runtype();
    let frozen = then.names(&then.resolve(["FLOWS:*", "DISPATCH:*"]).unwrap());
    let grown: Vec<&str> = RUNTYPE.into_iter().chain(["FLOWS:PUBLISH"]).collect();
    let now = catalogue(&grown, &[]);
    let held = now.resolve_known(frozen.iter().map(|name| &**name));
    assert!(!held.contains_all(&now.need("FLOWS:PUBLISH").unwrap()));
    assert_eq!(now.names(&held), frozen);
}

#[test]
fn rt_13_nobody_grants_more_than_they_have() {
    let catalogue = runtype();
    let of = |role: Option<u16>, grants: &[&str]| Holding {
        role: role.map(Rank),
        permissions: catalogue.resolve(grants.iter().copied()).unwrap(),
    };
    let (owner, admin, viewer) =
        (of(Some(0), &["*"]), of(Some(1), &["FLOWS:*", "RECORDS:*"]), of(Some(3), &["FLOWS:READ"]));
    let lacking =
        |grants: &[&str]| Some(Excess::Permissions(catalogue.resolve(grants.iter().copied()).unwrap()));
    for (giver, granted, expected) in [
        (owner, owner, None),
        (owner, viewer, None),
        (admin, admin, None),
        (admin, viewer, None),
        (admin, owner, Some(Excess::Role)),
        (viewer, admin, Some(Excess::Role)),
        // A role below that holds more than the giver is no way up.
        (admin, of(Some(3), &["FLOWS:READ", "TOOLS:READ"]), lacking(&["TOOLS:READ"])),
        // A higher role with nothing in it is still above.
        (admin, of(Some(0), &[]), Some(Excess::Role)),
        (of(None, &["FLOWS:*"]), of(None, &["FLOWS:READ"]), None),
        (
            of(None, &["FLOWS:READ"]),
            of(None, &["FLOWS:*"]),
            lacking(&["FLOWS:WRITE", "FLOWS:EXECUTE", "FLOWS:DELETE"]),
        ),
        (of(None, &["FLOWS:READ"]), viewer, None),
        (of(None, &[]), viewer, lacking(&["FLOWS:READ"])),
        (of(None, &[]), of(None, &[]), None),
    ] {
        assert_eq!(giver.excess_of(&granted), expected, "{giver:?} gives {granted:?}");
    }
}

#[test]
fn an_edit_narrows_when_something_may_no_longer_be_done() {
    let catalogue = runtype();
    let of = |grants: &[&str]| Holding {
        role: None,
        permissions: catalogue.resolve_known(grants.iter().copied()),
    };
    assert!(of(&["FLOWS:*"]).is_narrowed_by(&of(&["FLOWS:READ"])));
    assert!(of(&["FLOWS:READ"]).is_narrowed_by(&of(&["FLOWS:WRITE"])));
    assert!(!of(&["FLOWS:READ"]).is_narrowed_by(&of(&["FLOWS:*"])));
    assert!(!of(&[]).is_narrowed_by(&of(&[])));
}

/// Catalogues of a few parts, with implications.
fn some_catalogue() -> impl Strategy<Value = Catalogue> {
    let names = proptest::collection::btree_set("[AB](:[AB]){0,2}(:\\*)?", 1..12);
    names.prop_flat_map(|names| {
        let len = names.len();
        let pairs = proptest::collection::vec((0..len, 0..len), 0..4);
        pairs.prop_map(move |pairs| Catalogue::new(names.iter().map(|n| n.as_str().into()), pairs).unwrap())
    })
}

fn grants() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[AB](:[AB]){0,2}(:\\*)?|\\*", 0..4)
}

proptest! {
    #[test]
    fn a_wildcard_is_the_union_of_what_lies_below_it(catalogue in some_catalogue(), grant in "[AB](:[AB]){0,1}:\\*|\\*") {
        let start = grant.trim_end_matches('*');
        let below = catalogue.iter().filter(|name| name.starts_with(start));
        let union = below.map(|name| catalogue.grant(name).unwrap()).reduce(|a, b| a.union(&b));
        prop_assert_eq!(catalogue.grant(&grant), union);
    }

    #[test]
    fn more_grants_never_give_less(catalogue in some_catalogue(), some in grants(), more in grants()) {
        let of = |grants: &[String]| catalogue.resolve_known(grants.iter().map(String::as_str));
        let both = of(&[some.clone(), more.clone()].concat());
        prop_assert!(both.contains_all(&of(&some)) && both.contains_all(&of(&more)));
        prop_assert_eq!(both, of(&some).union(&of(&more)));
        prop_assert!(catalogue.all().contains_all(&both));
    }

    #[test]
    fn what_is_granted_is_closed_under_what_it_implies(catalogue in some_catalogue(), some in grants()) {
        let held = catalogue.resolve_known(some.iter().map(String::as_str));
        // The names of a set give the same set again: freezing neither adds nor loses.
        let frozen = catalogue.names(&held);
        let exactly = frozen.iter().map(|name| catalogue.need(name).unwrap()).fold(PermissionSet::EMPTY, |a, b| a.union(&b));
        prop_assert_eq!(exactly, held);
        prop_assert_eq!(catalogue.resolve_known(frozen.iter().map(|name| &**name)), held);
    }

    #[test]
    fn sets_of_bits_are_sets(a in any::<[u64; 4]>(), b in any::<[u64; 4]>()) {
        let (a, b) = (PermissionSet::from_words(a), PermissionSet::from_words(b));
        prop_assert_eq!(a.minus(&b).union(&a.intersection(&b)), a);
        prop_assert!(a.minus(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.contains_all(&b), b.minus(&a).is_empty());
        prop_assert_eq!(a.union(&b).len() + a.intersection(&b).len(), a.len() + b.len());
    }
}
