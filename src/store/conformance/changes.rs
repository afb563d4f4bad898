//! What is written: whole, once, and as it was expected.

use super::samples::{
    account, at, digest, done, draft, id, key, org, org_key, put, put_tenant, tenant, user_key,
};
use crate::audit;
use crate::key::digest::KeyDigest;
use crate::key::record::Revocation;
use crate::store::{
    Applied, Change, Changed, Conflict, Expected, Freshness, Guard, KeyWrite, OperationRecord, RecordStore,
    TenantCount, TenantKey, TenantState, TenantWrite,
};
use crate::tenant::{Bindings, OrgBinding, Preset, UserBinding, UserId};

fn conflict(store: &dyn RecordStore, change: &Change) -> Conflict {
    match store.apply(change).unwrap() {
        Applied::Conflict(conflict) => conflict,
        other => panic!("the change should conflict, but: {other:?}"),
    }
}

fn delete(n: u8, expected: u64) -> KeyWrite {
    KeyWrite::Delete { account_id: account("a"), id: id(n), expected }
}

pub(super) fn a_change_is_all_or_nothing(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    let before = (store.freshness().unwrap(), store.audit_head(&account("a")).unwrap());
    let mut change = put(key("a", 2), Expected::Absent);
    change.keys.push(delete(1, 7));
    change.tenants.push(TenantWrite::Create { record: Box::new(tenant(org_key("a", "o1"))) });
    change.audit.push(draft("a", "suite.change"));
    assert_eq!(conflict(store, &change), Conflict::Key(1));
    assert_eq!(store.key_by_digest(&digest(2)).unwrap(), None);
    assert_eq!(store.tenant(&org_key("a", "o1")).unwrap(), None);
    assert!(store.key_by_digest(&digest(1)).unwrap().is_some());
    assert_eq!((store.freshness().unwrap(), store.audit_head(&account("a")).unwrap()), before);
}

pub(super) fn versions_are_compared_and_set(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    assert_eq!(conflict(store, &put(key("a", 1), Expected::Absent)), Conflict::Key(0));
    assert_eq!(conflict(store, &put(key("a", 1), Expected::Version(2))), Conflict::Key(0));
    done(store, &put(key("a", 1), Expected::Version(1)));
    assert_eq!(conflict(store, &put(key("a", 1), Expected::Version(1))), Conflict::Key(0));
    assert_eq!(store.key_by_id(&account("a"), &id(1)).unwrap().unwrap().version, 2);

    let org_record = tenant(org_key("a", "o1"));
    done(store, &put_tenant(org_record.clone(), Expected::Absent));
    assert_eq!(conflict(store, &put_tenant(org_record.clone(), Expected::Absent)), Conflict::Tenant(0));
    done(store, &put_tenant(org_record.clone(), Expected::Version(1)));
    assert_eq!(store.tenant(&org_record.key).unwrap().unwrap().version, 2);
}

pub(super) fn a_digest_belongs_to_one_key(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    let mut twin = key("b", 2);
    twin.digest = digest(1);
    assert_eq!(conflict(store, &put(twin, Expected::Absent)), Conflict::Digest);
    assert_eq!(store.key_by_digest(&digest(1)).unwrap().unwrap().record.account_id, account("a"));
}

pub(super) fn a_new_digest_ends_the_old_one(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    let mut regenerated = key("a", 1);
    regenerated.digest = digest(9);
    done(store, &put(regenerated, Expected::Version(1)));
    assert_eq!(store.key_by_digest(&digest(1)).unwrap(), None, "the old text is dead");
    assert_eq!(store.key_by_digest(&digest(9)).unwrap().unwrap().record.id, id(1));
    done(store, &put(key("b", 2), Expected::Absent));
    let mut reuse = key("b", 3);
    reuse.digest = digest(1);
    done(store, &put(reuse, Expected::Absent));
}

pub(super) fn a_deleted_key_leaves_nothing_to_find(store: &dyn RecordStore) {
    done(store, &put(key("a", 1), Expected::Absent));
    done(store, &Change { at: at(1), keys: vec![delete(1, 1)], ..Change::default() });
    assert_eq!(store.key_by_digest(&digest(1)).unwrap(), None);
    assert_eq!(store.key_by_id(&account("a"), &id(1)).unwrap(), None);
    assert_eq!(store.account_of(&id(1)).unwrap(), None);
    let again = Change { at: at(1), keys: vec![delete(1, 1)], ..Change::default() };
    assert_eq!(conflict(store, &again), Conflict::Key(0));
}

fn users_at_most(max: u64) -> Guard {
    Guard::Users { account_id: account("a"), environment: "live".into(), org_id: Some(org("o1")), max }
}

fn create(key: TenantKey, guard: Guard) -> Change {
    let write = TenantWrite::Create { record: Box::new(tenant(key)) };
    Change { at: at(0), tenants: vec![write], guards: vec![guard], ..Change::default() }
}

