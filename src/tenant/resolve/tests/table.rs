//! Every row of the table, by its id, in its columns.

use super::*;

/// No., preset, org binding, user binding, org_id given, user_id given, answer. `-` is not given; `/` separates
/// values that a row treats alike.
type TableRow = (&'static str, Preset, &'static str, &'static str, &'static str, &'static str, &'static str);

use Preset::{Client, Flexible, Platform, Solo};

#[rustfmt::skip]
const SOLO: &[TableRow] = &[
    ("T-01", Solo, "fixed o0", "fixed u0", "-", "-", "200 A/o0/u0"),
    ("T-02", Solo, "fixed o0", "fixed u0", "o0", "-", "200 A/o0/u0"),
    ("T-03", Solo, "fixed o0", "fixed u0", "o1/new", "-", "403 org_mismatch"),
    ("T-04", Solo, "fixed o0", "fixed u0", "-", "u0", "200 A/o0/u0"),
    ("T-05", Solo, "fixed o0", "fixed u0", "-", "x/new", "403 user_mismatch"),
    ("T-06", Solo, "fixed o0", "fixed u0", "o0", "u0", "200 A/o0/u0"),
    ("T-07", Solo, "fixed o0", "fixed u0", "o0", "x/new", "403 user_mismatch"),
    ("T-08", Solo, "fixed o0", "fixed u0", "o1/new", "u0/u1/new", "403 org_mismatch"),
    ("T-09", Solo, "none", "fixed u0", "-", "-/u0", "200 A/none/u0"),
    ("T-10", Solo, "none", "fixed u0", "o0/new", "-/u0/new", "400 org_unexpected"),
    ("T-11", Solo, "none", "fixed u0", "-", "x/new", "403 user_mismatch"),
];

#[rustfmt::skip]
const CLIENT: &[TableRow] = &[
    ("T-12", Client, "fixed o1", "fixed u1", "-/o1", "-", "200 A/o1/u1"),
    ("T-13", Client, "fixed o1", "fixed u1", "-/o1", "u1", "200 A/o1/u1"),
    ("T-14", Client, "fixed o1", "fixed u1", "-/o1", "u2/new", "403 user_mismatch"),
    ("T-15", Client, "fixed o1", "list u1 u2", "-/o1", "-", "400 user_required"),
    ("T-16", Client, "fixed o1", "list u1 =u2", "-/o1", "-", "200 A/o1/u2"),
    ("T-16", Client, "fixed o1", "list o1/u1 =o1/u2", "-/o1", "-", "200 A/o1/u2"),
    ("T-17", Client, "fixed o1", "list u1 =u2", "-/o1", "u1", "200 A/o1/u1"),
    ("T-17", Client, "fixed o1", "list o1/u1 o1/u2", "-/o1", "u1", "200 A/o1/u1"),
    ("T-18", Client, "fixed o1", "list u1", "-/o1", "u2/u9/new", "403 user_not_allowed"),
    ("T-18", Client, "fixed o1", "list", "-/o1", "u1/new", "403 user_not_allowed"),
    ("T-19", Client, "fixed o1", "open", "-/o1", "-", "400 user_required"),
    ("T-20", Client, "fixed o1", "open", "-/o1", "u1", "200 A/o1/u1"),
    ("T-21", Client, "fixed o1", "open", "-/o1", "new/u9/x", "404 user_not_found"),
    ("T-22", Client, "fixed o1", "create", "-/o1", "-", "400 user_required"),
    ("T-23", Client, "fixed o1", "create =u1", "-/o1", "-", "200 A/o1/u1"),
    ("T-23", Client, "fixed o1", "open =u1", "-/o1", "-", "200 A/o1/u1"),
    ("T-24", Client, "fixed o1", "create", "-/o1", "u1", "200 A/o1/u1"),
    ("T-25", Client, "fixed o1", "create", "-/o1", "new/u9", "200 A/o1/{user}, user created"),
    ("T-27", Client, "fixed o1", "none", "-/o1", "-", "200 A/o1/none"),
    ("T-28", Client, "fixed o1", "none", "-/o1", "u1/new", "400 user_unexpected"),
    ("T-29", Client, "fixed o1", "create", "o2/new", "-/u1/new", "403 org_mismatch"),
    ("T-29", Client, "fixed o1", "none", "o2/new", "-/u1/new", "403 org_mismatch"),
    ("T-29", Client, "fixed o1", "list u1", "o2/new", "-/u1/new", "403 org_mismatch"),
];

