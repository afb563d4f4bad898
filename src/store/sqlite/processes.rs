//! The store between real processes: they open one file at once, are killed at each step, and write against each other.

use super::board::Board;
use super::spawn::{self, Dice, Fate, Halting};
use super::tempdir::Dir;
use super::tests::{change_of, done, exchange, key, limit_row, patient, put};
use super::*;
use crate::key::id::KeyId;
use crate::limit::holder::Holding;
use crate::limit::{HolderId, LeaseId, LimitId};
use crate::store::{Applied, Expected, Generation, RecordStore};
use std::process::Child;
use std::time::Instant;

const PLACES: [&str; 4] =
    ["before the mark", "before the commit", "after the commit", "after the publication"];

fn path(test: &str) -> String {
    format!("store::sqlite::processes::{test}")
}

fn values(dir: &Dir, seed: u64) -> Vec<(&'static str, String)> {
    let at = |name: &str| dir.path(name).to_str().unwrap().to_owned();
    vec![("DATABASE", at("keys.db")), ("BOARD", at("board")), ("SEED", seed.to_string())]
}

fn open_here() -> SqliteStore {
    SqliteStore::open(spawn::text("DATABASE"), patient()).unwrap()
}

fn start_doomed(test: &str, role: &str, mut values: Vec<(&'static str, String)>, fatal: &str) -> Child {
    values.push(("DIES_AT", fatal.to_owned()));
    spawn::start(&path(test), role, &values)
}

#[test]
fn inv_39_a_migration_killed_at_any_statement_leaves_nothing() {
    let test = "inv_39_a_migration_killed_at_any_statement_leaves_nothing";
    if spawn::role().is_some() {
        drop(open_here());
        return;
    }
    let dir = Dir::new();
    let mut killed = 0;
    for statement in 1.. {
        let child =
            start_doomed(test, "opener", values(&dir, 0), &format!("migration statement#{statement}"));
        let fate = spawn::end(child);
        if fate == Fate::Exited(0) {
            break;
        }
        assert_eq!(fate, Fate::Killed, "statement {statement}");
        killed += 1;
        let look = Connection::open(dir.path("keys.db")).unwrap();
        let tables: u32 = look.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0, "statement {statement} left something");
    }
    assert!(killed > 30, "only {killed} statements");
    let store = SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    assert!(matches!(RecordStore::apply(&store, &put(&key(1), Expected::Absent)), Ok(Applied::Done(_))));
}

#[test]
fn inv_39_many_starters_migrate_once() {
    let test = "inv_39_many_starters_migrate_once";
    if spawn::role().is_some() {
        let store = open_here();
        let n = u8::try_from(spawn::number("SEED")).unwrap();
        done(&store, &put(&key(n), Expected::Absent));
        return;
    }
    let dir = Dir::new();
    let starters: Vec<Child> =
        (0..6).map(|n| spawn::start(&path(test), "starter", &values(&dir, n))).collect();
    starters.into_iter().for_each(|child| drop(spawn::finish(child)));
    let look = Connection::open(dir.path("keys.db")).unwrap();
    let count = |sql: &str| look.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM tk_migrations"), schema::version());
    assert_eq!(count("SELECT count(*) FROM tk_store"), 1);
    assert_eq!(count("SELECT count(*) FROM tk_key"), 6);
    assert_eq!(count("SELECT generation FROM tk_store"), 7);
}

/// Writes keys and takes units until it dies; tells of each that was acknowledged.
fn write_and_tell() {
    let store = open_here();
    let seed = spawn::number("SEED");
    let mut holding = holding_of(seed);
    for n in 1..=40 {
        let id = key_id(seed, n);
        let record = crate::key::record::KeyRecord { id, ..key_with_digest(seed, n) };
        done(&store, &put(&record, Expected::Absent));
        spawn::report(format_args!("key {id}"));
        assert_eq!(exchange(&store, &mut holding, 1), 1);
        spawn::report(format_args!("unit"));
    }
}

fn key_id(seed: u64, n: u64) -> KeyId {
    KeyId::from_bytes((u128::from(seed) << 64 | u128::from(n)).to_be_bytes())
}

fn key_with_digest(seed: u64, n: u64) -> crate::key::record::KeyRecord {
    let digest = crate::key::digest::KeyDigest::sha256(&(seed << 32 | n).to_be_bytes());
    crate::key::record::KeyRecord { digest, ..key(1) }
}

fn holding_of(seed: u64) -> Holding {
    let holder = HolderId::from_bytes(u128::from(seed + 1).to_be_bytes());
    Holding::new(limit_row(), LeaseId { holder, life: 1 }, 0)
}

