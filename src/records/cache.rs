//! The record cache: positive entries by digest, tenants by key, and a small table of digests known to be unknown.
//!
//! # Why nothing here is ever stale in a way that matters
//!
//! Every call compares the store's generation with [`Cache::seen`] first and, if it is behind, drops what changed
//! ([`Cache::catch_up`]). An entry is inserted under the same lock, and only if `seen` is still the generation that was
//! noted before the store was read ([`Cache::insert_key`]): a late fill never revives a record. Entries are immutable;
//! a change replaces them.
//!
//! INVARIANT: a cached key holds the tenant entries of its account (and of its one org) that are in the map. A tenant's
//! change marks its entry stale before it leaves the map, so such keys are loaded anew, and no tenant entry leaves the
//! map for lack of room while a key holds it.

use super::entry::{KeyEntry, TenantEntry};
use crate::key::digest::KeyDigest;
use crate::store::{Changed, Changes, Generation, TenantKey};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The digest is uniform already: its first eight bytes are its hash. Only digests of issued or imported keys are
/// inserted, so no stranger can choose them.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length prefix of a byte slice carries nothing: all digests have one length.
    fn write_usize(&mut self, _: usize) {}
}

type Keys = papaya::HashMap<KeyDigest, KeyEntry, BuildHasherDefault<DigestHasher>>;
type Tenants = papaya::HashMap<TenantKey, Arc<TenantEntry>, RandomState>;

/// The tenants, inside a guard.
pub(crate) type PinnedTenants<'m> =
    papaya::HashMapRef<'m, TenantKey, Arc<TenantEntry>, RandomState, papaya::LocalGuard<'m>>;

/// See the module.
pub(crate) struct Cache {
    pub(crate) keys: Keys,
    pub(crate) tenants: Tenants,
    unknown: UnknownDigests,
    seen: AtomicU64,
    fill: Mutex<Order>,
    capacity: usize,
}

/// The order in which entries came, for eviction: first in, first out, with a second chance for what was used since.
#[derive(Default)]
struct Order {
    keys: VecDeque<KeyDigest>,
    tenants: VecDeque<TenantKey>,
}

impl Cache {
    /// An empty cache for at most `capacity` keys and as many tenants, up to date with `generation`.
    pub(crate) fn new(capacity: usize, generation: Generation) -> Self {
        Self {
            keys: Keys::default(),
            tenants: Tenants::default(),
            unknown: UnknownDigests::new(),
            seen: AtomicU64::new(generation.0),
            fill: Mutex::default(),
            capacity: capacity.max(1),
        }
    }

    /// The generation that the entries are up to date with.
    #[inline]
    pub(crate) fn seen(&self) -> Generation {
        Generation(self.seen.load(Ordering::Acquire))
    }

    /// Drops what changed. `changes` is asked for under the lock, so no fill slips in between.
    /// `leaving` sees each key that is dropped, so that its last use is not lost.
    pub(crate) fn catch_up<E>(
        &self,
        changes: impl FnOnce(Generation) -> Result<Changes, E>,
        leaving: impl Fn(&KeyEntry),
    ) -> Result<(), E> {
        let order = self.fill.lock();
        let changes = match changes(self.seen()) {
            Ok(changes) => changes,
            Err(error) => {
                // In doubt nothing cached may be used again.
                self.clear(order, &leaving);
                return Err(error);
            }
        };
        // A generation that falls is another store: doubt empties the cache too.
        match changes.changed {
            Some(changed) if changes.upto >= self.seen() => {
                self.drop_changed(&changed, changes.upto, &leaving)
            }
            _ => self.clear(order, &leaving),
        }
        self.seen.store(changes.upto.0, Ordering::Release);
        Ok(())
    }

    fn drop_changed(&self, changed: &[Changed], upto: Generation, leaving: &impl Fn(&KeyEntry)) {
        let (keys, tenants) = (self.keys.pin(), self.tenants.pin());
        for change in changed {
            match change {
                Changed::Key { digests, .. } => {
                    for digest in digests {
                        keys.remove(digest).map(leaving);
                    }
                    self.unknown.forget_before(upto);
                }
                Changed::Tenant(key) => {
                    if let Some(entry) = tenants.remove(key) {
                        entry.mark_stale();
                    }
                }
                // Domains are part of the account's entry.
                Changed::Domain(account) => {
                    if let Some(entry) = tenants.remove(&TenantKey::account(account.clone())) {
                        entry.mark_stale();
                    }
                }
            }
        }
    }

    fn clear(&self, mut order: MutexGuard<'_, Order>, leaving: &impl Fn(&KeyEntry)) {
        let (keys, tenants) = (self.keys.pin(), self.tenants.pin());
        for (_, entry) in &tenants {
            entry.mark_stale();
        }
        for (_, entry) in &keys {
            leaving(entry);
        }
        keys.clear();
        tenants.clear();
        // Whatever was noted so far is forgotten; what is noted after the next catch-up counts again.
        self.unknown.forget_before(Generation(self.seen().0.saturating_add(1)));
        *order = Order::default();
    }

