//! Bad states of the store (corpus N and the fault matrix): each is reported, and what is not concerned goes on.

use super::*;
use crate::error::ErrorKind;
use crate::store::{KeyFilter, KeyQuery, StandingFilter, TenantKey, TenantRecord, TenantState, TenantWrite};

fn other_account(n: u8) -> KeyRecord {
    KeyRecord { account_id: AccountId::from_stored("other"), ..key(n) }
}

fn tenant(name: &str) -> TenantRecord {
    TenantRecord {
        key: TenantKey::account(AccountId::from_stored(name)),
        state: TenantState::Active,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        plan: None,
        proof_secret: None,
        labels: std::collections::BTreeMap::new(),
        version: 0,
    }
}

/// A store with two keys, two tenants and a count, after another program ran `sql` on it without any check.
fn damaged(dir: &Dir, sql: &str) -> SqliteStore {
    let store = store(dir);
    let mut change = put(&key(1), Expected::Absent);
    change.keys.extend(put(&other_account(2), Expected::Absent).keys);
    for name in ["acme", "other"] {
        let record = Box::new(tenant(name));
        change.tenants.push(TenantWrite::Put { record, expected: Expected::Absent });
    }
    done(&store, &change);
    for n in [1, 2] {
        assert_eq!(exchange(&store, &mut holding(n), 3), 1);
    }
    let stranger = stranger(&store);
    stranger.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    stranger.execute_batch(sql).unwrap();
    store
}

#[test]
fn inv_38_a_damaged_key_is_reported_and_others_go_on() {
    let rows = [
        "digest = x'00' WHERE account_id = 'acme'",
        "id = 'key_x' WHERE account_id = 'acme'",
        "version = -1 WHERE account_id = 'acme'",
        "digest_scheme = 'md5' WHERE account_id = 'acme'",
        "pepper_version = 3 WHERE account_id = 'acme'",
        "pepper_version = 70000, digest_scheme = 'hmac_sha256' WHERE account_id = 'acme'",
        "owner_type = 'god' WHERE account_id = 'acme'",
        "owner_type = 'org' WHERE account_id = 'acme'",
        "preset = 'client' WHERE account_id = 'acme'",
        "org = '{' WHERE account_id = 'acme'",
        "user = '\"all\"' WHERE account_id = 'acme'",
        "permissions = '{\"a\":1}' WHERE account_id = 'acme'",
        "permissions = '' WHERE account_id = 'acme'",
        "resources = '\"some\"' WHERE account_id = 'acme'",
        "origins = 'null' WHERE account_id = 'acme'",
        "ip_allow = '7' WHERE account_id = 'acme'",
        "plan = '{\"plan\":\"pro\"}' WHERE account_id = 'acme'",
        "labels = '[]' WHERE account_id = 'acme'",
        "revoked_at = 5 WHERE account_id = 'acme'",
        "lineage_id = '' WHERE account_id = 'acme'",
        "parent = 'key_' WHERE account_id = 'acme'",
        "exercised = '3' WHERE account_id = 'acme'",
    ];
    for row in rows {
        let dir = Dir::new();
        let store = damaged(&dir, &format!("UPDATE tk_key SET {row}"));
        let query = KeyQuery {
            account_id: key(1).account_id,
            filter: KeyFilter { standing: StandingFilter::All, ..KeyFilter::default() },
            now: Timestamp::EPOCH,
            after: None,
            limit: 10,
        };
        let error = store.keys(&query).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{row}: {error}");
        assert!(error.to_string().contains("tk_key"), "{error}");
        // Wherever the row is still found, it is an error; never another key, never a default.
        for found in [store.key_by_digest(&key(1).digest), store.key_by_id(&key(1).account_id, &key(1).id)] {
            assert!(!matches!(found, Ok(Some(_))), "{row}: {found:?}");
        }
        assert!(store.key_by_digest(&key(2).digest).unwrap().is_some(), "{row}");
        let third = KeyRecord { id: KeyId::from_bytes([9; 16]), ..other_account(3) };
        done(&store, &put(&third, Expected::Absent));
    }
}

#[test]
fn what_the_tables_refuse_never_gets_in() {
    let dir = Dir::new();
    let store = damaged(&dir, "");
    let stranger = stranger(&store);
    for sql in [
        "UPDATE tk_key SET digest = NULL",
        "UPDATE tk_key SET digest = (SELECT digest FROM tk_key WHERE account_id = 'other')",
        "UPDATE tk_key SET expires_at = 'tomorrow'",
        "UPDATE tk_key SET permissions = 'everything'",
        "UPDATE tk_tenant SET state = 'angry'",
        "UPDATE tk_bucket SET confirmed = -1",
        "UPDATE tk_bucket SET charged = 0",
        "UPDATE tk_lease SET used = granted + 1",
        "UPDATE tk_store SET generation = 0",
        "INSERT INTO tk_store SELECT 2, database_id, generation, 0, 0, 0, x'', 0 FROM tk_store",
    ] {
        assert!(stranger.execute_batch(sql).is_err(), "{sql}");
    }
}