#[test]
fn inv_36_what_was_acknowledged_survives_kill_9() {
    let test = "inv_36_what_was_acknowledged_survives_kill_9";
    if spawn::role().is_some() {
        return write_and_tell();
    }
    let dir = Dir::new();
    let mut dice = Dice(36);
    let (mut keys, mut units, mut killed) = (Vec::new(), 0_i64, 0_i64);
    for seed in 0..24 {
        let place = PLACES[usize::try_from(seed % 4).unwrap()];
        let pass = if place == PLACES[0] { 1 + dice.roll(60) } else { 1 + dice.roll(30) };
        let child = start_doomed(test, "writer", values(&dir, seed), &format!("{place}#{pass}"));
        let output = child.wait_with_output().unwrap();
        assert_ne!(output.status.code(), Some(101), "the role failed");
        killed += i64::from(!output.status.success());
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            match line.strip_prefix('@') {
                Some("unit") => units += 1,
                Some(line) => keys.push(line.strip_prefix("key ").unwrap().parse::<KeyId>().unwrap()),
                None => {}
            }
        }
    }
    assert!(
        killed >= 20 && keys.len() > 100 && units > 100,
        "{killed} killed, {} keys, {units} units",
        keys.len()
    );
    let store = SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    for id in &keys {
        assert!(
            store.key_by_id(&key(1).account_id, id).unwrap().is_some(),
            "{id} was acknowledged and is gone"
        );
    }
    let limits = [limit_row().limit_id];
    let (from, until) = (crate::clock::Timestamp::MIN, crate::clock::Timestamp::MAX);
    let rows = crate::store::UsageStore::read(&store, &limits, from, until).unwrap();
    let confirmed = rows[0].bucket.confirmed;
    assert!((units..=units + killed).contains(&confirmed), "{units} acknowledged, {confirmed} counted");
    assert_eq!(crate::store::UsageStore::audit(&store).unwrap(), []);
    eprintln!("{killed} killed, {} keys and {units} units acknowledged, {confirmed} counted", keys.len());
}