/// The org column gives the org that is resolved; the org binding varies over all that resolve to it.
#[rustfmt::skip]
const PLATFORM_USERS: &[TableRow] = &[
    ("T-44", Platform, "*", "fixed u1", "o1", "-/u1", "200 A/o1/u1"),
    ("T-45", Platform, "*", "fixed u1", "o1", "u2/new", "403 user_mismatch"),
    ("T-46", Platform, "*", "list u1 u2", "o1", "-", "400 user_required"),
    ("T-46", Platform, "*", "list o1/u1 o1/u2", "o1", "-", "400 user_required"),
    ("T-47", Platform, "*", "list u1 =u2", "o1", "-", "200 A/o1/u2"),
    ("T-47", Platform, "*", "list =o1/u1 o1/u2", "o1", "-", "200 A/o1/u1"),
    ("T-48", Platform, "*", "list u1 u2", "o1", "u2", "200 A/o1/u2"),
    ("T-48", Platform, "*", "list o1/u1 o1/u2", "o1", "u1", "200 A/o1/u1"),
    ("T-49", Platform, "*", "list u1 u2", "o1", "u9/new", "403 user_not_allowed"),
    ("T-49", Platform, "*", "list o1/u1", "o1", "u2/new", "403 user_not_allowed"),
    ("T-50", Platform, "*", "open", "o1", "-", "400 user_required"),
    ("T-51", Platform, "*", "open", "o1", "u1", "200 A/o1/u1"),
    ("T-52", Platform, "*", "open", "o1", "new/u9", "404 user_not_found"),
    ("T-53", Platform, "*", "create", "o1", "-", "400 user_required"),
    ("T-54", Platform, "*", "create", "o1", "u1", "200 A/o1/u1"),
    ("T-55", Platform, "*", "create", "o1", "new/u9", "200 A/o1/{user}, user created"),
    ("T-58", Platform, "*", "optional", "o1", "-", "400 user_required"),
    ("T-58", Platform, "*", "optional_create", "o1", "-", "400 user_required"),
    ("T-59", Platform, "*", "optional", "o1", "u1", "200 A/o1/u1"),
    ("T-59", Platform, "*", "optional", "o1", "new/u9", "404 user_not_found"),
    ("T-59", Platform, "*", "optional_create", "o1", "u1", "200 A/o1/u1"),
    ("T-59", Platform, "*", "optional_create", "o1", "new/u9", "200 A/o1/{user}, user created"),
];

#[rustfmt::skip]
const PLATFORM_REFUSED_ORGS: &[TableRow] = &[
    ("T-32", Platform, "fixed o1", "*", "o2/new", "-/u1/new", "403 org_mismatch"),
    ("T-33", Platform, "list o0 o1", "*", "-", "-/u1/new", "400 org_required"),
    ("T-36", Platform, "list o0 =o1", "*", "o2/new", "-/u1/new", "403 org_not_allowed"),
    ("T-36", Platform, "list", "*", "o1/new", "-/u1/new", "403 org_not_allowed"),
    ("T-37", Platform, "open", "*", "-", "-/u1/new", "400 org_required"),
    ("T-39", Platform, "open", "*", "new", "-/u1/new", "404 org_not_found"),
    ("T-39", Platform, "open =o1", "*", "new", "-/u1/new", "404 org_not_found"),
    ("T-40", Platform, "create", "*", "-", "-/u1/new", "400 org_required"),
];

#[rustfmt::skip]
const FLEXIBLE: &[TableRow] = &[
    ("T-60", Flexible, "create =o0", "create =u0", "-", "-", "200 A/o0/u0"),
    ("T-61", Flexible, "create =o0", "create =u0", "o0", "-", "200 A/o0/u0"),
    ("T-62", Flexible, "create =o0", "create =u0", "-", "x", "200 A/o0/x"),
    ("T-62", Flexible, "create =o0", "create =u0", "-", "new/u9", "200 A/o0/{user}, user created"),
    ("T-63", Flexible, "create =o0", "create =u0", "o1", "u1", "200 A/o1/u1"),
    ("T-63", Flexible, "create =o0", "create =u0", "o1", "x/new", "200 A/o1/{user}, user created"),
    ("T-63", Flexible, "create =o0", "create =u0", "new", "x", "200 A/new/x, org created, user created"),
    ("T-64", Flexible, "create =o0", "create =u0", "o1/new", "-", "400 user_required"),
];

