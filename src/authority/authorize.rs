//! The way of one request, on one screen. The steps are numbered as in `ARCHITECTURE.md`; the first refusal is the
//! answer, and a refused request creates nothing and counts nothing.

use super::call::{Call, Reach, Stop, Want};
use super::charge::Next;
use super::registry::Source;
use super::{Authority, Engine, Inner, Request};
use crate::decision::Decision;
use crate::error::{Error, ErrorKind};
use crate::ledger::HeldLine;
use crate::observer::Event;
use crate::records::Noted;
use crate::store::Touch;
use crate::tenant::AccountId;

impl Authority {
    /// Judges a request and charges its cost on all limits that apply, or on none.
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
            Err(Stop::NeedStore | Stop::NeedTenant(_) | Stop::Again | Stop::Fail(_)) => None,
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

/// A judgement begins again at most so often: when a tenant had to be fetched, or something moved under it.
const ROUNDS_MAX: u32 = 8;

impl Inner {
    /// Steps 1 to 9. Decides on a cached record inside the map's guard, else on one that is read.
    pub(super) fn decide(&self, request: &Request<'_>, want: Want, reach: Reach) -> Result<Decision, Stop> {
        self.decide_holding(request, want, reach).map(|(decision, _)| decision)
    }

    /// As [`decide`](Self::decide); a reservation's units come with the decision.
    pub(super) fn decide_holding(
        &self,
        request: &Request<'_>,
        want: Want,
        reach: Reach,
    ) -> Result<(Decision, Vec<HeldLine>), Stop> {
        let engine = self.engine.load();
        let call = Call::new(&engine, request, want, self.now(), self.seal_key.as_ref())?;
        let presented = call.credential()?; // 1
        let parsed = call.parse(presented)?; // 2
        for _ in 0..ROUNDS_MAX {
            let noted = engine.records.noted()?;
            let cached = self.decide_cached(&call, parsed.as_bytes(), noted); // 3 to 7, and 8 where it needs no store
            let next = match (cached, reach) {
                (Some(Err(Stop::NeedTenant(key))), Reach::Store) => {
                    engine.records.tenant(*key, noted)?;
                    continue;
                }
                (None | Some(Err(Stop::NeedStore)), Reach::Store) => {
                    self.decide_read(&engine, &call, parsed.as_bytes(), noted)
                }
                (None, Reach::Cache) => return Err(Stop::NeedStore),
                (Some(decided), _) => decided,
            };
            let charged = match (next?, reach) {
                (Next::Done(decision), _) => return Ok((decision, Vec::new())),
                (Next::Ask(_), Reach::Cache) => return Err(Stop::NeedStore),
                (Next::Ask(pending), Reach::Store) => self.charge(*pending), // 8 and 9
            };
            match charged {
                Err(Stop::Again) => {}
                charged => {
                    self.note_use(&call, parsed.as_bytes(), &charged);
                    return charged;
                }
            }
        }
        Err(Stop::Fail(Error::new(
            ErrorKind::Overloaded,
            "the tenant changes too often to be judged; try again",
        )))
    }

    /// `None` when the cache does not hold the key.
    #[inline]
    fn decide_cached(&self, call: &Call<'_>, presented: &[u8], noted: Noted) -> Option<Result<Next, Stop>> {
        let Noted::At(_) = noted else { return None };
        let records = &call.engine.records;
        let keys = records.cache.keys.pin();
        let mut all_unknown = true;
        for (scheme, digest) in self.digester.candidates(presented) {
            let Some(entry) = keys.get(&digest) else {
                all_unknown &= records.cache.is_unknown(&digest);
                continue;
            };
            if !entry.is_current() || entry.scheme != scheme || entry.digest != digest {
                return None;
            }
            let tenants = records.cache.tenants.pin();
            let judged = match call.judge(entry, Source::Cache(&tenants)) {
                Ok(judged) => judged,
                Err(stop) => return Some(Err(stop)),
            };
            let next = self.charge_local(call, judged);
            if let Ok(Next::Done(_)) = next
                && call.want == Want::Charge
                && call.counts_as_use()
                && entry.touch(call.now, call.needed())
            {
                records.touches.note(digest);
            }
            return Some(next);
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
    ) -> Result<Next, Stop> {
        for (scheme, digest) in self.digester.candidates(presented) {
            let Some(entry) = engine.records.load_key(scheme, &digest, noted)? else { continue };
            let judged = call.judge(&entry, Source::Store(&engine.records, noted));
            let next = judged.and_then(|judged| self.charge_local(call, judged));
            if let Ok(Next::Done(_)) = next
                && call.want == Want::Charge
                && call.counts_as_use()
                && entry.touch(call.now, call.needed())
            {
                engine.records.touches.note(digest);
            }
            engine.records.keep(entry, noted);
            return next;
        }
        Err(call.unknown_key())
    }

    /// Notes the use of a key whose call the store had to charge.
    fn note_use(&self, call: &Call<'_>, presented: &[u8], charged: &Result<(Decision, Vec<HeldLine>), Stop>) {
        let allowed = matches!(charged, Ok((Decision::Allow(_), _)));
        if !allowed || call.want == Want::Inspect || !call.counts_as_use() {
            return;
        }
        let records = &call.engine.records;
        let keys = records.cache.keys.pin();
        let found = self.digester.candidates(presented).find_map(|(_, digest)| keys.get(&digest));
        if let Some(entry) = found {
            if entry.touch(call.now, call.needed()) {
                records.touches.note(entry.digest);
            }
        } else if let Ok((Decision::Allow(grant), _)) = charged {
            // Strict mode keeps no entries: the use goes straight to what waits to be written.
            records.touches.keep(Some(Touch {
                account_id: AccountId::from_stored(grant.account_id()),
                id: grant.key_id(),
                at: call.now,
                permissions: call.policy().permissions().names(call.needed()),
            }));
        }
    }

    /// Tells the observer, and the audit trail of refusals.
    pub(super) fn tell(
        &self,
        request: &Request<'_>,
        decision: Result<Decision, Error>,
    ) -> Result<Decision, Error> {
        if let Ok(Decision::Deny(denial)) = &decision {
            self.refusals.note(request, denial);
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