/// Renames one key again and again; its name is the number that a caller was promised.
fn rename_until_death(board: &Board) {
    let store = open_here();
    let first = key(1);
    loop {
        let Some(found) = store.key_by_id(&first.account_id, &first.id).unwrap() else { continue };
        let number: u64 = found.record.name.parse::<u64>().unwrap() + 1;
        let record = crate::key::record::KeyRecord { name: number.to_string().into(), ..found.record };
        match store.apply(&change_of(&record, Expected::Version(found.version))) {
            Ok(Applied::Done(_)) => board.promise(number),
            Ok(Applied::Conflict(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Answers the key's name from a cache, as an authority does.
fn answer_from_cache(board: &Board) {
    let store = open_here();
    let digest = key(1).digest;
    let (mut cached, mut asked) = (0_u64, 0_u64);
    let mut cache: Option<(Generation, u64)> = None;
    while !board.is_stopped() {
        let promised = board.promised();
        let fresh = store.freshness().unwrap();
        let number = match (fresh, cache) {
            (Freshness::At(g), Some((at, number))) if g == at => {
                cached += 1;
                number
            }
            _ => {
                asked += 1;
                let found = store.key_by_digest(&digest).unwrap().unwrap();
                let number = found.record.name.parse().unwrap();
                if let (Freshness::At(g), true) = (fresh, fresh == store.freshness().unwrap()) {
                    cache = Some((g, number));
                }
                number
            }
        };
        assert!(number >= promised, "answered {number} after {promised} was promised ({fresh:?})");
        std::thread::yield_now();
    }
    spawn::report(format_args!("{cached} {asked}"));
}

#[test]
fn inv_04_no_process_answers_what_a_returned_change_ended() {
    let test = "inv_04_no_process_answers_what_a_returned_change_ended";
    match spawn::role().as_deref() {
        Some("writer") => return rename_until_death(&Board::find(&spawn::text("BOARD"))),
        Some(_) => return answer_from_cache(&Board::find(&spawn::text("BOARD"))),
        None => {}
    }
    let dir = Dir::new();
    let board = Board::make(&dir);
    let store = SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    let first = crate::key::record::KeyRecord { name: "1".into(), ..key(1) };
    store.apply(&put(&first, Expected::Absent)).unwrap();
    let readers = [0, 1].map(|seed| spawn::start(&path(test), "reader", &values(&dir, seed)));
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let dir = &dir;
            scope.spawn(move || {
                let mut dice = Dice(writer);
                for life in 0..16 {
                    let place = PLACES[usize::try_from(life % 4).unwrap()];
                    let fatal = format!("{place}#{}", 1 + dice.roll(15));
                    let child = start_doomed(test, "writer", values(dir, life), &fatal);
                    assert_eq!(spawn::end(child), Fate::Killed);
                }
            });
        }
    });
    board.stop();
    for reader in readers {
        let lines = spawn::finish(reader);
        let counts: Vec<u64> = lines[0].split(' ').map(|n| n.parse().unwrap()).collect();
        assert!(counts[0] > 100 && counts[1] > 20, "cached and asked: {counts:?}");
    }
    assert!(board.promised() > 50, "{}", board.promised());
}

#[test]
fn inv_04_a_change_is_marked_before_its_commit_and_until_it_is_published() {
    let test = "inv_04_a_change_is_marked_before_its_commit_and_until_it_is_published";
    if spawn::role().is_some() {
        done(&open_here(), &put(&key(1), Expected::Absent));
        return;
    }
    let dir = Dir::new();
    let store = SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    let Freshness::At(before) = store.freshness().unwrap() else { panic!("not fresh") };
    let after = Freshness::At(Generation(before.0 + 1));
    let mut values = values(&dir, 0);
    values.push(("HALTS", "yes".to_owned()));
    let mut changer = Halting::start(&path(test), "changer", &values);
    for place in PLACES {
        assert_eq!(changer.next_halt().as_deref(), Some(place));
        let seen = store.freshness().unwrap();
        let right = match place {
            "before the mark" => seen == Freshness::At(before),
            "before the commit" => seen == Freshness::ReadStore,
            // Whoever sees the mark for 100 ms may mend it.
            "after the commit" => seen == Freshness::ReadStore || seen == after,
            _ => seen == after,
        };
        assert!(right, "{place}: {seen:?}");
        changer.go_on();
    }
    assert_eq!(changer.next_halt(), None);
}

/// Takes units through several callers at once, so that the writer never runs out of work. Tells the longest wait in
/// time, and in calls of the other process that were served meanwhile.
fn take_units(board: &Board, calls: u32) {
    let store = open_here();
    let seed = spawn::number("SEED");
    let figures = std::thread::scope(|scope| {
        let callers = (0..CALLERS).map(|caller| {
            let store = &store;
            scope.spawn(move || {
                let mut holding = holding_of(seed * 100 + caller);
                let (mut longest_us, mut overtaken) = (0, 0);
                for _ in 0..calls {
                    let (began, served) = (Instant::now(), board.calls(1 - seed));
                    assert_eq!(exchange(store, &mut holding, 1), 1);
                    longest_us = longest_us.max(began.elapsed().as_micros());
                    overtaken = overtaken.max(board.calls(1 - seed) - served);
                    board.count_call(seed);
                }
                (longest_us, overtaken)
            })
        });
        let callers: Vec<_> = callers.collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    let longest_us = figures.iter().map(|(longest_us, _)| longest_us).max().unwrap();
    let overtaken = figures.iter().map(|(_, overtaken)| overtaken).max().unwrap();
    spawn::report(format_args!("{longest_us} {overtaken}"));
}

const CALLERS: u64 = 4;

#[test]
fn two_processes_at_full_load_starve_nobody() {
    let test = "two_processes_at_full_load_starve_nobody";
    const CALLS: u32 = 300;
    if spawn::role().is_some() {
        return take_units(&Board::find(&spawn::text("BOARD")), CALLS);
    }
    let dir = Dir::new();
    let _board = Board::make(&dir);
    drop(SqliteStore::open(dir.path("keys.db"), patient()).unwrap());
    let children = [0, 1].map(|seed| spawn::start(&path(test), "taker", &values(&dir, seed)));
    for child in children {
        let lines = spawn::finish(child);
        let figures: Vec<u64> = lines[0].split(' ').map(|n| n.parse().unwrap()).collect();
        let [longest_us, overtaken] = figures[..] else { panic!("{lines:?}") };
        eprintln!("longest wait {longest_us} us, overtaken {overtaken} times");
        // A quarter of all that the other does would be starvation, however busy the machine is.
        assert!(
            overtaken < u64::from(CALLS) * CALLERS / 4,
            "a call waited while the other was served {overtaken} times"
        );
    }
    let store = SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    let limits: [LimitId; 1] = [limit_row().limit_id];
    let (from, until) = (crate::clock::Timestamp::MIN, crate::clock::Timestamp::MAX);
    let rows = crate::store::UsageStore::read(&store, &limits, from, until).unwrap();
    assert_eq!(rows[0].bucket.confirmed, i64::try_from(CALLERS).unwrap() * i64::from(2 * CALLS));
}