/// Org bindings of a platform key that resolve to `o1`, with what has to be given for that and the row that says so.
#[rustfmt::skip]
const TO_O1: &[(&str, &str, &str)] = &[
    ("T-31", "fixed o1", "-/o1"),
    ("T-34", "list o0 =o1", "-"),
    ("T-34", "open =o1", "-"),
    ("T-34", "create =o1", "-"),
    ("T-35", "list o0 o1", "o1"),
    ("T-35", "list =o0 o1", "o1"),
    ("T-38", "open", "o1"),
    ("T-38", "open =o0", "o1"),
    ("T-41", "create", "o1"),
];

const ALL_USERS: &[&str] = &["fixed u1", "list u1", "open", "create", "optional", "optional_create"];

fn values(column: &'static str) -> impl Iterator<Item = Option<&'static str>> {
    column.split('/').map(|word| (word != "-").then_some(word))
}

/// Runs a row for each combination of its values; gives the org rows that were seen.
fn check_row(row_: &TableRow, world: &World) -> Vec<&'static str> {
    let &(no, preset, org, user, org_ids, user_ids, expected) = row_;
    let key = bindings(preset, org, user);
    let mut org_rows = Vec::new();
    for org_id in values(org_ids) {
        for user_id in values(user_ids) {
            let answer = resolve(&request(&key, org_id, user_id), world);
            let expected = expected.replace("{user}", user_id.unwrap_or_default());
            let what =
                format!("{no}: {preset}, org {org}, user {user}, org_id {org_id:?}, user_id {user_id:?}");
            assert_eq!(shown(answer), expected, "{what}");
            assert_eq!(row(answer), no, "{what}");
            if let Ok(Resolution::Resolved(Resolved { org_row: Some(row), .. })) = answer {
                org_rows.push(row.name());
            }
        }
    }
    org_rows
}

#[test]
fn t_01_to_t_29_and_t_60_to_t_64_answer_as_the_table_says() {
    for row in SOLO.iter().chain(CLIENT).chain(FLEXIBLE) {
        assert!(check_row(row, &World::usual()).is_empty(), "{} has one row for both axes", row.0);
    }
}

#[test]
fn t_31_to_t_59_answer_as_the_table_says_whichever_way_the_org_is_resolved() {
    for &(org_no, org, org_ids) in TO_O1 {
        for &(no, preset, _, user, _, user_ids, expected) in PLATFORM_USERS {
            let org_rows = check_row(&(no, preset, org, user, org_ids, user_ids, expected), &World::usual());
            assert!(org_rows.iter().all(|&row| row == org_no), "{org_no}, then {no}: {org_rows:?}");
        }
    }
}

#[test]
fn t_32_to_t_40_refuse_the_org_before_the_user_is_looked_at() {
    for &(no, preset, org, _, org_ids, user_ids, expected) in PLATFORM_REFUSED_ORGS {
        for user in ALL_USERS {
            check_row(&(no, preset, org, user, org_ids, user_ids, expected), &World::usual());
        }
    }
}

#[test]
fn t_26_t_43_and_t_56_stop_at_the_caps() {
    let full = World { org_cap_reached: true, user_cap_reached: true, ..World::usual() };
    let refused = "403 tenant_limit_reached";
    for row in [
        ("T-26", Client, "fixed o1", "create", "-/o1", "new/u9", refused),
        ("T-43", Platform, "create", "create", "new", "-/u1/new", refused),
        ("T-43", Flexible, "create =o0", "create =u0", "new", "-/u1/new", refused),
        ("T-56", Platform, "create", "create", "o1", "new", refused),
        ("T-56", Flexible, "create =o0", "create =u0", "-/o0/o1", "new", refused),
        ("T-59", Platform, "open", "optional_create", "o1", "new", refused),
        // Whoever is registered already is not stopped.
        ("T-24", Client, "fixed o1", "create", "-/o1", "u1", "200 A/o1/u1"),
        ("T-54", Platform, "create", "create", "o1", "u1", "200 A/o1/u1"),
        ("T-60", Flexible, "create =o0", "create =u0", "-", "-", "200 A/o0/u0"),
    ] {
        check_row(&row, &full);
    }
    // A cap of no users holds in a new org too.
    let no_users = World { user_cap_reached: true, ..World::usual() };
    check_row(&("T-56", Platform, "create", "create", "new", "u1", refused), &no_users);
}

