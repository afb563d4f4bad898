//! Sessions of the older protocol, each tied to the caller that opened it (row X-11).
//!
//! A session id is never a credential: every request is judged by its own key, and then must come from the key and
//! tenant under which the session began. Anybody else gets 404, as for a session that never was, and the client starts
//! anew.

use crate::clock::Timestamp;
use crate::decision::Identity;
use crate::tenant::ScopeUser;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};

/// The sessions of one process, at most a fixed number of them.
///
/// When a key has opened as many as it may, or the table is full, the session that rested longest is forgotten, first
/// among the key's own. Ids and callers are kept as digests, so an entry has one size whatever a client sends.
#[derive(Debug)]
pub struct Sessions {
    table: Mutex<Table>,
    capacity: usize,
    per_key: usize,
}

type Hash = [u8; 32];

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Hash, Entry>,
    /// All sessions by last use, and the same key by key.
    by_use: BTreeSet<(u64, Hash)>,
    by_key: BTreeSet<([u8; 16], u64, Hash)>,
    per_key: HashMap<[u8; 16], usize>,
    /// Rises with every use, so that the order of use is total.
    tick: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    caller: Hash,
    key: [u8; 16],
    tick: u64,
    used_at: Timestamp,
    idle_s: Option<u32>,
}

/// Sessions one process remembers unless told otherwise: about 16 MiB when full.
const CAPACITY: usize = 65_536;

impl Default for Sessions {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl Sessions {
    /// Room for `capacity` sessions, a quarter of it for each key, but at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { table: Mutex::default(), capacity: capacity.max(1), per_key: (capacity / 4).max(1) }
    }

    /// Ties the session to the caller that opened it. With `idle_s` it ends after that many seconds without a request.
    pub fn bind(&self, session_id: &str, caller: &Identity, now: Timestamp, idle_s: Option<u32>) {
        let key = *caller.key_id().as_bytes();
        let mut table = self.table.lock();
        table.remove(&hash_text(session_id));
        while table.per_key.get(&key).is_some_and(|count| *count >= self.per_key) {
            table.forget_oldest_of(key);
        }
        while table.entries.len() >= self.capacity {
            table.forget_oldest();
        }
        let entry = Entry { caller: hash_caller(caller), key, tick: 0, used_at: now, idle_s };
        table.insert(hash_text(session_id), entry);
    }

    /// Whether the session is this caller's, who keeps it alive by asking. One that has rested too long is forgotten.
    #[must_use]
    pub fn is_of(&self, session_id: &str, caller: &Identity, now: Timestamp) -> bool {
        let id = hash_text(session_id);
        let mut table = self.table.lock();
        let Some(mut entry) = table.entries.get(&id).copied() else { return false };
        if entry.caller != hash_caller(caller) {
            return false;
        }
        table.remove(&id);
        let rested_us = now.micros_since(entry.used_at);
        if entry.idle_s.is_some_and(|idle_s| rested_us > i64::from(idle_s) * 1_000_000) {
            return false;
        }
        entry.used_at = entry.used_at.max(now);
        table.insert(id, entry);
        true
    }

    /// Forgets a session that has ended.
    pub fn end(&self, session_id: &str) {
        self.table.lock().remove(&hash_text(session_id));
    }
}

impl Table {
    fn insert(&mut self, id: Hash, mut entry: Entry) {
        self.tick += 1;
        entry.tick = self.tick;
        self.by_use.insert((entry.tick, id));
        self.by_key.insert((entry.key, entry.tick, id));
        *self.per_key.entry(entry.key).or_default() += 1;
        self.entries.insert(id, entry);
    }

