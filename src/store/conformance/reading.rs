//! What is read back, and by whom.

use super::samples::{account, at, digest, done, id, key, org_key, put, put_tenant, tenant, user_key};
use crate::store::{
    Expected, KeyFilter, KeyQuery, RecordStore, StandingFilter, TenantKey, TenantQuery, Touch,
};

fn query(account_name: &str, limit: u32) -> KeyQuery {
    let filter = KeyFilter::default();
    KeyQuery { account_id: account(account_name), filter, now: at(1_000), after: None, limit }
}

pub(super) fn a_new_store_is_empty(store: &dyn RecordStore) {
    assert_eq!(store.key_by_digest(&digest(1)).unwrap(), None);
    assert_eq!(store.key_by_id(&account("a"), &id(1)).unwrap(), None);
    assert_eq!(store.account_of(&id(1)).unwrap(), None);
    assert_eq!(store.tenant(&TenantKey::account(account("a"))).unwrap(), None);
    assert!(store.keys(&query("a", 10)).unwrap().keys.is_empty());
    assert!(store.domains(&account("a")).unwrap().is_empty());
    assert!(store.audit(&account("a"), 1, 10).unwrap().is_empty());
    assert_eq!(store.audit_head(&account("a")).unwrap(), None);
}

pub(super) fn a_key_is_found_by_digest_and_by_id_in_its_account(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    let stored = store.key_by_digest(&digest(1)).unwrap().unwrap();
    assert_eq!((stored.record.clone(), stored.version), (key("a", 1), 1));
    assert_eq!((stored.last_used_at, stored.exercised.len()), (None, 0));
    assert_eq!(store.key_by_id(&account("a"), &id(1)).unwrap(), Some(stored));
    assert_eq!(store.key_by_id(&account("b"), &id(1)).unwrap(), None, "another account's key");
    assert_eq!(store.account_of(&id(1)).unwrap(), Some(account("a")));
    assert_eq!(store.key_by_digest(&digest(2)).unwrap(), None);
}

pub(super) fn pages_follow_the_order_of_ids_and_never_cross_accounts(store: &dyn RecordStore) {
    for n in [5, 1, 4, 2, 3] {
        done(store, &put(key("a", n), Expected::Absent));
        done(store, &put(key("aa", n + 10), Expected::Absent));
        done(store, &put(key("b", n + 100), Expected::Absent));
    }
    let mut seen = Vec::new();
    let mut page_query = query("a", 2);
    loop {
        let page = store.keys(&page_query).unwrap();
        seen.extend(page.keys.iter().map(|key| key.record.id));
        page_query.after = seen.last().copied();
        if !page.more {
            break;
        }
        assert_eq!(page.keys.len(), 2, "a page with more after it is full");
    }
    assert_eq!(seen, [1, 2, 3, 4, 5].map(id));
}

pub(super) fn filters_apply_before_the_page_is_cut(store: &dyn RecordStore) {
    for n in 1..=9 {
        let mut record = key("a", n);
        record.kind = if n % 3 == 0 { "other".into() } else { "api".into() };
        record.disabled_at = (n == 6).then(|| at(0));
        record.expires_at = (n == 9).then(|| at(10));
        done(store, &put(record, Expected::Absent));
    }
    let list = |filter: KeyFilter| {
        let page = store.keys(&KeyQuery { filter, ..query("a", 200) }).unwrap();
        page.keys.iter().map(|key| key.record.id.as_bytes()[0]).collect::<Vec<_>>()
    };
    let other = || KeyFilter { kind: Some("other".into()), ..KeyFilter::default() };
    assert_eq!(list(other()), [3, 6], "present: active or disabled");
    assert_eq!(list(KeyFilter { standing: StandingFilter::Active, ..other() }), [3]);
    assert_eq!(list(KeyFilter { standing: StandingFilter::All, ..other() }), [3, 6, 9]);
    let first = store.keys(&KeyQuery { filter: other(), ..query("a", 1) }).unwrap();
    assert_eq!((first.keys.len(), first.more), (1, true));
}

pub(super) fn tenants_are_listed_in_byte_order(store: &dyn RecordStore) {
    let keys = [
        TenantKey::account(account("a")),
        org_key("a", "o1"),
        user_key("a", "o1", "u1"),
        user_key("a", "o1", "u2"),
        org_key("a", "o10"),
        org_key("a", "o2"),
    ];
    for key in keys.iter().rev().chain([&org_key("b", "o1"), &org_key("aa", "o1")]) {
        done(store, &put_tenant(tenant(key.clone()), Expected::Absent));
    }
    let mut seen = Vec::new();
    let mut query = TenantQuery {
        account_id: account("a"),
        environment: None,
        org_id: None,
        state: None,
        after: None,
        limit: 4,
    };
    loop {
        let page = store.tenants(&query).unwrap();
        seen.extend(page.tenants.into_iter().map(|tenant| tenant.key));
        query.after = seen.last().cloned();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, keys);
}

pub(super) fn touches_only_move_forward_and_never_revive(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    let touch = |n: u8, seconds: i64, permission: &str| Touch {
        account_id: account("a"),
        id: id(n),
        at: at(seconds),
        permissions: vec![permission.into()],
    };
    let before = store.freshness().unwrap();
    store.touch(&[touch(1, 50, "A:B"), touch(1, 20, "A:C"), touch(9, 50, "A:B")]).unwrap();
    assert_eq!(store.freshness().unwrap(), before, "a use is no change");
    let stored = store.key_by_digest(&digest(1)).unwrap().unwrap();
    assert_eq!((stored.last_used_at, stored.version), (Some(at(50)), 1));
    let mut exercised = stored.exercised;
    exercised.sort();
    assert_eq!(exercised, ["A:B".into(), "A:C".into()]);
    assert_eq!(store.key_by_id(&account("a"), &id(9)).unwrap(), None, "a use makes no key");
}

pub(super) fn the_clock_mark_only_rises_until_it_is_reset(store: &dyn RecordStore) {
    assert_eq!(store.clock_mark(Some(at(50))).unwrap(), at(50));
    assert_eq!(store.clock_mark(Some(at(20))).unwrap(), at(50));
    assert_eq!(store.clock_mark(None).unwrap(), at(50));
    store.reset_clock_mark(at(10)).unwrap();
    assert_eq!(store.clock_mark(None).unwrap(), at(10));
}

pub(super) fn each_policy_that_is_loaded_gets_the_next_revision(store: &dyn RecordStore) {
    let revisions = [1, 1, 2, 2, 1].map(|policy| store.policy_revision(&[policy; 32]).unwrap());
    assert_eq!(revisions, [1, 1, 2, 2, 3], "going back to an older policy is a new revision");
}