#[test]
fn t_42_creates_the_org_and_then_judges_the_user_in_it() {
    for (no, user, user_ids, expected) in [
        ("T-44", "fixed u1", "-/u1", "200 A/new/u1, org created"),
        ("T-45", "fixed u1", "u2", "403 user_mismatch"),
        ("T-47", "list u1 =u2", "-", "200 A/new/u2, org created"),
        ("T-48", "list u1 u2", "u1", "200 A/new/u1, org created"),
        ("T-49", "list o1/u1", "u1", "403 user_not_allowed"),
        ("T-52", "open", "u1/new", "404 user_not_found"),
        ("T-55", "create", "u1/new", "200 A/new/{user}, org created, user created"),
        ("T-59", "optional_create", "u1/new", "200 A/new/{user}, org created, user created"),
    ] {
        let row = (no, Platform, "create", user, "new", user_ids, expected);
        assert!(check_row(&row, &World::usual()).iter().all(|&row| row == "T-42"), "{no}");
    }
}

#[test]
fn t_46_and_t_64_a_default_user_of_one_org_is_used_only_there() {
    for (org, user) in
        [("list o0 o1", "list =o0/u0 o1/u1"), ("open", "open =o0/u0"), ("create", "create =o0/u0")]
    {
        let key = bindings(Platform, org, user);
        for (org_id, expected) in [("o0", "200 A/o0/u0"), ("o1", "400 user_required")] {
            let answer = resolve(&request(&key, Some(org_id), None), &World::usual());
            assert_eq!(shown(answer), expected, "org {org}, user {user}");
        }
    }
}

#[test]
fn t_57_an_optional_user_may_be_left_out_of_an_operation_of_org_level() {
    for user in ["optional", "optional_create"] {
        for &(org_no, org, org_ids) in TO_O1 {
            let key = bindings(Platform, org, user);
            for org_id in values(org_ids) {
                let asked = TenantRequest { level: Level::Org, ..request(&key, org_id, None) };
                let answer = resolve(&asked, &World::usual());
                assert_eq!(
                    (shown(answer).as_str(), row(answer)),
                    ("200 A/o1/none", "T-57"),
                    "{org_no}, {user}"
                );
            }
        }
    }
}

#[test]
fn the_rows_cover_the_whole_table() {
    let all = SOLO.iter().chain(CLIENT).chain(PLATFORM_USERS).chain(PLATFORM_REFUSED_ORGS).chain(FLEXIBLE);
    let mut named: Vec<&str> = all.map(|row| row.0).chain(TO_O1.iter().map(|row| row.0)).collect();
    // Those that have a test of their own: caps, creation, the preset check (of bindings), org level.
    named.extend(["T-26", "T-43", "T-56", "T-42", "T-30", "T-57"]);
    for no in 1..=64 {
        let no = format!("T-{no:02}");
        assert!(named.contains(&no.as_str()), "{no} has no test");
    }
}

#[test]
fn x_06_suspension_flows_down_from_account_to_org_to_user() {
    use TenantStatus::Suspended;
    let key = bindings(Client, "fixed o1", "create");
    let world = World::usual().with_org("o1", Suspended).with_user("o1", "u1", Suspended);
    let asked = request(&key, None, Some("u1"));
    let suspended = TenantRequest { account: Suspended, ..asked };
    assert_eq!(shown(resolve(&suspended, &world)), "403 account_suspended");
    assert_eq!(shown(resolve(&asked, &world)), "403 org_suspended");
    let world = World::usual().with_user("o1", "u1", Suspended);
    assert_eq!(shown(resolve(&asked, &world)), "403 user_suspended");
    assert_eq!(row(resolve(&asked, &world)), "X-06");
    assert!(shown(resolve(&request(&key, None, Some("u2")), &world)).starts_with("200"));
    // A suspended account is told before any complaint about parameters, a suspended org after those about the org.
    let bad = TenantRequest { account: Suspended, level: Level::Account, ..request(&key, Some("o2"), None) };
    assert_eq!(shown(resolve(&bad, &world)), "403 account_suspended");
    let world = World::usual().with_org("o1", Suspended).with_org("o2", Suspended);
    assert_eq!(shown(resolve(&request(&key, Some("o2"), None), &world)), "403 org_mismatch");
    assert_eq!(shown(resolve(&request(&key, None, None), &world)), "403 org_suspended");
}

