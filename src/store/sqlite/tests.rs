//! The store in one process: what it keeps, what it refuses, and what damage it reports.

use super::tempdir::Dir;
use super::*;
use crate::clock::Timestamp;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage, Owner, PlanAssignment, Revocation, TemplateUse};
use crate::limit::batch::{Batch, Item, ItemReply, Request};
use crate::limit::holder::{Accepted, Ask, Holding};
use crate::limit::{BucketKey, ConfigVersion, HolderId, LeaseId, LimitId, Nonce, Terms, Units};
use crate::resource::ResourceBinding;
use crate::store::{
    Applied, Change, Changed, Conflict, Expected, Generation, KeyWrite, RecordStore, UsageStore,
};
use crate::tenant::{AccountId, Bindings, OrgBinding, OrgId, Preset, UserBinding, UserEntry, UserId};

/// Options for a machine whose disk is busy with other things: no test is about being quick.
pub(super) fn patient() -> SqliteOptions {
    let deadline = Duration::from_secs(60);
    SqliteOptions { deadline, exchange_deadline: deadline, ..SqliteOptions::default() }
}

/// A store on a file of its own.
pub(super) fn store(dir: &Dir) -> SqliteStore {
    SqliteStore::open(dir.path("keys.db"), patient()).unwrap()
}

/// The `n`-th key of account `acme`.
pub(super) fn key(n: u8) -> KeyRecord {
    let user = UserId::from_stored("u0");
    let at = Timestamp::from_seconds(1_750_000_000);
    KeyRecord {
        id: KeyId::from_bytes([n; 16]),
        account_id: AccountId::from_stored("acme"),
        kind: "api".into(),
        environment: "live".into(),
        name: format!("{n}").into(),
        digest: KeyDigest::sha256(&[n]),
        scheme: DigestScheme::Sha256,
        display: KeyDisplay::new("tk_live_", "9zQx"),
        sealed: None,
        owner: Owner::Account,
        bindings: Bindings::new(Preset::Solo, OrgBinding::None, UserBinding::Fixed(user)).unwrap(),
        role: None,
        permissions: Vec::new(),
        template: None,
        resources: ResourceBinding::None,
        origins: Vec::new(),
        ip_allow: None,
        plan: None,
        labels: std::collections::BTreeMap::new(),
        created_at: at,
        created_by: "test".into(),
        updated_at: at,
        expires_at: None,
        disabled_at: None,
        revoked: None,
        lineage: Lineage { id: KeyId::from_bytes([n; 16]), predecessor: None, successor: None },
        parent: None,
        secret_at: at,
    }
}

/// A key with every field filled.
fn full_key(n: u8) -> KeyRecord {
    let id = KeyId::from_bytes([n; 16]);
    let at = |s| Timestamp::from_seconds(s);
    let (org, user) = (OrgId::from_stored("o'1\u{1f600}"), UserId::from_stored("u\"1"));
    let entry = |user: &str| UserEntry { org: Some(org.clone()), user: UserId::from_stored(user) };
    let plan = PlanAssignment {
        plan: "pro".into(),
        generation: 3,
        since: at(9),
        overrides: [("executions".into(), None), ("calls".into(), Some(u64::MAX >> 12))].into(),
        epochs: [("executions".into(), 5)].into(),
    };
    KeyRecord {
        scheme: DigestScheme::HmacSha256(7),
        sealed: Some(vec![0, 1, 255]),
        owner: Owner::User(user),
        bindings: Bindings::new(
            Preset::Platform,
            OrgBinding::List { orgs: vec![org.clone(), OrgId::from_stored("z")], default: Some(org.clone()) },
            UserBinding::List { entries: vec![entry("a"), entry("b")], default: Some(entry("a")) },
        )
        .unwrap(),
        role: Some("Admin".into()),
        permissions: vec!["FLOWS:READ".into(), "*".into()],
        template: Some(TemplateUse { name: "read_only".into(), version: 2 }),
        resources: ResourceBinding::All,
        origins: vec!["https://app.example.com".into()],
        ip_allow: Some(vec![]),
        plan: Some(plan),
        labels: [("client".into(), "c1".into())].into(),
        expires_at: Some(at(-5)),
        disabled_at: Some(at(6)),
        revoked: Some(Revocation { at: at(7), by: "admin".into(), reason: "".into() }),
        lineage: Lineage { id, predecessor: Some(KeyId::from_bytes([1; 16])), successor: Some(id) },
        parent: Some(KeyId::from_bytes([2; 16])),
        ..key(n)
    }
}

/// A change that writes one key.
pub(super) fn put(record: &KeyRecord, expected: Expected) -> Change {
    change_of(record, expected)
}

pub(super) fn change_of(record: &KeyRecord, expected: Expected) -> Change {
    Change { keys: vec![KeyWrite::Put { record: Box::new(record.clone()), expected }], ..Change::default() }
}

