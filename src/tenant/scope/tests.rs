use super::*;
use proptest::prelude::*;

fn scope(account: &str, environment: &str, org: Option<&str>, user: ScopeUser<'_>) -> TenantScope {
    TenantScope::new(account, environment, org, user)
}

#[test]
fn a_scope_gives_back_what_it_was_made_of() {
    let long = "x".repeat(255);
    for (account, org, user) in [
        ("acme", Some("org_1"), ScopeUser::Named("u1")),
        ("acme", None, ScopeUser::Named("ü🙂")),
        ("acme", Some("org_1"), ScopeUser::None),
        ("acme", Some("org_1"), ScopeUser::Anonymous),
        (&long, Some(&*long), ScopeUser::Named(&long)),
        // 256 bytes with the environment: the last size that stays inline.
        (&long[..251], None, ScopeUser::Named("u")),
        (&long[..252], None, ScopeUser::Named("u")),
    ] {
        let made = scope(account, "live", org, user);
        assert_eq!(made.account_id(), account);
        assert_eq!(made.environment(), "live");
        assert_eq!(made.org_id(), org);
        assert_eq!(made.user(), user);
        assert_eq!(made.is_anonymous(), user == ScopeUser::Anonymous);
        assert_eq!(made.clone(), made);
    }
}

#[test]
fn short_ids_are_held_inline() {
    let inline =
        |account: &str| matches!(scope(account, "live", None, ScopeUser::None).ids, Ids::Inline { .. });
    assert!(inline(&"x".repeat(252)));
    assert!(!inline(&"x".repeat(253)));
}

#[test]
fn no_user_and_the_anonymous_user_are_two() {
    let nobody = scope("a", "live", Some("o"), ScopeUser::None);
    let anonymous = scope("a", "live", Some("o"), ScopeUser::Anonymous);
    assert_ne!(nobody, anonymous);
    assert_ne!(nobody.namespace(), anonymous.namespace());
    assert_ne!(anonymous.namespace(), scope("a", "live", Some("o"), ScopeUser::Named("*")).namespace());
}

#[test]
fn the_namespace_has_the_documented_form() {
    let made = scope("acme", "live", Some("org_1"), ScopeUser::None);
    assert_eq!(made.namespace(), "4:acme4:live5:org_1-");
    assert_eq!(made.storage_key("conn", "a"), "4:acme4:live5:org_1-4:conn1:a");
    assert_eq!(scope("é", "t", None, ScopeUser::Anonymous).namespace(), "2:é1:t-*");
}

#[test]
fn texts_for_people_escape_what_could_forge_a_line() {
    let made = scope("a\nb", "live", Some("o"), ScopeUser::Anonymous);
    assert_eq!(made.to_string(), "a\\nb/o/(anonymous) in live");
    assert!(!format!("{made:?}").contains('\n'));
}

#[test]
fn a_scope_travels_as_json_with_all_its_fields() {
    let json = serde_json::to_value(scope("a", "live", None, ScopeUser::Named("u"))).unwrap();
    let expected = serde_json::json!({
        "account_id": "a", "environment": "live", "org_id": null, "user_id": "u", "anonymous": false
    });
    assert_eq!(json, expected);
}

/// In sorted order a text that begins another stands right before one it begins, so neighbours are all pairs.
fn assert_prefix_free(mut keys: Vec<String>) {
    keys.sort_unstable();
    for pair in keys.windows(2) {
        assert!(!pair[1].starts_with(&pair[0]), "{:?} begins {:?}", pair[0], pair[1]);
    }
}

#[test]
fn inv_20_all_scopes_up_to_six_bytes_have_keys_of_their_own() {
    let mut texts = vec![String::new()];
    let mut keys = Vec::new();
    for len in 1..=6 {
        texts = texts.iter().flat_map(|text| ["1", ":", "-"].map(|c| format!("{text}{c}"))).collect();
        // Every way to cut the text into account, environment, org and user; the last two may be missing.
        for (a, e, o) in cuts(len) {
            for text in &texts {
                let (account, environment) = (&text[..a], &text[a..e]);
                let org = (o > e).then_some(&text[e..o]);
                if o < len {
                    keys.push(scope(account, environment, org, ScopeUser::Named(&text[o..])).namespace());
                } else {
                    keys.push(scope(account, environment, org, ScopeUser::None).namespace());
                    keys.push(scope(account, environment, org, ScopeUser::Anonymous).namespace());
                }
            }
        }
    }
    assert!(keys.len() > 30_000, "{} keys", keys.len());
    assert_prefix_free(keys);
}

fn cuts(len: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (1..len).flat_map(move |a| (a + 1..=len).flat_map(move |e| (e..=len).map(move |o| (a, e, o))))
}

type Parts = (String, String, Option<String>, Option<Option<String>>);

/// Reads a namespace back, independently of how it is written: what follows it comes out as the rest.
fn read(text: &str) -> Option<(Parts, &str)> {
    fn part(text: &str) -> Option<(String, &str)> {
        let (digits, rest) = text.split_once(':')?;
        let len: usize = digits.parse().ok()?;
        Some((rest.get(..len)?.to_owned(), rest.get(len..)?))
    }
    let (account, rest) = part(text)?;
    let (environment, rest) = part(rest)?;
    let (org, rest) = match rest.strip_prefix('-') {
        Some(rest) => (None, rest),
        None => part(rest).map(|(org, rest)| (Some(org), rest))?,
    };
    let (user, rest) = match (rest.strip_prefix('-'), rest.strip_prefix('*')) {
        (Some(rest), _) => (None, rest),
        (_, Some(rest)) => (Some(None), rest),
        _ => part(rest).map(|(user, rest)| (Some(Some(user)), rest))?,
    };
    Some(((account, environment, org, user), rest))
}

fn parts() -> impl Strategy<Value = Parts> {
    let id = "[a0-9:*|/é-]{1,6}";
    (id, id, proptest::option::of(id), proptest::option::of(proptest::option::of(id)))
}

fn build(parts: &Parts) -> TenantScope {
    let user = match &parts.3 {
        None => ScopeUser::None,
        Some(None) => ScopeUser::Anonymous,
        Some(Some(id)) => ScopeUser::Named(id),
    };
    scope(&parts.0, &parts.1, parts.2.as_deref(), user)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn inv_20_a_namespace_reads_back_whatever_follows_it(parts in parts(), rest in ".{0,8}") {
        let text = build(&parts).namespace() + &rest;
        prop_assert_eq!(read(&text), Some((parts, rest.as_str())));
    }

    #[test]
    fn inv_20_random_storage_keys_never_begin_one_another(
        all in proptest::collection::hash_set((parts(), "[0-9:a]{0,4}", "[0-9:a]{0,4}"), 100)
    ) {
        assert_prefix_free(all.iter().map(|(p, space, name)| build(p).storage_key(space, name)).collect());
    }
}
