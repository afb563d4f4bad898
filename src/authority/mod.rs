//! The engine: one [`Authority`] per product and process, cheap to clone, safe to share.
//!
//! In reading order: `authorize` is the way of one request, on one screen; `builder` opens an authority; `issue` makes
//! keys, `lifecycle` changes and ends them; `tenants` is the registry; `usage` shows counts; `explain` walks a decision
//! step by step.

mod authorize;
mod builder;
mod call;
mod charge;
mod explain;
mod hooks;
mod limits;
mod manage;
mod people;
mod principal;
mod refusals;
mod registry;
mod request;
mod reserve;
mod usage;

pub use builder::{AuthorityBuilder, Mode};
pub use explain::{ExplainedLimit, ExplainedStep, Explanation, StepOutcome};
pub use hooks::{PlanQuestion, ResourceQuestion};
pub use manage::*;
pub use request::Request;
pub use reserve::{Reservation, Reserved};
pub use usage::UsageLine;

use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::key::digest::Digester;
use crate::ledger::Ledger;
use crate::observer::Observer;
use crate::policy::Policy;
use crate::records::{PlanInForce, Records};
use crate::seal::SealKey;
use crate::store::{CheckLine, CheckState, RecordStore};
use arc_swap::ArcSwap;
use refusals::Refusals;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Issues, judges and ends keys. Clones share everything.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// The policy in force with the cache that was resolved against it: swapped together by a reload.
    engine: ArcSwap<Engine>,
    store: Arc<dyn RecordStore>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    /// The latest instant seen: a clock that steps back revives nothing.
    latest_us: AtomicI64,
    entropy: Arc<dyn Entropy>,
    digester: Digester,
    seal_key: Option<SealKey>,
    observer: Option<Arc<dyn Observer>>,
    refusals: Refusals,
    hooks: hooks::Hooks,
    mode: Mode,
    cache_capacity: usize,
}

/// One policy at work.
pub(crate) struct Engine {
    pub(crate) policy: Arc<Policy>,
    /// The policy's revision in this store: part of every limit's configuration version.
    pub(crate) revision: u32,
    pub(crate) records: Records,
    /// The plan of whoever has none.
    pub(crate) default_plan: Option<PlanInForce>,
}

impl Authority {
    /// Begins an authority for `policy`.
    pub fn builder(policy: Policy) -> AuthorityBuilder {
        AuthorityBuilder::new(policy)
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.inner.engine.load().policy)
    }

    /// Puts another policy in force: calls that began go on under the old one, later ones see the new one.
    ///
    /// # Errors
    /// When the store does not give it a revision; the old policy then stays in force.
    pub fn reload(&self, policy: Policy) -> Result<(), Error> {
        let inner = &self.inner;
        let engine = Engine::start(&inner.store, Arc::new(policy), inner.cache_capacity, inner.mode)?;
        let old = self.inner.engine.swap(Arc::new(engine));
        old.records.flush_touches()
    }

    /// The current instant: never earlier than one this authority has seen.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.now()
    }

    /// Writes last-used times and usage reports that wait, and does the stores' house-keeping. Call it every second or
    /// so where no maintenance thread runs.
    ///
    /// # Errors
    /// The first failure; everything that could not be written waits for the next call.
    pub fn maintain(&self) -> Result<(), Error> {
        let now = self.inner.now();
        let touched = self.inner.engine.load().records.flush_touches();
        let reported = self.inner.ledger.maintain(now);
        let audited = self.inner.refusals.write(&*self.inner.store);
        let marked = self.inner.store.clock_mark(Some(now)).map(drop);
        let kept = self.inner.store.maintain(now);
        touched.and(reported).and(audited).and(marked.map_err(Error::from)).and(kept.map_err(Error::from))
    }

    /// The checks of store and configuration that `doctor` prints.
    #[must_use]
    pub fn health(&self) -> Vec<CheckLine> {
        let mut lines = self.inner.store.check();
        lines.extend(self.inner.ledger.check());
        let (keys, tenants) = self.inner.engine.load().records.cache.len();
        let (strangers, dropped) = self.inner.refusals.counts();
        let text = format!("{keys} keys and {tenants} tenants in this process");
        lines.push(CheckLine::new(CheckState::Ok, "record cache", text));
        let text =
            format!("{strangers} refusals of strangers, counted only; {dropped} of known keys not written");
        let state = if dropped == 0 { CheckState::Ok } else { CheckState::Warn };
        lines.push(CheckLine::new(state, "audit of refusals", text));
        lines
    }

    /// Reports and gives back everything, within `deadline_ms`; the authority must not be used after.
    ///
    /// # Errors
    /// Says what could not be written.
    pub fn close(&self, deadline_ms: u64) -> Result<(), Error> {
        let touched = self.inner.engine.load().records.flush_touches();
        // Before the ledger: both stores may be one, which the ledger closes.
        let audited = self.inner.refusals.write(&*self.inner.store);
        let settled = self.inner.ledger.close(deadline_ms);
        let closed = self.inner.store.close().map_err(Error::from);
        touched.and(settled).and(audited).and(closed)
    }
}

impl Engine {
    fn start(
        store: &Arc<dyn RecordStore>,
        policy: Arc<Policy>,
        cache_capacity: usize,
        mode: Mode,
    ) -> Result<Self, Error> {
        let revision = store.policy_revision(policy.digest())?;
        let strict = mode == Mode::Strict;
        let records = Records::new(Arc::clone(store), Arc::clone(&policy), cache_capacity, strict)?;
        let default_plan = PlanInForce::default_of(&policy);
        Ok(Self { policy, revision, records, default_plan })
    }
}

impl Inner {
    /// One reading of the clock, held to the latest instant seen.
    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now().as_micros();
        let latest = self.latest_us.load(Ordering::Relaxed);
        if now > latest {
            self.latest_us.fetch_max(now, Ordering::Relaxed);
            return Timestamp::from_micros(now);
        }
        Timestamp::from_micros(latest)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("policy", &self.policy().name()).finish_non_exhaustive()
    }
}
