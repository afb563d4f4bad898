//! What holds for every key, every pair of parameters and every registry.

use super::reference::{ask, keys, world};
use super::*;
use crate::tenant::binding::OrgBinding;
use crate::tenant::within::{lists_org, lists_user};
use proptest::prelude::*;

/// Whether the answer to this request must not depend on what exists: some axis refuses the id by itself.
fn is_foreign(q: &TenantRequest<'_>) -> bool {
    let org = match (q.bindings.org(), q.org_id) {
        (OrgBinding::Fixed(fixed), Some(given)) => fixed != given,
        (OrgBinding::List { orgs, .. }, Some(given)) => !lists_org(orgs, given),
        (OrgBinding::None, given) => given.is_some(),
        _ => false,
    };
    org && q.rules.extra_param == ExtraParam::Reject
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_scope_returned_lies_inside_the_bindings_of_the_key(ask in ask(), world in world()) {
        let q = ask.of(keys());
        if let Ok(Resolution::Resolved(found)) = resolve(&q, &world) {
            if q.level == Level::Account {
                prop_assert_eq!((found.org_id, found.user), (None, ScopeUser::None));
            } else {
                prop_assert!(q.bindings.contains(found.org_id, found.user), "{:?}", found);
            }
            prop_assert!(!found.is_anonymous() || q.class == KeyClass::Publishable);
            let scope = found.scope("A", "live");
            prop_assert_eq!((scope.account_id(), scope.environment()), ("A", "live"));
            prop_assert_eq!((scope.org_id(), scope.user()), (found.org_id, found.user));
        }
    }

    #[test]
    fn inv_19_a_contradicting_parameter_is_never_followed(ask in ask(), world in world()) {
        let q = ask.of(keys());
        if let Ok(Resolution::Resolved(found)) = resolve(&q, &world) {
            let (org, user) = match found.warning {
                None => (false, false),
                Some(Warning::OrgIgnored) => (true, false),
                Some(Warning::UserIgnored) => (false, true),
                Some(Warning::BothIgnored) => (true, true),
            };
            // What was given is what is acted on, unless the answer says that it was ignored.
            prop_assert_eq!(q.org_id.is_some() && q.org_id != found.org_id, org);
            let followed = q.user_id.is_none_or(|given| found.user == ScopeUser::Named(given));
            prop_assert_eq!(!followed, user);
            prop_assert!(found.warning.is_none() || q.rules.extra_param == ExtraParam::Ignore);
        }
    }

    #[test]
    fn inv_19_a_foreign_org_is_refused_without_any_look_up(ask in ask(), here in world(), there in world()) {
        let q = ask.of(keys());
        if !is_foreign(&q) {
            return Ok(());
        }
        let answer = resolve(&q, &here);
        prop_assert!(matches!(answer, Ok(Resolution::Refused(_))), "{:?}", answer);
        prop_assert_eq!(answer, resolve(&q, &there));
        prop_assert!(here.asked.take().is_empty());
    }

    #[test]
    fn inv_19_a_foreign_user_is_refused_without_a_look_up_of_it(ask in ask(), world in world()) {
        let q = ask.of(keys());
        let Some(given) = q.user_id else { return Ok(()) };
        let _ = resolve(&q, &world);
        let asked = world.asked.take();
        let looked_up = asked.iter().any(|question| question.starts_with("user ") && question.ends_with(given));
        let accepted = |org: Option<&str>| match q.bindings.user() {
            UserBinding::None => false,
            UserBinding::Fixed(fixed) => fixed == given,
            UserBinding::List { entries, .. } => lists_user(entries, org, given),
            UserBinding::Open { .. } | UserBinding::Optional { .. } => true,
        };
        let possible = [None, Some("a"), Some("b"), Some("c"), Some("new")].into_iter().any(accepted);
        prop_assert!(!looked_up || possible, "{:?} asked {:?}", q, asked);
        // The bad proof of a stranger is answered before anything about the user is read.
        prop_assert!(!looked_up || q.user_proof != UserProof::Invalid);
    }

    #[test]
    fn an_empty_registry_creates_only_what_may_be_created(ask in ask(), world in world()) {
        let q = ask.of(keys());
        if let Ok(Resolution::Resolved(found)) = resolve(&q, &world) {
            if found.create_org {
                let creates = matches!(q.bindings.org(), OrgBinding::Open { create: true, .. });
                prop_assert!(creates);
                prop_assert!(!world.org_cap_reached);
            }
            if found.create_user {
                let creates = matches!(
                    q.bindings.user(),
                    UserBinding::Open { create: true, .. } | UserBinding::Optional { create: true }
                );
                prop_assert!(creates && !world.user_cap_reached);
            }
        }
    }
}

#[test]
fn fixed_and_list_rows_look_up_only_what_they_accepted() {
    for (org, user, org_id, user_id, expected) in [
        ("fixed o1", "fixed u1", None, None, vec!["org o1", "user Some(\"o1\") u1"]),
        ("fixed o1", "fixed u1", Some("o2"), None, vec![]),
        ("fixed o1", "fixed u1", None, Some("u2"), vec!["org o1"]),
        ("list o0 o1", "list u1", Some("o2"), Some("u1"), vec![]),
        ("list o0 o1", "list u1", Some("o1"), Some("u2"), vec!["org o1"]),
        ("list o0 o1", "list u1", Some("o1"), Some("u1"), vec!["org o1", "user Some(\"o1\") u1"]),
        ("list o0 o1", "list u1", None, Some("u1"), vec![]),
        ("open", "open", Some("o1"), None, vec!["org o1"]),
        (
            "create",
            "create",
            Some("new"),
            Some("n"),
            vec!["org new", "org cap", "user Some(\"new\") n", "user cap Some(\"new\")"],
        ),
    ] {
        let key = bindings(Preset::Platform, org, user);
        let world = World::usual();
        let _ = resolve(&request(&key, org_id, user_id), &world);
        assert_eq!(world.asked.take(), expected, "org {org}, user {user}, {org_id:?}, {user_id:?}");
    }
}