#[test]
fn x_06_and_x_07_hold_for_every_kind_of_binding() {
    use TenantStatus::{Deleted, Suspended};
    for (org, org_id) in
        [("fixed o1", None), ("list =o1", None), ("list o1", Some("o1")), ("open", Some("o1"))]
    {
        for (user, user_id) in [
            ("fixed u1", None),
            ("list =u1", None),
            ("list u1", Some("u1")),
            ("open", Some("u1")),
            ("optional", Some("u1")),
        ] {
            let key = bindings(Platform, org, user);
            let asked = request(&key, org_id, user_id);
            let shown = |world: World| shown(resolve(&asked, &world));
            assert_eq!(shown(World::usual().with_org("o1", Suspended)), "403 org_suspended");
            assert_eq!(shown(World::usual().with_user("o1", "u1", Suspended)), "403 user_suspended");
            let org_gone = if org == "open" { "404 org_not_found" } else { "403 tenant_deleted" };
            assert_eq!(shown(World::usual().with_org("o1", Deleted)), org_gone, "org {org}");
            let open = matches!(user, "open" | "optional");
            let user_gone = if open { "404 user_not_found" } else { "403 tenant_deleted" };
            assert_eq!(shown(World::usual().with_user("o1", "u1", Deleted)), user_gone, "user {user}");
        }
    }
}

#[test]
fn x_07_a_deleted_tenant_never_comes_back_by_itself() {
    use TenantStatus::Deleted;
    let key = bindings(Platform, "create", "create");
    let gone = World::usual().with_org("o1", Deleted).with_user("o2", "u9", Deleted);
    for (org, user) in [("o1", "u1"), ("o1", "new"), ("o2", "u9")] {
        let answer = resolve(&request(&key, Some(org), Some(user)), &gone);
        assert_eq!((shown(answer).as_str(), row(answer)), ("403 tenant_deleted", "X-07"), "{org}/{user}");
    }
    let asked = TenantRequest { account: Deleted, ..request(&key, Some("o2"), Some("new")) };
    assert_eq!(shown(resolve(&asked, &gone)), "403 tenant_deleted");
}

#[test]
fn x_08_a_refused_user_leaves_nothing_to_create() {
    // The answer of a refusal has no room for a creation, so it is enough that it is one.
    let key = bindings(Platform, "create", "open");
    for user_id in [None, Some("u1")] {
        let answer = resolve(&request(&key, Some("new"), user_id), &World::usual());
        assert!(matches!(answer, Ok(Resolution::Refused(_))), "{answer:?}");
    }
}

#[test]
fn x_10_a_tenant_of_another_environment_is_unknown_here() {
    // The directory is that of the key's environment, so what it does not know is new, or not found.
    let elsewhere = World::default();
    let known_only = bindings(Platform, "open", "open");
    let creating = bindings(Platform, "create", "create");
    assert_eq!(
        shown(resolve(&request(&known_only, Some("o1"), Some("u1")), &elsewhere)),
        "404 org_not_found"
    );
    let answer = resolve(&request(&creating, Some("o1"), Some("u1")), &elsewhere);
    assert_eq!(shown(answer), "200 A/o1/u1, org created, user created");
}