pub(super) fn limit_row() -> BucketKey {
    limit_row_of(1)
}

fn limit_row_of(n: u8) -> BucketKey {
    BucketKey {
        limit_id: LimitId::from_bytes([n; 16]),
        epoch: ConfigVersion::from_raw(1),
        period_start: Timestamp::MIN,
    }
}

/// Takes units and uses them at once; how many were granted.
pub(super) fn exchange(store: &SqliteStore, holding: &mut Holding, n: u64) -> usize {
    try_exchange(store, holding, n).unwrap()
}

fn try_exchange(store: &SqliteStore, holding: &mut Holding, n: u64) -> Result<usize, crate::error::Error> {
    let mut nonce = [0; 16];
    OsEntropy.fill(&mut nonce).unwrap();
    let ask = Ask {
        terms: Terms { ver: ConfigVersion::from_raw(1), cap: None, included: None, marks: [].into() },
        period_end: Timestamp::MAX,
        demand: vec![Units::new(n).unwrap()],
        consume: true,
        rate: 0,
        last_message: false,
        ttl_ms: 330_000,
        hint: Timestamp::EPOCH,
        nonce: Nonce::from_bytes(nonce),
    };
    let item = Item { group: None, request: Request::Exchange(holding.next(ask)) };
    let reply = store.exchange(&Batch { items: vec![item], ..Batch::default() })?;
    let ItemReply::Exchange(reply) = &reply.items[0] else { panic!("{reply:?}") };
    match holding.accept(reply) {
        Accepted::Served(calls) => Ok(calls),
        other => panic!("{other:?}"),
    }
}

fn holding(n: u8) -> Holding {
    Holding::new(limit_row_of(n), LeaseId { holder: HolderId::from_bytes([n; 16]), life: 1 }, 0)
}

pub(super) fn done(store: &SqliteStore, change: &Change) -> Generation {
    match store.apply(change).unwrap() {
        Applied::Done(generation) => generation,
        other => panic!("{other:?}"),
    }
}

/// Another program's connection to the store's file.
fn stranger(store: &SqliteStore) -> Connection {
    let connection = Connection::open(store.path()).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

#[test]
fn a_record_comes_back_as_it_was_written() {
    let dir = Dir::new();
    let first = store(&dir);
    for record in [key(1), full_key(2)] {
        done(&first, &put(&record, Expected::Absent));
    }
    RecordStore::close(&first).unwrap();
    let second = store(&dir);
    for record in [key(1), full_key(2)] {
        let found = second.key_by_digest(&record.digest).unwrap().unwrap();
        assert_eq!((found.record, found.version), (record, 1));
    }
}

#[test]
fn a_closed_store_says_so() {
    let dir = Dir::new();
    let store = store(&dir);
    RecordStore::close(&store).unwrap();
    RecordStore::close(&store).unwrap();
    assert_eq!(store.freshness().unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(store.key_by_digest(&key(1).digest).unwrap_err().kind(), StoreErrorKind::Closed);
    assert_eq!(store.apply(&put(&key(1), Expected::Absent)).unwrap_err().kind(), StoreErrorKind::Closed);
}

#[test]
fn inv_41_close_serves_what_is_queued_and_refuses_the_rest() {
    let dir = Dir::new();
    let first = store(&dir);
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=16)
            .map(|n| {
                let first = &first;
                scope.spawn(move || match first.apply(&put(&key(n), Expected::Absent)) {
                    Ok(Applied::Done(_)) => true,
                    Err(e) if e.kind() == StoreErrorKind::Closed => false,
                    other => panic!("{other:?}"),
                })
            })
            .collect();
        // Closes as soon as one of them is through.
        while first.key_by_id(&key(1).account_id, &key(1).id).is_ok_and(|found| found.is_none()) {
            std::thread::yield_now();
        }
        RecordStore::close(&first).unwrap();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let second = store(&dir);
    for (n, done) in (1..=16).zip(outcomes) {
        assert_eq!(second.key_by_digest(&key(n).digest).unwrap().is_some(), done, "key {n}");
    }
}

#[test]
fn inv_50_a_forked_child_is_told_so_by_every_call() {
    let dir = Dir::new();
    let store = store(&dir);
    store.inner.fork.pretend_child();
    let kinds = [
        store.freshness().map(|_| ()).unwrap_err().kind(),
        store.key_by_digest(&key(1).digest).map(|_| ()).unwrap_err().kind(),
        store.apply(&put(&key(1), Expected::Absent)).map(|_| ()).unwrap_err().kind(),
        RecordStore::close(&store).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::Forked; 4]);
}

