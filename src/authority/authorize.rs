//! The way of one request, on one screen. The steps are numbered as in `ARCHITECTURE.md`; the first refusal is the
//! answer, and a refused request creates nothing and counts nothing.

use super::call::{Call, Reach, Stop, Want};
use super::{Authority, Engine, Inner, Request};
use crate::decision::Decision;
use crate::error::Error;
use crate::observer::Event;
use crate::records::Noted;

impl Authority {
    /// Judges a request and charges its cost on all limits that apply, or on none.
    ///
    /// ```
    /// # use tenantkit::{Authority, NewKey, Caller, Policy, Request};
    /// let authority = Authority::builder(Policy::builtin()).open()?;
    /// let issued = authority.issue(&Caller::admin("docs"), &NewKey::new("acme", "first key"))?;
    /// let key = issued.key.as_ref().map(|key| key.reveal()).unwrap_or_default();
    /// assert!(authority.authorize(&Request::new("request").key(key))?.is_allowed());
    /// # Ok::<(), tenantkit::Error>(())
    /// ```
    ///
    /// # Errors
    /// Could not decide: the store does not answer, a stored row is damaged, the operation id was used for something
    /// else, or the policy has no such operation. Never to be read as an allow, nor as an invalid key.
    pub fn authorize(&self, request: &Request<'_>) -> Result<Decision, Error> {
        let decision = self.inner.decide(request, Want::Charge, Reach::Store);
        self.inner.tell(request, Stop::into_decision(decision))
    }

    /// As [`authorize`](Self::authorize), but only if that needs no I/O: `None` has charged and created nothing, and
    /// the caller asks again with `authorize` on a thread that may block.
    #[must_use]
    pub fn authorize_cached(&self, request: &Request<'_>) -> Option<Decision> {
        match self.inner.decide(request, Want::Charge, Reach::Cache) {
            Err(Stop::NeedStore | Stop::Fail(_)) => None,
            decided => self.inner.tell(request, Stop::into_decision(decided)).ok(),
        }
    }

    /// The same judgement without any effect: nothing is charged or created. What it says of limits is advice.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub fn inspect(&self, request: &Request<'_>) -> Result<Decision, Error> {
        Stop::into_decision(self.inner.decide(request, Want::Inspect, Reach::Store))
    }
}

impl Inner {
    /// Steps 1 to 9. Decides on a cached record inside the map's guard, else on one that is read.
    pub(super) fn decide(&self, request: &Request<'_>, want: Want, reach: Reach) -> Result<Decision, Stop> {
        let engine = self.engine.load();
        let call = Call::new(&engine, request, want, self.now())?;
        let presented = call.credential()?; // 1
        let parsed = call.parse(presented)?; // 2
        let noted = engine.records.noted()?;
        if let Some(decided) = self.decide_cached(&call, parsed.as_bytes(), noted) {
            match decided {
                Err(Stop::NeedStore) if reach == Reach::Store => {}
                decided => return decided,
            }
        }
        if reach == Reach::Cache {
            return Err(Stop::NeedStore);
        }
        self.decide_read(&engine, &call, parsed.as_bytes(), noted)
    }

    /// `None` when the cache does not hold the key.
    #[inline]
    fn decide_cached(&self, call: &Call<'_>, presented: &[u8], noted: Noted) -> Option<Result<Decision, Stop>> {
        let Noted::At(_) = noted else { return None };
        let records = &call.engine.records;
        let keys = records.cache.keys.pin();
        let mut all_unknown = true;
        for (scheme, digest) in self.digester.candidates(presented) {
            let Some(entry) = keys.get(&digest) else {
                all_unknown &= records.cache.is_unknown(&digest);
                continue;
            };
            if !entry.is_current() || entry.scheme != scheme || !entry.digest.ct_eq(&digest) {
                return None;
            }
            // 3 to 7, then 8 where it needs no store.
            let judged = match call.judge(entry, Reach::Cache, noted) {
                Ok(judged) => judged,
                Err(stop) => return Some(Err(stop)),
            };
            let charged = self.charge_local(call, entry, judged);
            if charged.is_ok() && call.want == Want::Charge && call.counts_as_use() && entry.touch(call.now, call.needed()) {
                records.touches.note(digest);
            }
            return Some(charged);
        }
        all_unknown.then(|| Err(call.unknown_key()))
    }

    /// Reads the key, decides on what was read, and keeps it for the next call unless something changed meanwhile.
    #[cold]
    fn decide_read(
        &self,
        engine: &Engine,
        call: &Call<'_>,
        presented: &[u8],
        noted: Noted,
    ) -> Result<Decision, Stop> {
        for (scheme, digest) in self.digester.candidates(presented) {
            let Some(entry) = engine.records.load_key(scheme, &digest, noted)? else { continue }; // 3
            let decided =
                call.judge(&entry, Reach::Store, noted).and_then(|judged| self.charge(call, &entry, judged)); // 4 to 9
            if decided.is_ok() && call.want != Want::Inspect && call.counts_as_use() {
                entry.touch(call.now, call.needed());
                engine.records.touches.note(digest);
            }
            engine.records.keep(entry, noted);
            return decided;
        }
        Err(call.unknown_key())
    }

    /// Tells the observer, and the audit trail of refusals.
    fn tell(&self, request: &Request<'_>, decision: Result<Decision, Error>) -> Result<Decision, Error> {
        if let Ok(Decision::Deny(denial)) = &decision {
            self.note_refusal(request, denial);
        }
        if let Some(observer) = &self.observer {
            let (operation, request_id) = (request.operation, request.request_id);
            match &decision {
                Ok(decision) => observer.observe(&Event::Decided { operation, request_id, decision }),
                Err(error) => observer.observe(&Event::Failed { operation, error }),
            }
        }
        decision
    }
}
