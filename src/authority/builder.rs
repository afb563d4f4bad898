//! Opening an authority.

use super::hooks::{Hooks, PlanQuestion, ResourceQuestion};
use super::{Authority, Engine, Inner};
use crate::clock::{Clock, SystemClock};
use crate::entropy::{Entropy, OsEntropy};
use crate::error::{Error, ErrorKind};
use crate::key::digest::Digester;
use crate::ledger::Ledger;
use crate::observer::Observer;
use crate::policy::{DigestScheme, Policy, Reveal};
use crate::seal::SealKey;
use crate::store::memory::{MemoryRecords, MemoryUsage};
use crate::store::{RecordStore, UsageStore};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// How records are kept fresh. Both keep the rule that nothing ended is accepted once the call that ended it returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Answer from the cache while the store's fence says that it is current.
    #[default]
    Fenced,
    /// Read the store on each check.
    Strict,
}

/// Keys that a cache holds unless told otherwise.
const CACHE_CAPACITY: usize = 100_000;

/// Collects what an [`Authority`] needs.
pub struct AuthorityBuilder {
    policy: Policy,
    stores: Option<(Arc<dyn RecordStore>, Arc<dyn UsageStore>)>,
    #[cfg(feature = "sqlite")]
    sqlite_path: Option<std::path::PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    digester: Option<Digester>,
    seal_key: Option<SealKey>,
    observer: Option<Arc<dyn Observer>>,
    hooks: Hooks,
    mode: Mode,
    cache_capacity: usize,
}

impl AuthorityBuilder {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            stores: None,
            #[cfg(feature = "sqlite")]
            sqlite_path: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            digester: None,
            seal_key: None,
            observer: None,
            hooks: Hooks::default(),
            mode: Mode::default(),
            cache_capacity: CACHE_CAPACITY,
        }
    }

    /// Where records and counts live. Without this call they live in memory and end with the process.
    #[must_use]
    pub fn stores(mut self, records: Arc<dyn RecordStore>, usage: Arc<dyn UsageStore>) -> Self {
        self.stores = Some((records, usage));
        self
    }

    /// Both in one SQLite database, which is made if it is not there. It is opened by [`open`](Self::open).
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.sqlite_path = Some(path.into());
        self
    }

    /// Another clock: for tests and vectors.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness: for tests and vectors.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// How keys are digested; needed where the policy says `hmac-sha256`, because its pepper is never in a policy.
    #[must_use]
    pub fn digester(mut self, digester: Digester) -> Self {
        self.digester = Some(digester);
        self
    }

    /// The key that seals texts which can be shown again, and the secrets that sign user ids.
    #[must_use]
    pub fn seal_key(mut self, key: SealKey) -> Self {
        self.seal_key = Some(key);
        self
    }

    /// Who is told of refusals, changes and failures.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Who is asked whether a plan may be chosen, where the policy says `plan_choice = "hook"`. Without an answer only the
    /// default plan can be chosen.
    #[must_use]
    pub fn plan_hook(
        mut self,
        hook: impl Fn(&PlanQuestion<'_>) -> Result<bool, Error> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.plan = Some(Arc::new(hook));
        self
    }

    /// Who is asked whether a resource exists before a key is bound to it. Without this call the host's word in the
    /// request is taken.
    #[must_use]
    pub fn resource_hook(
        mut self,
        hook: impl Fn(&ResourceQuestion<'_>) -> Result<bool, Error> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.resource = Some(Arc::new(hook));
        self
    }

    /// How records are kept fresh.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many keys, and how many tenants, the cache may hold; at least 1, by default 100,000.
    #[must_use]
    pub fn cache_capacity(mut self, keys: usize) -> Self {
        self.cache_capacity = keys.max(1);
        self
    }

    /// Opens the authority.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the policy needs a pepper or a seal key that was not given, and whatever the
    /// store answers.
    pub fn open(mut self) -> Result<Authority, Error> {
        let digester = self.take_digester()?;
        let reveals = self.policy.kinds().iter().any(|kind| kind.reveal != Reveal::Never);
        if reveals && self.seal_key.is_none() {
            let text = "the policy has kinds whose keys can be shown again; give the builder a seal key to keep them under";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        #[cfg(feature = "sqlite")]
        self.open_sqlite()?;
        let (store, usage) = self.stores.unwrap_or_else(|| {
            let usage = MemoryUsage::with_clock(Arc::clone(&self.clock));
            (Arc::new(MemoryRecords::new()) as Arc<dyn RecordStore>, Arc::new(usage) as Arc<dyn UsageStore>)
        });
        let latest = store.clock_mark(None)?;
        let policy = Arc::new(self.policy);
        let ledger = Ledger::new(usage, Arc::clone(&self.clock), Arc::clone(&self.entropy))?;
        let engine = Engine::start(&store, Arc::clone(&policy), self.cache_capacity, self.mode)?;
        Ok(Authority {
            inner: Arc::new(Inner {
                engine: ArcSwap::from_pointee(engine),
                store,
                ledger,
                clock: self.clock,
                latest_us: AtomicI64::new(latest.as_micros()),
                entropy: self.entropy,
                digester,
                seal_key: self.seal_key,
                observer: self.observer,
                refusals: super::Refusals::default(),
                hooks: self.hooks,
                mode: self.mode,
                cache_capacity: self.cache_capacity,
            }),
        })
    }

    #[cfg(feature = "sqlite")]
    fn open_sqlite(&mut self) -> Result<(), Error> {
        use crate::store::sqlite::{SqliteOptions, SqliteStore};
        if let Some(path) = self.sqlite_path.take() {
            let options = SqliteOptions { clock: Arc::clone(&self.clock), ..SqliteOptions::default() };
            let store = Arc::new(SqliteStore::open(path, options)?);
            let records: Arc<dyn RecordStore> = store.clone();
            self.stores = Some((records, store));
        }
        Ok(())
    }

    /// The digester that was given, or the plain one where the policy asks for no pepper.
    fn take_digester(&mut self) -> Result<Digester, Error> {
        let peppered = self.policy.credentials().digest == DigestScheme::HmacSha256;
        match self.digester.take() {
            None if peppered => {
                let text = "the policy digests keys with a pepper; give the builder a digester that has one";
                Err(Error::new(ErrorKind::InvalidArgument, text))
            }
            None => Ok(Digester::sha256()),
            Some(digester) => Ok(digester),
        }
    }
}