#[test]
fn x_12_a_publishable_key_acts_for_the_anonymous_user_unless_another_is_proved() {
    use UserProof::{Invalid, NotAsked, Valid};
    let anonymous = "200 A/o1/anonymous";
    for (user, user_id, proof, expected, no) in [
        ("none", None, NotAsked, anonymous, "X-12"),
        ("none", Some("u1"), NotAsked, "400 user_unexpected", "T-28"),
        ("none", Some("u1"), Valid, "400 user_unexpected", "T-28"),
        ("create", None, NotAsked, anonymous, "X-12"),
        ("create", None, Valid, anonymous, "X-12"),
        ("create", None, Invalid, anonymous, "X-12"),
        ("create", Some("u1"), NotAsked, "400 user_unexpected", "X-12"),
        ("create", Some("u1"), Invalid, "403 user_proof_invalid", "X-12"),
        ("create", Some("u1"), Valid, "200 A/o1/u1", "T-24"),
        ("create", Some("new"), Valid, "200 A/o1/new, user created", "T-25"),
        ("open", Some("new"), Valid, "404 user_not_found", "T-21"),
        ("open", Some("new"), Invalid, "403 user_proof_invalid", "X-12"),
        ("list u1", Some("u1"), Valid, "200 A/o1/u1", "T-17"),
        ("list u1", Some("u2"), Valid, "403 user_not_allowed", "T-18"),
        ("list u1", Some("u2"), Invalid, "403 user_proof_invalid", "X-12"),
        ("list u1", None, NotAsked, anonymous, "X-12"),
    ] {
        let key = bindings(Client, "fixed o1", user);
        let class = KeyClass::Publishable;
        let asked =
            TenantRequest { class, level: Level::User, user_proof: proof, ..request(&key, None, user_id) };
        let answer = resolve(&asked, &World::usual());
        assert_eq!((shown(answer).as_str(), row(answer)), (expected, no), "{user}, {user_id:?}, {proof:?}");
        let foreign = resolve(&TenantRequest { org_id: Some("o2"), ..asked }, &World::usual());
        assert_eq!((shown(foreign).as_str(), row(foreign)), ("403 org_mismatch", "T-29"));
    }
}

#[test]
fn a_30_a_secret_key_of_a_kind_with_proofs_needs_one_for_each_given_user() {
    let key = bindings(Client, "fixed o1", "fixed u1");
    for (user_id, proof, expected) in [
        (None, UserProof::Invalid, "200 A/o1/u1"),
        (Some("u1"), UserProof::Invalid, "403 user_proof_invalid"),
        (Some("u2"), UserProof::Invalid, "403 user_proof_invalid"),
        (Some("u1"), UserProof::Valid, "200 A/o1/u1"),
        (Some("u2"), UserProof::Valid, "403 user_mismatch"),
    ] {
        let asked = TenantRequest { user_proof: proof, ..request(&key, None, user_id) };
        assert_eq!(shown(resolve(&asked, &World::usual())), expected, "{user_id:?}, {proof:?}");
    }
}

#[test]
fn x_14_an_operation_of_account_level_takes_no_tenant_parameter() {
    for key in [bindings(Solo, "none", "fixed u0"), bindings(Platform, "create =o0", "create")] {
        for rules in
            [ResolveRules::default(), ResolveRules { extra_param: ExtraParam::Ignore, ..Default::default() }]
        {
            for (org_id, user_id, expected) in [
                (None, None, "200 A/none/none"),
                (Some("o0"), None, "400 org_unexpected"),
                (Some("o0"), Some("u0"), "400 org_unexpected"),
                (None, Some("u0"), "400 user_unexpected"),
            ] {
                let asked = TenantRequest { level: Level::Account, rules, ..request(&key, org_id, user_id) };
                let world = World::usual();
                let answer = resolve(&asked, &world);
                assert_eq!((shown(answer).as_str(), row(answer)), (expected, "X-14"));
                assert!(world.asked.take().is_empty());
            }
        }
    }
}

#[test]
fn x_15_a_directory_that_is_away_is_an_error_and_never_a_default() {
    let away = World { away: true, ..World::usual() };
    for key in [bindings(Solo, "fixed o0", "fixed u0"), bindings(Flexible, "create =o0", "create =u0")] {
        assert_eq!(resolve(&request(&key, None, None), &away), Err("the store is away"));
    }
}

#[test]
fn x_16_ignore_changes_fixed_and_none_bindings_and_nothing_else() {
    let ignore = ResolveRules { extra_param: ExtraParam::Ignore, ..Default::default() };
    for (preset, org, user, org_id, user_id, expected) in [
        (Solo, "fixed o0", "fixed u0", Some("o1"), None, "200 A/o0/u0, OrgIgnored"),
        (Solo, "fixed o0", "fixed u0", None, Some("u1"), "200 A/o0/u0, UserIgnored"),
        (Solo, "fixed o0", "fixed u0", Some("o1"), Some("u1"), "200 A/o0/u0, BothIgnored"),
        (Solo, "fixed o0", "fixed u0", Some("o0"), Some("u0"), "200 A/o0/u0"),
        (Solo, "none", "fixed u0", Some("o1"), Some("u0"), "200 A/none/u0, OrgIgnored"),
        (Client, "fixed o1", "none", None, Some("u1"), "200 A/o1/none, UserIgnored"),
        (Client, "fixed o1", "create", Some("o2"), Some("u1"), "200 A/o1/u1, OrgIgnored"),
        (Client, "fixed o1", "list u1", None, Some("u2"), "403 user_not_allowed"),
        (Platform, "list o0 =o1", "fixed u1", Some("o2"), None, "403 org_not_allowed"),
        (Platform, "open", "fixed u1", Some("new"), None, "404 org_not_found"),
        (Platform, "open", "fixed u1", Some("o1"), Some("u2"), "200 A/o1/u1, UserIgnored"),
    ] {
        let key = bindings(preset, org, user);
        let answer =
            resolve(&TenantRequest { rules: ignore, ..request(&key, org_id, user_id) }, &World::usual());
        assert_eq!(shown(answer), expected, "{preset}, org {org}, user {user}");
        assert_eq!(row(answer) == "X-16", expected.contains("Ignored"), "{expected}");
    }
}