#[test]
fn a_schema_that_may_not_be_changed_is_asked_for() {
    let dir = Dir::new();
    let options = SqliteOptions { migrate: false, ..SqliteOptions::default() };
    let error = SqliteStore::open(dir.path("keys.db"), options.clone()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    drop(Connection::open(dir.path("keys.db")).unwrap().execute_batch(&SqliteStore::schema_script()));
    assert!(SqliteStore::open(dir.path("keys.db"), options).is_ok());
}

#[test]
fn the_check_finds_a_sound_store_sound() {
    let dir = Dir::new();
    let store = store(&dir);
    let lines = RecordStore::check(&store);
    let failed: Vec<_> = lines.iter().filter(|line| line.state == super::super::CheckState::Fail).collect();
    assert!(failed.is_empty(), "{failed:?}");
    for what in ["sqlite version", "file system", "journal mode", "synchronous", "schema", "generation file"]
    {
        assert!(lines.iter().any(|line| line.what == what), "{what} is missing");
    }
}

#[test]
fn changes_of_other_programs_are_noticed() {
    let dir = Dir::new();
    let store = store(&dir);
    done(&store, &put(&key(1), Expected::Absent));
    let Freshness::At(before) = store.freshness().unwrap() else { panic!("not fresh") };
    let sql = "UPDATE tk_key SET revoked_at = 0, revoked_by = 'operator', revoked_reason = ''";
    stranger(&store).execute(sql, []).unwrap();
    // By the next look, at most 250 ms from now, and then by the writer's mending.
    let after = loop {
        match store.freshness().unwrap() {
            Freshness::At(generation) if generation != before => break generation,
            _ => std::thread::yield_now(),
        }
    };
    let changes = store.changes_since(before).unwrap();
    assert_eq!((changes.upto, after), (Generation(before.0 + 1), Generation(before.0 + 1)));
    let expected = Changed::Key { id: key(1).id, digests: vec![key(1).digest; 2] };
    assert_eq!(changes.changed, Some(vec![expected]));
}

#[test]
fn last_use_is_no_change() {
    let dir = Dir::new();
    let store = store(&dir);
    let before = done(&store, &put(&key(1), Expected::Absent));
    let touch = crate::store::Touch {
        account_id: key(1).account_id,
        id: key(1).id,
        at: Timestamp::from_seconds(5),
        permissions: vec!["A".into()],
    };
    store.touch(&[touch]).unwrap();
    assert_eq!(store.freshness().unwrap(), Freshness::At(before));
    assert_eq!(store.changes_since(before).unwrap().changed, Some(vec![]));
}

#[test]
fn a_database_that_went_back_empties_every_cache() {
    let dir = Dir::new();
    let store = store(&dir);
    for n in 1..=5 {
        done(&store, &put(&key(n), Expected::Absent));
    }
    let Freshness::At(seen) = store.freshness().unwrap() else { panic!("not fresh") };
    // As a backup does that is copied into the live database.
    stranger(&store).execute("UPDATE tk_store SET generation = 2", []).unwrap();
    let next = done(&store, &put(&key(6), Expected::Absent));
    assert!(next > seen, "{next:?} after {seen:?}");
    assert_eq!(store.changes_since(seen).unwrap().changed, None);
    assert_eq!(store.freshness().unwrap(), Freshness::At(next));
}

#[test]
fn a_cache_that_is_far_behind_is_emptied() {
    let dir = Dir::new();
    let store = store(&dir);
    let first = done(&store, &put(&key(1), Expected::Absent));
    let sql = "UPDATE tk_store SET generation = generation + 5000";
    stranger(&store).execute(sql, []).unwrap();
    RecordStore::maintain(&store, Timestamp::EPOCH).unwrap();
    assert_eq!(store.changes_since(first).unwrap().changed, None);
}

#[test]
fn one_failing_call_does_not_touch_its_neighbours() {
    let dir = Dir::new();
    let store = store(&dir);
    std::thread::scope(|scope| {
        for n in 1..=12 {
            let store = &store;
            scope.spawn(move || {
                let twin = KeyRecord { digest: key(1).digest, ..key(100 + n) };
                let answer = store.apply(&put(&key(n), Expected::Absent)).unwrap();
                assert!(matches!(answer, Applied::Done(_)), "{n}: {answer:?}");
                let again = store.apply(&put(&key(n), Expected::Absent)).unwrap();
                assert_eq!(again, Applied::Conflict(Conflict::Key(0)));
                if n == 1 {
                    assert_eq!(
                        store.apply(&put(&twin, Expected::Absent)).unwrap(),
                        Applied::Conflict(Conflict::Digest)
                    );
                }
                let panicked: Result<(), _> = store.write(|_| panic!("on purpose"));
                assert_eq!(panicked.unwrap_err().kind(), StoreErrorKind::Unavailable);
            });
        }
    });
    assert_eq!(
        store.freshness().unwrap(),
        Freshness::At(Generation(13)),
        "refused changes take no generation"
    );
}

mod states;