pub(super) fn guards_are_judged_after_the_change(store: &dyn RecordStore) {
    done(store, &create(user_key("a", "o1", "u1"), users_at_most(2)));
    done(store, &create(user_key("a", "o1", "u2"), users_at_most(2)));
    assert_eq!(conflict(store, &create(user_key("a", "o1", "u3"), users_at_most(2))), Conflict::Guard(0));
    // Other orgs, environments and accounts have room of their own, and an org is no user.
    done(store, &create(user_key("a", "o2", "u1"), users_at_most(2)));
    done(store, &create(user_key("b", "o1", "u1"), users_at_most(2)));
    done(store, &create(org_key("a", "o1"), users_at_most(2)));
    let count = |what: TenantCount<'_>| store.tenant_count(&account("a"), "live", what).unwrap();
    let (o1, o9) = (org("o1"), org("o9"));
    assert_eq!((count(TenantCount::Users(Some(&o1))), count(TenantCount::Orgs)), (2, 1));
    assert_eq!((count(TenantCount::Users(None)), count(TenantCount::Users(Some(&o9)))), (0, 0));
    let orgs = Guard::Orgs { account_id: account("a"), environment: "live".into(), max: 1 };
    assert_eq!(conflict(store, &create(org_key("a", "o2"), orgs)), Conflict::Guard(0));
    // A deleted tenant makes room.
    let mut gone = tenant(user_key("a", "o1", "u1"));
    gone.state = TenantState::Deleted;
    done(store, &put_tenant(gone, Expected::Version(1)));
    done(store, &create(user_key("a", "o1", "u3"), users_at_most(2)));
}

pub(super) fn a_guard_that_fails_leaves_nothing(store: &dyn RecordStore) {
    let keys_at_most = |max| Guard::Keys { account_id: account("a"), max };
    done(store, &put(key("a", 1), Expected::Absent));
    let mut second = put(key("a", 2), Expected::Absent);
    second.guards = vec![keys_at_most(1)];
    let before = store.freshness().unwrap();
    assert_eq!(conflict(store, &second), Conflict::Guard(0));
    assert_eq!(store.key_by_digest(&digest(2)).unwrap(), None);
    assert_eq!(store.freshness().unwrap(), before);
    // A revoked key does not count.
    let mut revoked = key("a", 1);
    revoked.revoked = Some(Revocation { at: at(-1), by: "suite".into(), reason: "".into() });
    done(store, &put(revoked, Expected::Version(1)));
    done(store, &second);

    let mut named = put(key("a", 3), Expected::Absent);
    let unique = |name: &str| Guard::UniqueName { account_id: account("a"), id: id(3), name: name.into() };
    named.guards = vec![unique("key 2")];
    assert_eq!(conflict(store, &named), Conflict::Guard(0));
    named.guards = vec![unique("key 1"), unique("key 3")];
    done(store, &named);

    let mut suspended = tenant(org_key("a", "o1"));
    suspended.state = TenantState::Suspended;
    done(store, &put_tenant(suspended, Expected::Absent));
    let below = create(user_key("a", "o1", "u1"), Guard::Active { key: org_key("a", "o1") });
    assert_eq!(conflict(store, &below), Conflict::Guard(0));
    done(store, &create(user_key("a", "o2", "u1"), Guard::Active { key: org_key("a", "o2") }));
}

pub(super) fn creating_a_tenant_twice_makes_one(store: &dyn RecordStore) {
    done(store, &create(user_key("a", "o1", "u1"), users_at_most(1)));
    done(store, &create(user_key("a", "o1", "u1"), users_at_most(1)));
    assert_eq!(store.tenant(&user_key("a", "o1", "u1")).unwrap().unwrap().version, 1);
}

pub(super) fn an_operation_id_is_answered_again(store: &dyn RecordStore) {
    let record = |fingerprint: u8| OperationRecord {
        account_id: account("a"),
        id: "op-1".into(),
        fingerprint: [fingerprint; 32],
        answer: b"first".to_vec(),
        expires_at: at(100),
    };
    let mut change = put(key("a", 1), Expected::Absent);
    change.operation = Some(record(1));
    done(store, &change);
    let mut again = put(key("a", 2), Expected::Absent);
    again.operation = Some(record(2));
    assert_eq!(store.apply(&again).unwrap(), Applied::Replayed(record(1)));
    assert_eq!(store.key_by_digest(&digest(2)).unwrap(), None);
    assert_eq!(store.operation(&account("a"), "op-1", at(99)).unwrap(), Some(record(1)));
    assert_eq!(store.operation(&account("a"), "op-1", at(100)).unwrap(), None);
    assert_eq!(store.operation(&account("b"), "op-1", at(0)).unwrap(), None, "another account's id");
    again.at = at(100);
    done(store, &again);
}