#[test]
fn x_16_an_ignored_parameter_gives_a_publishable_key_nobody_in_particular() {
    let rules = ResolveRules { extra_param: ExtraParam::Ignore, ..Default::default() };
    for (user, proof) in [("none", UserProof::NotAsked), ("fixed u1", UserProof::Valid)] {
        let key = bindings(Client, "fixed o1", user);
        let asked = TenantRequest {
            class: KeyClass::Publishable,
            user_proof: proof,
            rules,
            ..request(&key, None, Some("u2"))
        };
        assert_eq!(shown(resolve(&asked, &World::usual())), "200 A/o1/anonymous, UserIgnored", "{user}");
    }
}

#[test]
fn a_15_a_foreign_org_can_be_answered_as_not_found() {
    let rules = ResolveRules { foreign_org: ForeignOrg::NotFound, ..Default::default() };
    for (preset, org) in [(Client, "fixed o1"), (Platform, "list o1")] {
        let key = bindings(preset, org, "fixed u1");
        for foreign in ["o2", "new"] {
            let asked = TenantRequest { rules, ..request(&key, Some(foreign), None) };
            assert_eq!(shown(resolve(&asked, &World::usual())), "404 org_not_found", "{org}");
        }
    }
}

#[test]
fn a_key_without_the_axis_that_the_level_needs_is_of_the_wrong_kind() {
    for (preset, org, user, level, expected) in [
        (Solo, "none", "fixed u0", Level::Org, "403 kind_not_allowed"),
        (Solo, "none", "fixed u0", Level::User, "200 A/none/u0"),
        (Client, "fixed o1", "none", Level::User, "403 kind_not_allowed"),
        (Client, "fixed o1", "none", Level::Org, "200 A/o1/none"),
        (Client, "fixed o1", "fixed u1", Level::Org, "200 A/o1/u1"),
    ] {
        let key = bindings(preset, org, user);
        let answer = resolve(&TenantRequest { level, ..request(&key, None, None) }, &World::usual());
        assert_eq!(shown(answer), expected, "{preset}, org {org}, user {user}, {level:?}");
        // A parameter that cannot be followed is the first to be named.
        let given = resolve(&TenantRequest { level, ..request(&key, Some("o2"), None) }, &World::usual());
        let said = if preset == Solo { "400 org_unexpected" } else { "403 org_mismatch" };
        assert_eq!(shown(given), said);
    }
}

#[test]
fn a_refusal_names_the_parameter_at_fault_and_no_other() {
    use Parameter::{OrgId, UserId};
    let suspended = World::usual().with_org("o0", TenantStatus::Suspended);
    for (preset, org, user, org_id, user_id, expected) in [
        (Client, "fixed o1", "create", Some("o2"), None, Some(OrgId)),
        (Client, "fixed o1", "create", None, None, Some(UserId)),
        (Client, "fixed o1", "open", None, Some("new"), Some(UserId)),
        (Platform, "open", "open", Some("new"), None, Some(OrgId)),
        (Platform, "open", "open", Some("o0"), None, Some(OrgId)),
        (Platform, "fixed o0", "open", None, Some("u0"), None),
    ] {
        let key = bindings(preset, org, user);
        let Ok(Resolution::Refused(refused)) = resolve(&request(&key, org_id, user_id), &suspended) else {
            panic!("not refused")
        };
        assert_eq!(refused.parameter, expected, "org {org}, user {user}: {}", refused.code);
    }
}