#[test]
fn inv_38_a_damaged_tenant_or_audit_row_is_reported() {
    for sql in [
        "UPDATE tk_tenant SET state = 'angry' WHERE account_id = 'acme'",
        "UPDATE tk_tenant SET labels = '7' WHERE account_id = 'acme'",
        "UPDATE tk_tenant SET version = -1 WHERE account_id = 'acme'",
    ] {
        let dir = Dir::new();
        let store = damaged(&dir, sql);
        let error = RecordStore::tenant(&store, &tenant("acme").key).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{sql}");
        assert!(RecordStore::tenant(&store, &tenant("other").key).unwrap().is_some());
    }
}

#[test]
fn inv_38_a_damaged_count_is_an_error_and_other_counts_go_on() {
    for sql in [
        "UPDATE tk_bucket SET confirmed = -1 WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_bucket SET charged = 1, confirmed = 2 WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_bucket SET marks = '{}' WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_bucket SET incarnation = x'00' WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_bucket SET cap = -4 WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_lease SET state = 'lost' WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_lease SET why = '[]' WHERE limit_id = x'01010101010101010101010101010101'",
        "UPDATE tk_lease SET granted = -1 WHERE limit_id = x'01010101010101010101010101010101'",
    ] {
        let dir = Dir::new();
        let store = damaged(&dir, sql);
        let error = try_exchange(&store, &mut holding(1), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{sql}: {error}");
        assert_eq!(exchange(&store, &mut holding_two_lives(2), 1), 1, "{sql}");
    }
}

/// A second life, as the first one's numbers are not at hand.
fn holding_two_lives(n: u8) -> Holding {
    Holding::new(limit_row_of(n), LeaseId { holder: HolderId::from_bytes([n; 16]), life: 2 }, 0)
}

#[test]
fn a_cut_audit_chain_shows() {
    let dir = Dir::new();
    let store = store(&dir);
    let draft = |n: u8| crate::audit::AuditDraft {
        account_id: key(1).account_id,
        at: Timestamp::EPOCH,
        actor: "a".into(),
        act: "key.issue".into(),
        object: format!("{n}").into(),
        tenant: "".into(),
        outcome: "ok".into(),
        operation_id: "".into(),
        details: "{}".into(),
    };
    store.append_audit(&[draft(1), draft(2), draft(3)]).unwrap();
    let account = key(1).account_id;
    let verify = || {
        let head = store.audit_head(&account).unwrap();
        crate::audit::verify(&account, &RecordStore::audit(&store, &account, 1, 10).unwrap(), head)
    };
    assert!(verify().is_ok());
    stranger(&store).execute("DELETE FROM tk_audit WHERE number = 3", []).unwrap();
    assert!(verify().is_err(), "the head is kept apart from the rows");
}

#[test]
fn a_held_write_lock_is_a_time_out_and_nothing_is_written() {
    let dir = Dir::new();
    drop(store(&dir));
    let options = SqliteOptions { deadline: Duration::from_millis(30), ..patient() };
    let store = SqliteStore::open(dir.path("keys.db"), options).unwrap();
    let stranger = stranger(&store);
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.apply(&put(&key(1), Expected::Absent)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(store.key_by_digest(&key(1).digest).unwrap().is_none(), "reading goes on beside a writer");
    stranger.execute_batch("ROLLBACK").unwrap();
    drop(stranger);
    RecordStore::close(&store).unwrap();
    assert!(super::store(&dir).key_by_digest(&key(1).digest).unwrap().is_none(), "it never runs later");
}

#[test]
fn a_full_disk_undoes_the_change_and_reading_goes_on() {
    let dir = Dir::new();
    let store = store(&dir);
    done(&store, &put(&key(1), Expected::Absent));
    let limit_pages = |pages: u32| {
        store
            .write(move |transaction| {
                transaction.connection.pragma_update(None, "max_page_count", pages).unwrap();
                Ok(Verdict::Keep(()))
            })
            .unwrap();
    };
    limit_pages(1);
    let large = KeyRecord { sealed: Some(vec![7; 500_000]), ..key(2) };
    let error = store.apply(&put(&large, Expected::Absent)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(store.key_by_digest(&key(1).digest).unwrap().is_some());
    assert!(store.key_by_digest(&key(2).digest).unwrap().is_none());
    limit_pages(1_000_000);
    done(&store, &put(&large, Expected::Absent));
    assert!(matches!(store.freshness().unwrap(), Freshness::At(_)));
}

#[test]
fn a_database_that_can_not_be_written_is_an_error_and_reading_goes_on() {
    let dir = Dir::new();
    let store = store(&dir);
    done(&store, &put(&key(1), Expected::Absent));
    store
        .write(|transaction| {
            transaction.connection.pragma_update(None, "query_only", true).unwrap();
            Ok(Verdict::Keep(()))
        })
        .unwrap();
    let error = store.apply(&put(&key(2), Expected::Absent)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(store.key_by_digest(&key(1).digest).unwrap().is_some());
}

#[test]
fn a_value_beyond_its_size_is_refused() {
    let dir = Dir::new();
    let store = store(&dir);
    let huge = KeyRecord { sealed: Some(vec![7; 5 << 20]), ..key(1) };
    assert_eq!(store.apply(&put(&huge, Expected::Absent)).unwrap_err().kind(), StoreErrorKind::TooLarge);
    done(&store, &put(&key(1), Expected::Absent));
}

#[test]
fn a_removed_or_replaced_database_is_an_error_until_it_is_back() {
    let dir = Dir::new();
    let store = store(&dir);
    done(&store, &put(&key(1), Expected::Absent));
    let (path, aside) = (dir.path("keys.db"), dir.path("aside.db"));
    std::fs::rename(&path, &aside).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::write(&path, b"").unwrap();
        }
        let error = store.apply(&put(&key(2), Expected::Absent)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        // Reads and the cache notice by the next look, at most 250 ms later.
        while store.freshness().is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(store.key_by_digest(&key(1).digest).unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    std::fs::rename(&aside, &path).unwrap();
    assert!(store.freshness().is_ok());
    let error_or_done = store.apply(&put(&key(2), Expected::Absent));
    assert!(matches!(error_or_done, Ok(Applied::Done(_))), "{error_or_done:?}");
}

/// What becomes of a file that was damaged while nobody used it: an error at open or at use, never wrong data.
#[test]
fn a_damaged_file_is_an_error() {
    type Damage = fn(&std::path::Path);
    let cases: [(&str, Damage); 4] = [
        ("cut to nothing but its header", |p| cut(p, 4096)),
        ("cut in the middle", |p| cut(p, 3 * 4096 + 100)),
        ("no database", |p| std::fs::write(p, vec![b'x'; 8192]).unwrap()),
        ("pages overwritten", |p| {
            let mut bytes = std::fs::read(p).unwrap();
            bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0xff);
            std::fs::write(p, bytes).unwrap();
        }),
    ];
    for (what, damage) in cases {
        let dir = Dir::new();
        let first = store(&dir);
        done(&first, &put(&key(1), Expected::Absent));
        RecordStore::close(&first).unwrap();
        drop(first);
        damage(&dir.path("keys.db"));
        let kind = match SqliteStore::open(dir.path("keys.db"), patient()) {
            Err(e) => e.kind(),
            Ok(store) => store.key_by_digest(&key(1).digest).unwrap_err().kind(),
        };
        assert_eq!(kind, StoreErrorKind::Corrupt, "{what}");
    }
}

fn cut(path: &std::path::Path, length: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_lost_log_loses_no_more_than_itself() {
    let dir = Dir::new();
    let first = store(&dir);
    done(&first, &put(&key(1), Expected::Absent));
    RecordStore::close(&first).unwrap();
    drop(first);
    // Closing moved the log into the database, so there is nothing left to lose.
    let _ = std::fs::remove_file(dir.path("keys.db-wal"));
    let _ = std::fs::remove_file(dir.path("keys.db-shm"));
    assert!(store(&dir).key_by_digest(&key(1).digest).unwrap().is_some());
}

#[test]
fn a_removed_generation_file_delays_a_change_and_hides_none() {
    let dir = Dir::new();
    let (ours, other) = (store(&dir), store(&dir));
    done(&ours, &put(&key(1), Expected::Absent));
    std::fs::remove_file(dir.path("keys.db-gen")).unwrap();
    let after = done(&ours, &put(&key(2), Expected::Absent));
    // The change has returned, so nobody may answer from before it.
    for store in [&ours, &other] {
        match store.freshness().unwrap() {
            Freshness::At(generation) => assert!(generation >= after),
            Freshness::ReadStore => {}
        }
    }
    assert!(dir.path("keys.db-gen").exists());
}