    /// Keeps `entry` if nothing has changed since `noted`, the value of [`Cache::seen`] before the store was read.
    /// `leaving` sees each key that goes for lack of room, and `entry` itself if it is not kept.
    pub(crate) fn insert_key(
        &self,
        digest: KeyDigest,
        entry: KeyEntry,
        noted: Generation,
        leaving: impl Fn(&KeyEntry),
    ) {
        let mut order = self.fill.lock();
        if self.seen() != noted || !self.holds_tenants_of(&entry) {
            return leaving(&entry);
        }
        let keys = self.keys.pin();
        if keys.insert(digest, entry).is_none() {
            order.keys.push_back(digest);
        }
        // Twice around at most: an entry used since it came is passed over once.
        let mut chances = 2 * order.keys.len();
        while keys.len() > self.capacity && chances > 0 {
            chances -= 1;
            let Some(oldest) = order.keys.pop_front() else { break };
            if oldest == digest || keys.get(&oldest).is_some_and(|entry| entry.take_second_chance()) {
                order.keys.push_back(oldest);
            } else {
                keys.remove(&oldest).map(&leaving);
            }
        }
    }

    fn holds_tenants_of(&self, entry: &KeyEntry) -> bool {
        let tenants = self.tenants.pin();
        entry.tenants().all(|tenant| tenants.get(tenant.key()).is_some_and(|held| Arc::ptr_eq(held, tenant)))
    }

    /// Keeps a tenant if nothing has changed since `noted`, and returns the entry to use: the one that is in the map by
    /// then, or the given one if it could not be kept.
    pub(crate) fn insert_tenant(&self, entry: Arc<TenantEntry>, noted: Generation) -> Arc<TenantEntry> {
        let mut order = self.fill.lock();
        if self.seen() != noted {
            return entry;
        }
        let tenants = self.tenants.pin();
        if let Some(held) = tenants.get(entry.key()) {
            return Arc::clone(held);
        }
        tenants.insert(entry.key().clone(), Arc::clone(&entry));
        order.tenants.push_back(entry.key().clone());
        let mut chances = 2 * order.tenants.len();
        while tenants.len() > self.capacity && chances > 0 {
            chances -= 1;
            let Some(oldest) = order.tenants.pop_front() else { break };
            let keep = tenants
                .get(&oldest)
                .is_some_and(|held| Arc::strong_count(held) > 1 || held.take_second_chance());
            if keep {
                order.tenants.push_back(oldest);
            } else {
                tenants.remove(&oldest);
            }
        }
        entry
    }

    /// Remembers that the store had no key with this digest at `noted`.
    pub(crate) fn insert_unknown(&self, digest: &KeyDigest, noted: Generation) {
        let _order = self.fill.lock();
        if self.seen() == noted {
            self.unknown.insert(digest, noted);
        }
    }

    /// Whether the store is known to have no key with this digest.
    pub(crate) fn is_unknown(&self, digest: &KeyDigest) -> bool {
        self.unknown.contains(digest)
    }

    /// How many keys and tenants are held.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.keys.len(), self.tenants.len())
    }
}

/// A bounded, direct-mapped table of digests that no key has. Strangers choose what comes in here, so its place is
/// taken from a part of the digest mixed with a secret of the process, and a collision only forgets.
struct UnknownDigests {
    slots: Box<[UnknownSlot]>,
    hasher: RandomState,
    valid_from: AtomicU64,
}

/// A digest, and the generation at which the store did not have it.
type UnknownSlot = Mutex<Option<(KeyDigest, Generation)>>;

/// 4,096 slots of 48 bytes: a stranger's flood costs a fixed 200 KiB.
const UNKNOWN_SLOTS: usize = 4_096;

impl UnknownDigests {
    fn new() -> Self {
        Self {
            slots: (0..UNKNOWN_SLOTS).map(|_| Mutex::new(None)).collect(),
            hasher: RandomState::new(),
            valid_from: AtomicU64::new(0),
        }
    }

    fn slot(&self, digest: &KeyDigest) -> Option<&UnknownSlot> {
        use std::hash::BuildHasher as _;
        let hash = self.hasher.hash_one(digest.as_bytes());
        self.slots.get(usize::try_from(hash % UNKNOWN_SLOTS as u64).unwrap_or(0))
    }

    fn insert(&self, digest: &KeyDigest, noted: Generation) {
        if let Some(slot) = self.slot(digest) {
            *slot.lock() = Some((*digest, noted));
        }
    }

    fn contains(&self, digest: &KeyDigest) -> bool {
        self.slot(digest).is_some_and(|slot| {
            slot.lock().is_some_and(|(held, noted)| {
                held == *digest && noted.0 >= self.valid_from.load(Ordering::Acquire)
            })
        })
    }

    /// A key was issued or changed: what was unknown before that may be known now.
    fn forget_before(&self, generation: Generation) {
        self.valid_from.store(generation.0, Ordering::Release);
    }
}