    fn remove(&mut self, id: &Hash) {
        let Some(entry) = self.entries.remove(id) else { return };
        self.by_use.remove(&(entry.tick, *id));
        self.by_key.remove(&(entry.key, entry.tick, *id));
        if let Some(count) = self.per_key.get_mut(&entry.key) {
            *count -= 1;
            if *count == 0 {
                self.per_key.remove(&entry.key);
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.by_use.first().copied() {
            self.remove(&id);
        }
    }

    fn forget_oldest_of(&mut self, key: [u8; 16]) {
        if let Some((_, _, id)) = self.by_key.range((key, 0, [0; 32])..).next().copied() {
            self.remove(&id);
        }
    }
}

fn hash_text(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Key, account, environment, org and user, each after its length, so that no two callers share a digest.
fn hash_caller(caller: &Identity) -> Hash {
    let user = match caller.scope().user() {
        ScopeUser::None => ["-", ""],
        ScopeUser::Anonymous => ["*", ""],
        ScopeUser::Named(id) => ["=", id],
    };
    let org = caller.org_id().map_or(["-", ""], |id| ["=", id]);
    let mut hash = Sha256::new();
    hash.update(caller.key_id().as_bytes());
    for part in [caller.account_id(), caller.environment()].into_iter().chain(org).chain(user) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::id::KeyId;
    use crate::tenant::TenantScope;
    use proptest::prelude::*;

    fn caller(key: u8, account: &str, org: Option<&str>, user: ScopeUser<'_>) -> Identity {
        Identity::new(KeyId::from_bytes([key; 16]), TenantScope::new(account, "live", org, user), None)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn only_the_opener_may_go_on() {
        let sessions = Sessions::default();
        let ann = || caller(1, "acme", Some("o"), ScopeUser::Named("ann"));
        sessions.bind("s", &ann(), at(0), None);
        assert!(sessions.is_of("s", &ann(), at(1)));
        let others = [
            caller(2, "acme", Some("o"), ScopeUser::Named("ann")),
            caller(1, "acme", Some("p"), ScopeUser::Named("ann")),
            caller(1, "acme", Some("o"), ScopeUser::Named("bob")),
            caller(1, "acme", Some("o"), ScopeUser::Anonymous),
            caller(1, "acme", Some("o"), ScopeUser::None),
            caller(1, "acme", None, ScopeUser::Named("ann")),
            caller(1, "acm", Some("o"), ScopeUser::Named("ann")),
            caller(1, "acme", Some("oann"), ScopeUser::Named("")),
        ];
        for other in &others {
            assert!(!sessions.is_of("s", other, at(2)), "{other:?}");
        }
        assert!(sessions.is_of("s", &ann(), at(3)), "a stranger's try ends nothing");
        assert!(!sessions.is_of("t", &ann(), at(3)));
        sessions.end("s");
        assert!(!sessions.is_of("s", &ann(), at(3)));
    }

    #[test]
    fn a_session_rests_at_most_so_long() {
        let sessions = Sessions::default();
        let ann = caller(1, "acme", None, ScopeUser::Named("ann"));
        sessions.bind("s", &ann, at(0), Some(10));
        assert!(sessions.is_of("s", &ann, at(10)));
        assert!(sessions.is_of("s", &ann, at(5)), "a clock that goes back ends nothing");
        assert!(sessions.is_of("s", &ann, at(20)));
        assert!(!sessions.is_of("s", &ann, at(31)));
        assert!(!sessions.is_of("s", &ann, at(20)), "once ended it stays so");
    }

    #[test]
    fn a_key_displaces_its_own_sessions_first() {
        let sessions = Sessions::new(8);
        let (quiet, busy) = (caller(1, "a", None, ScopeUser::None), caller(2, "b", None, ScopeUser::None));
        sessions.bind("quiet", &quiet, at(0), None);
        for i in 0..100 {
            sessions.bind(&format!("busy {i}"), &busy, at(1), None);
        }
        assert!(sessions.is_of("quiet", &quiet, at(2)));
        assert!(sessions.is_of("busy 98", &busy, at(2)) && sessions.is_of("busy 99", &busy, at(2)));
        assert!(!sessions.is_of("busy 97", &busy, at(2)));
    }

    #[test]
    fn the_table_never_outgrows_its_capacity() {
        let sessions = Sessions::new(8);
        for i in 0..100_u8 {
            sessions.bind(&i.to_string(), &caller(i, "a", None, ScopeUser::None), at(0), None);
        }
        assert_eq!(sessions.table.lock().entries.len(), 8);
        assert!(sessions.is_of("92", &caller(92, "a", None, ScopeUser::None), at(0)));
        assert!(!sessions.is_of("91", &caller(91, "a", None, ScopeUser::None), at(0)));
    }

    proptest! {
        /// The four indexes of the table hold the same sessions, whatever happens to it.
        #[test]
        fn the_indexes_agree(acts in proptest::collection::vec((0_u8..3, 0_u8..6, 0_u8..3), 0..200)) {
            let sessions = Sessions::new(6);
            for (act, id, key) in acts {
                let (id, caller) = (id.to_string(), caller(key, "a", None, ScopeUser::None));
                match act {
                    0 => sessions.bind(&id, &caller, at(0), None),
                    1 => drop(sessions.is_of(&id, &caller, at(0))),
                    _ => sessions.end(&id),
                }
                let table = sessions.table.lock();
                let by_use: BTreeSet<_> = table.entries.iter().map(|(id, e)| (e.tick, *id)).collect();
                let by_key: BTreeSet<_> = table.entries.iter().map(|(id, e)| (e.key, e.tick, *id)).collect();
                prop_assert_eq!(&by_use, &table.by_use);
                prop_assert_eq!(&by_key, &table.by_key);
                prop_assert_eq!(table.per_key.values().sum::<usize>(), table.entries.len());
                prop_assert!(table.entries.len() <= 6 && table.per_key.values().all(|count| (1..=1).contains(count)));
            }
        }
    }
}