pub(super) fn audit_chains_are_per_account_and_verify(store: &dyn RecordStore) {
    let mut change = put(key("a", 1), Expected::Absent);
    change.audit = vec![draft("a", "key.issue"), draft("b", "note"), draft("a", "note")];
    done(store, &change);
    store.append_audit(&[draft("a", "refusal"), draft("b", "refusal")]).unwrap();
    let entries = store.audit(&account("a"), 1, 100).unwrap();
    let acts: Vec<_> = entries.iter().map(|entry| (entry.number, &*entry.draft.act)).collect();
    assert_eq!(acts, [(1, "key.issue"), (2, "note"), (3, "refusal")]);
    assert_eq!(store.audit(&account("a"), 2, 1).unwrap(), entries[1..2]);
    let head = store.audit_head(&account("a")).unwrap();
    assert_eq!(head, Some(entries[2].head()));
    assert!(audit::verify(&account("a"), &entries, head).is_ok());
    assert_eq!(store.audit_head(&account("b")).unwrap().unwrap().number, 2);
}

pub(super) fn erasing_removes_what_lies_below_and_nothing_else(store: &dyn RecordStore) {
    for tenant_key in [org_key("a", "o1"), user_key("a", "o1", "u1"), org_key("a", "o10"), org_key("b", "o1")]
    {
        done(store, &put_tenant(tenant(tenant_key), Expected::Absent));
    }
    let of_org = |n: u8, name: &str| {
        let user = UserBinding::Open { create: true, default: None };
        let mut record = key("a", n);
        record.bindings = Bindings::new(Preset::Client, OrgBinding::Fixed(org(name)), user).unwrap();
        put(record, Expected::Absent)
    };
    done(store, &of_org(1, "o1"));
    done(store, &of_org(2, "o10"));
    done(store, &put(key("a", 3), Expected::Absent));
    store.erase(&org_key("a", "o1"), draft("a", "tenant.erase")).unwrap();
    for gone in [org_key("a", "o1"), user_key("a", "o1", "u1")] {
        assert_eq!(store.tenant(&gone).unwrap(), None);
    }
    for stays in [org_key("a", "o10"), org_key("b", "o1")] {
        assert!(store.tenant(&stays).unwrap().is_some(), "{stays:?}");
    }
    let keys = [1, 2, 3].map(|n| store.key_by_digest(&digest(n)).unwrap().is_some());
    assert_eq!(keys, [false, true, true], "only keys that can act for nobody else go");
    assert_eq!(store.audit(&account("a"), 1, 10).unwrap().last().unwrap().draft.act, "tenant.erase".into());
    store.erase(&TenantKey::account(account("a")), draft("a", "tenant.erase")).unwrap();
    assert_eq!(store.key_by_digest(&digest(3)).unwrap(), None);
    assert!(store.tenant(&org_key("b", "o1")).unwrap().is_some());
}

pub(super) fn generations_rise_with_every_change_and_tell_what_changed(store: &dyn RecordStore) {
    let first = done(store, &put(key("a", 1), Expected::Absent));
    let mut regenerated = key("a", 1);
    regenerated.digest = digest(9);
    let mut change = put(regenerated, Expected::Version(1));
    change.tenants.push(TenantWrite::Create { record: Box::new(tenant(org_key("a", "o1"))) });
    let second = done(store, &change);
    assert!(second > first);
    if let Freshness::At(generation) = store.freshness().unwrap() {
        assert_eq!(generation, second, "the change is seen as soon as `apply` has returned");
    }
    let changes = store.changes_since(first).unwrap();
    assert_eq!(changes.upto, second);
    if let Some(changed) = changes.changed {
        let digests: Vec<KeyDigest> = changed
            .iter()
            .filter_map(|changed| match changed {
                Changed::Key { digests, .. } => Some(digests.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        assert!(digests.contains(&digest(1)) && digests.contains(&digest(9)), "both digests are concerned");
        assert!(changed.contains(&Changed::Tenant(org_key("a", "o1"))));
        assert_eq!(store.changes_since(second).unwrap().changed, Some(Vec::new()));
    }
}

pub(super) fn parallel_changes_each_stand_once(store: &dyn RecordStore) {
    let capped = |n: u8| {
        let user =
            TenantKey::user(account("a"), "live", Some(org("o1")), UserId::from_stored(&format!("u{n}")));
        create(user, users_at_most(5))
    };
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u8)
            .map(|thread| {
                scope.spawn(move || {
                    let mut done = 0;
                    for n in 0..4 {
                        match store.apply(&capped(thread * 4 + n)).unwrap() {
                            Applied::Done(_) => done += 1,
                            Applied::Conflict(Conflict::Guard(0)) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                    done
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(made, 5, "a cap of 5 lets exactly 5 through");
}
