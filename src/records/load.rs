//! Answering what the cache misses.

use super::cache::Cache;
use super::entry::{KeyEntry, TenantEntry, fixed_org};
use super::touches::Touches;
use crate::error::Error;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::policy::Policy;
use crate::store::{Freshness, Generation, RecordStore, StoreError, TenantKey, TenantLevel};
use std::sync::Arc;

/// The records of one store under one policy.
pub(crate) struct Records {
    pub(crate) store: Arc<dyn RecordStore>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) cache: Cache,
    pub(crate) touches: Touches,
    strict: bool,
}

/// What a read may be kept as: the generation noted before it, or nothing where it may not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// The cache is up to date with this generation.
    At(Generation),
    /// Nothing cached may be used, and nothing read may be kept.
    Nothing,
}

impl Records {
    /// An empty cache over `store`. In `strict` mode each call reads the store.
    pub(crate) fn new(
        store: Arc<dyn RecordStore>,
        policy: Arc<Policy>,
        capacity: usize,
        strict: bool,
    ) -> Result<Self, Error> {
        let generation = match store.freshness()? {
            Freshness::At(generation) => generation,
            Freshness::ReadStore => store.changes_since(Generation(u64::MAX))?.upto,
        };
        Ok(Self {
            store,
            policy,
            cache: Cache::new(capacity, generation),
            touches: Touches::default(),
            strict,
        })
    }

    /// What may be used of the cache now; brings it up to date first if the store has moved on.
    #[inline]
    pub(crate) fn noted(&self) -> Result<Noted, Error> {
        if self.strict {
            return Ok(Noted::Nothing);
        }
        match self.store.freshness()? {
            Freshness::At(generation) if generation == self.cache.seen() => Ok(Noted::At(generation)),
            Freshness::At(_) => self.catch_up(),
            Freshness::ReadStore => Ok(Noted::Nothing),
        }
    }

    #[cold]
    fn catch_up(&self) -> Result<Noted, Error> {
        self.cache.catch_up(
            |seen| self.store.changes_since(seen),
            |entry| self.touches.keep(entry.take_touch(&self.policy)),
        )?;
        Ok(Noted::At(self.cache.seen()))
    }

    /// Reads a key by its digest and resolves it.
    pub(crate) fn load_key(
        &self,
        scheme: DigestScheme,
        digest: &KeyDigest,
        noted: Noted,
    ) -> Result<Option<KeyEntry>, Error> {
        let Some(stored) = self.store.key_by_digest(digest)? else {
            if let Noted::At(generation) = noted {
                self.cache.insert_unknown(digest, generation);
            }
            return Ok(None);
        };
        // What came back is compared again: a store that mixes rows up opens no door (INV-22).
        if stored.record.digest != *digest || stored.record.scheme != scheme {
            return Ok(None);
        }
        let record = &stored.record;
        let account = self.tenant(TenantKey::account(record.account_id.clone()), noted)?;
        let org = fixed_org(&record.bindings)
            .map(|org| {
                self.tenant(
                    TenantKey::org(record.account_id.clone(), &record.environment, org.clone()),
                    noted,
                )
            })
            .transpose()?;
        Ok(Some(KeyEntry::resolve(&stored, &self.policy, account, org)?))
    }

    /// The tenant's entry, from the cache or the store. Its absence is an entry too.
    pub(crate) fn tenant(&self, key: TenantKey, noted: Noted) -> Result<Arc<TenantEntry>, Error> {
        if let Noted::At(_) = noted
            && let Some(entry) = self.cache.tenants.pin().get(&key)
        {
            entry.touch();
            return Ok(Arc::clone(entry));
        }
        let entry = Arc::new(self.read_tenant(key)?);
        Ok(match noted {
            Noted::At(generation) => self.cache.insert_tenant(entry, generation),
            Noted::Nothing => entry,
        })
    }

    fn read_tenant(&self, key: TenantKey) -> Result<TenantEntry, StoreError> {
        let record = self.store.tenant(&key)?;
        let domains = match key.level() {
            TenantLevel::Account => self.store.domains(&key.account_id)?,
            TenantLevel::Org | TenantLevel::User => Vec::new(),
        };
        TenantEntry::resolve(key, record.as_ref(), domains, &self.policy)
    }

    /// Keeps a loaded key for later calls, unless something changed since it was read.
    pub(crate) fn keep(&self, entry: KeyEntry, noted: Noted) {
        if let Noted::At(generation) = noted {
            self.cache.insert_key(entry.digest, entry, generation, |evicted| {
                self.touches.keep(evicted.take_touch(&self.policy));
            });
        } else {
            self.touches.keep(entry.take_touch(&self.policy));
        }
    }

    /// Writes the uses noted so far. What can't be written is kept for the next time.
    pub(crate) fn flush_touches(&self) -> Result<(), Error> {
        let keys = self.cache.keys.pin();
        for digest in self.touches.take_dirty() {
            if let Some(entry) = keys.get(&digest) {
                self.touches.keep(entry.take_touch(&self.policy));
            }
        }
        drop(keys);
        self.touches.write(|batch| self.store.touch(batch))?;
        Ok(())
    }
}
